//! Both ends of a TLS connection.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;

use super::allow::AllowList;
use super::identity::Identity;
use super::spiffe::{SpiffeId, common_name};
use super::verify::{Judge, PeerRefused};
use crate::net::BoxStream;

/// Sessions and logs both speak of these two; HTTP/2 first, because gRPC needs it.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why a handshake did not end in a connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// We refused the peer.
    #[error("{0}")]
    Peer(#[source] PeerRefused),
    /// The bytes were not TLS, the peer refused us, or the connection broke.
    #[error("{0}")]
    Broken(#[source] io::Error),
    /// The name to dial is neither a host name nor an address.
    #[error("`{0}` is no host:port to dial")]
    Name(String),
    /// Our own identity cannot be used for TLS.
    #[error("our own TLS set-up does not work: {0}")]
    Own(#[source] rustls::Error),
}

impl HandshakeError {
    /// A word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Peer(PeerRefused::Chain(_)) => "certificate",
            Self::Peer(PeerRefused::Identity(_)) => "no_identity",
            Self::Peer(PeerRefused::TrustDomain { .. }) => "trust_domain",
            Self::Peer(PeerRefused::NotAllowed { .. }) => "not_allowed",
            Self::Broken(_) => "tls",
            Self::Name(_) | Self::Own(_) => "own",
        }
    }
}

/// Takes in TLS connections from peers on a list. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor {
    pub(super) identity: Arc<Identity>,
    pub(super) allow: Arc<AllowList>,
}

impl Acceptor {
    /// Shakes hands with whoever connected. Has no deadline of its own.
    pub async fn accept(&self, stream: BoxStream) -> Result<(BoxStream, SpiffeId), HandshakeError> {
        self.accept_named(stream).await.map(|(stream, spiffe, _)| (stream, spiffe))
    }

    /// As [`Self::accept`], with the common name of the peer's certificate, if it has one.
    pub async fn accept_named(
        &self,
        stream: BoxStream,
    ) -> Result<(BoxStream, SpiffeId, Option<String>), HandshakeError> {
        let judge = judge(&self.identity, &self.allow, false);
        let config = self.config(&judge).map_err(HandshakeError::Own)?;
        let result = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        let shown = result.as_ref().ok().and_then(|tls| tls.get_ref().1.peer_certificates()?.first());
        let name = shown.and_then(common_name);
        let concluded = conclude(&judge, result.map(|tls| Box::new(tls) as BoxStream));
        concluded.map(|(stream, spiffe)| (stream, spiffe, name))
    }

    fn config(&self, judge: &Arc<Judge>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_details(judge.provider.clone(), self.identity.time());
        let mut config = builder
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(judge.clone())
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(judge.material.key.clone())));
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// Opens TLS connections to servers on a list. Cheap to clone.
#[derive(Clone)]
pub struct TlsConnector {
    pub(super) identity: Arc<Identity>,
    pub(super) expect: Arc<AllowList>,
    pub(super) check_name: bool,
}

impl TlsConnector {
    /// Also demands that the server's certificate carries the name or address that was dialled.
    pub fn checking_name(self) -> Self {
        Self { check_name: true, ..self }
    }

    /// Shakes hands with the server at `address` (`host:port`). Has no deadline of its own. TLS 1.3 lets a
    /// client finish first: a server that refuses us shows it on the first read.
    pub async fn connect(
        &self,
        address: &str,
        stream: BoxStream,
    ) -> Result<(BoxStream, SpiffeId), HandshakeError> {
        let name = server_name(address).ok_or_else(|| HandshakeError::Name(address.to_owned()))?;
        let judge = judge(&self.identity, &self.expect, self.check_name);
        let config = self.config(&judge).map_err(HandshakeError::Own)?;
        let result = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        conclude(&judge, result.map(|tls| Box::new(tls) as BoxStream))
    }

    fn config(&self, judge: &Arc<Judge>) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_details(judge.provider.clone(), self.identity.time());
        let mut config = builder
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(judge.clone())
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(judge.material.key.clone())));
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn judge(identity: &Identity, allow: &Arc<AllowList>, check_name: bool) -> Arc<Judge> {
    Arc::new(Judge {
        material: identity.current(),
        provider: identity.provider(),
        allow: allow.clone(),
        check_name,
        verdict: OnceLock::new(),
    })
}

fn conclude(judge: &Judge, result: io::Result<BoxStream>) -> Result<(BoxStream, SpiffeId), HandshakeError> {
    match (result, judge.verdict()) {
        (Ok(stream), Some(Ok(peer))) => Ok((stream, peer)),
        (_, Some(Err(refused))) => Err(HandshakeError::Peer(refused)),
        (Err(e), _) => Err(HandshakeError::Broken(e)),
        (Ok(_), None) => Err(HandshakeError::Broken(io::Error::other("the peer showed no certificate"))),
    }
}

/// The host of `host:port`, `1.2.3.4:port` or `[v6]:port`.
fn server_name(address: &str) -> Option<ServerName<'static>> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").field("expect", &self.expect).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_addresses() {
        let host = |address| server_name(address).map(|n| n.to_str().into_owned());
        assert_eq!(host("node01:2380").as_deref(), Some("node01"));
        assert_eq!(host("10.60.0.11:2380").as_deref(), Some("10.60.0.11"));
        assert_eq!(host("[::1]:2380").as_deref(), Some("::1"));
        assert_eq!(host("node01"), None);
        assert_eq!(host("bad name:1"), None);
    }
}
