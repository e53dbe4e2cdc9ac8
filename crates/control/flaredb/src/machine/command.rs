//! Entries of the log and what is answered to them, as bytes.

use std::io;

use bytes::Bytes;
use prost::Message as _;
use quorum::Command;

use crate::base::SqlState;
use crate::engine::{Outcome, failed};
use crate::proto::log::command::Body;
use crate::proto::log::{self, Reply, outcome};

/// Raised when a version that reads it would do something else.
pub(crate) const FORMAT: u32 = 1;

/// An entry.
pub(crate) fn encode(body: Body) -> Bytes {
    log::Command { format: FORMAT, body: Some(body) }.encode_to_vec().into()
}

/// What an entry says; none if it says nothing.
pub(super) fn decode(command: &Command) -> io::Result<Option<Body>> {
    let malformed = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let entry = log::Command::decode(command.payload.clone())
        .map_err(|e| malformed(format!("entry {} of the log cannot be read: {e}", command.index)))?;
    if entry.format > FORMAT {
        return Err(malformed(format!(
            "entry {} of the log has format {}, this version knows {FORMAT}: upgrade this node",
            command.index, entry.format
        )));
    }
    Ok(entry.body)
}

/// What is answered.
pub(super) fn encode_reply(outcomes: Vec<Outcome>) -> Bytes {
    let outcomes = outcomes.into_iter().map(|outcome| log::Outcome {
        body: Some(match outcome {
            Ok(done) => outcome::Body::Done(done),
            Err(failure) => outcome::Body::Failure(failure),
        }),
    });
    Reply { outcomes: outcomes.collect() }.encode_to_vec().into()
}

/// The answer of a replica that does not trust itself.
pub(super) fn withheld() -> Bytes {
    encode_reply(vec![Err(failed(SqlState::DATA_CORRUPTED, "this replica has diverged from the others"))])
}

/// What was answered: an outcome for each write.
pub(crate) fn decode_reply(reply: Bytes) -> Result<Vec<Outcome>, prost::DecodeError> {
    let lost = || failed(SqlState::INTERNAL_ERROR, "the outcome was not told");
    let outcomes = Reply::decode(reply)?.outcomes.into_iter();
    Ok(outcomes
        .map(|outcome| match outcome.body {
            Some(outcome::Body::Done(done)) => Ok(done),
            Some(outcome::Body::Failure(failure)) => Err(failure),
            _ => Err(lost()),
        })
        .collect())
}
