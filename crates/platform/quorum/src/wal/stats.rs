//! Figures about the log, for metrics and tests.

use std::time::Duration;

/// Upper bounds of the buckets of [`SyncTimes`], in microseconds; a last bucket has none.
pub const SYNC_BOUNDS_MICROS: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400];

/// How long the syncs of batches took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// Syncs by bucket of [`SYNC_BOUNDS_MICROS`], not cumulative.
    pub counts: [u64; SYNC_BOUNDS_MICROS.len() + 1],
    /// All of them together.
    pub total: Duration,
}

impl SyncTimes {
    pub(super) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[SYNC_BOUNDS_MICROS.partition_point(|bound| *bound < micros)] += 1;
        self.total += took;
    }
}

/// What happened since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) batches: u64,
    pub(super) syncs: u64,
    pub(super) entries: u64,
    pub(super) carried: u64,
    pub(super) written: u64,
    pub(super) rotations: u64,
    pub(super) times: SyncTimes,
}

/// Figures about a log. Counts are since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalStats {
    /// Segments that hold the log now.
    pub segments: u64,
    /// Their size in bytes, without spares.
    pub bytes: u64,
    /// Entries in memory, payloads and overhead, in bytes.
    pub cached_bytes: u64,
    /// Batches written.
    pub batches: u64,
    /// Calls of fdatasync on segments, for batches and rotations.
    pub fsyncs: u64,
    /// Entries appended.
    pub entries: u64,
    /// Entries copied out of old segments.
    pub carried: u64,
    /// Bytes written to segments.
    pub written_bytes: u64,
    /// Changes to a next segment.
    pub rotations: u64,
    /// How long the syncs of batches took.
    pub sync_times: SyncTimes,
}
