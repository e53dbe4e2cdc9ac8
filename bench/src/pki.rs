//! A throw-away certificate authority, so that both sides pay for mutual TLS.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// The trust domain of the SPIFFE IDs.
pub const TRUST_DOMAIN: &str = "bench";

/// Where the certificates lie: `ca.pem`, and `<name>.pem` with `<name>.key` (mode 0600).
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Makes an authority, one certificate a member, and the operator's.
    pub fn make(root: &Path, members: &[&str]) -> anyhow::Result<Self> {
        Self::make_for("chainfire", root, members)
    }

    /// The same, for members of this role.
    pub fn make_for(role: &str, root: &Path, members: &[&str]) -> anyhow::Result<Self> {
        let dir = root.join("pki");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let authority = authority()?;
        write(&dir.join("ca.pem"), &authority.pem())?;
        let pki = Self { dir };
        for member in members {
            pki.issue(&authority, member, &format!("node/{member}/{role}"))?;
        }
        pki.issue(&authority, "operator", "operator/bench")?;
        Ok(pki)
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A certificate.
    pub fn cert(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.pem"))
    }

    /// Its key.
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.key"))
    }

    fn issue(&self, authority: &CertifiedIssuer<'_, KeyPair>, name: &str, path: &str) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".into()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse()?));
        params.subject_alt_names.push(SanType::URI(format!("spiffe://{TRUST_DOMAIN}/{path}").try_into()?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        write(&self.cert(name), &params.signed_by(&key, authority)?.pem())?;
        write(&self.key(name), &key.serialize_pem())
    }
}

fn authority() -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "benchmark authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
