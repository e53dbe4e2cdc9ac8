//! The encoding of commands and replies.

use std::io;

use bytes::Bytes;
use prost::Message;

use crate::proto::internal::command::Operation;
use crate::proto::internal::note::Note;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{self as proto, Command, LeaseRevoke, Reply};

use super::refusal::{Failure, Refusal};
use crate::auth::{AuthRefusal, Credentials};

/// The highest format that this version applies, and the one it writes.
pub(crate) const FORMAT: u32 = 3;
/// What is written where it suffices, so that the version before reads it, too: without users, without alarms.
const WITHOUT_USERS: u32 = 1;
const WITHOUT_ALARMS: u32 = 2;

/// A replica's own command as it is proposed.
pub(crate) fn encode(request_id: u64, operation: Operation) -> Bytes {
    encode_as(Credentials::default(), request_id, operation)
}

/// A client's command as it is proposed.
pub(crate) fn encode_as(who: Credentials, request_id: u64, operation: Operation) -> Bytes {
    let format = match &operation {
        Operation::Alarm(_) => FORMAT,
        Operation::Auth(_) => WITHOUT_ALARMS,
        _ if who != Credentials::default() => WITHOUT_ALARMS,
        _ => WITHOUT_USERS,
    };
    let Credentials { user, revision } = who;
    let operation = Some(operation);
    let command = Command { format, request_id, user, auth_revision: revision, operation, note: None };
    command.encode_to_vec().into()
}

/// A note between replicas as it is proposed: on the back of a command that every version refuses, because
/// no lessor has this epoch.
pub(crate) fn encode_note(request_id: u64, note: Note) -> Bytes {
    let nothing = Operation::LeaseRevoke(LeaseRevoke { id: 0, epoch: u64::MAX });
    let command = Command {
        format: WITHOUT_USERS,
        request_id,
        operation: Some(nothing),
        note: Some(proto::Note { note: Some(note) }),
        ..Default::default()
    };
    command.encode_to_vec().into()
}

/// A committed command.
pub(super) struct Decoded {
    /// Who asks.
    pub(super) who: Credentials,
    pub(super) operation: Operation,
    /// Of the self-check. A later version's unknown one counts as none.
    pub(super) note: Option<Note>,
}

/// What a committed command says. A replica that cannot tell must stop: skipping it would make
/// it differ from the others for good.
pub(super) fn decode(index: u64, payload: Bytes) -> io::Result<Decoded> {
    let refuse = |why: String| -> io::Result<Decoded> {
        let text = format!("entry {index} of the log holds {why}; run the version that wrote it");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    };
    match Command::decode(payload) {
        Err(e) => refuse(format!("no command: {e}")),
        Ok(command) if command.format > FORMAT => {
            refuse(format!("a command of format {}, this version applies up to {FORMAT}", command.format))
        }
        Ok(command) => {
            let who = Credentials { user: command.user, revision: command.auth_revision };
            let note = command.note.and_then(|note| note.note);
            let decoded = command.operation.map(|operation| Ok(Decoded { who, operation, note }));
            decoded.unwrap_or_else(|| refuse("an unknown command".into()))
        }
    }
}

/// Whether a command puts one key.
pub(super) fn is_put(payload: &Bytes) -> bool {
    let command = Command::decode(payload.clone());
    matches!(command.map(|command| command.operation), Ok(Some(Operation::Put(_))))
}

/// A reply: what was done, or why nothing was.
pub(super) fn encode_reply(outcome: Result<Outcome, Failure>) -> io::Result<Bytes> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Failure::Refused(refusal)) => Outcome::Refused(refusal.code()),
        Err(Failure::Store(e)) => return Err(e.into()),
    };
    Ok(Reply { outcome: Some(outcome) }.encode_to_vec().into())
}

/// What a replica says whose state is not to be trusted. What was said about alarms stands.
pub(super) fn withheld(reply: Bytes) -> io::Result<Bytes> {
    let is_alarm = Reply::decode(reply.clone()).is_ok_and(|r| matches!(r.outcome, Some(Outcome::Alarm(_))));
    if is_alarm { Ok(reply) } else { encode_reply(Err(Refusal::Corrupt.into())) }
}

/// A reply that does not answer its command.
#[derive(Debug, thiserror::Error)]
#[error("a reply that this version does not know: {0}")]
pub(crate) struct BadReply(String);

/// What a reply says.
pub(crate) fn decode_reply(reply: Bytes) -> Result<Result<Outcome, Refusal>, BadReply> {
    let reply = Reply::decode(reply).map_err(|e| BadReply(e.to_string()))?;
    match reply.outcome {
        None => Err(BadReply("it is empty".into())),
        Some(Outcome::Refused(code)) => {
            let refusal = Refusal::from_code(code).or(AuthRefusal::from_number(code).map(Refusal::Auth));
            refusal.map(Err).ok_or_else(|| BadReply(format!("refusal {code}")))
        }
        Some(outcome) => Ok(Ok(outcome)),
    }
}
