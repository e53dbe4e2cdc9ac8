//! The encoding of commands and replies.

use std::io;

use bytes::Bytes;
use prost::Message;

use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{Command, Reply};

use super::refusal::{Failure, Refusal};

/// The highest format that this version applies, and the one it writes.
pub(crate) const FORMAT: u32 = 1;

/// A command as it is proposed.
pub(crate) fn encode(request_id: u64, operation: Operation) -> Bytes {
    Command { format: FORMAT, request_id, operation: Some(operation) }.encode_to_vec().into()
}

/// What a committed command asks for. A replica that cannot tell must stop: skipping it would make
/// it differ from the others for good.
pub(super) fn decode(index: u64, payload: Bytes) -> io::Result<Operation> {
    let refuse = |why: String| {
        let text = format!("entry {index} of the log holds {why}; run the version that wrote it");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    };
    match Command::decode(payload) {
        Err(e) => refuse(format!("no command: {e}")),
        Ok(command) if command.format > FORMAT => {
            refuse(format!("a command of format {}, this version applies up to {FORMAT}", command.format))
        }
        Ok(command) => command.operation.map_or_else(|| refuse("an unknown command".into()), Ok),
    }
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
            Refusal::from_code(code).map(Err).ok_or_else(|| BadReply(format!("refusal {code}")))
        }
        Some(outcome) => Ok(Ok(outcome)),
    }
}
