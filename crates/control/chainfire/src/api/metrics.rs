//! What the API counts.

use std::time::Duration;

use kit::telemetry::{Metrics, MetricsError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tonic::Status;

/// Figures of all requests. The default counts for nobody.
#[derive(Clone, Debug)]
pub(crate) struct ApiMetrics {
    seconds: Family<ByMethod, Histogram, fn() -> Histogram>,
    failures: Family<ByFailure, Counter>,
    streams: Gauge,
    pub(super) watchers: Gauge,
    logins: Family<ByOutcome, Counter>,
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
            streams: Gauge::default(),
            watchers: Gauge::default(),
            logins: Family::default(),
        }
    }
}

impl ApiMetrics {
    /// Figures that a scraper sees.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let this = Self::default();
        metrics.register("request_seconds", "Time to answer, by method", this.seconds.clone())?;
        metrics.register(
            "request_failures",
            "Requests refused, by method and gRPC code",
            this.failures.clone(),
        )?;
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
    pub(super) fn open_stream(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }
}

/// One open stream in the gauge.
pub(super) struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
