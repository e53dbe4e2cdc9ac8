//! The replicated types, and the engine's names for them. Nothing of this leaves the crate.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_adv;
use openraft_rt::deterministic_rng::DeterministicRng;

use crate::member::Member;

/// The engine's tasks and timers: tokio, with randomness that a seed replays.
pub(crate) type Runtime = DeterministicRng<openraft::impls::TokioRuntime>;

/// A replicated command, opaque to replication.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Bytes);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the state machine answered, opaque to replication.
pub(crate) type Reply = Bytes;

openraft::declare_raft_types!(
    /// The engine's type parameters.
    pub(crate) Types:
        D = Payload,
        R = Reply,
        NodeId = u64,
        Node = Member,
        Term = u64,
        AsyncRuntime = Runtime,
);

pub(crate) type LeaderId = leader_id_adv::LeaderId<u64, u64>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Vote = openraft::impls::Vote<LeaderId>;
pub(crate) type RaftPayload = openraft::EntryPayload<Payload, u64, Member>;
pub(crate) type RaftEntry = openraft::Entry<LeaderId, RaftPayload>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, u64, Member>;
pub(crate) type SnapshotMeta = openraft::storage::SnapshotMeta<LeaderId, u64, Member>;
pub(crate) type Snapshot = openraft::storage::Snapshot<LeaderId, u64, Member, crate::store::Image>;
pub(crate) type Raft = openraft::Raft<Types, crate::store::Machine>;
