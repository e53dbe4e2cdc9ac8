//! Connections of tokio-postgres, as the PG* variables say.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Failure, hosts, variable};

fn config() -> Config {
    let mut config = Config::new();
    for (host, port) in hosts() {
        config.host(host).port(port);
    }
    config.user(variable("PGUSER")).password(variable("PGPASSWORD")).dbname(variable("PGDATABASE"));
    config.connect_timeout(Duration::from_secs(5)).tcp_user_timeout(Duration::from_secs(10));
    config
}

/// TLS with the root certificate that is named; None where there is none.
pub fn tls() -> Result<Option<MakeRustlsConnect>, Failure> {
    let path = variable("PGSSLROOTCERT");
    if path.is_empty() || variable("PGSSLMODE") == "disable" {
        return Ok(None);
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(Failure::local)? {
        roots.add(certificate.map_err(Failure::local)?).map_err(Failure::local)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Failure::local)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// A client of tokio-postgres to the first node that answers.
pub async fn connect() -> Result<Client, Failure> {
    let mut config = config();
    match tls()? {
        Some(tls) => {
            let (client, connection) =
                config.ssl_mode(tokio_postgres::config::SslMode::Require).connect(tls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}
