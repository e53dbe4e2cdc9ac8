//! How long things may take, and how much of them there may be.

use std::time::Duration;

use kit::sabotage::Sabotage;
use openraft::{Config, ConfigError, SnapshotPolicy, StepDownPolicy};

/// Entries after which the state is made durable and the log before it may go.
const ENTRIES_PER_FLUSH: u64 = 10_000;
/// Entries kept behind the durable state, so that a replica that was away catches up from the log.
const ENTRIES_KEPT: u64 = 50_000;

/// Entries that go at once, at most.
const PURGED_AT_ONCE: u64 = 1024;

/// Timing and bounds of a group. Values suit a local network; slow hosts scale them together.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// How often a leader shows that it lives.
    pub heartbeat: Duration,
    /// The shortest silence of a leader after which a replica seeks election; the longest is a fifth more.
    pub election: Duration,
    /// How long a request may wait for its outcome.
    pub request_timeout: Duration,
    /// The largest proposal, in bytes.
    pub max_proposal_bytes: usize,
    /// Proposals that may be under way at once from this replica.
    pub max_inflight: usize,
    /// From here on a proposal is slow: where its time went is told with its reply.
    pub slow_proposal: Duration,
    /// Entries replicated in one message.
    pub max_entries_per_message: u64,
    /// Entries between two durable states.
    pub entries_per_flush: u64,
    /// Entries kept behind the durable state.
    pub entries_kept: u64,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_secs(1),
            // etcd's limit: 5 s and two election timeouts.
            request_timeout: Duration::from_secs(7),
            max_proposal_bytes: 2 << 20,
            max_inflight: 10_000,
            slow_proposal: Duration::from_millis(100),
            max_entries_per_message: 1024,
            entries_per_flush: ENTRIES_PER_FLUSH,
            entries_kept: ENTRIES_KEPT,
        }
    }
}

impl GroupOptions {
    /// The longest silence after which a replica seeks election.
    pub fn longest_election(&self) -> Duration {
        self.election * 6 / 5
    }

    pub(crate) fn engine(&self, group: u64, sabotage: Sabotage) -> Result<Config, ConfigError> {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Config {
            cluster_name: format!("group-{group}"),
            heartbeat_interval: millis(self.heartbeat),
            // The engine first lets a lease of the longest timeout run out, then a random timeout: the
            // two together are what `election` promises.
            election_timeout_min: millis(self.election * 2 / 5),
            election_timeout_max: millis(self.election * 3 / 5),
            install_snapshot_timeout: millis(Duration::from_secs(600)),
            max_payload_entries: self.max_entries_per_message,
            // The log is cheaper than an image for as long as it reaches back.
            replication_lag_threshold: u64::MAX / 2,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.entries_per_flush),
            max_in_snapshot_log_to_keep: self.entries_kept,
            // Purged in steps, but never later than the next state is due: a small log would stay whole.
            purge_batch_size: self.entries_per_flush.clamp(1, PURGED_AT_ONCE),
            removed_leader_step_down: StepDownPolicy::After(millis(self.heartbeat * 3 / 2)),
            // Without it a replica that comes back from a partition deposes a healthy leader.
            enable_pre_vote: Some(true),
            // A restarted leader that went on in its old term would read at a commit index from before
            // what it acknowledged (the stored one is a hint). The simulator caught it: seed 9.
            enable_leader_restore: Some(sabotage.is("lead on after a restart")),
            ..Config::default()
        }
        .validate()
    }
}
