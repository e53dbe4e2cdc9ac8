//! Who writes: statements of many clients at once, or one transaction alone. First come, first served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore};
use tokio::time::timeout;

/// The right to write to a database.
#[derive(Debug)]
pub(super) struct Slot {
    lock: Arc<RwLock<()>>,
    waiting: Semaphore,
}

/// Held by an entry of the log on its way.
pub(super) type Shared = OwnedRwLockReadGuard<()>;
/// Held by a transaction.
pub(super) type Alone = OwnedRwLockWriteGuard<()>;

/// Why a transaction does not get its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowded {
    /// Too many wait already.
    Full,
    /// Its turn did not come in time.
    TimedOut,
}

impl Slot {
    pub(super) fn new(waiting: usize) -> Self {
        Self { lock: Arc::default(), waiting: Semaphore::new(waiting) }
    }

    /// For statements, whose queue is bounded where they are gathered.
    pub(super) async fn shared(&self) -> Shared {
        self.lock.clone().read_owned().await
    }

    /// For a transaction.
    pub(super) async fn alone(&self, patience: Duration) -> Result<Alone, Crowded> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Crowded::Full)?;
        timeout(patience, self.lock.clone().write_owned()).await.map_err(|_| Crowded::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_transaction_is_alone_and_its_turn_comes() {
        let slot = Slot::new(1);
        let (one, two) = (slot.shared().await, slot.shared().await);
        assert_eq!(slot.alone(SECOND).await.err(), Some(Crowded::TimedOut));
        let alone = async { slot.alone(SECOND).await.unwrap() };
        let beside = async {
            // What comes after a waiting transaction waits for it.
            assert!(timeout(SECOND / 2, slot.shared()).await.is_err());
            assert_eq!(slot.alone(SECOND).await.err(), Some(Crowded::Full));
            drop((one, two));
        };
        let (held, ()) = tokio::join!(biased; alone, beside);
        assert!(timeout(SECOND, slot.shared()).await.is_err());
        drop(held);
        slot.shared().await;
    }
}
