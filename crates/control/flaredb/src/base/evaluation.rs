//! What a statement is evaluated with: every replica evaluates it with the same clock, seed and zone.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// Shared by whoever sets it and the functions of one SQLite connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation(Arc<Mutex<Inner>>);

#[derive(Debug)]
pub(crate) struct Inner {
    /// The transaction's time: microseconds since 1970.
    pub(crate) now: i64,
    /// Of functions that depend on a day.
    pub(crate) zone: TimeZone,
    /// Of `random()`, `gen_random_uuid()` and their like.
    pub(crate) random: ChaCha8Rng,
}

impl Default for Evaluation {
    fn default() -> Self {
        let inner = Inner { now: 0, zone: TimeZone::UTC, random: ChaCha8Rng::seed_from_u64(0) };
        Self(Arc::new(Mutex::new(inner)))
    }
}

impl Evaluation {
    /// What comes is evaluated with these.
    pub(crate) fn set(&self, now: i64, zone: TimeZone, seed: u64) {
        self.with(|inner| *inner = Inner { now, zone, random: ChaCha8Rng::seed_from_u64(seed) });
    }

    /// Reads or draws.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&mut Inner) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
