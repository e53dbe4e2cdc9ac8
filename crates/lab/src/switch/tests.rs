//! A running switch whose nodes are stream sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::process::poll_until;

const SOON: Duration = Duration::from_secs(20);

const BROADCAST: [u8; 6] = [0xff; 6];

fn mac(node: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, node]
}

/// A switch and the nodes' ends of its cables; everybody is known to it.
fn world(nodes: usize) -> (Switch, Vec<UnixStream>) {
    let switch = Switch::start(nodes, 1).unwrap();
    let mut ends: Vec<UnixStream> = (0..nodes).map(|port| plug(&switch, port)).collect();
    for node in 0..nodes {
        ends[node].write_all(&prefixed(&frame(node as u8, BROADCAST, b"here"))).unwrap();
        for (other, end) in ends.iter_mut().enumerate() {
            assert!(other == node || payload(end) == b"here");
        }
    }
    (switch, ends)
}

fn plug(switch: &Switch, port: PortId) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(SOON)).unwrap();
    ours.set_write_timeout(Some(SOON)).unwrap();
    switch.plug(port, &format!("node{port}"), Cable::Stream(theirs.into())).unwrap();
    ours
}

fn frame(from: u8, to: [u8; 6], payload: &[u8]) -> Vec<u8> {
    [&to[..], &mac(from), &[0x88, 0xb5], payload].concat()
}

fn prefixed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}

/// The next frame's payload.
fn payload(end: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    end.read_exact(&mut length).expect("a length");
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    end.read_exact(&mut frame).expect("a frame");
    frame.split_off(core::ETHERNET_HEADER)
}

fn counters(switch: &Switch, port: PortId) -> Counters {
    let name = format!("node{port}");
    switch.report().into_iter().find(|p| p.name == name).map(|p| p.counters).unwrap_or_default()
}

/// Whether the switch hung up.
fn is_at_end(end: &mut UnixStream) -> bool {
    matches!(end.read(&mut [0]), Ok(0) | Err(_)) && end.write_all(&[0; 4]).is_err()
}

#[test]
fn frames_cross_whole_however_they_are_written() {
    let (switch, mut ends) = world(3);
    let stream = prefixed(&frame(0, mac(1), b"in small pieces"));
    for byte in &stream {
        ends[0].write_all(&[*byte]).unwrap();
    }
    assert_eq!(payload(&mut ends[1]), b"in small pieces");
    // More than a batch in one write, the last one not complete: nothing else wakes the switch.
    let many: Vec<u8> = (0..1000u32).flat_map(|n| prefixed(&frame(0, mac(1), &n.to_be_bytes()))).collect();
    ends[0].write_all(&[&many[..], &stream[..7]].concat()).unwrap();
    for n in 0..1000u32 {
        assert_eq!(payload(&mut ends[1]), n.to_be_bytes());
    }
    ends[0].write_all(&stream[7..]).unwrap();
    assert_eq!(payload(&mut ends[1]), b"in small pieces");
    let largest = vec![9; LARGEST_FRAME - tap::HEADER - core::ETHERNET_HEADER];
    ends[0].write_all(&prefixed(&frame(0, mac(1), &largest))).unwrap();
    assert!(payload(&mut ends[1]) == largest);
    assert_eq!(counters(&switch, 0).sent_frames, 1004);
    assert_eq!(counters(&switch, 2).got_frames, 2, "only the greetings");
}

#[test]
fn a_runt_is_counted_and_nothing_else() {
    let (switch, mut ends) = world(2);
    for length in 0..core::ETHERNET_HEADER {
        ends[0].write_all(&prefixed(&vec![0xff; length])).unwrap();
    }
    ends[0].write_all(&prefixed(&frame(0, mac(1), b"after the runts"))).unwrap();
    assert_eq!(payload(&mut ends[1]), b"after the runts");
    assert_eq!(counters(&switch, 0).runts, 14);
}

#[test]
fn a_reader_that_does_not_keep_up_loses_whole_frames() {
    let (switch, mut ends) = world(2);
    let before = counters(&switch, 0).sent_frames;
    let sent = 3000u32;
    for n in 0..sent {
        let payload = [&n.to_be_bytes()[..], &vec![n as u8; 1400 - n as usize % 7]].concat();
        ends[0].write_all(&prefixed(&frame(0, mac(1), &payload))).unwrap();
    }
    assert!(poll_until(SOON, || counters(&switch, 0).sent_frames == before + u64::from(sent)));
    let refused = counters(&switch, 1).refused;
    assert!(refused > 0 && refused < u64::from(sent), "{refused} of {sent}");
    let mut next = 0;
    for _ in 0..u64::from(sent) - refused {
        let got = payload(&mut ends[1]);
        let n = u32::from_be_bytes(got[..4].try_into().unwrap());
        assert!(n >= next && n < sent, "{n} after {next}");
        assert!(
            got.len() == 1404 - n as usize % 7 && got[4..].iter().all(|b| *b == n as u8),
            "{n} is damaged"
        );
        next = n + 1;
    }
    ends[0].write_all(&prefixed(&frame(0, mac(1), b"room again"))).unwrap();
    assert_eq!(payload(&mut ends[1]), b"room again");
    assert_eq!(counters(&switch, 1).refused, refused);
}

#[test]
fn a_port_that_is_out_of_step_dies_alone_and_is_plugged_in_again() {
    let (switch, mut ends) = world(3);
    ends[2].write_all(&(LARGEST_FRAME as u32).to_be_bytes()).unwrap();
    assert!(is_at_end(&mut ends[2]));
    assert!(poll_until(SOON, || switch.report().len() == 2), "the port is gone");
    ends[0].write_all(&prefixed(&frame(0, mac(1), b"unharmed"))).unwrap();
    assert_eq!(payload(&mut ends[1]), b"unharmed");
    ends[2] = plug(&switch, 2);
    ends[2].write_all(&prefixed(&frame(2, mac(1), b"back"))).unwrap();
    assert_eq!(payload(&mut ends[1]), b"back");
    ends[1].write_all(&prefixed(&frame(1, mac(2), b"welcome"))).unwrap();
    assert_eq!(payload(&mut ends[2]), b"welcome");
}

#[test]
fn a_peer_that_hangs_up_is_unplugged() {
    let (switch, mut ends) = world(3);
    ends[2].write_all(&prefixed(&frame(2, mac(1), b"last words"))).unwrap();
    ends.truncate(2);
    assert_eq!(payload(&mut ends[1]), b"last words");
    assert!(poll_until(SOON, || switch.report().len() == 2));
    // One that only stopped reading is found out by the next frame to it.
    ends[1].shutdown(std::net::Shutdown::Read).unwrap();
    ends[0].write_all(&prefixed(&frame(0, mac(1), b"anybody?"))).unwrap();
    assert!(poll_until(SOON, || switch.report().len() == 1));
}

#[test]
fn a_later_cable_replaces_the_earlier_one() {
    let (switch, mut ends) = world(2);
    let mut earlier = std::mem::replace(&mut ends[1], plug(&switch, 1));
    assert!(is_at_end(&mut earlier));
    ends[0].write_all(&prefixed(&frame(0, mac(1), b"to the new one"))).unwrap();
    assert_eq!(payload(&mut ends[1]), b"to the new one");
}

#[test]
fn what_a_stream_cannot_say_is_not_sent_on_it() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut port = Port::new("node", Cable::Stream(theirs.into())).unwrap();
    let framed = |flags: u8, segmentation: u8| {
        [&[flags, segmentation][..], &[0; tap::HEADER - 2], &frame(0, mac(1), b"x")].concat()
    };
    assert!(!port.send(&framed(1, 0)) && !port.send(&framed(0, 1)));
    assert_eq!((port.counters.unfinished, port.counters.got_frames), (2, 0));
    // The sender's kernel has verified the checksum: nothing is missing.
    assert!(port.send(&framed(2, 0)));
    drop(port);
    let mut ours = ours;
    assert_eq!(payload(&mut ours), b"x");
    assert!(is_at_end(&mut ours), "and nothing else");
}

#[test]
fn faults_reach_the_frames_and_are_counted() {
    let (switch, mut ends) = world(2);
    let mut send = |link: Link, text: &[u8]| {
        switch.set_link(0, 1, link);
        ends[0].write_all(&prefixed(&frame(0, mac(1), text))).unwrap();
        ends[1].try_clone().unwrap()
    };
    let mut end = send(Link { duplicate: 1.0, ..Link::SOUND }, b"twice");
    assert_eq!((payload(&mut end), payload(&mut end)), (b"twice".to_vec(), b"twice".to_vec()));
    let mut end = send(Link { corrupt: 1.0, ..Link::SOUND }, &[0; 100]);
    let damaged = payload(&mut end);
    assert_eq!(damaged.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    let began = tokio::time::Instant::now();
    let mut end = send(Link { reorder: 1.0, ..Link::SOUND }, b"held back");
    assert_eq!(payload(&mut end), b"held back");
    assert!(began.elapsed() >= faults::HELD_BACK);
    let began = tokio::time::Instant::now();
    let mut end = send(Link { rate: Some(10_000), ..Link::SOUND }, &[1; 986]);
    assert_eq!(payload(&mut end), [1; 986]);
    assert!(began.elapsed() >= Duration::from_millis(100), "1000 bytes at 10 kB/s");
    let got = counters(&switch, 1);
    assert_eq!((got.duplicated, got.corrupted, got.reordered), (1, 1, 1));
}

#[test]
fn a_damaged_frame_is_left_to_no_kernel_to_complete() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut port = Port::new("node", Cable::Stream(theirs.into())).unwrap();
    let passage = link::Passage { flipped: Some(8 * core::ETHERNET_HEADER + 3), ..link::Passage::default() };
    let mut damaged = Vec::new();
    let mut framed = [&[1; tap::HEADER][..], &frame(0, mac(1), b"x")].concat();
    assert_eq!(turn::copy(&mut port, &framed, passage, &mut damaged), None);
    framed[..tap::HEADER].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let expected = [&[0; tap::HEADER][..], &frame(0, mac(1), &[b'x' ^ 8])].concat();
    assert_eq!(turn::copy(&mut port, &framed, passage, &mut damaged), Some(&expected[..]));
    assert_eq!(port.counters.corrupted, 1);
}

#[test]
fn captures_tell_what_arrived_and_what_did_not() {
    let (switch, mut ends) = world(3);
    let mut send = |link: Link, text: &[u8]| {
        switch.set_link(0, 1, link);
        let before = counters(&switch, 0).sent_frames;
        ends[0].write_all(&prefixed(&frame(0, mac(1), text))).unwrap();
        assert!(poll_until(SOON, || counters(&switch, 0).sent_frames > before));
    };
    send(Link::CUT, b"cut");
    send(Link { loss: 1.0, ..Link::SOUND }, b"lost");
    let delay = Duration::from_millis(20);
    send(Link { duplicate: 1.0, delay, ..Link::SOUND }, &[7; 1000]);
    assert_eq!((payload(&mut ends[1]), payload(&mut ends[1])), (vec![7; 1000], vec![7; 1000]));
    switch.unplug(1);
    let files = switch.captures();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["node0-node1", "node0-node1-dropped", "node0-node2", "node1-node2"]);
    let arrived = capture::parse(&files[0].1);
    let greetings = &arrived[..2];
    assert!(greetings.iter().all(|(.., kept)| kept.ends_with(b"here")));
    for (_, _, length, kept) in &arrived[2..] {
        assert_eq!((*length, &kept[..]), (1014, &frame(0, mac(1), &[7; 146])[..]));
    }
    let dropped = capture::parse(&files[1].1);
    let texts: Vec<&[u8]> = dropped.iter().map(|(.., kept)| &kept[core::ETHERNET_HEADER..]).collect();
    assert_eq!((arrived.len(), texts), (4, vec![&b"cut"[..], b"lost"]));
    let at = |record: &(u32, u32, usize, Vec<u8>)| Duration::new(record.0.into(), record.1);
    assert!(at(&arrived[2]) >= at(&dropped[1]) + delay, "the time of arrival");
    let now = jiff::Timestamp::now().as_second();
    assert!(now.abs_diff(i64::from(arrived[2].0)) < 60, "wall-clock time");
}
