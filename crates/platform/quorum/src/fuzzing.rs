//! What the fuzz targets of `fuzz/` call, and the ordinary tests with the corpus that is kept there. Not
//! part of any build but those two.

use bytes::Bytes;
use prost::Message;

pub use crate::wal::fuzzing::recovery;

use crate::membership::{Change, MembershipError};
use crate::transport::{consecutive, image_key};
use crate::types::RaftEntry;
use crate::wal::Mark;
use crate::wire::proto::{self, ChangeRefusal, change_request};
use crate::wire::{self, Position};

/// A message of a peer, its kind by the first byte: refused, or understood so that saying it again gives
/// the same.
pub fn message(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    match kind % 6 {
        0 => append(bytes),
        1 => stored_entry(bytes),
        2 => position(bytes),
        3 => {
            let _ = proto::ImageHeader::decode(bytes).map(image_key);
        }
        4 => change(bytes),
        _ => refusal(bytes),
    }
}

fn append(bytes: Bytes) {
    let Ok(request) = proto::AppendRequest::decode(bytes) else { return };
    let _ =
        wire::required_vote(request.ballot).map(|vote| assert_eq!(request.ballot, Some(wire::ballot(&vote))));
    let Ok(entries) = consecutive(request.previous, request.entries) else { return };
    for entry in entries {
        again(&entry);
    }
}

fn again(entry: &RaftEntry) {
    assert_eq!(wire::from_wal_entry(wire::wal_entry(entry.clone())).as_ref(), Ok(entry));
    assert_eq!(wire::entry(wire::entry_message(entry.clone())).as_ref(), Ok(entry));
}

fn stored_entry(payload: Bytes) {
    let stored = crate::wal::Entry { mark: Mark { term: 3, node: 2, index: 1 }, payload };
    if let Ok(entry) = wire::from_wal_entry(stored) {
        again(&entry);
    }
}

fn position(bytes: Bytes) {
    if let Ok(position) = Position::decode(bytes) {
        assert_eq!(Position::decode(position.encode()), Ok(position));
    }
}

fn change(bytes: Bytes) {
    let Ok(proto::ChangeRequest { change: Some(message), .. }) = proto::ChangeRequest::decode(bytes) else {
        return;
    };
    let change = Change::from(message);
    assert_eq!(Change::from(change_request::Change::from(&change)), change);
}

fn refusal(bytes: Bytes) {
    let Ok(message) = ChangeRefusal::decode(bytes) else { return };
    let refusal = MembershipError::from(message);
    assert!(!refusal.to_string().is_empty());
    assert_eq!(MembershipError::from(ChangeRefusal::from(refusal.clone())), refusal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_logs_holds() {
        sim::corpus::replay("wal", |input| recovery(&sim::SimDisk::new(0), input));
    }

    #[test]
    fn the_corpus_of_messages_holds() {
        sim::corpus::replay("message", message);
    }
}
