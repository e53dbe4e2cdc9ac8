//! One server for HTTP/1.1, HTTP/2 and gRPC, over mutual TLS or plain, bounded in every direction.
//!
//! What is bounded, and how it ends:
//! - strangers: at most `handshakes` connections may be unproven at a time. Beyond that the server stops
//!   to accept until one is through; each has a deadline, so the pause is short.
//! - connections: at most `connections` proven ones; the next is closed at once, logged and counted. A
//!   refusal is honest (the client tries another server), a pause would look like a hung one.
//! - slow senders: a request head, and the first bytes of a connection, have a deadline.
//! - HTTP/2: streams, resets of streams nobody has looked at yet (the rapid-reset attack), header
//!   lists, frames and unread data are bounded; keep-alive pings find peers that are gone.
//!
//! A body's size is the service's matter, because only it knows what is sane. When the process stops, the
//! port closes, HTTP/2 peers get GOAWAY, and requests in flight may finish until `drain` is over.

mod authority;
mod connection;
mod limits;
mod metrics;
mod request;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::context::{Context, Mode};
use crate::net::Listener;
use crate::telemetry::Throttle;
use crate::tls::Acceptor;

pub use limits::Limits;
pub use metrics::ServerMetrics;
pub use request::{Peer, REQUEST_ID, RequestId};

/// How long to wait for file descriptors or memory before accepting again.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);
/// How often one kind of refusal may appear in the log.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// A server that is ready to run.
pub struct Server {
    /// What logs and metrics call it, e.g. `client`.
    pub name: &'static str,
    /// Where connections come from; see [`crate::net::Net::listen`].
    pub listener: Box<dyn Listener>,
    /// Mutual TLS. `None` is plain: for simulations, tests, and a drop-in that was told so by its flags.
    pub acceptor: Option<Acceptor>,
    /// What answers. gRPC services come in by `tonic::service::Routes::into_axum_router`.
    pub router: Router,
    /// Its bounds.
    pub limits: Limits,
    /// Where it counts.
    pub metrics: ServerMetrics,
    /// Takes HTTP/2 requests whose authority is a URL: for a drop-in whose clients were never held to the rules.
    pub url_authorities: bool,
}

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listening socket is broken; connections can no longer be accepted.
    #[error("the {name} server's listener broke: {source}")]
    Listener {
        /// Which server.
        name: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// What the connections of one server share.
struct Shared {
    name: &'static str,
    context: Context,
    acceptor: Option<Acceptor>,
    router: Router,
    limits: Limits,
    metrics: ServerMetrics,
    url_authorities: bool,
    http: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    refusals: Throttle,
}

impl Server {
    /// A plain server with default limits that counts for nobody; set the fields to change that.
    pub fn new(name: &'static str, listener: Box<dyn Listener>, router: Router) -> Self {
        let (limits, metrics) = (Limits::default(), ServerMetrics::default());
        Self { name, listener, acceptor: None, router, limits, metrics, url_authorities: false }
    }

    /// Serves until the process stops, then until its connections are drained.
    pub async fn run(self, context: &Context) -> Result<(), ServerError> {
        let strangers = Arc::new(Semaphore::new(self.limits.handshakes));
        let open = TaskTracker::new();
        let shared = Arc::new(Shared {
            name: self.name,
            context: context.clone(),
            acceptor: self.acceptor,
            router: self.router,
            http: http(&self.limits, context.mode()),
            slots: Arc::new(Semaphore::new(self.limits.connections)),
            refusals: Throttle::new(LOG_PERIOD),
            limits: self.limits,
            metrics: self.metrics,
            url_authorities: self.url_authorities,
        });
        let accepting = accept(&shared, self.listener, &strangers, &open);
        let stopping = context.tasks().stopping();
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            broken = accepting => return Err(ServerError::Listener { name: shared.name, source: broken }),
        }
        open.close();
        // Every connection has the drain deadline itself, so this ends.
        open.wait().await;
        Ok(())
    }
}

/// Accepts until the listener breaks, and says how.
async fn accept(
    shared: &Arc<Shared>,
    listener: Box<dyn Listener>,
    strangers: &Arc<Semaphore>,
    open: &TaskTracker,
) -> io::Error {
    loop {
        let permit = strangers.clone().acquire_owned().await.expect("this semaphore is never closed");
        match listener.accept().await {
            Ok((stream, address)) => {
                let (shared, token) = (shared.clone(), open.token());
                shared.context.clone().tasks().spawn_draining(async move {
                    connection::handle(&shared, stream, address, permit).await;
                    drop(token);
                });
            }
            Err(e) if is_broken(&e) => return e,
            Err(e) => {
                if let Some(held_back) = shared.refusals.admit("accept") {
                    tracing::warn!(server = shared.name, error = %e, held_back, "cannot accept a connection");
                }
                if is_exhausted(&e) {
                    tokio::time::sleep(OUT_OF_RESOURCES).await;
                }
            }
        }
    }
}

/// accept(2): what the listening socket itself suffers from. Everything else is about one connection.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK))
}

/// accept(2): what goes away when others give something back; without a pause this would be a busy loop.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// The HTTP stack with all its bounds.
fn http(limits: &Limits, mode: Mode) -> auto::Builder<TokioExecutor> {
    // Streams are futures of their connection's making and end with it; the connection is tracked.
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes.max(limits::SMALLEST_HEADER_BUFFER) as usize);
    builder
        .http2()
        // hyper reads the system's clock for it, which no seed replays.
        .auto_date_header(mode == Mode::Real)
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout);
    builder
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
