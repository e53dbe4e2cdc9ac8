//! SPIFFE IDs: `spiffe://<trust domain>/<path>`, as the SPIFFE-ID and X.509-SVID specifications say.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// SPIFFE-ID §2.3: an ID has at most 2048 bytes.
const MAX_ID: usize = 2048;
/// SPIFFE-ID §2.1: a trust domain has at most 255 bytes.
const MAX_TRUST_DOMAIN: usize = 255;

/// The identity of a workload or an operator.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    /// Shared, because every request carries its peer's.
    text: Arc<str>,
    /// Where the path's first `/` stands in `text`.
    slash: usize,
}

/// Why a text or a certificate carries no usable SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeError {
    /// The text breaks the syntax.
    #[error("`{text}` is not a SPIFFE ID: {why}")]
    Syntax {
        /// What was given, shortened.
        text: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// X.509-SVID §2: exactly one URI SAN.
    #[error("the certificate has {0} URI names, a SPIFFE certificate has exactly one")]
    UriNames(usize),
    /// X.509-SVID §4.3: a leaf must not sign certificates.
    #[error("the certificate may sign other certificates, a SPIFFE leaf may not")]
    SigningCertificate,
    /// The certificate cannot be read.
    #[error("the certificate cannot be parsed: {0}")]
    Certificate(String),
}

impl SpiffeId {
    /// The part between `spiffe://` and the path.
    pub fn trust_domain(&self) -> &str {
        &self.text["spiffe://".len()..self.slash]
    }

    /// The path without its leading slash, e.g. `node/node01/chainfire`.
    pub fn path(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// The ID that a certificate carries in its only URI SAN.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, SpiffeError> {
        let unreadable = |e: &dyn fmt::Display| SpiffeError::Certificate(e.to_string());
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| unreadable(&e))?;
        if let Some(usage) = parsed.key_usage().map_err(|e| unreadable(&e))?
            && (usage.value.key_cert_sign() || usage.value.crl_sign())
        {
            return Err(SpiffeError::SigningCertificate);
        }
        let names = parsed.subject_alternative_name().map_err(|e| unreadable(&e))?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None })
            .collect();
        match uris[..] {
            [uri] => uri.parse(),
            _ => Err(SpiffeError::UriNames(uris.len())),
        }
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeError;

    fn from_str(text: &str) -> Result<Self, SpiffeError> {
        let syntax = |why| SpiffeError::Syntax { text: text.chars().take(100).collect(), why };
        if text.len() > MAX_ID {
            return Err(syntax("it is longer than 2048 bytes"));
        }
        let rest =
            text.strip_prefix("spiffe://").ok_or_else(|| syntax("it does not start with spiffe://"))?;
        let (domain, path) = rest.split_once('/').ok_or_else(|| syntax("it has no path"))?;
        if domain.is_empty() || domain.len() > MAX_TRUST_DOMAIN {
            return Err(syntax("its trust domain is empty or longer than 255 bytes"));
        }
        if !domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b)) {
            return Err(syntax("its trust domain has other characters than a-z 0-9 - . _"));
        }
        if !path.split('/').all(is_segment) {
            return Err(syntax("its path has an empty, dotted or ill-formed segment"));
        }
        Ok(Self { text: text.into(), slash: text.len() - path.len() - 1 })
    }
}

/// SPIFFE-ID §2.2: what a path segment is made of.
pub(super) fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first common name of a certificate's subject.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_good_id() {
        let id: SpiffeId = "spiffe://lab-1/node/node04/prismnet-agent".parse().expect("good");
        assert_eq!((id.trust_domain(), id.path()), ("lab-1", "node/node04/prismnet-agent"));
        assert_eq!(id.to_string(), "spiffe://lab-1/node/node04/prismnet-agent");
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_is_what_was_written(text in "spiffe://[a-zA-Z._/:-]{0,12}|\\PC{0,40}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                proptest::prop_assert_eq!(format!("spiffe://{}/{}", id.trust_domain(), id.path()), text);
            }
        }

        #[test]
        fn bytes_that_are_no_certificate_are_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(SpiffeId::from_certificate(&bytes.into()).is_err());
        }
    }

    #[test]
    fn what_the_specification_forbids() {
        let long = format!("spiffe://lab/{}", "a".repeat(MAX_ID));
        for bad in [
            "",
            "https://lab/x",
            "SPIFFE://lab/x",
            "spiffe://",
            "spiffe://lab",
            "spiffe:///x",
            "spiffe://lab/",
            "spiffe://lab/x/",
            "spiffe://lab//x",
            "spiffe://lab/./x",
            "spiffe://lab/../x",
            "spiffe://Lab/x",
            "spiffe://lab:8443/x",
            "spiffe://user@lab/x",
            "spiffe://lab/x?y",
            "spiffe://lab/x#y",
            "spiffe://lab/%41",
            &long,
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad} was accepted");
        }
    }
}
