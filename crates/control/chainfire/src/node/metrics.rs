//! Figures about the replica that are only looked up when somebody asks.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use quorum::{Group, Host};

use crate::machine::Alarms;
use crate::store::Store;

/// Looks at the store, the group and the log.
pub(super) struct ReplicaCollector {
    pub(super) store: Arc<Store>,
    pub(super) alarms: Arc<Alarms>,
    pub(super) group: Group,
    pub(super) host: Host,
}

impl Collector for ReplicaCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.group.status();
        let size = self.store.size();
        let wal = self.host.wal().stats();
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let gauges = [
            ("revision", "The latest revision", self.store.view().head()),
            ("compact_revision", "The latest compaction; -1 for none", self.store.compacted()),
            ("store_bytes", "What the store's file takes from the disk", signed(size.file)),
            ("store_used_bytes", "Bytes of the rows in it", signed(size.used)),
            ("store_unflushed_bytes", "Changes that are not in the file yet", signed(size.unflushed)),
            ("alarms", "Alarms of all members", signed(self.alarms.all().len() as u64)),
            ("leases", "Leases", signed(self.store.leases().len() as u64)),
            ("has_leader", "Whether a leader is known", i64::from(status.leadership.leader.is_some())),
            ("is_leader", "Whether this member leads", i64::from(status.leadership.is_leader)),
            ("is_learner", "Whether this member has no vote", i64::from(status.is_learner(status.id))),
            ("term", "The term", signed(status.leadership.term)),
            ("committed_index", "The last entry known to be committed", signed(status.committed)),
            ("applied_index", "The last entry applied", signed(status.applied)),
            ("members", "Members", signed(status.members.len() as u64)),
            ("wal_bytes", "Size of the log", signed(wal.bytes)),
            ("wal_cached_bytes", "Entries of the log in memory", signed(wal.cached_bytes)),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(&format!("chainfire_{name}"), help, None, kind)?)?;
        }
        let counters = [
            ("wal_fsyncs", "Syncs of the log", wal.fsyncs),
            ("wal_entries", "Entries appended to the log", wal.entries),
            ("wal_written_bytes", "Bytes written to the log", wal.written_bytes),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(&format!("chainfire_{name}"), help, None, kind)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReplicaCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplicaCollector")
    }
}
