//! The client port: gRPC, and the few HTTP endpoints that etcd has beside it.

mod count;
mod health;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde::Serialize;
use tonic::service::Routes;

pub(crate) use self::count::GrpcCounts;
use self::count::{Observer, count};
use self::health::{LIVEZ, READYZ, health, not_allowed, probe, single};
use super::Api;
use crate::proto::etcdserverpb::auth_server::AuthServer;
use crate::proto::etcdserverpb::cluster_server::ClusterServer;
use crate::proto::etcdserverpb::kv_server::KvServer;
use crate::proto::etcdserverpb::lease_server::LeaseServer;
use crate::proto::etcdserverpb::maintenance_server::MaintenanceServer;
use crate::proto::etcdserverpb::watch_server::WatchServer;
use crate::proto::v3electionpb::election_server::ElectionServer;
use crate::proto::v3lockpb::lock_server::LockServer;
use crate::version::{ETCD_CLUSTER_VERSION, ETCD_VERSION};

/// What a message may have besides what a request may have: etcd's margin.
const OVERHEAD: usize = 512 << 10;

/// Everything that the client port answers.
pub(crate) fn router(api: &Api) -> Router {
    let observer = Observer { counts: api.metrics.grpc.clone(), slow: api.0.slow.clone() };
    let counted = from_fn_with_state(observer, count);
    grpc(api).layer(map_response(in_grpcs_words)).layer(counted).merge(figures(api))
}

/// What is not gRPC.
pub(crate) fn figures(api: &Api) -> Router {
    Router::new()
        .route("/health", any(health))
        .route("/livez", any(|api, method, query| probe(api, method, query, &LIVEZ)))
        .route("/livez/{check}", any(|api, method, name, query| single(api, method, name, query, &LIVEZ)))
        .route("/readyz", any(|api, method, query| probe(api, method, query, &READYZ)))
        .route("/readyz/{check}", any(|api, method, name, query| single(api, method, name, query, &READYZ)))
        .route("/version", any(version))
        .route("/metrics", any(metrics))
        .with_state(api.clone())
}

fn grpc(api: &Api) -> Router {
    let largest = api.limits.request_bytes + OVERHEAD;
    Routes::new(KvServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(WatchServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(LeaseServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(ClusterServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(MaintenanceServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(AuthServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(LockServer::new(api.clone()).max_decoding_message_size(largest))
        .add_service(ElectionServer::new(api.clone()).max_decoding_message_size(largest))
        .prepare()
        .into_axum_router()
}

/// What gRPC's reference implementations, and so etcd, say of a message that cannot be taken.
async fn in_grpcs_words(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if let (Some(code), Some(text)) = (headers.get("grpc-status"), headers.get("grpc-message"))
        && let Some((code, text)) = grpcs_words(code.as_bytes(), text.to_str().unwrap_or_default())
    {
        headers.insert("grpc-status", HeaderValue::from_static(code));
        headers.insert("grpc-message", text);
    }
    response
}

/// Another code and text; none: they are good as they are. Texts are percent-encoded.
fn grpcs_words(code: &[u8], text: &str) -> Option<(&'static str, HeaderValue)> {
    match code {
        b"11" => {
            let text = text.replace("%20", " ");
            let sizes = text.strip_prefix("Error, decoded message length too large: ")?;
            let mut numbers = sizes.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
            let (found, limit) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
            let text = format!("grpc: received message larger than max ({found} vs. {limit})");
            Some(("8", HeaderValue::try_from(text).ok()?))
        }
        b"13" => {
            let undecodable = "failed%20to%20decode%20Protobuf%20message:%20";
            let why =
                text.strip_prefix(undecodable).or(text.strip_prefix(&undecodable.replace("%20", " ")))?;
            let text = format!("grpc: error unmarshalling request: {why}");
            Some(("13", HeaderValue::try_from(text).ok()?))
        }
        _ => None,
    }
}

#[derive(Serialize)]
struct Version {
    etcdserver: &'static str,
    etcdcluster: &'static str,
}

async fn version(method: Method) -> Response {
    match method {
        Method::GET => {
            Json(Version { etcdserver: ETCD_VERSION, etcdcluster: ETCD_CLUSTER_VERSION }).into_response()
        }
        _ => not_allowed(),
    }
}

/// As on the admin port: who scrapes etcd asks here.
async fn metrics(State(api): State<Api>, request: Request) -> Response {
    if request.method() != Method::GET {
        return not_allowed();
    }
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    match api.registry.encode(accept) {
        Ok((kind, text)) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(e) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode the metrics: {e}\n")).into_response()
        }
    }
}
