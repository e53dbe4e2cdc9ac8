//! What a run is made of: how many machines, which faults, what the clients like to do.

use std::time::Duration;

use sim::schedule::Event;

/// The shape of a run. Chances are in hundredths.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) founders: usize,
    /// Machines that may join.
    pub(crate) joiners: usize,
    /// How long faults and load go on, in simulated time.
    pub(crate) trouble: Duration,
    pub(crate) faults: fn(&Event) -> bool,
    /// Of the faults, how many are doubled by a power cut in the midst of the disk's work.
    pub(crate) power_cuts: u64,
    /// Between two requests of one client, at most.
    pub(crate) pause: Duration,
    pub(crate) deletes: u64,
    pub(crate) txns: u64,
    pub(crate) reads: u64,
    pub(crate) compactions: u64,
    /// Watchers that read slowly.
    pub(crate) slow: u64,
    /// Watchers that begin in the future.
    pub(crate) future: u64,
    /// Changes of members and transfers: the pause between two, if there are any.
    pub(crate) changes: Option<Duration>,
    pub(crate) entries_kept: u64,
    /// Nothing may fail: there are no faults, and a client may ask another member once.
    pub(crate) flawless: bool,
    /// Between two rewrites of some member's file, at most, if there are any.
    pub(crate) rewrites: Option<Duration>,
    /// A known bug to put in.
    pub(crate) bug: Option<&'static str>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            founders: 3,
            joiners: 1,
            trouble: Duration::from_secs(8),
            faults: |_| true,
            power_cuts: 50,
            pause: Duration::from_millis(100),
            deletes: 12,
            txns: 18,
            reads: 30,
            compactions: 4,
            slow: 30,
            future: 10,
            changes: Some(Duration::from_millis(900)),
            entries_kept: 10,
            flawless: false,
            rewrites: Some(Duration::from_secs(3)),
            bug: None,
        }
    }
}
