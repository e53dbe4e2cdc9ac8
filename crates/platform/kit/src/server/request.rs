//! What every request gets before a service sees it: its peer, its id and a span.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Request};
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::Instrument;

use crate::entropy::Entropy;
use crate::tls::SpiffeId;

/// The header that carries a request's id, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids are somebody's attempt at our logs.
const MAX_ID: usize = 128;

/// Who sent a request. An extension of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its end of the connection.
    pub address: SocketAddr,
    /// Who it proved to be; `None` on a plain connection, and on foreign TLS.
    pub spiffe: Option<SpiffeId>,
    /// The common name of its certificate, if that has one.
    pub common_name: Option<String>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spiffe {
            Some(id) => write!(f, "{id} at {}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// The id that ties a request's log lines together across processes. An extension of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The caller's id if it is sane, else a fresh one of 128 random bits.
    fn of(request: &Request<Incoming>, entropy: &Entropy) -> Self {
        match request.headers().get(REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => Self(given.clone()),
            _ => Self::mint(entropy),
        }
    }

    fn mint(entropy: &Entropy) -> Self {
        let mut bits = [0; 16];
        entropy.fill(&mut bits);
        let text = format!("{:032x}", u128::from_be_bytes(bits));
        Self(HeaderValue::try_from(text).expect("hexadecimal digits are a header value"))
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-._:+/=".contains(b))
}

/// Hands a request to the router, and its id back to the caller.
pub(super) async fn answer(
    router: Router,
    entropy: Entropy,
    peer: Arc<Peer>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let id = RequestId::of(&request, &entropy);
    let span = tracing::debug_span!(
        "request",
        id = id.as_str(),
        method = %request.method(),
        path = request.uri().path(),
        peer = %peer,
    );
    request.headers_mut().insert(REQUEST_ID, id.0.clone());
    request.extensions_mut().insert(Peer::clone(&peer));
    request.extensions_mut().insert(id.clone());
    let mut response = router.oneshot(request).instrument(span.clone()).await?;
    response.headers_mut().insert(REQUEST_ID, id.0);
    tracing::debug!(parent: &span, status = response.status().as_u16(), "answered");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_hurt_a_log_are_not_sane() {
        assert!(is_sane(b"01JD-abc.def_9:/+="));
        for bad in [&b""[..], b"a b", b"a\"b", b"a\x1b[31m", "ü".as_bytes(), &[b'a'; 129]] {
            assert!(!is_sane(bad), "{bad:?}");
        }
    }

    #[test]
    fn fresh_ids_are_sane_and_follow_the_seed() {
        let (a, b) = (RequestId::mint(&Entropy::seeded(1)), RequestId::mint(&Entropy::seeded(1)));
        assert_eq!(a, b);
        assert!(is_sane(a.as_str().as_bytes()) && a.as_str().len() == 32);
    }
}
