//! Which cluster is meant, and as whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

/// Long enough for an election, short enough for a person.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses and credentials; etcdctl's variables are understood as they are.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// URLs of the members, separated by commas [env: UC_ENDPOINT, then ETCDCTL_ENDPOINTS].
    #[arg(long, global = true, value_delimiter = ',', value_name = "URL")]
    endpoints: Vec<String>,
    /// The authority that signed the servers' certificates (PEM).
    #[arg(long, global = true, env = "ETCDCTL_CACERT", value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// The operator's certificate (PEM).
    #[arg(long, global = true, env = "ETCDCTL_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, global = true, env = "ETCDCTL_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// User and password, where authentication is on and the certificate's name is no user.
    #[arg(long, global = true, env = "ETCDCTL_USER", hide_env_values = true, value_name = "NAME:PASSWORD")]
    user: Option<String>,
}

impl Target {
    /// The URLs that were given, by flag or environment.
    pub(crate) fn endpoints(&self) -> anyhow::Result<Vec<String>> {
        let given = if self.endpoints.is_empty() { from_environment() } else { self.endpoints.clone() };
        ensure!(
            !given.is_empty(),
            "no cluster is named: run eval \"$(./cluster env)\" first, or give --endpoints https://HOST:2379"
        );
        Ok(given)
    }

    /// Connects to any of `endpoints`.
    pub(crate) async fn connect(&self, endpoints: &[String]) -> anyhow::Result<Client> {
        let options = self.options()?.with_connect_timeout(PATIENCE).with_timeout(PATIENCE);
        Client::connect(endpoints, Some(options))
            .await
            .with_context(|| format!("cannot use the endpoints {}", endpoints.join(",")))
    }

    /// Who asks.
    pub(crate) fn options(&self) -> anyhow::Result<ConnectOptions> {
        let mut options = ConnectOptions::new();
        if let Some(ca) = &self.cacert {
            let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(ca)?));
            if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
                tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            options = options.with_tls(tls);
        }
        if let Some(user) = &self.user {
            let (name, password) =
                user.split_once(':').context("--user is NAME:PASSWORD, and there is no colon in it")?;
            options = options.with_user(name, password);
        }
        Ok(options)
    }
}

fn from_environment() -> Vec<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let text = set("UC_ENDPOINT").or_else(|| set("ETCDCTL_ENDPOINTS")).unwrap_or_default();
    text.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
