//! Leases in time: who may renew them, and when they are over.
//!
//! That a lease exists is replicated; when it ends is known only to the primary lessor, on the
//! leader. The primary holds an *epoch*, which it claimed through the log: a revocation for reasons of
//! time carries it, and the state machine ignores one of an earlier epoch. So a leader that was
//! paused, lost its leadership and does not know it yet cannot end a lease that its successor has
//! renewed; and the successor answers no keep-alive before its own claim is in the log.

mod core;
mod shell;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use self::core::Core;

pub use self::core::{LessorError, Remaining};
pub(crate) use shell::{Keeper, run};

/// The lessor of one replica, shared by the applying thread, the API and the expiry.
#[derive(Debug, Default)]
pub struct Lessor(Mutex<Core>);

impl Lessor {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease was added by the log. `ttl` is in seconds.
    pub fn granted(&self, id: i64, ttl: i64) {
        self.core().granted(id, ttl, Instant::now());
    }

    /// A lease was removed by the log.
    pub fn revoked(&self, id: i64) {
        self.core().revoked(id);
    }

    /// All leases were replaced by an image. A primary has the whole log and never takes one.
    pub fn replaced(&self) {
        self.core().demote();
    }

    /// Becomes primary. `leases` are all leases, with times to live in seconds.
    pub fn promote(&self, epoch: u64, leases: impl Fn() -> BTreeMap<i64, i64>) {
        // Under the lock, so that no grant slips in between the look and the promotion.
        let mut core = self.core();
        core.promote(epoch, &leases(), Instant::now());
    }

    /// Stops being primary.
    pub fn demote(&self) {
        self.core().demote();
    }

    /// Begins a lease's time anew; gives its time to live in seconds.
    pub fn renew(&self, id: i64) -> Result<i64, LessorError> {
        let ttl = self.core().renew(id, Instant::now())?;
        Ok(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX))
    }

    /// How long a lease still has.
    pub fn remaining(&self, id: i64) -> Result<Remaining, LessorError> {
        self.core().remaining(id, Instant::now())
    }

    /// The epoch and up to `limit` leases to revoke in its name.
    pub fn expired(&self, limit: usize) -> Option<(u64, Vec<i64>)> {
        let mut core = self.core();
        let epoch = core.epoch()?;
        Some((epoch, core.expired(limit, Instant::now())))
    }
}
