//! A system of SQL servers, and how the load reaches it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kit::task::Tasks;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::process::Child;
use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::machine;
use crate::pki::Pki;

/// How long servers may take until they serve.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// The role that the load has, and its database.
pub(super) const USER: &str = "postgres";

/// Where servers are started.
pub struct Place<'a> {
    /// Their certificates.
    pub pki: &'a Pki,
    /// Where their data goes.
    pub root: &'a Path,
    /// Their cores, as taskset(1) names them; all where there is none.
    pub cpus: Option<&'a str>,
}

/// Something to be measured.
#[async_trait::async_trait]
pub trait System: Send + Sync {
    /// What its column is called.
    fn name(&self) -> String;
    /// Fresh servers, which serve.
    async fn start(&self, place: &Place<'_>) -> anyhow::Result<Running>;
}

/// Servers that run. They are killed when this is dropped; [`Running::stop`] also waits.
pub struct Running {
    /// Where the load connects first.
    pub(super) port: u16,
    /// The first one is the one that the load speaks to.
    pub(super) processes: Vec<Child>,
    pub(super) dir: PathBuf,
    /// Those of its connections.
    pub(super) tasks: Tasks,
}

impl Running {
    /// A new connection, as the operator.
    pub(super) async fn client(&self, pki: &Pki) -> anyhow::Result<Client> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).dbname(USER).ssl_mode(SslMode::Require);
        let (client, connection) = config
            .connect(tls(pki)?)
            .await
            .with_context(|| format!("cannot connect to port {}", self.port))?;
        self.tasks.spawn(async move {
            // It ends with its client, whose requests say what was wrong.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Waits until a server answers a query.
    pub(super) async fn wait(&mut self, pki: &Pki, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let seen = match self.client(pki).await {
                Ok(client) => match client.simple_query("SELECT 1").await {
                    Ok(_) => return Ok(()),
                    Err(e) => anyhow::Error::from(e),
                },
                Err(e) => e,
            };
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    bail!("a server ended ({status}): see {}", log.display());
                }
            }
            if Instant::now() > deadline {
                bail!("no server answers after {START:?}: {seen:#}; see {}", log.display());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Resident memory of the server that the load speaks to, with its children, bytes.
    pub(super) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let server = self.processes.first().and_then(Child::id).context("the server has ended")?;
        machine::resident_bytes_of_family(server)
    }

    /// Ends the servers and removes their data.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            if let Some(pid) = process.id() {
                let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                // SIGQUIT: PostgreSQL takes its children with it, and waits for nobody.
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT)?;
            }
            process.wait().await?;
        }
        fs::remove_dir_all(&self.dir).with_context(|| format!("cannot remove {}", self.dir.display()))
    }
}

/// The operator's certificate; the server's is checked.
fn tls(pki: &Pki) -> anyhow::Result<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.ca())?)?;
    let certificate = CertificateDer::from_pem_file(pki.cert("operator"))?;
    let key = PrivateKeyDer::from_pem_file(pki.key("operator"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)?;
    Ok(MakeRustlsConnect::new(config))
}
