//! The three files of an identity, and whether they make one.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::spiffe::{SpiffeError, SpiffeId};
use crate::clock::Clock;

/// Where the identity lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM: our certificate, then the intermediates up to the CA.
    pub cert: PathBuf,
    /// PEM: its private key; only the owner may be able to read it.
    pub key: PathBuf,
    /// PEM: the CA certificates that peers must chain to; two during a rotation.
    pub ca: PathBuf,
    /// How often the files are looked at again; zero for only on demand.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub reload: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// Why the files make no identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is open to others.
    #[error(
        "the private key {path} can be read by others than its owner (mode {mode:04o}): chmod 600 it, and replace it if a stranger could have seen it"
    )]
    KeyMode {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file holds no usable PEM of its kind.
    #[error("{path} holds no usable {what}: {why}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key are of different pairs, or the key is of an unknown kind.
    #[error("the key {key} does not serve the certificate {cert}: {source}")]
    Key {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        cert: PathBuf,
        /// What TLS says.
        source: rustls::Error,
    },
    /// The certificate is not valid now.
    #[error(
        "the certificate {path} is valid from {from} until {until}, and the clock says {now}: renew it, or set the clock"
    )]
    NotCurrent {
        /// Which file.
        path: PathBuf,
        /// Its first moment.
        from: jiff::Timestamp,
        /// Its last moment.
        until: jiff::Timestamp,
        /// Our wall time.
        now: jiff::Timestamp,
    },
    /// The certificate would be refused by every peer that trusts our CA.
    #[error("the certificate {cert} does not pass the CA in {ca}: {source}")]
    Chain {
        /// The certificate file.
        cert: PathBuf,
        /// The CA file.
        ca: PathBuf,
        /// What the check says.
        source: rustls::Error,
    },
    /// It names nobody.
    #[error("{path}: {source}")]
    Spiffe {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: SpiffeError,
    },
    /// A suite that is not there.
    #[error("no cipher suite {wanted} for TLS 1.2: there are {known}")]
    Suite {
        /// What was asked for.
        wanted: String,
        /// What could have been.
        known: String,
    },
    /// A reload would turn us into somebody else.
    #[error("{path} is of {new}, but this process is {old}: restart it if that is meant")]
    OtherIdentity {
        /// Which file.
        path: PathBuf,
        /// Who we are.
        old: SpiffeId,
        /// Whom the file names.
        new: SpiffeId,
    },
}

/// One loaded state of the files.
pub(super) struct Material {
    pub(super) files: Files,
    pub(super) key: Arc<CertifiedKey>,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) spiffe: SpiffeId,
    pub(super) expires: SystemTime,
}

/// What the three files held.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    ca: Vec<u8>,
}

impl Files {
    pub(super) fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|source| unreadable(path, source));
        let mode = fs::metadata(&config.key).map_err(|source| unreadable(&config.key, source))?;
        let mode = mode.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TlsError::KeyMode { path: config.key.clone(), mode });
        }
        Ok(Self { cert: read(&config.cert)?, key: read(&config.key)?, ca: read(&config.ca)? })
    }

    pub(super) fn parse(
        self,
        config: &TlsConfig,
        provider: &Arc<CryptoProvider>,
        clock: &Clock,
    ) -> Result<Material, TlsError> {
        let chain = certificates(&config.cert, &self.cert)?;
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|e| pem(&config.key, "private key", &e))?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Key {
            key: config.key.clone(),
            cert: config.cert.clone(),
            source,
        })?;
        let leaf = &key.cert[0];
        let expires = check_dates(&config.cert, leaf, clock)?;
        let spiffe = SpiffeId::from_certificate(leaf)
            .map_err(|source| TlsError::Spiffe { path: config.cert.clone(), source })?;
        let roots = Arc::new(roots(&config.ca, &self.ca)?);
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|e| pem(&config.ca, "CA certificate", &e))?;
        let material = Material { files: self, key: Arc::new(key), roots, clients, spiffe, expires };
        material.pass_own_checks(provider, clock).map_err(|source| TlsError::Chain {
            cert: config.cert.clone(),
            ca: config.ca.clone(),
            source,
        })?;
        Ok(material)
    }
}

impl Material {
    /// Whether a peer with our CA would take our certificate, as a client's and as a server's.
    fn pass_own_checks(&self, provider: &CryptoProvider, clock: &Clock) -> Result<(), rustls::Error> {
        let (leaf, intermediates) = (&self.key.cert[0], &self.key.cert[1..]);
        let now = unix_time(clock);
        self.clients.verify_client_cert(leaf, intermediates, now)?;
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)
    }
}

pub(super) fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|e| pem(path, "certificate", &e))?;
    if certificates.is_empty() {
        return Err(pem(path, "certificate", &"there is no BEGIN CERTIFICATE in it"));
    }
    Ok(certificates)
}

pub(super) fn roots(path: &Path, content: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, content)? {
        roots.add(certificate).map_err(|e| pem(path, "CA certificate", &e))?;
    }
    Ok(roots)
}

fn check_dates(path: &Path, leaf: &CertificateDer<'_>, clock: &Clock) -> Result<SystemTime, TlsError> {
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|e| pem(path, "certificate", &e))?;
    let moment = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
    let from = moment(parsed.validity().not_before.timestamp());
    let until = moment(parsed.validity().not_after.timestamp());
    let now = clock.now();
    if now < from || now > until {
        let (from, until, now) = (timestamp(from), timestamp(until), timestamp(now));
        return Err(TlsError::NotCurrent { path: path.to_owned(), from, until, now });
    }
    Ok(until)
}

pub(super) fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX)
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> TlsError {
    TlsError::Read { path: path.to_owned(), source }
}

pub(super) fn pem(path: &Path, what: &'static str, why: &dyn fmt::Display) -> TlsError {
    TlsError::Pem { path: path.to_owned(), what, why: why.to_string() }
}

pub(super) fn unix_time(clock: &Clock) -> UnixTime {
    UnixTime::since_unix_epoch(clock.unix())
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("spiffe", &self.spiffe).finish_non_exhaustive()
    }
}
