//! How much a statement may do: counted in steps of SQLite's machine, so that every replica stops at the same one;
//! and, where only one machine is concerned, until somebody has had enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

/// Steps between two looks.
const STRIDE: i32 = 1000;

/// What one connection's statements may still do. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Steps left; 0 with `limited` unset: any number.
    left: AtomicU64,
    limited: AtomicBool,
    stop: AtomicBool,
    doomed: AtomicBool,
}

/// Stops a statement from outside, on whichever connection it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stopper(Budget);

impl Budget {
    /// Has this connection's statements counted.
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let inner = self.0.clone();
        connection.progress_handler(STRIDE, Some(move || inner.is_over()))
    }

    /// What comes may take so many steps.
    pub(crate) fn allow(&self, steps: u64) {
        self.0.left.store(steps, Ordering::Relaxed);
        self.0.limited.store(true, Ordering::Relaxed);
    }

    /// What comes may take any number of steps.
    pub(crate) fn allow_all(&self) {
        self.0.limited.store(false, Ordering::Relaxed);
    }

    /// Whatever was asked to stop has stopped: what comes is something else.
    pub(crate) fn begin(&self) {
        self.0.stop.store(false, Ordering::Relaxed);
    }

    /// Whether somebody has asked to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Whether the open transaction must not go on.
    pub(crate) fn is_doomed(&self) -> bool {
        self.0.doomed.load(Ordering::Relaxed)
    }

    /// There is no transaction any more that must not go on.
    pub(crate) fn pardon(&self) {
        self.0.doomed.store(false, Ordering::Relaxed);
        self.begin();
    }

    /// A handle for others.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(self.clone())
    }
}

impl Inner {
    fn is_over(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return true;
        }
        if !self.limited.load(Ordering::Relaxed) {
            return false;
        }
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(STRIDE as u64), Ordering::Relaxed);
        left < STRIDE as u64
    }
}

impl Stopper {
    /// Stops what runs, or what begins before it has heard of it.
    pub(crate) fn stop(&self) {
        self.0.0.stop.store(true, Ordering::Relaxed);
    }

    /// Stops what runs, and whatever else its transaction would do.
    pub(crate) fn doom(&self) {
        self.0.0.doomed.store(true, Ordering::Relaxed);
        self.stop();
    }
}
