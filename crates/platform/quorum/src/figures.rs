//! Figures about a replica and the log that are only looked up when somebody asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::group::Group;
use crate::host::Host;

/// Looks at a group and the log of its process.
pub struct Figures {
    /// Stands before every name, with an underscore.
    pub prefix: &'static str,
    /// The group.
    pub group: Group,
    /// The log.
    pub host: Host,
}

/// Gives figures that do not stay: name without its prefix, help, value.
pub fn encode_gauges(
    encoder: &mut DescriptorEncoder<'_>,
    prefix: &str,
    gauges: impl IntoIterator<Item = (&'static str, &'static str, i64)>,
) -> fmt::Result {
    for (name, help, value) in gauges {
        let gauge = ConstGauge::new(value);
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor(&format!("{prefix}_{name}"), help, None, kind)?)?;
    }
    Ok(())
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.group.status();
        let wal = self.host.wal().stats();
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let gauges = [
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
        encode_gauges(&mut encoder, self.prefix, gauges)?;
        let counters = [
            ("wal_fsyncs", "Syncs of the log", wal.fsyncs),
            ("wal_entries", "Entries appended to the log", wal.entries),
            ("wal_written_bytes", "Bytes written to the log", wal.written_bytes),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let kind = counter.metric_type();
            let name = format!("{}_{name}", self.prefix);
            counter.encode(encoder.encode_descriptor(&name, help, None, kind)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
