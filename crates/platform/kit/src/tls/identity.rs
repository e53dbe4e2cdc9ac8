//! This process's certificate, key and CA, loaded from files and loaded again when they change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::allow::AllowList;
use super::connect::{Acceptor, TlsConnector};
use super::files::{Files, Material, TlsConfig, TlsError, timestamp, unix_time};
use super::spiffe::SpiffeId;
use crate::clock::Clock;
use crate::context::Context;

/// Who this process is, at any moment. New connections take the newest state.
pub struct Identity {
    config: TlsConfig,
    clock: Clock,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Material>,
    /// What was last said about files that do not work, so that it is said once.
    complaint: Mutex<Option<String>>,
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
        Acceptor::spiffe(self.clone(), allow)
    }

    /// Opens connections to the servers on the list.
    pub fn client(self: &Arc<Self>, expect: AllowList) -> TlsConnector {
        TlsConnector::spiffe(self.clone(), expect)
    }

    /// Our own SPIFFE ID.
    pub fn spiffe(&self) -> SpiffeId {
        self.current.load().spiffe.clone()
    }

    /// The certificate that we show, as DER: what a protocol inside binds itself to (RFC 5929's `tls-server-end-point`).
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.current.load().key.cert.first().map(|leaf| leaf.to_vec())
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
pub(super) struct WallTime(pub(super) Clock);

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
