//! What servers count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::telemetry::{Metrics, MetricsError};

/// Counters of all servers of a process, by server. The default counts for nobody.
#[derive(Clone, Debug, Default)]
pub struct ServerMetrics {
    open: Family<ByServer, Gauge>,
    accepted: Family<ByServer, Counter>,
    refused: Family<ByReason, Counter>,
    requests: Family<ByServer, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByServer {
    server: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    server: &'static str,
    reason: &'static str,
}

impl ServerMetrics {
    /// Counters that a scraper sees.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let this = Self::default();
        let metrics = metrics.sub("server");
        metrics.register("connections", "Open connections", this.open.clone())?;
        metrics.register("connections_accepted", "Connections that were let in", this.accepted.clone())?;
        metrics.register(
            "connections_refused",
            "Connections that were not let in, by reason",
            this.refused.clone(),
        )?;
        metrics.register("requests", "Requests that arrived", this.requests.clone())?;
        Ok(this)
    }

    /// Counts a connection in, and out again when the guard is dropped.
    pub(super) fn open(&self, server: &'static str) -> Open {
        self.accepted.get_or_create(&ByServer { server }).inc();
        let gauge = self.open.get_or_create_owned(&ByServer { server });
        gauge.inc();
        Open(gauge)
    }

    pub(super) fn refused(&self, server: &'static str, reason: &'static str) {
        self.refused.get_or_create(&ByReason { server, reason }).inc();
    }

    /// The request counter of one server, looked up once per connection.
    pub(super) fn requests(&self, server: &'static str) -> Counter {
        self.requests.get_or_create_owned(&ByServer { server })
    }
}

/// One open connection in the gauge.
pub(super) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
