//! A certificate authority for tests: good certificates, and every kind of bad one.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use kit::clock::Clock;
use kit::tls::TlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// A CA of one trust domain.
pub struct Ca {
    trust_domain: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate says. The default is good: valid for a day around now, one SPIFFE ID, and the
/// loopback names.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its URI SANs.
    pub uris: Vec<String>,
    /// Its DNS and IP SANs.
    pub names: Vec<String>,
    /// First moment.
    pub from: SystemTime,
    /// Last moment.
    pub until: SystemTime,
    /// Whether it may sign certificates, which a SPIFFE leaf must not.
    pub signs: bool,
}

/// A certificate with its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

impl Ca {
    /// A fresh CA. Every CA has a key of its own, even for the same trust domain.
    pub fn new(trust_domain: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, format!("{trust_domain} test CA"));
        let key = KeyPair::generate().expect("the provider makes P-256 keys");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("these parameters are good");
        Self { trust_domain: trust_domain.to_owned(), issuer }
    }

    /// Its certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What [`Ca::issue`] would certify for a SPIFFE path such as `node/node01/chainfire`.
    pub fn leaf(&self, path: &str) -> Leaf {
        // Certificates are checked against the machine's clock, so they are made by it.
        let now = Clock::system().now();
        let hours = |n: u64| Duration::from_secs(n * 3600);
        Leaf {
            uris: vec![format!("spiffe://{}/{path}", self.trust_domain)],
            names: vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
            from: now - hours(12),
            until: now + hours(12),
            signs: false,
        }
    }

    /// Certifies whatever it is told.
    pub fn issue(&self, leaf: &Leaf) -> Issued {
        let mut params = CertificateParams::new(leaf.names.clone()).expect("the names are good");
        for uri in &leaf.uris {
            let uri = uri.as_str().try_into().expect("a URI is ASCII");
            params.subject_alt_names.push(SanType::URI(uri));
        }
        (params.not_before, params.not_after) = (leaf.from.into(), leaf.until.into());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if leaf.signs {
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("the provider makes P-256 keys");
        let cert = params.signed_by(&key, &self.issuer).expect("these parameters are good");
        Issued { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// Certifies a SPIFFE path and writes `cert.pem`, `key.pem` (mode 0600) and `ca.pem` into `dir`.
    pub fn write(&self, dir: &Path, path: &str) -> io::Result<TlsConfig> {
        self.write_issued(dir, &self.issue(&self.leaf(path)))
    }

    /// Writes a certificate that was issued before. Replaces what lies there.
    pub fn write_issued(&self, dir: &Path, issued: &Issued) -> io::Result<TlsConfig> {
        let config = TlsConfig {
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
            ca: dir.join("ca.pem"),
            reload: Duration::ZERO,
        };
        fs::create_dir_all(dir)?;
        fs::write(&config.cert, &issued.cert)?;
        fs::write(&config.ca, self.pem())?;
        let mut options = fs::OpenOptions::new();
        let mut key = options.write(true).create(true).truncate(true).mode(0o600).open(&config.key)?;
        io::Write::write_all(&mut key, issued.key.as_bytes())?;
        Ok(config)
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}
