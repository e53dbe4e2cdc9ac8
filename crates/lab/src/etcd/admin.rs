//! A role's health, from its admin port.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, IpAddr, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certs::OperatorFiles;
use crate::lane::Seen;

/// Connect, ask, and read the answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// More than any health page.
const MAX_ANSWER: u64 = 64 << 10;

/// Asks admin ports as the operator, by means that any HTTPS client has: the CA, the names in the
/// certificate, and no word of SPIFFE.
pub struct Admin {
    connector: TlsConnector,
}

impl Admin {
    /// With the operator's credentials.
    pub fn new(operator: &OperatorFiles) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&operator.ca).context("the lab's CA is not readable")?)?;
        let cert = CertificateDer::from_pem_file(&operator.cert)
            .context("the operator's certificate is not readable")?;
        let key =
            PrivateKeyDer::from_pem_file(&operator.key).context("the operator's key is not readable")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![cert], key)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Whether `GET path` on the host's port answers 200; else what it answers.
    pub async fn is_ok(&self, port: u16, path: &str) -> Seen<()> {
        let (status, body) = tokio::time::timeout(DEADLINE, self.get(port, path))
            .await
            .map_err(|_| format!("no answer within {DEADLINE:?}"))?
            .map_err(|e| format!("{e:#}"))?;
        if status == 200 { Ok(()) } else { Err(format!("{path} answers {status}: {}", body.trim())) }
    }

    /// HTTP/1.0, so that the answer ends with its connection and nothing needs a parser.
    async fn get(&self, port: u16, path: &str) -> Result<(u16, String)> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.context("cannot connect")?;
        let name = ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let mut stream = self.connector.connect(name, stream).await.context("no TLS")?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        // A peer may end a TLS stream without saying so; what came before is the answer all the same.
        let read = (&mut stream).take(MAX_ANSWER).read_to_end(&mut answer).await;
        parse(&answer).with_context(|| format!("no HTTP answer ({read:?})"))
    }
}

fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nraft";
        assert_eq!(parse(answer), Some((503, "raft".to_owned())));
        assert_eq!(parse(b"\x15\x03\x03"), None);
    }
}
