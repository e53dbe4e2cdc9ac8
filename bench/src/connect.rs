//! Clients over mutual TLS, and the questions every comparison asks of a member.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

/// PEM files of a client.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The authority that signed the servers' certificates.
    pub ca: &'a Path,
    /// The client's certificate.
    pub cert: &'a Path,
    /// Its key.
    pub key: &'a Path,
}

/// Connects one channel to `endpoints` (URLs) as the holder of these files; without them, plainly.
pub async fn connect(endpoints: &[String], files: Option<Files<'_>>) -> anyhow::Result<Client> {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(30));
    if let Some(Files { ca, cert, key }) = files {
        let identity = Identity::from_pem(read(cert)?, read(key)?);
        let tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(ca)?)).identity(identity);
        options = options.with_tls(tls);
    }
    Client::connect(endpoints, Some(options))
        .await
        .with_context(|| format!("cannot connect to {}", endpoints.join(",")))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether this member leads; `None` while there is no leader.
pub async fn leads(client: &mut Client) -> anyhow::Result<Option<bool>> {
    let status = client.status().await?;
    let own = status.header().map_or(0, etcd_client::ResponseHeader::member_id);
    Ok((status.leader() != 0).then_some(status.leader() == own))
}
