//! A log line that strangers can cause must not fill the disk: the same kind once per period, with a count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets one line of a kind pass per period, and counts the others.
#[derive(Debug)]
pub struct Throttle {
    period: Duration,
    seen: Mutex<BTreeMap<&'static str, Seen>>,
}

#[derive(Debug)]
struct Seen {
    last: Instant,
    held_back: u64,
}

impl Throttle {
    /// One line of each kind per `period`.
    pub fn new(period: Duration) -> Self {
        Self { period, seen: Mutex::default() }
    }

    /// `Some(n)`: write this line, and say that `n` like it were held back. `None`: hold it back.
    pub fn admit(&self, kind: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = seen.get_mut(kind) else {
            seen.insert(kind, Seen { last: now, held_back: 0 });
            return Some(0);
        };
        if now.duration_since(entry.last) < self.period {
            entry.held_back += 1;
            return None;
        }
        entry.last = now;
        Some(std::mem::take(&mut entry.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_period_and_an_honest_count() {
        let throttle = Throttle::new(Duration::from_secs(10));
        assert_eq!(throttle.admit("tls"), Some(0));
        assert_eq!(throttle.admit("tls"), None);
        assert_eq!(throttle.admit("tls"), None);
        assert_eq!(throttle.admit("full"), Some(0), "kinds do not hold each other back");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(throttle.admit("tls"), Some(2));
        assert_eq!(throttle.admit("tls"), None);
    }
}
