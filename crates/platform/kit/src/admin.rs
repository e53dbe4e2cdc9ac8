//! The admin port of a role: metrics and health, over mutual TLS.
//!
//! `/metrics` for scrapers, `/livez` and `/readyz` for supervisors (200 or 503, one line per check with
//! `?verbose` or on failure), `/health` as JSON for people and the lab. Read-only by design: nothing that
//! changes a process belongs here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::health::{Health, Report, Status};
use crate::server::{Limits, Server, ServerMetrics};
use crate::telemetry::Metrics;
use crate::tls::{AllowList, Identity};

/// Where the admin port is, and who may look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// SPIFFE paths that are let in.
    pub allow: AllowList,
}

/// An admin port that is about to open.
#[derive(Debug)]
pub struct AdminServer {
    /// What `/livez`, `/readyz` and `/health` show.
    pub health: Health,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Where the port itself counts.
    pub counters: ServerMetrics,
}

impl AdminServer {
    /// Opens the port and serves it until the process stops; gives the address with the port that was
    /// picked. Without an identity it is plain, for simulations and tests.
    pub async fn start(
        self,
        context: &Context,
        config: &AdminConfig,
        identity: Option<&Arc<Identity>>,
    ) -> io::Result<SocketAddr> {
        self.start_with(context, config, identity, Router::new()).await
    }

    /// Opens the port with a role's own pages besides.
    pub async fn start_with(
        self,
        context: &Context,
        config: &AdminConfig,
        identity: Option<&Arc<Identity>>,
        pages: Router,
    ) -> io::Result<SocketAddr> {
        let listener = context.net().listen(config.listen).await?;
        let address = listener.local_address()?;
        let mut server = Server::new("admin", listener, pages.merge(router(self.health, self.metrics)));
        server.acceptor = identity.map(|identity| identity.server(config.allow.clone()));
        server.limits = Limits { connections: 256, handshakes: 32, streams: 64, ..Limits::default() };
        server.metrics = self.counters;
        let owned = context.clone();
        context.tasks().spawn_critical("the admin server", async move { server.run(&owned).await });
        Ok(address)
    }
}

/// The admin endpoints, for a server of one's own.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route(
            "/livez",
            get(async |State(h): State<Health>, RawQuery(q): RawQuery| probe(&h.livez(), q.as_deref())),
        )
        .route(
            "/readyz",
            get(async |State(h): State<Health>, RawQuery(q): RawQuery| probe(&h.readyz(), q.as_deref())),
        )
        .route("/health", get(async |State(h): State<Health>| details(h.readyz())))
        .with_state(health)
        .route("/metrics", get(scrape).with_state(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "here are /metrics, /livez, /readyz and /health\n"))
}

fn code(report: &Report) -> StatusCode {
    if report.status == Status::Ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn probe(report: &Report, query: Option<&str>) -> Response {
    let verbose =
        query.is_some_and(|q| q.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")));
    let quiet = report.status == Status::Ok && !verbose;
    (code(report), if quiet { "ok\n".to_owned() } else { report.to_string() }).into_response()
}

fn details(report: Report) -> Response {
    (code(&report), Json(report)).into_response()
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    match metrics.encode(accept) {
        Ok((kind, text)) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(e) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode the metrics: {e}\n")).into_response()
        }
    }
}
