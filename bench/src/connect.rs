//! Clients over mutual TLS, and the questions every comparison asks of a member.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

/// Connects one channel to `endpoints` (URLs) as the holder of `cert` and `key` (PEM files).
pub async fn connect(endpoints: &[String], ca: &Path, cert: &Path, key: &Path) -> anyhow::Result<Client> {
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(read(ca)?))
        .identity(Identity::from_pem(read(cert)?, read(key)?));
    let options = ConnectOptions::new()
        .with_tls(tls)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(30));
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
