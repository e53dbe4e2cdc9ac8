//! Signed tokens (RFC 7519, compact form) with etcd's claims: `username`, `revision`, `exp`.
//!
//! One algorithm, the configured one: what a token says of its own is compared, never followed. A token
//! without an end is refused, though etcd takes it. Members with a public key alone accept, and sign none.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey};
use ring::{hmac, signature as alg};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use super::Caller;
use super::error::AuthRefusal;
use super::token::Scheme;

/// Longer ones are nobody's token.
const LONGEST: usize = 8 << 10;

/// Why the configured keys sign or verify nothing.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    #[error(
        "sign-method {0:?} is not served: choose HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, \
         ES256 or ES384"
    )]
    Method(String),
    #[error("the token's key {path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} holds no key that {method} takes ({why}): give one in PEM form")]
    Key { path: PathBuf, method: String, why: String },
    #[error("{0} needs priv-key=… to sign, or pub-key=… to verify only: name a file")]
    Missing(String),
    #[error("pub-key and priv-key do not belong together: name the two halves of one key")]
    Mismatch,
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn signature::RsaEncoding),
}

enum Keys {
    Shared(hmac::Key),
    Pair { signer: Option<Signer>, verify: &'static dyn signature::VerificationAlgorithm, public: Vec<u8> },
}

/// Signs and verifies tokens.
pub(crate) struct Jwt {
    method: String,
    ttl: Duration,
    keys: Keys,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    username: String,
    revision: u64,
    /// Seconds since 1970.
    exp: u64,
}

impl Jwt {
    /// Reads the keys of a scheme; none if it is the simple one. Blocks on small files.
    pub(crate) fn open(scheme: &Scheme) -> Result<Option<Self>, JwtError> {
        let Scheme::Jwt { sign_method, public_key, private_key, ttl } = scheme else { return Ok(None) };
        let keys = match shared(sign_method) {
            Some(algorithm) => {
                let path = private_key.as_ref().ok_or_else(|| JwtError::Missing(sign_method.clone()))?;
                let secret = read(path)?;
                if secret.is_empty() {
                    return Err(JwtError::Missing(sign_method.clone()));
                }
                Keys::Shared(hmac::Key::new(algorithm, &secret))
            }
            None => pair(sign_method, public_key.as_deref(), private_key.as_deref())?,
        };
        Ok(Some(Self { method: sign_method.clone(), ttl: *ttl, keys }))
    }

    /// A token for a user. `now` is the wall clock's time since 1970.
    pub(crate) fn sign(&self, user: &str, revision: u64, now: Duration) -> Result<String, AuthRefusal> {
        let header = Header { alg: self.method.clone(), typ: "JWT".into() };
        let claims = Claims { username: user.to_owned(), revision, exp: (now + self.ttl).as_secs() };
        let part = |json: Result<Vec<u8>, _>| json.map(|json| URL_SAFE_NO_PAD.encode(json));
        let parts =
            part(serde_json::to_vec(&header)).and_then(|h| Ok((h, part(serde_json::to_vec(&claims))?)));
        let (header, claims) = parts.map_err(|_| AuthRefusal::AuthFailed)?;
        let message = format!("{header}.{claims}");
        let signature = self.signature(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// With a shared secret, for an hour.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of_secret(secret: &[u8]) -> Self {
        let keys = Keys::Shared(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { method: "HS256".into(), ttl: Duration::from_secs(3600), keys }
    }

    /// Whatever header and claims, with a signature that is right.
    #[cfg(any(test, fuzzing))]
    pub(super) fn seal(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(message.as_bytes()).expect("it has a key that signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, AuthRefusal> {
        let random = SystemRandom::new();
        match &self.keys {
            Keys::Shared(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Keys::Pair { signer: None, .. } => Err(AuthRefusal::VerifyOnly),
            Keys::Pair { signer: Some(Signer::Ecdsa(key)), .. } => {
                let signed = key.sign(&random, message).map_err(|_| AuthRefusal::AuthFailed)?;
                Ok(signed.as_ref().to_vec())
            }
            Keys::Pair { signer: Some(Signer::Rsa(key, encoding)), .. } => {
                let mut signed = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, message, &mut signed).map_err(|_| AuthRefusal::AuthFailed)?;
                Ok(signed)
            }
        }
    }

    /// Who a token names, if it is good.
    pub(crate) fn verify(&self, token: &str, now: Duration) -> Option<Caller> {
        if token.len() > LONGEST {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != self.method || !self.is_signed(message.as_bytes(), &signature) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let good = now.as_secs() < claims.exp;
        good.then_some(Caller { user: claims.username, revision: Some(claims.revision) })
    }

    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.keys {
            Keys::Shared(key) => hmac::verify(key, message, signature).is_ok(),
            Keys::Pair { verify, public, .. } => {
                UnparsedPublicKey::new(*verify, public).verify(message, signature).is_ok()
            }
        }
    }
}

fn shared(method: &str) -> Option<hmac::Algorithm> {
    match method {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, JwtError> {
    std::fs::read(path).map_err(|source| JwtError::Read { path: path.to_owned(), source })
}

fn pair(method: &str, public: Option<&Path>, private: Option<&Path>) -> Result<Keys, JwtError> {
    let verify = verification(method)?;
    let wrong =
        |path: &Path, why: String| JwtError::Key { path: path.to_owned(), method: method.to_owned(), why };
    let signer = match private {
        Some(path) => Some(signer(method, &read(path)?).map_err(|why| wrong(path, why))?),
        None => None,
    };
    let given = match public {
        Some(path) => Some(public_key(&read(path)?).map_err(|why| wrong(path, why))?),
        None => None,
    };
    let own = signer.as_ref().map(|signer| match signer {
        Signer::Ecdsa(key) => key.public_key().as_ref().to_vec(),
        Signer::Rsa(key, _) => key.public_key().as_ref().to_vec(),
    });
    match (own, given) {
        (Some(own), Some(given)) if own != given => Err(JwtError::Mismatch),
        (Some(public), _) | (None, Some(public)) => Ok(Keys::Pair { signer, verify, public }),
        (None, None) => Err(JwtError::Missing(method.to_owned())),
    }
}

fn verification(method: &str) -> Result<&'static dyn signature::VerificationAlgorithm, JwtError> {
    Ok(match method {
        "ES256" => &alg::ECDSA_P256_SHA256_FIXED,
        "ES384" => &alg::ECDSA_P384_SHA384_FIXED,
        "RS256" => &alg::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &alg::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &alg::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &alg::RSA_PSS_2048_8192_SHA256,
        "PS384" => &alg::RSA_PSS_2048_8192_SHA384,
        "PS512" => &alg::RSA_PSS_2048_8192_SHA512,
        other => return Err(JwtError::Method(other.to_owned())),
    })
}

fn signer(method: &str, pem: &[u8]) -> Result<Signer, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
    let encoding: &'static dyn signature::RsaEncoding = match method {
        "ES256" => return ecdsa(&alg::ECDSA_P256_SHA256_FIXED_SIGNING, P256, &key),
        "ES384" => return ecdsa(&alg::ECDSA_P384_SHA384_FIXED_SIGNING, P384, &key),
        "RS256" => &alg::RSA_PKCS1_SHA256,
        "RS384" => &alg::RSA_PKCS1_SHA384,
        "RS512" => &alg::RSA_PKCS1_SHA512,
        "PS256" => &alg::RSA_PSS_SHA256,
        "PS384" => &alg::RSA_PSS_SHA384,
        _ => &alg::RSA_PSS_SHA512,
    };
    let pair = match &key {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err("it is a key of another kind".into()),
    };
    Ok(Signer::Rsa(pair.map_err(|e| e.to_string())?, encoding))
}

/// The algorithm identifiers of RFC 5480, in DER: an elliptic curve's key, on this curve.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07,
];
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22,
];

fn ecdsa(
    algorithm: &'static signature::EcdsaSigningAlgorithm,
    curve: &[u8],
    key: &PrivateKeyDer<'_>,
) -> Result<Signer, String> {
    let pkcs8 = match key {
        PrivateKeyDer::Pkcs8(der) => der.secret_pkcs8_der().to_vec(),
        PrivateKeyDer::Sec1(der) => wrapped(curve, der.secret_sec1_der()),
        _ => return Err("it is a key of another kind".into()),
    };
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &SystemRandom::new());
    pair.map(Signer::Ecdsa).map_err(|e| e.to_string())
}

/// A key in SEC 1's form as one in PKCS #8's (RFC 5208).
fn wrapped(curve: &[u8], sec1: &[u8]) -> Vec<u8> {
    let body = [&[0x02, 0x01, 0x00], curve, &der(0x04, sec1)].concat();
    der(0x30, &body)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    // DER wants the shortest form; keys of these curves are below 64 KiB.
    let [high, low] = (content.len() as u16).to_be_bytes();
    let length: &[u8] = match (high, low) {
        (0, 0..0x80) => &[low],
        (0, _) => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

/// The raw public key in a PEM file of a key or a certificate.
fn public_key(pem: &[u8]) -> Result<Vec<u8>, String> {
    let spki = match SubjectPublicKeyInfoDer::from_pem_slice(pem) {
        Ok(spki) => spki.to_vec(),
        Err(e) => {
            let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| e.to_string())?;
            let (_, certificate) = X509Certificate::from_der(&certificate).map_err(|e| e.to_string())?;
            certificate.public_key().raw.to_vec()
        }
    };
    let (_, spki) = SubjectPublicKeyInfo::from_der(&spki).map_err(|e| e.to_string())?;
    Ok(spki.subject_public_key.data.to_vec())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const TTL: Duration = Duration::from_secs(300);

    fn scheme(method: &str, public: Option<PathBuf>, private: Option<PathBuf>) -> Scheme {
        Scheme::Jwt { sign_method: method.into(), public_key: public, private_key: private, ttl: TTL }
    }

    fn openssl(arguments: &[&str]) {
        let done = Command::new("openssl").args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn check(signing: &Jwt, verifying: &Jwt) {
        let token = signing.sign("alice", 7, NOW).unwrap();
        let alice = Caller { user: "alice".into(), revision: Some(7) };
        assert_eq!(verifying.verify(&token, NOW), Some(alice));
        assert_eq!(verifying.verify(&token, NOW + TTL), None, "it is over");
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let root = URL_SAFE_NO_PAD.encode(r#"{"username":"root","revision":7,"exp":99999999999}"#);
        assert_eq!(
            verifying.verify(&format!("{header}.{root}.{signature}"), NOW),
            None,
            "not what was signed"
        );
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for forged in
            [format!("{none}.{root}."), format!("{none}.{root}.{signature}"), "..".into(), "a.1".into()]
        {
            assert_eq!(verifying.verify(&forged, NOW), None, "{forged}");
        }
    }

    #[test]
    fn a_shared_secret_signs_and_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("secret"), dir.path().join("other"));
        std::fs::write(&path, "a secret of some length").unwrap();
        std::fs::write(&other, "another").unwrap();
        let open = |path| Jwt::open(&scheme("HS256", None, Some(path))).unwrap().unwrap();
        let (jwt, other) = (open(path), open(other));
        check(&jwt, &jwt);
        assert_eq!(other.verify(&jwt.sign("alice", 7, NOW).unwrap(), NOW), None);
        assert!(matches!(Jwt::open(&scheme("HS256", None, None)), Err(JwtError::Missing(_))));
    }

    #[test]
    fn key_pairs_of_openssl_sign_and_verify_in_every_form() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        openssl(&["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", &path("sec1")]);
        openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:secp384r1",
            "-out",
            &path("p384"),
        ]);
        openssl(&["genrsa", "-out", &path("rsa"), "2048"]);
        for (method, key) in
            [("ES256", "sec1"), ("ES384", "p384"), ("RS256", "rsa"), ("RS512", "rsa"), ("PS256", "rsa")]
        {
            let (private, public) = (path(key), path(&format!("{key}.pub")));
            openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
            let open = |public: Option<&str>, private: Option<&str>| {
                Jwt::open(&scheme(method, public.map(Into::into), private.map(Into::into))).unwrap().unwrap()
            };
            let both = open(Some(&public), Some(&private));
            let verifier = open(Some(&public), None);
            check(&both, &verifier);
            check(&open(None, Some(&private)), &both);
            assert_eq!(verifier.sign("alice", 7, NOW), Err(AuthRefusal::VerifyOnly));
        }
        let pair = |method, public: &str, private: &str| {
            Jwt::open(&scheme(method, Some(path(public).into()), Some(path(private).into()))).map(|_| ())
        };
        assert!(matches!(pair("RS256", "rsa.pub", "p384"), Err(JwtError::Key { .. })));
        assert!(matches!(pair("ES256", "rsa.pub", "sec1"), Err(JwtError::Mismatch)));
        assert!(matches!(pair("ES512", "rsa.pub", "sec1"), Err(JwtError::Method(_))));
        assert!(matches!(pair("RS256", "none", "rsa"), Err(JwtError::Read { .. })));
    }
}
