//! How current a snapshot has to be.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Replica;
use crate::base::SqlError;

/// What a session asks of what it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Level {
    /// Everything that was acknowledged before, wherever that was: shown by a quorum.
    #[default]
    Strict,
    /// Everything that was acknowledged so long ago.
    Bounded(Duration),
    /// What this node happens to have.
    Local,
}

/// When this replica was last shown to be current. It trusts no other machine's clock: what a quorum shows holds for
/// the moment in which it was asked.
#[derive(Debug, Default)]
pub(super) struct Freshness(Mutex<Option<Instant>>);

impl Freshness {
    fn is_within(&self, lag: Duration) -> bool {
        let shown = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.is_some_and(|at| at.elapsed() <= lag)
    }

    fn shown(&self, at: Instant) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = shown.max(Some(at));
    }
}

impl Replica {
    /// Returns once a snapshot that is taken then is as current as asked for.
    pub(crate) async fn be_current(&self, level: Level) -> Result<(), SqlError> {
        match level {
            Level::Local => return Ok(()),
            Level::Bounded(lag) if self.freshness.is_within(lag) => return Ok(()),
            Level::Bounded(_) | Level::Strict => {}
        }
        let asked = Instant::now();
        self.group.read_barrier().await.map_err(|e| super::stale_read(&e))?;
        self.freshness.shown(asked);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_shown_holds_for_when_it_was_asked() {
        let freshness = Freshness::default();
        let second = Duration::from_secs(1);
        assert!(!freshness.is_within(second));
        let asked = Instant::now();
        tokio::time::advance(second).await;
        freshness.shown(asked);
        assert!(freshness.is_within(second));
        tokio::time::advance(second / 10).await;
        assert!(!freshness.is_within(second));
        // An older answer that comes late makes it no older.
        freshness.shown(Instant::now());
        freshness.shown(asked);
        assert!(freshness.is_within(Duration::ZERO));
    }
}
