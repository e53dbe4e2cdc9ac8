//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677, 5929): the state machine is `pgwire`'s, what may be
//! said in which state is checked here, in PostgreSQL's words.

use std::fmt;

use crate::base::{SqlError, SqlState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{ScramServerAuth, ScramServerAuthWaitingForClientFinal};
use pgwire::error::PgWireError;

use super::verifier::Verifier;
use crate::wire::message::{Reader, violation};

pub(super) const PLAIN: &str = "SCRAM-SHA-256";
pub(super) const PLUS: &str = "SCRAM-SHA-256-PLUS";
/// What `pgwire` says of a client that saw another certificate.
const MISMATCH: &str = "Channel binding mismatch";

/// Ties a password's proof to the server's certificate (`tls-server-end-point`). Made once for a certificate.
#[derive(Clone)]
pub(crate) struct ChannelBinding(ScramServerAuth);

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelBinding")
    }
}

impl ChannelBinding {
    /// Of the certificate that the server shows, in DER. An error: its signature has no hash that RFC 5929 names
    /// (Ed25519): clients could not compute it either, so no binding is to be offered.
    pub(crate) fn of_certificate(der: &[u8]) -> Result<Self, SqlError> {
        let mut scram = ScramServerAuth::new();
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        scram.configure_certificate(pem.as_bytes()).map_err(|error| {
            let message = format!("no channel binding for this certificate: {error}");
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        })?;
        Ok(Self(scram))
    }
}

/// The server's side, before the client has said anything.
pub(super) struct Scram<'a> {
    binding: Option<&'a ChannelBinding>,
}

impl<'a> Scram<'a> {
    pub(super) fn new(binding: Option<&'a ChannelBinding>) -> Self {
        Self { binding }
    }

    /// What is offered, the better one first.
    pub(super) fn mechanisms(&self) -> &'static [&'static str] {
        if self.binding.is_some() { &[PLUS, PLAIN] } else { &[PLAIN] }
    }

    /// Takes a SASLInitialResponse and gives the answer.
    pub(super) fn first(&self, body: &[u8], verifier: Verifier) -> Result<(String, Final), SqlError> {
        let mut reader = Reader::new(body);
        let mechanism = reader.text()?;
        let data = reader.value()?;
        reader.end()?;
        if !self.mechanisms().contains(&mechanism) {
            return Err(violation("client selected an invalid SASL authentication mechanism"));
        }
        let data = data.ok_or_else(|| malformed("The message is empty."))?;
        check_binding_flag(data, mechanism == PLUS, self.binding.is_some())?;
        let plain = ScramServerAuth::new();
        let scram = self.binding.map_or(&plain, |binding| &binding.0);
        let answer = scram.on_client_first_message_with_secret(data, verifier.into_secret());
        answer.map(|(text, scram)| (text, Final(scram))).map_err(|error| malformed(error.to_string()))
    }
}

/// The server's side, when the client is to prove that it knows the password.
pub(super) struct Final(ScramServerAuthWaitingForClientFinal);

impl Final {
    /// Takes a SASLResponse. None: the proof is wrong.
    pub(super) fn check(&self, body: &[u8]) -> Result<Option<String>, SqlError> {
        match self.0.on_client_final_message(body) {
            Ok(answer) => Ok(Some(answer)),
            Err(PgWireError::InvalidPassword(_)) => Ok(None),
            Err(PgWireError::InvalidScramMessage(why)) if why == MISMATCH => Err(SqlError::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "SCRAM channel binding check failed",
            )),
            Err(error) => Err(malformed(error.to_string())),
        }
    }
}

/// The first letter says whether the channel is bound: it must agree with the mechanism and with what is offered.
fn check_binding_flag(data: &[u8], plus: bool, offered: bool) -> Result<(), SqlError> {
    match (data.first(), plus) {
        (Some(b'n' | b'y'), true) => Err(malformed(
            "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
        )),
        (Some(b'p'), false) => Err(malformed(
            "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.",
        )),
        (Some(b'y'), false) if offered => Err(SqlError::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "SCRAM channel binding negotiation error",
        )
        .with_detail(
            "The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.",
        )),
        _ => Ok(()),
    }
}

fn malformed(detail: impl Into<String>) -> SqlError {
    violation("malformed SCRAM message").with_detail(detail)
}
