//! Wall time. Monotonic time is `tokio::time::Instant`, which a simulation already controls.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads the wall clock. Refuses to be a source of deadlines: those are monotonic.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The operating system's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the system clock")]
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// A clock that a simulation drives.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The wall time, which may jump in either direction.
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }

    /// Time since the Unix epoch; zero for a clock set before it.
    pub fn unix(&self) -> Duration {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
