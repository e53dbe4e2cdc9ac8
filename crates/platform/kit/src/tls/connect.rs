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
use super::foreign::ForeignTls;
use super::identity::Identity;
use super::spiffe::{SpiffeId, common_name};
use super::verify::{Judge, PeerRefused};
use crate::net::BoxStream;

/// Sessions and logs both speak of these two; HTTP/2 first, because gRPC needs it.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

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
    /// Nothing says which servers to trust.
    #[error("no CA is configured to trust a server by")]
    NoCa,
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
            Self::Peer(PeerRefused::NotAllowed { .. } | PeerRefused::Name { .. }) => "not_allowed",
            Self::Broken(_) => "tls",
            Self::Name(_) | Self::NoCa | Self::Own(_) => "own",
        }
    }
}

/// What a peer's certificate says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its SPIFFE ID; none: it was not asked for one.
    pub spiffe: Option<SpiffeId>,
    /// Its common name, if it has one.
    pub common_name: Option<String>,
}

/// Takes in TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(Server);

#[derive(Clone)]
enum Server {
    Spiffe { identity: Arc<Identity>, allow: Arc<AllowList>, manner: Manner },
    Foreign(Arc<ForeignTls>),
}

/// How a server of the cluster shakes hands.
#[derive(Clone, Copy)]
struct Manner {
    /// The protocols that are spoken inside.
    protocols: &'static [&'static [u8]],
    /// A client may show no certificate, and speak TLS 1.2: it proves itself inside.
    open: bool,
}

impl Acceptor {
    pub(super) fn spiffe(identity: Arc<Identity>, allow: AllowList) -> Self {
        let manner = Manner { protocols: &ALPN, open: false };
        Self(Server::Spiffe { identity, allow: Arc::new(allow), manner })
    }

    /// For a protocol inside which clients prove themselves: one that shows no certificate is let in, too; one that
    /// shows one is judged by it as ever.
    #[must_use]
    pub fn open_to_all(self, protocols: &'static [&'static [u8]]) -> Self {
        match self.0 {
            Server::Spiffe { identity, allow, .. } => {
                Self(Server::Spiffe { identity, allow, manner: Manner { protocols, open: true } })
            }
            foreign @ Server::Foreign(_) => Self(foreign),
        }
    }

    pub(super) fn foreign(tls: Arc<ForeignTls>) -> Self {
        Self(Server::Foreign(tls))
    }

    /// Shakes hands with whoever connected. Has no deadline of its own.
    pub async fn accept(&self, stream: BoxStream) -> Result<(BoxStream, Shown), HandshakeError> {
        match &self.0 {
            Server::Spiffe { identity, allow, manner } => {
                accept_spiffe(identity, allow, *manner, stream).await
            }
            Server::Foreign(tls) => accept_foreign(tls, stream).await,
        }
    }
}

async fn accept_spiffe(
    identity: &Identity,
    allow: &Arc<AllowList>,
    manner: Manner,
    stream: BoxStream,
) -> Result<(BoxStream, Shown), HandshakeError> {
    let judge = judge(identity, allow, Dealing { optional: manner.open, ..Dealing::default() });
    let config = server_config(identity, &judge, manner).map_err(HandshakeError::Own)?;
    let result = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await;
    let shown = result.as_ref().ok().and_then(|tls| tls.get_ref().1.peer_certificates()?.first());
    let common_name = shown.and_then(common_name);
    if result.is_ok() && shown.is_none() && manner.open {
        let stream = result.map_err(HandshakeError::Broken)?;
        return Ok((Box::new(stream), Shown::default()));
    }
    let (stream, spiffe) = conclude(&judge, result.map(|tls| Box::new(tls) as BoxStream))?;
    Ok((stream, Shown { spiffe: Some(spiffe), common_name }))
}

async fn accept_foreign(tls: &ForeignTls, stream: BoxStream) -> Result<(BoxStream, Shown), HandshakeError> {
    let accepted = tokio_rustls::TlsAcceptor::from(tls.server_config()).accept(stream).await;
    let stream = accepted.map_err(HandshakeError::Broken)?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    tls.judge(leaf).map_err(HandshakeError::Peer)?;
    let shown = Shown { spiffe: None, common_name: leaf.and_then(common_name) };
    Ok((Box::new(stream), shown))
}

fn server_config(
    identity: &Identity,
    judge: &Arc<Judge>,
    manner: Manner,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_details(judge.provider.clone(), identity.time());
    let versions: &[_] = match manner.open {
        true => &[&rustls::version::TLS13, &rustls::version::TLS12],
        false => &[&rustls::version::TLS13],
    };
    let mut config = builder
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(judge.clone())
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(judge.material.key.clone())));
    config.alpn_protocols = manner.protocols.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Opens TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct TlsConnector(Client);

#[derive(Clone)]
enum Client {
    Spiffe { identity: Arc<Identity>, expect: Arc<AllowList>, check_name: bool },
    Foreign(Arc<ForeignTls>),
}

impl TlsConnector {
    pub(super) fn spiffe(identity: Arc<Identity>, expect: AllowList) -> Self {
        Self(Client::Spiffe { identity, expect: Arc::new(expect), check_name: false })
    }

    pub(super) fn foreign(tls: Arc<ForeignTls>) -> Self {
        Self(Client::Foreign(tls))
    }

    /// Also demands that the server's certificate carries the name or address that was dialled, which foreign
    /// TLS does anyway.
    pub fn checking_name(self) -> Self {
        match self.0 {
            Client::Spiffe { identity, expect, .. } => {
                Self(Client::Spiffe { identity, expect, check_name: true })
            }
            foreign @ Client::Foreign(_) => Self(foreign),
        }
    }

    /// Shakes hands with the server at `address` (`host:port`). Has no deadline of its own. TLS 1.3 lets a
    /// client finish first: a server that refuses us shows it on the first read.
    pub async fn connect(
        &self,
        address: &str,
        stream: BoxStream,
    ) -> Result<(BoxStream, Shown), HandshakeError> {
        let name = server_name(address).ok_or_else(|| HandshakeError::Name(address.to_owned()))?;
        match &self.0 {
            Client::Spiffe { identity, expect, check_name } => {
                let judge =
                    judge(identity, expect, Dealing { check_name: *check_name, ..Dealing::default() });
                connect_spiffe(identity, &judge, name, stream).await
            }
            Client::Foreign(tls) => {
                let config = tls.client_config().ok_or(HandshakeError::NoCa)?;
                let connected = tokio_rustls::TlsConnector::from(config).connect(name, stream).await;
                let stream = connected.map_err(HandshakeError::Broken)?;
                Ok((Box::new(stream), Shown::default()))
            }
        }
    }
}

async fn connect_spiffe(
    identity: &Identity,
    judge: &Arc<Judge>,
    name: ServerName<'static>,
    stream: BoxStream,
) -> Result<(BoxStream, Shown), HandshakeError> {
    let config = client_config(identity, judge).map_err(HandshakeError::Own)?;
    let result = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let (stream, spiffe) = conclude(judge, result.map(|tls| Box::new(tls) as BoxStream))?;
    Ok((stream, Shown { spiffe: Some(spiffe), common_name: None }))
}

fn client_config(identity: &Identity, judge: &Arc<Judge>) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_details(judge.provider.clone(), identity.time());
    let mut config = builder
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(judge.material.key.clone())));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What is asked of a peer beside being on the list.
#[derive(Clone, Copy, Default)]
struct Dealing {
    check_name: bool,
    optional: bool,
}

fn judge(identity: &Identity, allow: &Arc<AllowList>, dealing: Dealing) -> Arc<Judge> {
    Arc::new(Judge {
        material: identity.current(),
        provider: identity.provider(),
        allow: allow.clone(),
        check_name: dealing.check_name,
        optional: dealing.optional,
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
        match &self.0 {
            Server::Spiffe { allow, .. } => {
                f.debug_struct("Acceptor").field("allow", allow).finish_non_exhaustive()
            }
            Server::Foreign(tls) => tls.fmt(f),
        }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Client::Spiffe { expect, .. } => {
                f.debug_struct("TlsConnector").field("expect", expect).finish_non_exhaustive()
            }
            Client::Foreign(tls) => tls.fmt(f),
        }
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
