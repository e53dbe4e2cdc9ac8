//! One connection, from the first byte to the last.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Shared;
use super::authority::Mended;
use super::request::{self, Peer};
use crate::net::BoxStream;
use crate::tls::{HandshakeError, Shown};

/// RFC 9113 §3.4: what every HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why a connection was not let in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("no complete TLS handshake in time")]
    SlowHandshake,
    #[error("no request in time")]
    Silent,
    #[error("closed before the first byte of a request: {0}")]
    Closed(io::Error),
    #[error(
        "all {0} connections are in use: raise `connections` in the limits, or look for a client that leaks them"
    )]
    Full(usize),
}

impl Refusal {
    fn reason(&self) -> &'static str {
        match self {
            Self::Handshake(e) if is_probe(e) => "closed",
            Self::Handshake(e) => e.reason(),
            Self::SlowHandshake => "handshake_timeout",
            Self::Silent => "silent",
            Self::Closed(_) => "closed",
            Self::Full(_) => "full",
        }
    }
}

/// A peer that connects and hangs up: a port check, nothing to write home about.
fn is_probe(error: &HandshakeError) -> bool {
    matches!(error, HandshakeError::Broken(e) if e.kind() == io::ErrorKind::UnexpectedEof)
}

/// Proves the peer, finds a slot, serves. The permit counts the peer among the strangers until then.
pub(super) async fn handle(
    shared: &Arc<Shared>,
    stream: BoxStream,
    address: SocketAddr,
    stranger: OwnedSemaphorePermit,
) {
    let stopping = shared.context.tasks().stopping();
    let opened = tokio::select! {
        biased;
        () = stopping.cancelled() => return,
        opened = open(shared, stream) => opened,
    };
    drop(stranger);
    let slot = shared.slots.clone().try_acquire_owned();
    match (opened, slot) {
        (Ok((stream, Shown { spiffe, common_name })), Ok(_slot)) => {
            let _open = shared.metrics.open(shared.name);
            serve(shared, stream, Peer { address, spiffe, common_name }).await;
        }
        (Ok(_), Err(_)) => refuse(shared, address, &Refusal::Full(shared.limits.connections)),
        (Err(refusal), _) => refuse(shared, address, &refusal),
    }
}

/// Counts a refusal, and logs it unless its kind was logged a moment ago.
fn refuse(shared: &Shared, address: SocketAddr, refusal: &Refusal) {
    let (server, reason) = (shared.name, refusal.reason());
    shared.metrics.refused(server, reason);
    if reason == "closed" {
        tracing::debug!(server, peer = %address, why = %refusal, "a connection came to nothing");
    } else if let Some(held_back) = shared.refusals.admit(reason) {
        tracing::warn!(server, peer = %address, why = %refusal, held_back, "refused a connection");
    }
}

/// TLS if there is any, then enough bytes to know the protocol.
async fn open(shared: &Shared, stream: BoxStream) -> Result<(BoxStream, Shown), Refusal> {
    let (stream, shown) = match &shared.acceptor {
        None => (stream, Shown::default()),
        Some(acceptor) => {
            let shaken = timeout(shared.limits.handshake_timeout, acceptor.accept(stream)).await;
            shaken.map_err(|_| Refusal::SlowHandshake)??
        }
    };
    let sniffed = timeout(shared.limits.header_timeout, sniff(stream)).await;
    let stream = sniffed.map_err(|_| Refusal::Silent)?.map_err(Refusal::Closed)?;
    let mend = shared.url_authorities && stream.seen == PREFACE;
    let stream: BoxStream = Box::new(stream);
    Ok((if mend { Box::new(Mended::new(stream, PREFACE.len())) } else { stream }, shown))
}

/// Reads until it is clear whether this is HTTP/2. The HTTP stack would wait for these bytes for ever.
async fn sniff(mut stream: BoxStream) -> io::Result<Sniffed> {
    let mut seen = Vec::with_capacity(PREFACE.len());
    while seen.len() < PREFACE.len() && PREFACE.starts_with(&seen) {
        let room = PREFACE.len() - seen.len();
        if (&mut stream).take(room as u64).read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Sniffed { seen, given: 0, stream })
}

async fn serve(shared: &Arc<Shared>, stream: BoxStream, peer: Peer) {
    let requests = shared.metrics.requests(shared.name);
    let (answering, peer) = (shared.clone(), Arc::new(peer));
    let who = peer.clone();
    let service = hyper::service::service_fn(move |request| {
        requests.inc();
        request::answer(answering.router.clone(), answering.context.entropy().clone(), peer.clone(), request)
    });
    let mut connection = pin!(shared.http.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let stopping = shared.context.tasks().stopping();
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            if let Ok(ended) = timeout(shared.limits.drain, connection).await { ended } else {
                tracing::info!(server = shared.name, peer = %who.address, "cut a connection that did not drain in time");
                return;
            }
        }
    };
    if let Err(e) = ended {
        tracing::debug!(server = shared.name, peer = %who.address, error = %e, "a connection ended in an error");
    }
}

/// A stream whose first bytes were read already, and are given again.
struct Sniffed {
    seen: Vec<u8>,
    given: usize,
    stream: BoxStream,
}

impl AsyncRead for Sniffed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.seen[this.given..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, out);
        }
        let n = rest.len().min(out.remaining());
        out.put_slice(&rest[..n]);
        this.given += n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sniffed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
