//! The client port: gRPC, and the few HTTP endpoints that etcd has beside it.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tonic::service::Routes;

use super::Api;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::auth_server::AuthServer;
use crate::proto::etcdserverpb::cluster_server::ClusterServer;
use crate::proto::etcdserverpb::kv_server::KvServer;
use crate::proto::etcdserverpb::lease_server::LeaseServer;
use crate::proto::etcdserverpb::maintenance_server::MaintenanceServer;
use crate::proto::etcdserverpb::watch_server::WatchServer;
use crate::version::{ETCD_CLUSTER_VERSION, ETCD_VERSION};

/// What a message may have besides what a request may have: etcd's margin.
const OVERHEAD: usize = 512 << 10;

/// Everything that the client port answers.
pub(crate) fn router(api: &Api) -> Router {
    let largest = api.limits.request_bytes + OVERHEAD;
    let grpc = Routes::new(KvServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(WatchServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(LeaseServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(ClusterServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(MaintenanceServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(AuthServer::new(api.clone()).max_decoding_message_size(largest))
        .prepare()
        .into_axum_router();
    let plain = Router::new()
        .route("/health", get(health))
        .route(
            "/version",
            get(async || Json(Version { etcdserver: ETCD_VERSION, etcdcluster: ETCD_CLUSTER_VERSION })),
        )
        .with_state(api.clone());
    grpc.layer(map_response(in_grpcs_words)).merge(plain)
}

/// What gRPC's reference implementations, and so etcd, say of a message over the limit.
async fn in_grpcs_words(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let out_of_range = headers.get("grpc-status").is_some_and(|code| code == "11");
    let text = headers.get("grpc-message").filter(|_| out_of_range).and_then(|text| text.to_str().ok());
    let text = text.map(|text| text.replace("%20", " ")).unwrap_or_default();
    if let Some(sizes) = text.strip_prefix("Error, decoded message length too large: ") {
        let mut numbers = sizes.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let (found, limit) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let text = format!("grpc: received message larger than max ({found} vs. {limit})");
        if let Ok(text) = HeaderValue::try_from(text) {
            headers.insert("grpc-status", HeaderValue::from_static("8"));
            headers.insert("grpc-message", text);
        }
    }
    response
}

#[derive(Serialize)]
struct Version {
    etcdserver: &'static str,
    etcdcluster: &'static str,
}

/// etcd's shape: texts, not booleans.
#[derive(Serialize)]
struct Health {
    health: &'static str,
    reason: String,
}

/// Healthy is who answers a linearizable read; with `serializable=true`, who knows a leader.
async fn health(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let serializable = query.is_some_and(|q| q.split('&').any(|part| part == "serializable=true"));
    let failed = match api.leadership().borrow().leader {
        None => Some("RAFT NO LEADER".to_owned()),
        Some(_) => None,
    };
    let failed = match failed {
        None if !serializable => {
            let read: Result<(), Rejection> = api.barrier().await;
            read.err().map(|rejection| format!("RANGE ERROR:{}", rejection.text()))
        }
        known => known,
    };
    match failed {
        None => Json(Health { health: "true", reason: String::new() }).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health { health: "false", reason })).into_response()
        }
    }
}
