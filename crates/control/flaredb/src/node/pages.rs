//! What the admin port shows besides health and metrics.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::Node;
use crate::replica::Replica;

/// A member that is not there before it has opened its files.
pub(super) type Late = Arc<OnceLock<Node>>;

/// `/databases`: what this member holds.
pub(super) fn pages(node: Late) -> Router {
    Router::new().route("/databases", get(databases)).with_state(node)
}

#[derive(Debug, Serialize)]
struct Shown {
    database: String,
    group: String,
    /// By name; none: nobody, or it is unknown here.
    leader: Option<String>,
    term: u64,
    applied: u64,
    voters: Vec<String>,
    learners: Vec<String>,
    /// How often the schema has changed; 0: it is not founded yet.
    catalog: u64,
    /// The hash over everything that was done to it, in hexadecimal: the same on all replicas at the same entry.
    hash: String,
    fenced: bool,
}

async fn databases(State(node): State<Late>) -> Response {
    let Some(node) = node.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the member has not started yet\n").into_response();
    };
    let all = node.databases.all();
    Json(all.iter().map(|(name, replica)| show(name, replica)).collect::<Vec<_>>()).into_response()
}

fn show(name: &str, replica: &Replica) -> Shown {
    let status = replica.group().status();
    let named = |id: u64| {
        let name = status.member(id).map(|member| member.name.clone()).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| format!("{id:x}"))
    };
    let learners = status.members.iter().filter(|member| status.is_learner(member.id));
    Shown {
        database: name.to_owned(),
        group: format!("{:x}", replica.group().number()),
        leader: status.leadership.leader.map(named),
        term: status.leadership.term,
        applied: status.applied,
        voters: status.voters.iter().map(|id| named(*id)).collect(),
        learners: learners.map(|member| named(member.id)).collect(),
        catalog: replica.catalog().version,
        hash: format!("{:016x}", replica.hash()),
        fenced: replica.is_fenced(),
    }
}
