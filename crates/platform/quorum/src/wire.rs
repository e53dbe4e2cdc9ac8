//! Between the engine's types and bytes: pure, total, and strict about what comes in.
//!
//! The same messages travel on the wire and rest in the log, so there is one encoding to keep
//! compatible. A message from a stranger is refused with a [`Malformed`], never believed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use openraft::entry::RaftEntry as _;
use prost::Message;

use crate::member::Member;
use crate::stages::Stages;
use crate::types::{LeaderId, LogId, Membership, Payload, RaftEntry, RaftPayload, StoredMembership, Vote};
use crate::wal;

#[allow(clippy::all, clippy::allow_attributes_without_reason, unreachable_pub, reason = "generated code")]
pub(crate) mod proto {
    tonic::include_proto!("ultracloud.quorum.v1");
}

/// A message that no replica of this version sends.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("malformed replication message: {0}")]
pub struct Malformed(pub(crate) &'static str);

const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

// Log ids.

pub(crate) fn log_id(mark: proto::Mark) -> LogId {
    LogId::new(LeaderId { term: mark.term, node_id: mark.node }, mark.index)
}

pub(crate) fn mark(id: &LogId) -> proto::Mark {
    let leader = id.committed_leader_id();
    proto::Mark { term: leader.term, node: leader.node_id, index: id.index() }
}

pub(crate) fn wal_mark(id: &LogId) -> wal::Mark {
    let proto::Mark { term, node, index } = mark(id);
    wal::Mark { term, node, index }
}

pub(crate) fn from_wal_mark(m: wal::Mark) -> LogId {
    log_id(proto::Mark { term: m.term, node: m.node, index: m.index })
}

// Ballots.

pub(crate) fn ballot(vote: &Vote) -> proto::Ballot {
    let leader = vote.leader_id();
    proto::Ballot { term: leader.term, node: leader.node_id, committed: vote.is_committed() }
}

pub(crate) fn vote(ballot: proto::Ballot) -> Vote {
    if ballot.committed {
        Vote::new_committed(ballot.term, ballot.node)
    } else {
        Vote::new(ballot.term, ballot.node)
    }
}

pub(crate) fn required_vote(ballot: Option<proto::Ballot>) -> Result<Vote, Malformed> {
    ballot.map(vote).ok_or(Malformed("a request without a ballot"))
}

// Membership.

impl From<&Member> for proto::Member {
    fn from(m: &Member) -> Self {
        Self {
            id: m.id,
            name: m.name.clone(),
            peer_addresses: m.peer_addresses.clone(),
            client_addresses: m.client_addresses.clone(),
        }
    }
}

impl From<proto::Member> for Member {
    fn from(m: proto::Member) -> Self {
        Self {
            id: m.id,
            name: m.name,
            peer_addresses: m.peer_addresses,
            client_addresses: m.client_addresses,
        }
    }
}

pub(crate) fn membership_message(membership: &Membership) -> proto::Membership {
    let voters = |ids: &BTreeSet<u64>| proto::Voters { ids: ids.iter().copied().collect() };
    proto::Membership {
        configs: membership.get_joint_config().iter().map(voters).collect(),
        members: membership.nodes().map(|(_, node)| node.into()).collect(),
    }
}

pub(crate) fn membership(message: proto::Membership) -> Result<Membership, Malformed> {
    if message.configs.len() > 2 {
        return Err(Malformed("a membership of more than two sets of voters"));
    }
    let configs = message.configs.into_iter().map(|v| v.ids.into_iter().collect()).collect();
    let nodes: BTreeMap<u64, Member> = message.members.into_iter().map(|m| (m.id, m.into())).collect();
    Membership::new(configs, nodes).map_err(|_| Malformed("a membership whose voters are not all members"))
}

// Entries.

pub(crate) fn entry_message(entry: RaftEntry) -> proto::Entry {
    use proto::entry::Payload as P;
    let payload = match entry.payload {
        RaftPayload::Blank => None,
        RaftPayload::Normal(Payload(bytes)) => Some(P::Command(bytes)),
        RaftPayload::Membership(m) => Some(P::Membership(membership_message(&m))),
    };
    proto::Entry { mark: Some(mark(&entry.log_id)), payload }
}

pub(crate) fn entry(message: proto::Entry) -> Result<RaftEntry, Malformed> {
    use proto::entry::Payload as P;
    let id = log_id(message.mark.ok_or(Malformed("an entry without a log id"))?);
    let payload = match message.payload {
        None => RaftPayload::Blank,
        Some(P::Command(bytes)) => RaftPayload::Normal(Payload(bytes)),
        Some(P::Membership(m)) => RaftPayload::Membership(membership(m)?),
    };
    Ok(RaftEntry::new(id, payload))
}

/// A known bug: a change of the voters counts by the new ones alone, at once.
pub(crate) const FORGET_JOINT_QUORUM: &str = "forget the joint quorum";

/// Puts that bug into an entry that is read: only the last set of voters is left.
pub(crate) fn forget_joint_quorum(entry: &mut RaftEntry) {
    if let RaftPayload::Membership(membership) = &mut entry.payload {
        let nodes: BTreeMap<u64, Member> = membership.nodes().map(|(id, node)| (*id, node.clone())).collect();
        let last = membership.get_joint_config().last().cloned().into_iter().collect();
        if let Ok(stripped) = Membership::new(last, nodes) {
            *membership = stripped;
        }
    }
}

/// An entry as it rests in the log: a kind byte, then its content.
pub(crate) fn wal_entry(entry: RaftEntry) -> wal::Entry {
    let (kind, content) = match entry.payload {
        RaftPayload::Blank => (BLANK, Bytes::new()),
        RaftPayload::Normal(Payload(bytes)) => (COMMAND, bytes),
        RaftPayload::Membership(m) => (MEMBERSHIP, membership_message(&m).encode_to_vec().into()),
    };
    let mut payload = BytesMut::with_capacity(1 + content.len());
    payload.put_u8(kind);
    payload.put_slice(&content);
    wal::Entry { mark: wal_mark(&entry.log_id), payload: payload.freeze() }
}

pub(crate) fn from_wal_entry(stored: wal::Entry) -> Result<RaftEntry, Malformed> {
    let id = from_wal_mark(stored.mark);
    let kind = *stored.payload.first().ok_or(Malformed("an empty log entry"))?;
    let content = stored.payload.slice(1..);
    let payload = match kind {
        BLANK => RaftPayload::Blank,
        COMMAND => RaftPayload::Normal(Payload(content)),
        MEMBERSHIP => {
            let message =
                proto::Membership::decode(content).map_err(|_| Malformed("a torn membership entry"))?;
            RaftPayload::Membership(membership(message)?)
        }
        _ => return Err(Malformed("a log entry of an unknown kind, written by a later version")),
    };
    Ok(RaftEntry::new(id, payload))
}

// Times.

pub(crate) fn stages_message(stages: &Stages) -> proto::Stages {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let Stages { queue, fsync, replicate, apply } = stages;
    proto::Stages {
        queue: micros(*queue),
        fsync: micros(*fsync),
        replicate: micros(*replicate),
        apply: micros(*apply),
    }
}

pub(crate) fn stages(message: &proto::Stages) -> Stages {
    let time = Duration::from_micros;
    let proto::Stages { queue, fsync, replicate, apply } = *message;
    Stages { queue: time(queue), fsync: time(fsync), replicate: time(replicate), apply: time(apply) }
}

// What a state machine stores beside its state.

/// How far a state machine has come, and who belonged to the group then.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Position {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

impl Position {
    pub(crate) fn message(&self) -> proto::Position {
        proto::Position {
            applied: self.applied.as_ref().map(mark),
            membership_mark: self.membership.log_id().as_ref().map(mark),
            membership: Some(membership_message(self.membership.membership())),
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        self.message().encode_to_vec().into()
    }

    pub(crate) fn from_message(message: proto::Position) -> Result<Self, Malformed> {
        let members = message.membership.map_or_else(|| Ok(Membership::default()), membership)?;
        Ok(Self {
            applied: message.applied.map(log_id),
            membership: StoredMembership::new(message.membership_mark.map(log_id), members),
        })
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let message = proto::Position::decode(bytes).map_err(|_| Malformed("a torn position"))?;
        Self::from_message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Membership {
        let member = |id: u64| (id, Member { id, name: format!("n{id}"), ..Member::default() });
        let nodes: BTreeMap<u64, Member> = (1..=4).map(member).collect();
        Membership::new(vec![BTreeSet::from([1, 2, 3]), BTreeSet::from([2, 3, 4])], nodes).unwrap()
    }

    fn id(term: u64, index: u64) -> LogId {
        log_id(proto::Mark { term, node: 7, index })
    }

    #[test]
    fn entries_survive_the_log_and_the_wire() {
        let payloads = [
            RaftPayload::Blank,
            RaftPayload::Normal(Payload(Bytes::from_static(b"put"))),
            RaftPayload::Normal(Payload(Bytes::new())),
            RaftPayload::Membership(three()),
        ];
        for (index, payload) in payloads.into_iter().enumerate() {
            let original = RaftEntry::new(id(3, index as u64), payload);
            assert_eq!(from_wal_entry(wal_entry(original.clone())).unwrap(), original);
            assert_eq!(entry(entry_message(original.clone())).unwrap(), original);
        }
    }

    #[test]
    fn a_position_survives_with_its_membership() {
        let position =
            Position { applied: Some(id(5, 10)), membership: StoredMembership::new(Some(id(4, 9)), three()) };
        assert_eq!(Position::decode(position.encode()).unwrap(), position);
        assert_eq!(Position::decode(Position::default().encode()).unwrap(), Position::default());
    }

    #[test]
    fn strangers_are_refused() {
        let orphan = proto::Membership { configs: vec![proto::Voters { ids: vec![9] }], members: vec![] };
        assert!(membership(orphan).is_err());
        assert!(
            membership(proto::Membership { configs: vec![proto::Voters::default(); 3], members: vec![] })
                .is_err()
        );
        assert!(entry(proto::Entry::default()).is_err());
        let unknown = wal::Entry { mark: wal_mark(&id(1, 1)), payload: Bytes::from_static(&[9]) };
        assert!(from_wal_entry(unknown).is_err());
    }
}
