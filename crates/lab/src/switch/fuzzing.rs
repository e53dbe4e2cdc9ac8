//! Whatever a node may put on its wire. Called by the fuzz target of `fuzz/`, and by a test with its corpus.

use std::time::Duration;

use tokio::time::Instant;

use super::core::{Core, Verdict};
use super::faults::{Faults, Link};

const PORTS: usize = 4;

/// Frames: each a byte that names its port (and, by its highest bit, a fault that begins), a byte of
/// length and so many bytes. A frame leaves by other ports than it came in, by each at most once.
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
        assert!(verdicts.is_sorted_by(|(a, _), (b, _)| a < b), "{verdicts:?}");
        assert!(verdicts.iter().all(|(_, verdict)| !matches!(verdict, Verdict::At(at) if *at <= now)));
    }
}

fn fault(number: u8) -> Link {
    Link {
        cut: number & 4 != 0,
        loss: if number & 8 != 0 { 0.5 } else { 0.0 },
        delay: Duration::from_millis(u64::from(number & 16)),
        jitter: Duration::from_millis(u64::from(number & 32)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_of_frames_holds() {
        sim::corpus::replay("frame", super::frames);
    }
}
