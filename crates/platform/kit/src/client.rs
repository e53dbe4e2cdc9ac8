//! Outgoing gRPC: lazy channels over the context's network, with TLS and keep-alive.
//!
//! A channel connects when it is first used and again after it broke; each attempt has a deadline.
//! Keep-alive runs while idle too, because a connection that a partition killed looks healthy otherwise
//! until a request has burnt its deadline on it. Refuses to retry requests: only the caller knows which
//! may run twice.

use std::io;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use crate::context::{Context, Mode};
use crate::net::BoxStream;
use crate::tls::TlsConnector;

/// How a channel behaves. Times are such as `"1s"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientOptions {
    /// Name resolution, TCP and TLS together.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How often the server is pinged.
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// How long it may take to answer before the connection is given up.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// Requests at a time; more wait.
    pub concurrency: usize,
    /// Unread data of one response.
    pub stream_window_bytes: u32,
    /// Unread data of the whole connection.
    pub connection_window_bytes: u32,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            keepalive_interval: Duration::from_secs(5),
            keepalive_timeout: Duration::from_secs(5),
            concurrency: 4096,
            stream_window_bytes: 2 * 1024 * 1024,
            connection_window_bytes: 8 * 1024 * 1024,
        }
    }
}

impl ClientOptions {
    /// What is wrong with these options, in the table `section` of a configuration; for a role's `validate`.
    pub fn problems(&self, section: &str) -> Vec<String> {
        let values = [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("keepalive_interval", self.keepalive_interval.is_zero()),
            ("keepalive_timeout", self.keepalive_timeout.is_zero()),
            ("concurrency", self.concurrency == 0),
        ];
        let zero = |key| format!("{section}.{key} is zero, which would let nothing through: raise it");
        values.iter().filter(|(_, bad)| *bad).map(|(key, _)| zero(key)).collect()
    }
}

/// The text is not an address to dial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address: write host:port, such as node01:2380 or [fd00::1]:2380")]
pub struct AddressError(String);

/// A channel to the gRPC server at `address` (`host:port`). Connects on first use; must be called inside
/// a Tokio runtime.
pub fn grpc(
    context: &Context,
    address: &str,
    tls: Option<TlsConnector>,
    options: &ClientOptions,
) -> Result<Channel, AddressError> {
    let mut endpoint = endpoint(address, tls.is_some(), options)?;
    if context.mode() == Mode::Simulated {
        // h2 measures this by the system's clock, which no seed replays: only the count may limit it.
        endpoint = endpoint.http2_reset_stream_duration(Duration::from_secs(86_400));
    }
    let (context, address, patience) = (context.clone(), address.to_owned(), options.connect_timeout);
    let connector = tower::service_fn(move |_: Uri| {
        let (context, address, tls) = (context.clone(), address.clone(), tls.clone());
        async move { connect(&context, &address, tls.as_ref(), patience).await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// A stream to `address` (`host:port`), with TLS when there is a connector, within `patience`.
pub async fn connect(
    context: &Context,
    address: &str,
    tls: Option<&TlsConnector>,
    patience: Duration,
) -> io::Result<BoxStream> {
    let attempt = async {
        let stream = context.net().connect(address).await?;
        match tls {
            None => Ok(stream),
            Some(tls) => Ok(tls.connect(address, stream).await.map_err(io::Error::other)?.0),
        }
    };
    let result = timeout(patience, attempt).await;
    let result = result.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {patience:?}")))
    });
    result.map_err(|source| {
        let kind = source.kind();
        io::Error::new(kind, NotConnected { address: address.to_owned(), source })
    })
}

/// No connection was made, so that no request has reached the server.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {address}: {source}")]
struct NotConnected {
    address: String,
    source: io::Error,
}

/// Whether the request behind this status certainly never left: it may then be sent elsewhere without
/// running twice.
pub fn was_never_sent(status: &tonic::Status) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|e| e.is::<NotConnected>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn endpoint(address: &str, tls: bool, options: &ClientOptions) -> Result<Endpoint, AddressError> {
    let uri = |scheme| uri(scheme, address).ok_or_else(|| AddressError(address.to_owned()));
    // The scheme of the target stays http: tonic must not add a second TLS below ours. What a server
    // sees is the origin.
    let origin = uri(if tls { Scheme::HTTPS } else { Scheme::HTTP })?;
    let endpoint = Endpoint::new(uri(Scheme::HTTP)?).map_err(|_| AddressError(address.to_owned()))?;
    Ok(endpoint
        .origin(origin)
        .http2_keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .concurrency_limit(options.concurrency)
        .initial_stream_window_size(options.stream_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes))
}

fn uri(scheme: Scheme, address: &str) -> Option<Uri> {
    let authority: Authority = address.parse().ok()?;
    authority.port_u16().filter(|_| !authority.host().is_empty() && !address.contains('@'))?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_dial() {
        for good in ["node01:2380", "10.60.0.11:2380", "[fd00::1]:2380"] {
            assert!(endpoint(good, true, &ClientOptions::default()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "node01",
            ":2380",
            "node01:port",
            "http://node01:1",
            "a@node01:1",
            "node 01:1",
            "node01:99999",
        ] {
            assert!(endpoint(bad, true, &ClientOptions::default()).is_err(), "{bad}");
        }
    }
}
