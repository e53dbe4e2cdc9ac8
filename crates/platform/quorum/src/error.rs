//! What can come of a request. Each error says whether the request may still take effect.

use std::io;

use crate::wal::WalError;
use crate::wire::Malformed;

/// A group or a host that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The write-ahead log cannot be opened.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The state machine or its directory cannot be opened.
    #[error("cannot open the replicated state: {0}")]
    State(#[source] io::Error),
    /// What was stored is not of this version, or damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The options contradict each other.
    #[error("replication options: {0}; see `[raft]` in the configuration")]
    Options(String),
    /// The replication engine refused the stored state.
    #[error("replication cannot start: {0}")]
    Engine(String),
}

/// A proposal without a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No leader was found in time. The proposal has not taken effect and will not.
    #[error("no leader")]
    NoLeader,
    /// It may have taken effect, or may yet.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// Larger than a proposal may be.
    #[error("a proposal of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes proposed.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many proposals are under way; try again later.
    #[error("too many requests")]
    Overloaded,
    /// The replica has stopped or is not part of the group.
    #[error("replication has stopped: {0}")]
    Stopped(String),
}

/// A read that could not be shown to be current.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader with a quorum was found in time.
    #[error("no leader")]
    NoLeader,
    /// A leader answered, but this replica did not catch up in time.
    #[error("timed out waiting to catch up with the leader")]
    Lagging,
    /// The replica has stopped.
    #[error("replication has stopped: {0}")]
    Stopped(String),
}

/// A message to the leader's replica without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No leader was found in time.
    #[error("no leader")]
    NoLeader,
    /// The leader refused, or its answer was lost.
    #[error("{0}")]
    Failed(String),
}
