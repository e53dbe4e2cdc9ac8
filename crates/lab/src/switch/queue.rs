//! Frames that are under way on slow links.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nix::sys::epoll::EpollTimeout;
use tokio::time::Instant;

use super::core::PortId;

/// What may be under way at once: a delay must not become an endless buffer.
const MAX_BYTES: usize = 64 << 20;

/// Frames by due time; equal times keep their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    bytes: usize,
    next: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: Instant,
    order: u64,
    from: PortId,
    to: PortId,
    frame: Box<[u8]>,
}

impl Queue {
    /// Takes a frame; false when there is no room.
    pub(super) fn push(&mut self, due: Instant, from: PortId, to: PortId, frame: &[u8]) -> bool {
        if self.bytes + frame.len() > MAX_BYTES {
            return false;
        }
        self.bytes += frame.len();
        self.next += 1;
        self.heap.push(Reverse(Entry { due, order: self.next, from, to, frame: frame.into() }));
        true
    }

    /// The next frame whose time has come, and from where to where it goes.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(PortId, PortId, Box<[u8]>)> {
        if self.heap.peek().is_none_or(|Reverse(entry)| entry.due > now) {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.bytes -= entry.frame.len();
        Some((entry.from, entry.to, entry.frame))
    }

    /// Drops what was meant for a port.
    pub(super) fn forget(&mut self, port: PortId) {
        self.heap.retain(|Reverse(entry)| entry.to != port);
        self.bytes = self.heap.iter().map(|Reverse(entry)| entry.frame.len()).sum();
    }

    /// How long to wait for the next due frame, rounded up to epoll's millisecond.
    pub(super) fn timeout(&self, now: Instant) -> EpollTimeout {
        match self.heap.peek() {
            None => EpollTimeout::NONE,
            Some(Reverse(entry)) => {
                let millis = entry.due.saturating_duration_since(now).as_micros().div_ceil(1000);
                EpollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn frames_leave_by_due_time_then_in_order() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for (millis, byte) in [(20, 1), (10, 2), (20, 3), (10, 4)] {
            assert!(queue.push(now + Duration::from_millis(millis), 1, 0, &[byte]));
        }
        assert!(queue.pop_due(now).is_none());
        let later = now + Duration::from_millis(20);
        let order: Vec<u8> =
            std::iter::from_fn(|| queue.pop_due(later)).map(|(_, _, frame)| frame[0]).collect();
        assert_eq!(order, [2, 4, 1, 3]);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn it_is_bounded_and_forgets_a_pulled_port() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let frame = vec![0; 1 << 20];
        let taken = (0..100).filter(|n| queue.push(now, 2, n % 2, &frame)).count();
        assert_eq!(taken, MAX_BYTES >> 20);
        queue.forget(0);
        assert_eq!(queue.bytes, (taken / 2) << 20);
        assert!(queue.push(now, 2, 1, &frame));
    }
}
