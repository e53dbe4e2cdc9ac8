//! Who it is, that he may, and his session. The last message is not `ReadyForQuery`: that is the loop's first.

use std::future::poll_fn;

use crate::base::{SqlError, SqlState};
use bytes::Bytes;

use super::packet::Wish;
use super::scram::Scram;
use super::verifier::Verifier;
use crate::wire::client::Client;
use crate::wire::host::{ChannelBinding, Host, Login, Method, Opened, Security};
use crate::wire::io::{Broken, lock};
use crate::wire::message::{negotiation, put_text, violation};
use crate::wire::options::Options;

/// Of a SASL message, as in PostgreSQL.
const LONGEST: usize = 1024;
/// Codes of authentication messages.
const OK: u32 = 0;
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

/// Makes a session for the client of this startup packet. Errors are FATAL.
pub(crate) async fn log_in<H: Host>(
    host: &H,
    options: &Options,
    client: &mut Client,
    (major, minor, parameters): (u16, u16, &[u8]),
    security: Option<Security>,
) -> Result<H::Session, Broken> {
    let Wish { user, database, settings, minor, unknown, negotiates } =
        Wish::decode(major, minor, parameters)?;
    if negotiates {
        client.output.short(b'v', |out| negotiation(out, minor, &unknown));
    }
    let login = Login { user, database, settings, minor, security };
    match host.authenticate(&login).await? {
        Method::Trust => {}
        Method::Scram(verifier) => exchange(options, client, &login, verifier).await?,
    }
    authentication(client, OK, b"");
    let secret_length = login.secret_length();
    let control = client.control().clone();
    let Opened { session, pid, secret, parameters } = host.connect(login, &control).await?;
    if secret.len() != secret_length {
        let message = format!("a cancel key has {} bytes instead of {secret_length}", secret.len());
        return Err(SqlError::new(SqlState::INTERNAL_ERROR, message).into());
    }
    for (name, value) in &parameters {
        client.parameter(name, value);
    }
    client.output.short(b'K', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(&secret);
    });
    Ok(session)
}

/// A password's proof. An unknown user goes through all of it, too.
async fn exchange(
    options: &Options,
    client: &mut Client,
    login: &Login,
    verifier: Option<Verifier>,
) -> Result<(), Broken> {
    let known = verifier.is_some();
    let verifier =
        verifier.unwrap_or_else(|| Verifier::mock(&options.mock_key, &login.user, options.mock_iterations));
    let binding: Option<&ChannelBinding> =
        login.security.as_ref().and_then(|security| security.binding.as_ref());
    let scram = Scram::new(binding);
    let mut mechanisms = Vec::new();
    for mechanism in scram.mechanisms() {
        put_text(&mut mechanisms, mechanism);
    }
    mechanisms.push(0);
    let first = ask(client, SASL, &mechanisms).await?;
    let (challenge, last) = scram.first(&first, verifier)?;
    let proof = ask(client, SASL_CONTINUE, challenge.as_bytes()).await?;
    match last.check(&proof)? {
        Some(signature) if known => {
            authentication(client, SASL_FINAL, signature.as_bytes());
            Ok(())
        }
        _ => {
            let message = format!("password authentication failed for user \"{}\"", login.user);
            Err(SqlError::new(SqlState::INVALID_PASSWORD, message).into())
        }
    }
}

/// Says something and waits for the answer.
async fn ask(client: &mut Client, code: u32, data: &[u8]) -> Result<Bytes, Broken> {
    authentication(client, code, data);
    client.flush().await.map_err(|_| Broken::Gone)?;
    let input = &client.input;
    let message = poll_fn(|cx| lock(input).poll_message(cx, answer_limit, |_| true)).await?;
    Ok(message.body)
}

fn answer_limit(tag: u8) -> Result<usize, SqlError> {
    match tag {
        b'p' => Ok(LONGEST),
        _ => Err(violation(format!("expected SASL response, got message type {tag}"))),
    }
}

fn authentication(client: &mut Client, code: u32, data: &[u8]) {
    client.output.short(b'R', |out| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(data);
    });
}
