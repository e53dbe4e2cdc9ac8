//! What the API counts.

use std::time::Duration;

use kit::telemetry::{Metrics, MetricsError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tonic::Status;

use super::http::GrpcCounts;
use super::slow;

/// Figures of all requests. The default counts for nobody.
#[derive(Clone, Debug)]
pub(crate) struct ApiMetrics {
    seconds: Family<ByMethod, Histogram, fn() -> Histogram>,
    failures: Family<ByFailure, Counter>,
    pub(super) slow: Family<slow::ByMethod, Counter>,
    streams: Gauge,
    pub(super) watchers: Gauge,
    logins: Family<ByOutcome, Counter>,
    /// Changes sent to watchers.
    pub(super) events: Counter,
    pub(super) replication: ReplicationMetrics,
    pub(super) health: HealthMetrics,
    pub(super) grpc: GrpcCounts,
}

/// What this member has asked of the others, under etcd's names.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplicationMetrics {
    pub(super) pending: Gauge,
    pub(super) failed: Counter,
    pub(super) reads_failed: Counter,
    pub(super) reads_slow: Counter,
}

impl ReplicationMetrics {
    fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let this = Self::default();
        let metrics = metrics.sub("etcd_server");
        metrics.register("proposals_pending", "Proposals under way", this.pending.clone())?;
        metrics.register("proposals_failed", "Proposals that failed", this.failed.clone())?;
        metrics.register(
            "read_indexes_failed",
            "Linearizable reads that failed",
            this.reads_failed.clone(),
        )?;
        metrics.register(
            "slow_read_indexes",
            "Linearizable reads that took long",
            this.reads_slow.clone(),
        )?;
        Ok(this)
    }

    /// Counts a proposal in, and out again when the guard is dropped.
    pub(super) fn proposing(&self) -> InGauge {
        InGauge::new(&self.pending)
    }
}

/// What `/health`, `/livez` and `/readyz` have answered, under etcd's names.
#[derive(Clone, Debug, Default)]
pub(super) struct HealthMetrics {
    pub(super) successes: Gauge,
    pub(super) failures: Gauge,
    last: Family<ByCheck, Gauge>,
    all: Family<ByResult, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCheck {
    r#type: &'static str,
    name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    r#type: &'static str,
    name: &'static str,
    status: &'static str,
}

impl HealthMetrics {
    fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let this = Self::default();
        let metrics = metrics.sub("etcd_server");
        // Counters whose names do not end as counters' must: etcd's.
        metrics.register("health_success", "Checks of health that were passed", this.successes.clone())?;
        metrics.register("health_failures", "Checks of health that were not", this.failures.clone())?;
        metrics.register("healthcheck", "The last result of each check", this.last.clone())?;
        metrics.register("healthchecks", "Results of each check", this.all.clone())?;
        Ok(this)
    }

    pub(super) fn checked(&self, r#type: &'static str, name: &'static str, passed: bool) {
        self.last.get_or_create(&ByCheck { r#type, name }).set(i64::from(passed));
        let status = if passed { "success" } else { "error" };
        self.all.get_or_create(&ByResult { r#type, name, status }).inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFailure {
    method: &'static str,
    code: i32,
}

/// Eighteen buckets that double from 50 µs.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.00005, 2.0, 18))
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self {
            seconds: Family::new_with_constructor(seconds),
            failures: Family::default(),
            slow: Family::default(),
            streams: Gauge::default(),
            watchers: Gauge::default(),
            logins: Family::default(),
            events: Counter::default(),
            replication: ReplicationMetrics::default(),
            health: HealthMetrics::default(),
            grpc: GrpcCounts::default(),
        }
    }
}

impl ApiMetrics {
    /// Figures that a scraper sees.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let health = HealthMetrics::register(metrics)?;
        let replication = ReplicationMetrics::register(metrics)?;
        let this = Self { health, replication, ..Self::default() };
        let help = "Changes sent to watchers";
        metrics.register("etcd_debugging_mvcc_events", help, this.events.clone())?;
        metrics.collect(this.grpc.clone());
        let metrics = metrics.sub("chainfire");
        metrics.register("request_seconds", "Time to answer, by method", this.seconds.clone())?;
        metrics.register(
            "request_failures",
            "Requests refused, by method and gRPC code",
            this.failures.clone(),
        )?;
        let help = "Requests that took longer than limits.slow_request, by method";
        metrics.register("slow_requests", help, this.slow.clone())?;
        metrics.register("watch_streams", "Open watch streams", this.streams.clone())?;
        metrics.register("watchers", "Watchers on all streams", this.watchers.clone())?;
        metrics.register("logins", "Logins by password, by outcome", this.logins.clone())?;
        Ok(this)
    }

    pub(super) fn served(&self, method: &'static str, took: Duration, failure: Option<&Status>) {
        self.seconds.get_or_create(&ByMethod { method }).observe(took.as_secs_f64());
        if let Some(status) = failure {
            self.failures.get_or_create(&ByFailure { method, code: status.code().into() }).inc();
        }
    }

    pub(super) fn login(&self, granted: bool) {
        let outcome = if granted { "granted" } else { "refused" };
        self.logins.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Counts a stream in, and out again when the guard is dropped.
    pub(super) fn open_stream(&self) -> InGauge {
        InGauge::new(&self.streams)
    }
}

/// One more in a gauge, until it is dropped.
pub(super) struct InGauge(Gauge);

impl InGauge {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
