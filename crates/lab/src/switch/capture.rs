//! The last frames of every link, to be read with tcpdump or Wireshark after a lane.
//!
//! A pair of nodes has two rings. One holds what arrived, as the receiver got it and when: a delay, a
//! duplicate, an overtaking and a flipped bit show. The other holds what was sent and did not arrive,
//! when it was given up, whatever took it: a cut, a loss, a full buffer, a receiver that did not take
//! it. `mergecap` makes one story of both. What is still under way is in neither.
//!
//! Only the beginning of a frame is kept, in a bounded ring. A frame with offloads is a whole segment,
//! without the checksum that its receiver was left to make.

use std::collections::VecDeque;

use super::core::PortId;

/// Kept of a frame, in bytes: the headers and a first look at what they carry.
const SNAP: usize = 160;

/// Kept of a ring, in bytes: at least 1500 frames.
const RING: usize = 256 << 10;

/// A record's time, its length here and its length on the wire.
const RECORD_HEADER: usize = 16;

/// pcap(5), with nanoseconds; its fields are little-endian.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const ETHERNET: u32 = 1;

/// The rings of all pairs; one that saw nothing takes no room.
#[derive(Debug)]
pub(super) struct Captures {
    ports: usize,
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    arrived: Ring,
    dropped: Ring,
}

/// Records of a pcap file, the oldest first.
#[derive(Clone, Debug, Default)]
struct Ring(VecDeque<u8>);

impl Captures {
    pub(super) fn new(ports: usize) -> Self {
        Self { ports, pairs: vec![Pair::default(); ports * ports] }
    }

    /// Keeps what became of a frame (without any virtio-net header) on the way between two ports.
    pub(super) fn record(&mut self, from: PortId, to: PortId, frame: &[u8], arrived: bool) {
        let pair = &mut self.pairs[from.min(to) * self.ports + from.max(to)];
        let ring = if arrived { &mut pair.arrived } else { &mut pair.dropped };
        ring.push(jiff::Timestamp::now(), frame);
    }

    /// What there is, as pcap files with their names (without an ending).
    pub(super) fn files(&self, names: &[String]) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            let name = format!("{}-{}", names[index / self.ports], names[index % self.ports]);
            for (ring, ending) in [(&pair.arrived, ""), (&pair.dropped, "-dropped")] {
                if !ring.0.is_empty() {
                    files.push((format!("{name}{ending}"), ring.file()));
                }
            }
        }
        files
    }
}

impl Ring {
    fn push(&mut self, at: jiff::Timestamp, frame: &[u8]) {
        let kept = &frame[..frame.len().min(SNAP)];
        while self.0.len() + RECORD_HEADER + kept.len() > RING {
            self.forget_oldest();
        }
        // The format ends in 2106, and a clock before 1970 is no clock.
        let seconds = u32::try_from(at.as_second()).unwrap_or_default();
        let nanoseconds = at.subsec_nanosecond().unsigned_abs();
        for field in [seconds, nanoseconds, kept.len() as u32, frame.len() as u32] {
            self.0.extend(&field.to_le_bytes());
        }
        self.0.extend(kept);
    }

    fn forget_oldest(&mut self) {
        let mut length = [0; 4];
        for (to, from) in length.iter_mut().zip(self.0.range(8..12)) {
            *to = *from;
        }
        self.0.drain(..RECORD_HEADER + u32::from_le_bytes(length) as usize);
    }

    fn file(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(24 + self.0.len());
        file.extend(MAGIC.to_le_bytes());
        file.extend(VERSION.map(u16::to_le_bytes).as_flattened());
        // The time zone and the accuracy, which nobody uses.
        file.extend([0; 8]);
        file.extend((SNAP as u32).to_le_bytes());
        file.extend(ETHERNET.to_le_bytes());
        let (front, back) = self.0.as_slices();
        file.extend(front);
        file.extend(back);
        file
    }
}

/// The records of a file: seconds, nanoseconds, length on the wire, what was kept.
#[cfg(test)]
pub(super) fn parse(file: &[u8]) -> Vec<(u32, u32, usize, Vec<u8>)> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!((number(0), number(4)), (MAGIC, 0x0004_0002));
    assert_eq!((number(8), number(12), number(16), number(20)), (0, 0, 160, 1));
    let (mut at, mut records) = (24, Vec::new());
    while at < file.len() {
        let kept = number(at + 8) as usize;
        let frame = file[at + RECORD_HEADER..at + RECORD_HEADER + kept].to_vec();
        records.push((number(at), number(at + 4), number(at + 12) as usize, frame));
        at += RECORD_HEADER + kept;
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_last_frames_whole() {
        let mut ring = Ring::default();
        let sent = 10_000u32;
        for n in 0..sent {
            let at = jiff::Timestamp::new(i64::from(n), 7).unwrap();
            let frame = [&n.to_le_bytes()[..], &vec![n as u8; n as usize % 400]].concat();
            ring.push(at, &frame);
            assert!(ring.0.len() <= RING);
        }
        assert!(ring.0.capacity() <= RING, "{} bytes", ring.0.capacity());
        let records = parse(&ring.file());
        assert!(records.len() > 1400 && ring.0.len() > RING - 200, "{}", records.len());
        for ((seconds, nanoseconds, length, frame), n) in records.iter().rev().zip((0..sent).rev()) {
            assert_eq!((*seconds, *nanoseconds, *length), (n, 7, 4 + n as usize % 400));
            assert_eq!(frame.len(), SNAP.min(*length));
            assert_eq!(frame[..4], n.to_le_bytes());
        }
    }

    #[test]
    fn both_directions_share_a_file_and_what_saw_nothing_has_none() {
        let mut captures = Captures::new(3);
        captures.record(2, 0, b"up", true);
        captures.record(0, 2, b"down", true);
        captures.record(1, 0, b"never", false);
        let names = ["a", "b", "c"].map(str::to_owned);
        let files = captures.files(&names);
        let seen: Vec<(&str, usize)> =
            files.iter().map(|(name, file)| (name.as_str(), parse(file).len())).collect();
        assert_eq!(seen, [("a-b-dropped", 1), ("a-c", 2)]);
    }
}
