//! Taps and a machine's stream on one switch: who can leave work to whom.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use lab::netns;
use lab::switch::faults::Link;
use lab::switch::{Cable, Switch, tap};

const SOON: Duration = Duration::from_secs(20);
const MACHINE: [u8; 6] = [2, 0, 0, 0, 0, 99];
const MACHINE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 61, 0, 99);

/// A network namespace that lives as long as its descriptor.
fn namespace() -> OwnedFd {
    let made = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
        std::fs::File::open("/proc/thread-self/ns/net").expect("its descriptor")
    });
    made.join().expect("a thread").into()
}

/// Plugs a namespace in and gives it an address, and the machine's as known.
fn plug(switch: &Switch, port: usize, address: Ipv4Addr) -> OwnedFd {
    let namespace = namespace();
    let tap = tap::open(&namespace, "eth0").expect("a tap");
    switch.plug(port, &format!("node{port}"), Cable::Tap(tap)).expect("plugged");
    let script = format!(
        "ip link set eth0 up && ip addr add {address}/24 dev eth0 && \
         ip neigh add {MACHINE_ADDRESS} lladdr 02:00:00:00:00:63 dev eth0"
    );
    let ip =
        netns::inside(&namespace, || Command::new("sh").args(["-ec", &script]).output()).expect("sh runs");
    assert!(ip.status.success(), "{}", String::from_utf8_lossy(&ip.stderr));
    namespace
}

/// Two mebibytes over TCP, byte for byte, and the mean size of the frames that carried them.
fn mean_frame(switch: &Switch, from: &OwnedFd, to: &OwnedFd) -> u64 {
    let sent = || {
        let ports = switch.report();
        let port = ports.iter().find(|p| p.name == "node0").expect("a port").counters;
        (port.sent_frames, port.sent_bytes)
    };
    let (frames, bytes) = sent();
    let address = (Ipv4Addr::new(10, 61, 0, 2), 7001);
    let listener = netns::inside(to, || TcpListener::bind(address)).expect("a listener");
    let mut sender = netns::inside(from, || TcpStream::connect(address)).expect("a connection");
    let sending = std::thread::spawn(move || sender.write_all(&[7; 2 << 20]));
    let (mut stream, _) = listener.accept().expect("accepted");
    stream.set_read_timeout(Some(SOON)).expect("a deadline");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("read to the end");
    sending.join().expect("a thread").expect("sent");
    assert!(got.len() == 2 << 20 && got.iter().all(|b| *b == 7));
    let (frames_now, bytes_now) = sent();
    (bytes_now - bytes) / (frames_now - frames)
}

/// The next frame with that payload at its end.
fn frame_with(machine: &mut UnixStream, payload: &[u8]) -> Vec<u8> {
    loop {
        let mut length = [0; 4];
        machine.read_exact(&mut length).expect("a length");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        machine.read_exact(&mut frame).expect("a frame");
        if frame.ends_with(payload) {
            return frame;
        }
    }
}

/// The sum over an IPv4 UDP packet and its pseudo header: all ones when the checksum is right.
fn udp_sum(packet: &[u8]) -> u16 {
    let length = (packet.len() - 20) as u16;
    let pseudo = [&packet[12..20], &[0, 17], &length.to_be_bytes(), &packet[20..]].concat();
    let words = pseudo.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded as u16).wrapping_add((folded >> 16) as u16)
}

#[test]
fn while_a_machine_is_plugged_in_namespaces_finish_their_frames_themselves() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: network namespaces need root");
        return;
    }
    let switch = Switch::start(3, 1).expect("a switch");
    let one = plug(&switch, 0, Ipv4Addr::new(10, 61, 0, 1));
    let two = plug(&switch, 1, Ipv4Addr::new(10, 61, 0, 2));
    let mean = mean_frame(&switch, &one, &two);
    assert!(mean > 1514, "frames of {mean} bytes: no offloads");

    let (mut machine, cable) = UnixStream::pair().expect("a socket pair");
    machine.set_read_timeout(Some(SOON)).expect("a deadline");
    switch.plug(2, "machine", Cable::Stream(cable.into())).expect("plugged");

    let socket =
        netns::inside(&one, || UdpSocket::bind((Ipv4Addr::new(10, 61, 0, 1), 7000))).expect("a socket");
    socket.send_to(b"finished by the sender", (MACHINE_ADDRESS, 7000)).expect("sent");
    let frame = frame_with(&mut machine, b"finished by the sender");
    assert_eq!(frame[..6], MACHINE);
    assert_eq!(udp_sum(&frame[14..]), 0xffff, "a checksum that nobody made: {frame:02x?}");
    let mean = mean_frame(&switch, &one, &two);
    assert!(mean <= 1514, "frames of {mean} bytes, which the machine could not take");

    drop(machine);
    let gone = lab::process::poll_until(SOON, || switch.report().len() == 2);
    assert!(gone, "the machine's cable is still plugged in");
    let mean = mean_frame(&switch, &one, &two);
    assert!(mean > 1514, "frames of {mean} bytes: offloads did not come back");
}

/// The kernel's checksums must see every flipped bit: none may be made after the damage.
#[test]
fn tcp_survives_all_that_a_link_can_do_to_packets() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: network namespaces need root");
        return;
    }
    let switch = Switch::start(2, 1).expect("a switch");
    let one = plug(&switch, 0, Ipv4Addr::new(10, 61, 0, 1));
    let two = plug(&switch, 1, Ipv4Addr::new(10, 61, 0, 2));
    mean_frame(&switch, &one, &two);
    let rate = Some(10 << 20);
    let bad = Link { loss: 0.01, duplicate: 0.02, corrupt: 0.02, reorder: 0.02, rate, ..Link::SOUND };
    switch.set_link(0, 1, bad);
    switch.set_link(1, 0, bad);
    let mean = mean_frame(&switch, &one, &two);
    assert!(mean <= 1514, "frames of {mean} bytes");
    let got = switch.report().into_iter().find(|p| p.name == "node1").expect("a port").counters;
    for (what, count) in
        [("duplicated", got.duplicated), ("corrupted", got.corrupted), ("reordered", got.reordered)]
    {
        assert!(count > 5, "{count} frames {what}: {got:?}");
    }
}
