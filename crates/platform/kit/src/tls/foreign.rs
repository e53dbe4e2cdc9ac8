//! TLS as other programs are set up with it: certificates of any CA, names instead of SPIFFE IDs, TLS 1.2
//! too. For a drop-in that must take its predecessor's files; our own roles never use it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::connect::{ALPN, Acceptor, TlsConnector};
use super::files::{TlsError, certificates, pem, roots, unreadable};
use super::identity::WallTime;
use super::spiffe::common_name;
use super::verify::PeerRefused;
use crate::context::Context;

/// How often the files are looked at again.
const RELOAD: Duration = Duration::from_secs(10);

/// Where the files lie, and what is asked of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignConfig {
    /// PEM: our certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// PEM: a certificate and its key to show as a client, if not the same as a server.
    pub client: Option<(PathBuf, PathBuf)>,
    /// PEM: the CA certificates of peers. With them every client must show a certificate; without, none is
    /// asked, and no server would be trusted.
    pub ca: Option<PathBuf>,
    /// A client's certificate must have this common name.
    pub common_name: Option<String>,
    /// A client's certificate must be valid for this host or address.
    pub host: Option<String>,
    /// The oldest version is TLS 1.3, not 1.2.
    pub only_tls13: bool,
    /// Suites of TLS 1.2 by their IANA names; empty: all that are sound. Those of 1.3 are always in.
    pub suites: Vec<String>,
}

/// Both ends of foreign TLS, loaded from files and loaded again when they change.
pub struct ForeignTls {
    config: ForeignConfig,
    context: Context,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Ends>,
    complaint: Mutex<Option<String>>,
}

struct Ends {
    files: Files,
    server: Arc<ServerConfig>,
    client: Option<Arc<ClientConfig>>,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Files {
    server: (Vec<u8>, Vec<u8>),
    client: Option<(Vec<u8>, Vec<u8>)>,
    ca: Option<Vec<u8>>,
}

impl ForeignTls {
    /// Loads the files, and looks at them again for as long as the process runs.
    pub fn load(context: &Context, config: &ForeignConfig) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(provider(&config.suites)?);
        let ends = Files::read(config)?.ends(context, config, &provider)?;
        let this = Arc::new(Self {
            config: config.clone(),
            context: context.clone(),
            provider,
            current: ArcSwap::from_pointee(ends),
            complaint: Mutex::default(),
        });
        context.tasks().spawn(watch(this.clone()));
        Ok(this)
    }

    /// Takes in connections.
    pub fn server(self: &Arc<Self>) -> Acceptor {
        Acceptor::foreign(self.clone())
    }

    /// Opens connections; a server must be certified for the name that is dialled.
    pub fn client(self: &Arc<Self>) -> TlsConnector {
        TlsConnector::foreign(self.clone())
    }

    /// Looks at the files now; true when they changed and were taken over. On an error the old ones stay.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.config)?;
        if files == self.current.load().files {
            return Ok(false);
        }
        self.current.store(Arc::new(files.ends(&self.context, &self.config, &self.provider)?));
        Ok(true)
    }

    /// [`Self::reload`], with its outcome in the log; the same complaint once.
    pub fn reload_and_log(&self) {
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match self.reload() {
            Ok(false) => None,
            Ok(true) => {
                tracing::info!(cert = %self.config.cert.display(), "took over renewed TLS files");
                None
            }
            Err(e) => Some(e.to_string()),
        };
        if let Some(text) = told.as_ref().filter(|text| complaint.as_ref() != Some(text)) {
            tracing::error!(error = %text, "the new TLS files do not work; the old ones stay in use");
        }
        *complaint = told;
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        self.current.load().server.clone()
    }

    /// None: there is no CA to trust a server by.
    pub(super) fn client_config(&self) -> Option<Arc<ClientConfig>> {
        self.current.load().client.clone()
    }

    /// What the chain does not say: whether a client is the one that is meant.
    pub(super) fn judge(&self, shown: Option<&CertificateDer<'_>>) -> Result<(), PeerRefused> {
        let unnamed = |wanted: &str| PeerRefused::Name { wanted: wanted.to_owned() };
        if let Some(wanted) = &self.config.common_name
            && shown.and_then(common_name).as_ref() != Some(wanted)
        {
            return Err(unnamed(wanted));
        }
        if let Some(wanted) = &self.config.host {
            let name = ServerName::try_from(wanted.as_str()).map_err(|_| unnamed(wanted))?;
            let parsed = shown.and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
            let named = parsed.is_some_and(|leaf| verify_server_name(&leaf, &name).is_ok());
            return if named { Ok(()) } else { Err(unnamed(wanted)) };
        }
        Ok(())
    }
}

async fn watch(tls: Arc<ForeignTls>) {
    loop {
        tokio::time::sleep(RELOAD).await;
        let owned = tls.clone();
        tls.context.blocking(move || owned.reload_and_log()).await;
    }
}

/// The suites of TLS 1.3, and those of 1.2 that are wanted.
fn provider(suites: &[String]) -> Result<CryptoProvider, TlsError> {
    let mut provider = rustls::crypto::ring::default_provider();
    let name = |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite());
    for wanted in suites {
        if !provider.cipher_suites.iter().any(|suite| name(suite) == *wanted) {
            let known: Vec<_> =
                provider.cipher_suites.iter().filter(|s| s.tls13().is_none()).map(name).collect();
            return Err(TlsError::Suite { wanted: wanted.clone(), known: known.join(", ") });
        }
    }
    if !suites.is_empty() {
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || suites.contains(&name(suite)));
    }
    Ok(provider)
}

impl Files {
    fn read(config: &ForeignConfig) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|source| unreadable(path, source));
        let pair = |(cert, key): (&PathBuf, &PathBuf)| Ok::<_, TlsError>((read(cert)?, read(key)?));
        Ok(Self {
            server: pair((&config.cert, &config.key))?,
            client: config.client.as_ref().map(|(cert, key)| pair((cert, key))).transpose()?,
            ca: config.ca.as_deref().map(read).transpose()?,
        })
    }

    fn ends(
        self,
        context: &Context,
        config: &ForeignConfig,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Ends, TlsError> {
        let own = certified((&config.cert, &config.key), &self.server, provider)?;
        let shown = match (&config.client, &self.client) {
            (Some((cert, key)), Some(files)) => certified((cert, key), files, provider)?,
            _ => own.clone(),
        };
        let server = self.server(context, config, provider, own)?;
        let client = self.client(context, config, provider, shown)?;
        Ok(Ends { files: self, server: Arc::new(server), client })
    }

    fn server(
        &self,
        context: &Context,
        config: &ForeignConfig,
        provider: &Arc<CryptoProvider>,
        own: Arc<SingleCertAndKey>,
    ) -> Result<ServerConfig, TlsError> {
        let time = Arc::new(WallTime(context.clock().clone()));
        let builder = ServerConfig::builder_with_details(provider.clone(), time);
        let builder =
            builder.with_protocol_versions(versions(config)).map_err(|source| unusable(config, source))?;
        let builder = match (&self.ca, &config.ca) {
            (Some(content), Some(path)) => {
                let roots = Arc::new(roots(path, content)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
                let verifier = verifier.build().map_err(|e| pem(path, "CA certificate", &e))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut server = builder.with_cert_resolver(own);
        server.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(server)
    }

    fn client(
        &self,
        context: &Context,
        config: &ForeignConfig,
        provider: &Arc<CryptoProvider>,
        shown: Arc<SingleCertAndKey>,
    ) -> Result<Option<Arc<ClientConfig>>, TlsError> {
        let (Some(content), Some(path)) = (&self.ca, &config.ca) else { return Ok(None) };
        let time = Arc::new(WallTime(context.clock().clone()));
        let builder = ClientConfig::builder_with_details(provider.clone(), time);
        let builder =
            builder.with_protocol_versions(versions(config)).map_err(|source| unusable(config, source))?;
        let mut client =
            builder.with_root_certificates(roots(path, content)?).with_client_cert_resolver(shown);
        client.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        client.resumption = Resumption::disabled();
        Ok(Some(Arc::new(client)))
    }
}

fn certified(
    (cert, key): (&Path, &Path),
    (chain, secret): &(Vec<u8>, Vec<u8>),
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, TlsError> {
    let chain = certificates(cert, chain)?;
    let secret = PrivateKeyDer::from_pem_slice(secret).map_err(|e| pem(key, "private key", &e))?;
    let pair = CertifiedKey::from_der(chain, secret, provider);
    let pair = pair.map_err(|source| TlsError::Key { key: key.into(), cert: cert.into(), source })?;
    Ok(Arc::new(SingleCertAndKey::from(pair)))
}

fn versions(config: &ForeignConfig) -> &'static [&'static rustls::SupportedProtocolVersion] {
    const ONLY_13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    if config.only_tls13 { ONLY_13 } else { rustls::ALL_VERSIONS }
}

fn unusable(config: &ForeignConfig, source: rustls::Error) -> TlsError {
    TlsError::Key { key: config.key.clone(), cert: config.cert.clone(), source }
}

impl fmt::Debug for ForeignTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignTls").field("config", &self.config).finish_non_exhaustive()
    }
}
