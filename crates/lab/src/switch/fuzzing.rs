//! Whatever a node may put on its wire. Called by the fuzz target of `fuzz/`, and by a test with its corpus.

use std::time::Duration;

use tokio::time::Instant;

use super::core::{Core, ETHERNET_HEADER};
use super::faults::{Faults, Link};
use super::link::{Passage, Verdict};

const PORTS: usize = 4;

/// Frames: each a byte that names its port (and, by its highest bit, a fault that begins), a byte of
/// length and so many bytes. A frame leaves by other ports than it came in, by each at most
/// twice, and a bit that flips is one of its payload.
pub fn frames(mut input: &[u8]) {
    let mut core = Core::new(Faults::new(PORTS), 0);
    let now = Instant::now();
    let mut verdicts = Vec::new();
    while let Some(([port, length], rest)) = input.split_first_chunk() {
        let (frame, rest) = rest.split_at(rest.len().min((*length).into()));
        input = rest;
        let from = usize::from(*port) % PORTS;
        if port & 0x80 != 0 {
            core.faults_mut().set(from, usize::from(*length) % PORTS, fault(*length));
        }
        if port & 0x40 != 0 {
            core.forget(from);
        }
        verdicts.clear();
        core.forward(from, frame, now, &mut verdicts);
        assert!(verdicts.iter().all(|(to, _)| *to != from && *to < PORTS), "from {from}: {verdicts:?}");
        assert!(verdicts.is_sorted_by_key(|(to, _)| to), "{verdicts:?}");
        for copies in verdicts.chunk_by(|(a, _), (b, _)| a == b) {
            assert!(copies.len() <= 2, "{copies:?}");
        }
        for (_, verdict) in &verdicts {
            if let Verdict::Pass(Passage { due, flipped, .. }) = verdict {
                assert!(due.is_none_or(|due| due > now), "{verdict:?}");
                assert!(flipped.is_none_or(|bit| (ETHERNET_HEADER..frame.len()).contains(&(bit / 8))));
            }
        }
    }
}

fn fault(number: u8) -> Link {
    let half = |bit: u8| if number & bit != 0 { 0.5 } else { 0.0 };
    Link {
        cut: number & 4 != 0,
        loss: half(8),
        delay: Duration::from_millis(u64::from(number & 16)),
        jitter: Duration::from_millis(u64::from(number & 32)),
        duplicate: half(64),
        corrupt: half(64),
        reorder: half(128),
        rate: (number & 128 != 0).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_of_frames_holds() {
        sim::corpus::replay("frame", super::frames);
    }
}
