//! Counts gRPC requests under the names that every gRPC server's dashboard has, and their bytes under etcd's.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use tokio::time::Instant;

use super::super::answers::Share;
use super::super::slow::{SlowLog, Times, Trace, traced};

/// gRPC's codes as grpc-go names them, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
const CANCELED: usize = 1;
const UNKNOWN: usize = 2;

/// Every method that is served: a request for another one cannot make a series of its own.
const METHODS: &[(&str, &[(&str, &str)])] = &[
    (
        "etcdserverpb.KV",
        &[
            ("Range", "unary"),
            ("RangeStream", "server_stream"),
            ("Put", "unary"),
            ("DeleteRange", "unary"),
            ("Txn", "unary"),
            ("Compact", "unary"),
        ],
    ),
    ("etcdserverpb.Watch", &[("Watch", "bidi_stream")]),
    (
        "etcdserverpb.Lease",
        &[
            ("LeaseGrant", "unary"),
            ("LeaseRevoke", "unary"),
            ("LeaseKeepAlive", "bidi_stream"),
            ("LeaseTimeToLive", "unary"),
            ("LeaseLeases", "unary"),
        ],
    ),
    (
        "etcdserverpb.Cluster",
        &[
            ("MemberAdd", "unary"),
            ("MemberRemove", "unary"),
            ("MemberUpdate", "unary"),
            ("MemberList", "unary"),
            ("MemberPromote", "unary"),
        ],
    ),
    (
        "etcdserverpb.Maintenance",
        &[
            ("Alarm", "unary"),
            ("Status", "unary"),
            ("Defragment", "unary"),
            ("Hash", "unary"),
            ("HashKV", "unary"),
            ("Snapshot", "server_stream"),
            ("MoveLeader", "unary"),
            ("Downgrade", "unary"),
        ],
    ),
    (
        "etcdserverpb.Auth",
        &[
            ("AuthEnable", "unary"),
            ("AuthDisable", "unary"),
            ("AuthStatus", "unary"),
            ("Authenticate", "unary"),
            ("UserAdd", "unary"),
            ("UserGet", "unary"),
            ("UserList", "unary"),
            ("UserDelete", "unary"),
            ("UserChangePassword", "unary"),
            ("UserGrantRole", "unary"),
            ("UserRevokeRole", "unary"),
            ("RoleAdd", "unary"),
            ("RoleGet", "unary"),
            ("RoleList", "unary"),
            ("RoleDelete", "unary"),
            ("RoleGrantPermission", "unary"),
            ("RoleRevokePermission", "unary"),
        ],
    ),
    ("v3lockpb.Lock", &[("Lock", "unary"), ("Unlock", "unary")]),
    (
        "v3electionpb.Election",
        &[
            ("Campaign", "unary"),
            ("Proclaim", "unary"),
            ("Leader", "unary"),
            ("Observe", "server_stream"),
            ("Resign", "unary"),
        ],
    ),
];

/// Requests and bytes of the client port. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct GrpcCounts(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    methods: BTreeMap<String, Arc<Method>>,
    received: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug)]
struct Method {
    service: &'static str,
    name: &'static str,
    kind: &'static str,
    started: AtomicU64,
    handled: [AtomicU64; CODES.len()],
}

impl Default for GrpcCounts {
    fn default() -> Self {
        let mut methods = BTreeMap::new();
        for (service, names) in METHODS {
            for (name, kind) in *names {
                let (started, handled) = Default::default();
                let method = Method { service, name, kind, started, handled };
                methods.insert(format!("/{service}/{name}"), Arc::new(method));
            }
        }
        Self(Arc::new(Counts { methods, received: AtomicU64::new(0), sent: AtomicU64::new(0) }))
    }
}

impl Method {
    fn handled(&self, code: usize) {
        let count = self.handled.get(code).unwrap_or(&self.handled[UNKNOWN]);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What looks at every request. Cheap to clone.
#[derive(Clone)]
pub(super) struct Observer {
    pub(super) counts: GrpcCounts,
    pub(super) slow: Arc<SlowLog>,
}

/// Counts one request, from its arrival to the last byte of its answer.
pub(super) async fn count(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let Observer { counts, slow } = observer;
    let Some(method) = counts.0.methods.get(request.uri().path()) else { return next.run(request).await };
    method.started.fetch_add(1, Ordering::Relaxed);
    let begun = Instant::now();
    let mut outcome = Outcome { method: method.clone(), known: false, slow, served: None };
    let (received, sent) = (counts.clone(), counts.clone());
    let receive = move |frame: &Frame<Bytes>| {
        received.0.received.fetch_add(bytes_of(frame), Ordering::Relaxed);
    };
    let serving = next.run(request.map(|body| Body::new(Observed { body, see: receive })));
    let (mut response, trace) = traced(serving).await;
    outcome.served = Some((Times { begun, answered: Instant::now() }, trace));
    outcome.look(response.headers());
    // A large answer counts until it is sent.
    let share = response.extensions_mut().remove::<Share>();
    let send = move |frame: &Frame<Bytes>| {
        let _held = &share;
        sent.0.sent.fetch_add(bytes_of(frame), Ordering::Relaxed);
        if let Some(trailers) = frame.trailers_ref() {
            outcome.look(trailers);
        }
    };
    response.map(|body| Body::new(Observed { body, see: send }))
}

/// How a request ended. Dropped without knowing: its client went away.
struct Outcome {
    method: Arc<Method>,
    known: bool,
    slow: Arc<SlowLog>,
    /// When, and what became known on the way; none until there is an answer.
    served: Option<(Times, Trace)>,
}

impl Outcome {
    fn look(&mut self, headers: &HeaderMap) {
        let Some(code) = headers.get("grpc-status").filter(|_| !self.known) else { return };
        self.known = true;
        let code = code.to_str().ok().and_then(|code| code.parse().ok());
        self.method.handled(code.unwrap_or(UNKNOWN));
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !self.known {
            self.method.handled(CANCELED);
        }
        if let Some((times, trace)) = &self.served
            && self.slow.looks_at(self.method.name, self.method.kind)
        {
            self.slow.ended(self.method.name, *times, trace);
        }
    }
}

fn bytes_of(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// A body whose frames are looked at as they pass.
struct Observed<F> {
    body: Body,
    see: F,
}

impl<F: FnMut(&Frame<Bytes>) + Unpin> HttpBody for Observed<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            (self.see)(frame);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Shows the counts to a scraper.
impl Collector for GrpcCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let bytes = [
            ("received", "Bytes of gRPC requests received from clients", &self.0.received),
            ("sent", "Bytes of gRPC answers sent to clients", &self.0.sent),
        ];
        for (direction, help, count) in bytes {
            let name = format!("etcd_network_client_grpc_{direction}_bytes");
            let counter = ConstCounter::new(count.load(Ordering::Relaxed));
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(&name, help, None, kind)?)?;
        }
        self.encode_methods(&mut encoder)
    }
}

impl GrpcCounts {
    fn encode_methods(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let kind = prometheus_client::metrics::MetricType::Counter;
        let help = "RPCs that were begun";
        let mut started = encoder.encode_descriptor("grpc_server_started", help, None, kind)?;
        for m in self.0.methods.values() {
            let labels = [("grpc_method", m.name), ("grpc_service", m.service), ("grpc_type", m.kind)];
            let counter = ConstCounter::new(m.started.load(Ordering::Relaxed));
            counter.encode(started.encode_family(&labels)?)?;
        }
        let help = "RPCs that were ended, by code";
        let mut handled = encoder.encode_descriptor("grpc_server_handled", help, None, kind)?;
        for m in self.0.methods.values() {
            for (code, count) in CODES.iter().zip(&m.handled) {
                let count = count.load(Ordering::Relaxed);
                // As many series as have happened, and one for each method that is served.
                if count == 0 && *code != "OK" {
                    continue;
                }
                let labels = [
                    ("grpc_code", *code),
                    ("grpc_method", m.name),
                    ("grpc_service", m.service),
                    ("grpc_type", m.kind),
                ];
                ConstCounter::new(count).encode(handled.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
