//! etcd's metrics, for what means the same here: dashboards and alerts made for etcd go on working.
//!
//! Names, types and labels are those of etcd 3.5, even where Prometheus would have it otherwise (gauges that
//! are called `_total`).

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use quorum::wal::{SYNC_BOUNDS_MICROS, SyncTimes};
use quorum::{Group, Host, Leadership};
use tokio::sync::watch;

use crate::store::Store;
use crate::version::{ETCD_CLUSTER_VERSION, ETCD_VERSION};
use crate::watch::{Hub, LAGS};

/// Looks at the parts of a member when a scraper asks.
pub(super) struct EtcdCollector {
    pub(super) store: Arc<Store>,
    pub(super) hub: Arc<Hub>,
    pub(super) group: Group,
    pub(super) host: Host,
}

impl Collector for EtcdCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.server(&mut encoder)?;
        self.keys(&mut encoder)?;
        self.watches(&mut encoder)?;
        self.disk(&mut encoder)
    }
}

impl EtcdCollector {
    fn server(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.group.status();
        let leads = status.leadership.is_leader;
        let learner = status.is_learner(status.id);
        for (name, help, value) in [
            ("has_leader", "Whether a leader is known", u64::from(status.leadership.leader.is_some())),
            ("is_leader", "Whether this member leads", u64::from(leads)),
            ("is_learner", "Whether this member has no vote", u64::from(learner)),
            ("proposals_committed_total", "The last entry known to be committed", status.committed),
            ("proposals_applied_total", "The last entry applied", status.applied),
        ] {
            gauge(encoder, &format!("etcd_server_{name}"), help, signed(value))?;
        }
        let id = format!("{:x}", self.group.id());
        // Of the cluster's version etcd shows the first two numbers alone.
        let cluster =
            ETCD_CLUSTER_VERSION.rsplit_once('.').map_or(ETCD_CLUSTER_VERSION, |(version, _)| version);
        for (name, help, label, value) in [
            (
                "etcd_server_version",
                "The version of etcd that this passes for",
                "server_version",
                ETCD_VERSION,
            ),
            ("etcd_cluster_version", "The version of the cluster", "cluster_version", cluster),
            ("etcd_server_id", "The member's id", "server_id", &id),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(1_i64).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn keys(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let view = self.store.view();
        let tally = self.store.tally();
        if let Ok(keys) = view.keys() {
            gauge(encoder, "etcd_debugging_mvcc_keys_total", "Keys", keys)?;
        }
        let head = view.head();
        gauge(encoder, "etcd_debugging_mvcc_current_revision", "The latest revision", head)?;
        let compacted = self.store.compacted();
        gauge(encoder, "etcd_debugging_mvcc_compact_revision", "The latest compaction", compacted)?;
        let put = signed(tally.put_bytes());
        gauge(encoder, "etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes put by this member", put)?;
        let size = self.store.size();
        let (total, used) = (signed(size.total()), signed(size.used));
        gauge(encoder, "etcd_mvcc_db_total_size_in_bytes", "What counts for the store's quota", total)?;
        gauge(encoder, "etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of the rows in its file", used)?;
        for (name, help, value) in [
            ("range", "Ranges read by this member", tally.ranges()),
            ("put", "Puts applied by this member", tally.puts()),
            ("delete", "Deletions applied by this member", tally.deletions()),
            ("txn", "Transactions of several changes applied by this member", tally.transactions()),
        ] {
            counter(encoder, &format!("etcd_mvcc_{name}"), help, value)?;
            counter(encoder, &format!("etcd_debugging_mvcc_{name}"), help, value)?;
        }
        Ok(())
    }

    fn watches(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let survey = self.hub.survey(self.store.view().head(), 0);
        let help = "Watchers that may still have to be told of more than so many revisions";
        let name = "chainfire_watchers_lagging";
        let mut lagging = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (more_than, watchers) in LAGS.iter().zip(survey.lagging) {
            ConstGauge::new(signed(watchers)).encode(lagging.encode_family(&[("more_than", *more_than)])?)?;
        }
        for (name, help, value) in [
            ("watch_stream_total", "Watch streams", survey.streams),
            ("watcher_total", "Watchers", survey.watchers),
            ("slow_watcher_total", "Watchers that catch up from history", survey.behind),
            ("pending_events_total", "Changes that wait to be sent", survey.pending),
        ] {
            gauge(encoder, &format!("etcd_debugging_mvcc_{name}"), help, signed(value))?;
        }
        Ok(())
    }

    fn disk(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let wal = self.host.wal().stats();
        let written = signed(wal.written_bytes);
        gauge(encoder, "etcd_disk_wal_write_bytes_total", "Bytes written to the log", written)?;
        let times = &wal.sync_times;
        let name = "etcd_disk_wal_fsync_duration_seconds";
        let help = "How long syncs of the log take";
        let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let count = times.counts.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(times.total.as_secs_f64(), count, &buckets(times), None)
    }
}

/// Counts a leader each time there is another one.
pub(super) async fn count_leaders(mut leadership: watch::Receiver<Leadership>, changes: Counter) {
    let mut last = None;
    loop {
        let leader = leadership.borrow_and_update().leader;
        if leader.is_some() && leader != last {
            changes.inc();
        }
        last = leader;
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// Upper bounds in seconds, and how many are in each bucket alone.
fn buckets(times: &SyncTimes) -> Vec<(f64, u64)> {
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    let bounds = SYNC_BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
    bounds.zip(times.counts).collect()
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl fmt::Debug for EtcdCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EtcdCollector")
    }
}
