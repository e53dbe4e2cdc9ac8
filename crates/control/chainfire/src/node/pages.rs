//! What the admin port shows besides health and metrics.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::Node;
use crate::watch::Lag;

/// Watchers that are listed.
const MOST: usize = 20;
/// Of a key, as much as tells what it is about.
const KEY: usize = 64;

/// A member that is not there before it has opened its files.
pub(super) type Late = Arc<OnceLock<Node>>;

/// `/watchers`: who lags most.
pub(super) fn pages(node: Late) -> Router {
    Router::new().route("/watchers", get(watchers)).with_state(node)
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Watcher {
    client: String,
    watch_id: i64,
    key: String,
    /// In revisions.
    lag: i64,
    /// It reads history; else its changes wait to be sent.
    catching_up: bool,
}

impl From<Lag> for Watcher {
    fn from(lag: Lag) -> Self {
        let Lag { who, id, span, lag, behind } = lag;
        let start = span.start();
        let whole = start.len() <= KEY;
        let key = start[..start.len().min(KEY)].escape_ascii().to_string();
        let key = if whole { key } else { key + "…" };
        Self { client: who, watch_id: id, key, lag, catching_up: behind }
    }
}

async fn watchers(State(node): State<Late>) -> Response {
    let Some(node) = node.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the member has not started yet\n").into_response();
    };
    let worst = node.hub.survey(node.store.view().head(), MOST).worst;
    Json(worst.into_iter().map(Watcher::from).collect::<Vec<_>>()).into_response()
}
