//! The lab's certificate authority: one a cluster, in the cluster's state, for nothing else.
//!
//! Certificates carry a SPIFFE ID as URI SAN, and as server names the node's name and address plus
//! `localhost` and 127.0.0.1, because the host reaches roles through loopback forwards.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use crate::private_file::write_private;

/// A test cluster is younger than this.
const VALID_DAYS: i32 = 60;

/// Where a role finds its files on a node.
pub const CERT: &str = "cert.pem";
/// See [`CERT`].
pub const KEY: &str = "key.pem";
/// See [`CERT`].
pub const CA: &str = "ca.pem";

/// A certificate authority on disk.
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
    trust_domain: String,
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
}

/// What a process is given.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its certificate, PEM.
    pub cert: String,
    /// Its key, PEM.
    pub key: String,
    /// Whom it believes, PEM.
    pub ca: String,
}

impl Pki {
    /// Opens the authority, or makes it on the cluster's first start.
    pub fn open(dir: &Path, trust_domain: &str) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let (cert_path, key_path) = (dir.join(CA), dir.join("ca-key.pem"));
        if !cert_path.exists() || !key_path.exists() {
            let (cert, key) = new_authority(trust_domain)?;
            write_private(&key_path, 0o600, key.as_bytes())?;
            write_private(&cert_path, 0o644, cert.as_bytes())?;
        }
        let ca_pem = fs::read_to_string(&cert_path)?;
        let key =
            KeyPair::from_pem(&fs::read_to_string(&key_path)?).context("the lab's CA key is damaged")?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, key).context("the lab's CA certificate is damaged")?;
        Ok(Self { dir: dir.to_owned(), trust_domain: trust_domain.to_owned(), issuer, ca_pem })
    }

    /// A fresh certificate for a role on a node.
    pub fn role(&self, node: &str, address: Ipv4Addr, role: &str) -> Result<Credentials> {
        let names = vec![
            SanType::DnsName(node.try_into()?),
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(address)),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ];
        self.issue(&format!("{node} {role}"), &format!("node/{node}/{role}"), names)
    }

    /// The operator's certificate, made once and kept beside the authority's.
    pub fn operator(&self) -> Result<OperatorFiles> {
        let files = OperatorFiles::below(&self.dir);
        if !files.cert.exists() || !files.key.exists() {
            fs::create_dir_all(self.dir.join("operator"))?;
            let made = self.issue("operator admin", "operator/admin", Vec::new())?;
            write_private(&files.key, 0o600, made.key.as_bytes())?;
            write_private(&files.cert, 0o644, made.cert.as_bytes())?;
        }
        Ok(files)
    }

    fn issue(&self, name: &str, spiffe_path: &str, mut names: Vec<SanType>) -> Result<Credentials> {
        let id = format!("spiffe://{}/{spiffe_path}", self.trust_domain);
        names.push(SanType::URI(id.as_str().try_into()?));
        let mut params = validity(CertificateParams::default())?;
        params.distinguished_name = called(name);
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer).with_context(|| format!("cannot sign for {id}"))?;
        Ok(Credentials { cert: cert.pem(), key: key.serialize_pem(), ca: self.ca_pem.clone() })
    }
}

/// Where the operator's files are on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorFiles {
    /// Whom to believe.
    pub ca: PathBuf,
    /// The operator's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl OperatorFiles {
    /// Below the cluster's key directory.
    pub fn below(pki: &Path) -> Self {
        let operator = pki.join("operator");
        Self { ca: pki.join(CA), cert: operator.join(CERT), key: operator.join(KEY) }
    }
}

fn new_authority(trust_domain: &str) -> Result<(String, String)> {
    let mut params = validity(CertificateParams::default())?;
    params.distinguished_name = called(&format!("UltraCloud lab CA {trust_domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key).context("cannot make the lab's CA")?;
    Ok((cert.pem(), key.serialize_pem()))
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

/// From two days ago (a node's clock may be set back) until long after the cluster's end.
fn validity(mut params: CertificateParams) -> Result<CertificateParams> {
    let today = jiff::ZonedDateTime::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let day = |offset: i32| -> Result<_> {
        let date = today.checked_add(jiff::Span::new().days(offset))?;
        Ok(date_time_ymd(date.year().into(), date.month().cast_unsigned(), date.day().cast_unsigned()))
    };
    params.not_before = day(-2)?;
    params.not_after = day(VALID_DAYS)?;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_keys_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), "lab-1").unwrap();
        let operator = first.operator().unwrap();
        let cert = fs::read(&operator.cert).unwrap();
        let again = Pki::open(dir.path(), "lab-1").unwrap();
        assert_eq!(first.ca_pem, again.ca_pem);
        assert_eq!(fs::read(again.operator().unwrap().cert).unwrap(), cert);
        for key in [operator.key, dir.path().join("ca-key.pem")] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_role_gets_a_certificate_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open(dir.path(), "lab-1").unwrap();
        let a = pki.role("node01", Ipv4Addr::new(10, 60, 0, 11), "chainfire").unwrap();
        let b = pki.role("node02", Ipv4Addr::new(10, 60, 0, 12), "chainfire").unwrap();
        assert_ne!(a.key, b.key);
        assert_eq!(a.ca, b.ca);
    }
}
