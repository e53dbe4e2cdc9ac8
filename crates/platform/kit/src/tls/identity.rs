//! This process's certificate, key and CA, loaded from files and loaded again when they change.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::allow::AllowList;
use super::connect::{Acceptor, TlsConnector};
use super::spiffe::{SpiffeError, SpiffeId};
use crate::clock::Clock;
use crate::context::Context;

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

/// Who this process is, at any moment. New connections take the newest state.
pub struct Identity {
    config: TlsConfig,
    clock: Clock,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Material>,
    /// What was last said about files that do not work, so that it is said once.
    complaint: Mutex<Option<String>>,
}

/// One loaded state of the files.
pub(super) struct Material {
    files: Files,
    pub(super) key: Arc<CertifiedKey>,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) spiffe: SpiffeId,
    expires: SystemTime,
}

impl Identity {
    /// Loads the files, and looks at them again every `reload` for as long as the process runs.
    pub fn load(context: &Context, config: &TlsConfig) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let material = Files::read(config)?.parse(config, &provider, context.clock())?;
        let identity = Arc::new(Self {
            config: config.clone(),
            clock: context.clock().clone(),
            provider,
            current: ArcSwap::from_pointee(material),
            complaint: Mutex::default(),
        });
        if !config.reload.is_zero() {
            context.tasks().spawn(watch(context.clone(), identity.clone()));
        }
        Ok(identity)
    }

    /// Takes in connections from the peers on the list.
    pub fn server(self: &Arc<Self>, allow: AllowList) -> Acceptor {
        Acceptor { identity: self.clone(), allow: Arc::new(allow) }
    }

    /// Opens connections to the servers on the list.
    pub fn client(self: &Arc<Self>, expect: AllowList) -> TlsConnector {
        TlsConnector { identity: self.clone(), expect: Arc::new(expect), check_name: false }
    }

    /// Our own SPIFFE ID.
    pub fn spiffe(&self) -> SpiffeId {
        self.current.load().spiffe.clone()
    }

    /// When our certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.current.load().expires
    }

    /// Looks at the files now; true when they changed and were taken over. On an error the old state
    /// stays. Blocks on small files.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.config)?;
        let old = self.current.load_full();
        if files == old.files {
            return Ok(false);
        }
        let new = files.parse(&self.config, &self.provider, &self.clock)?;
        if new.spiffe != old.spiffe {
            let (old, new) = (old.spiffe.clone(), new.spiffe);
            return Err(TlsError::OtherIdentity { path: self.config.cert.clone(), old, new });
        }
        self.current.store(Arc::new(new));
        Ok(true)
    }

    /// [`Identity::reload`], with its outcome in the log; the same complaint once.
    pub fn reload_and_log(&self) {
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match self.reload() {
            Ok(changed) => {
                *complaint = None;
                if changed {
                    let until = timestamp(self.expires());
                    tracing::info!(id = %self.spiffe(), %until, "took over a renewed certificate");
                }
            }
            Err(e) => {
                let text = e.to_string();
                if complaint.as_ref() != Some(&text) {
                    tracing::error!(error = %text, "the new TLS files do not work; the old identity stays");
                    *complaint = Some(text);
                }
            }
        }
    }

    pub(super) fn current(&self) -> Arc<Material> {
        self.current.load_full()
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    pub(super) fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(WallTime(self.clock.clone()))
    }
}

async fn watch(context: Context, identity: Arc<Identity>) {
    loop {
        tokio::time::sleep(identity.config.reload).await;
        let identity = identity.clone();
        context.blocking(move || identity.reload_and_log()).await;
    }
}

/// What the three files held.
#[derive(PartialEq, Eq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    ca: Vec<u8>,
}

impl Files {
    fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|source| unreadable(path, source));
        let mode = fs::metadata(&config.key).map_err(|source| unreadable(&config.key, source))?;
        let mode = mode.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TlsError::KeyMode { path: config.key.clone(), mode });
        }
        Ok(Self { cert: read(&config.cert)?, key: read(&config.key)?, ca: read(&config.ca)? })
    }

    fn parse(
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

fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|e| pem(path, "certificate", &e))?;
    if certificates.is_empty() {
        return Err(pem(path, "certificate", &"there is no BEGIN CERTIFICATE in it"));
    }
    Ok(certificates)
}

fn roots(path: &Path, content: &[u8]) -> Result<RootCertStore, TlsError> {
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

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX)
}

fn unreadable(path: &Path, source: io::Error) -> TlsError {
    TlsError::Read { path: path.to_owned(), source }
}

fn pem(path: &Path, what: &'static str, why: &dyn fmt::Display) -> TlsError {
    TlsError::Pem { path: path.to_owned(), what, why: why.to_string() }
}

fn unix_time(clock: &Clock) -> UnixTime {
    UnixTime::since_unix_epoch(clock.unix())
}

/// Register it by [`crate::telemetry::Metrics::collect`], and alert before the day comes.
impl Collector for Identity {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let expires = self.expires().duration_since(UNIX_EPOCH).unwrap_or_default();
        let gauge = ConstGauge::new(expires.as_secs_f64());
        let (name, help) = ("tls_certificate_expiry_seconds", "When our certificate ends, in Unix time");
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
    }
}

/// The context's clock, as TLS asks for it.
#[derive(Debug)]
struct WallTime(Clock);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(&self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("spiffe", &self.spiffe()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("spiffe", &self.spiffe).finish_non_exhaustive()
    }
}
