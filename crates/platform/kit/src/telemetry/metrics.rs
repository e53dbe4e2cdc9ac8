//! The registry of one process's metrics, and its text for a scraper.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// What a scraper that asks for OpenMetrics gets.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What everybody else gets: the Prometheus text format.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Registers and encodes metrics under a prefix. Cheap to clone; clones share one registry.
#[derive(Clone, Default)]
pub struct Metrics {
    shared: Arc<Mutex<Shared>>,
    prefix: String,
}

#[derive(Default)]
struct Shared {
    registry: Registry,
    names: BTreeSet<String>,
}

/// Two parts of the process would report under one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metric {0} is registered already")]
pub struct MetricsError(String);

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same registry, where every name gets `prefix_` in front.
    pub fn sub(&self, prefix: &str) -> Self {
        Self { shared: self.shared.clone(), prefix: format!("{}{prefix}_", self.prefix) }
    }

    /// Registers any metric, e.g. a `Family`. Counters get `_total` appended when encoded.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) -> Result<(), MetricsError> {
        let name = format!("{}{name}", self.prefix);
        let mut shared = self.lock();
        if !shared.names.insert(name.clone()) {
            return Err(MetricsError(name));
        }
        // The registry ends the sentence by itself.
        shared.registry.register(name, help.trim_end_matches('.'), metric);
        Ok(())
    }

    /// A registered counter.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, MetricsError> {
        let counter = Counter::default();
        self.register(name, help, counter.clone())?;
        Ok(counter)
    }

    /// A registered gauge.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        let gauge = Gauge::default();
        self.register(name, help, gauge.clone())?;
        Ok(gauge)
    }

    /// A registered histogram of seconds: eighteen buckets that double from 50 µs to about 6.5 s.
    pub fn seconds(&self, name: &str, help: &str) -> Result<Histogram, MetricsError> {
        let buckets = prometheus_client::metrics::histogram::exponential_buckets(0.00005, 2.0, 18);
        let histogram = Histogram::new(buckets);
        self.register(name, help, histogram.clone())?;
        Ok(histogram)
    }

    /// Registers what is only known when somebody asks.
    pub fn collect(&self, collector: impl Collector) {
        self.lock().registry.register_collector(Box::new(collector));
    }

    /// The content type and the text for a scraper with this `Accept` header.
    pub fn encode(&self, accept: Option<&str>) -> Result<(&'static str, String), fmt::Error> {
        let mut content = String::new();
        text::encode(&mut content, &self.lock().registry)?;
        if accept.is_some_and(|a| a.contains("application/openmetrics-text")) {
            return Ok((OPENMETRICS, content));
        }
        Ok((PLAIN, plain(&content)?))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// OpenMetrics as the older text format: there a counter's comments carry `_total`, `info` and `unknown`
/// are no types, and units and the end mark do not exist.
fn plain(openmetrics: &str) -> Result<String, fmt::Error> {
    let mut out = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some((_, text)) = help.take() {
                writeln!(out, "# HELP {name}{suffix} {text}")?;
            }
            writeln!(out, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with("# ") {
            writeln!(out, "{line}")?;
        }
    }
    Ok(out)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
