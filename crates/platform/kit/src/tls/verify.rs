//! The judgement of one peer in one handshake.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::allow::AllowList;
use super::files::Material;
use super::spiffe::{SpiffeError, SpiffeId};

/// Why a peer's certificate was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PeerRefused {
    /// It does not chain to our CA, is not current, or cannot be used on this side.
    #[error("its certificate does not pass: {}", explain(.0))]
    Chain(Error),
    /// It carries no usable SPIFFE ID.
    #[error(transparent)]
    Identity(SpiffeError),
    /// It belongs to another cluster that shares our CA.
    #[error("{peer} is of another trust domain than ours, {ours}")]
    TrustDomain {
        /// Who it is.
        peer: SpiffeId,
        /// Our own trust domain.
        ours: String,
    },
    /// It is not on the list.
    #[error("{peer} is not on the allow-list ({list})")]
    NotAllowed {
        /// Who it is.
        peer: SpiffeId,
        /// Who would be let in.
        list: AllowList,
    },
    /// It does not carry the name that is asked of it.
    #[error("its certificate is not for {wanted}")]
    Name {
        /// The common name, host or address that it should be for.
        wanted: String,
    },
}

fn explain(error: &Error) -> String {
    match error {
        // Another CA by the same name shows as a bad signature.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "it is not signed by our CA".into()
        }
        other => other.to_string(),
    }
}

/// Judges the peer of one connection, against the identity of the moment it began.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) material: Arc<Material>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) allow: Arc<AllowList>,
    /// Whether a server must also carry the name that was dialled.
    pub(super) check_name: bool,
    /// Whether a client may show no certificate.
    pub(super) optional: bool,
    pub(super) verdict: OnceLock<Result<SpiffeId, PeerRefused>>,
}

impl Judge {
    /// Who the peer is, or why it was refused; `None` if it never came to that.
    pub(super) fn verdict(&self) -> Option<Result<SpiffeId, PeerRefused>> {
        self.verdict.get().cloned()
    }

    /// Keeps the verdict for the log and gives TLS the alert for the peer.
    fn conclude(&self, chain: Result<(), Error>, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let verdict = match &chain {
            Ok(()) => self.admit(certificate),
            Err(e) => Err(PeerRefused::Chain(e.clone())),
        };
        let denied = verdict.is_err();
        let _ = self.verdict.set(verdict);
        chain?;
        if denied { Err(CertificateError::ApplicationVerificationFailure.into()) } else { Ok(()) }
    }

    fn admit(&self, certificate: &CertificateDer<'_>) -> Result<SpiffeId, PeerRefused> {
        let peer = SpiffeId::from_certificate(certificate).map_err(PeerRefused::Identity)?;
        let ours = self.material.spiffe.trust_domain();
        if peer.trust_domain() != ours {
            return Err(PeerRefused::TrustDomain { peer, ours: ours.to_owned() });
        }
        if !self.allow.admits(&peer) {
            return Err(PeerRefused::NotAllowed { peer, list: AllowList::clone(&self.allow) });
        }
        Ok(peer)
    }

    fn server_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.material.roots,
            intermediates,
            now,
            algorithms,
        )?;
        if self.check_name { verify_server_name(&parsed, name) } else { Ok(()) }
    }
}

impl ClientCertVerifier for Judge {
    fn client_auth_mandatory(&self) -> bool {
        !self.optional
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.material.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = self.material.clients.verify_client_cert(leaf, intermediates, now);
        self.conclude(chain.map(drop), leaf).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = self.server_chain(leaf, intermediates, name, now);
        self.conclude(chain, leaf).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
