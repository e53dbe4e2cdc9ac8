//! Replication: a command that a quorum has stored is applied everywhere, in one order, for good.
//!
//! A service brings a [`StateMachine`]; a [`Host`] holds the groups of a process; a [`Group`] takes
//! proposals on any replica, answers linearizable reads on any replica, and changes its own members
//! without losing the quorum.
//!
//! # Shape
//! - [`wal`]: one log on disk for all groups of a process, one fdatasync for many entries.
//! - `store`: that log and the state machine, as the consensus engine (openraft) wants to see them.
//! - `transport`: one gRPC connection to each peer, shared by all groups, mutual TLS.
//! - `membership`: pure rules about who may join, rise, go and lead.
//! - `reads`: many readers share one confirmation of the leadership.
//! - `stages`: where the time of a slow proposal went.
//! - [`identity`], [`config`]: who a member is, and what it is told; the same for every service.
//! - [`jury`]: which replica's state has diverged, by a hash that services keep.
//! - [`rescue`]: what a replica that does not run holds.
//!
//! No type of the engine is visible outside: it is an alpha release, pinned, behind this surface.
//!
//! # Under concurrency
//! Proposals of one caller are not ordered against each other unless it waits for each. A proposal
//! whose leader is lost has an unknown outcome and says so; it is never proposed twice by us. Reads
//! are retried freely. One membership change runs at a time; one that a crash left half done is
//! finished by the next leader. While the leadership changes hands on purpose, proposals wait: those under
//! way are answered first, so that a planned change makes nobody's outcome unknown; a leader that is to
//! be removed hands over before. A removed replica takes no new request. A storage error ends the process:
//! after a failed fsync nothing may be assumed of the file.
//!
//! # Rejected
//! Leader leases for reads (they trust clocks), a B-tree as the log (a tenth of the group-commit
//! rate), and generic command types (every service encodes its commands anyway, for the wire).

pub mod config;
mod error;
mod figures;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod host;
pub mod identity;
mod joining;
pub mod jury;
mod machine;
mod member;
mod membership;
mod options;
mod reads;
mod refusal;
pub mod rescue;
mod stages;
mod status;
mod store;
mod transport;
mod types;
pub mod wal;
mod wire;

pub use error::{CallError, OpenError, ProposeError, ReadError};
pub use figures::{Figures, encode_gauges};
pub use group::{Accepted, CallHandler, Group, GroupConfig, Standing, WeakGroup};
pub use host::{Host, HostConfig};
pub use joining::find_self;
pub use machine::{Command, Flush, StateMachine};
pub use member::Member;
pub use membership::{Change, MembershipError};
pub use options::GroupOptions;
pub use stages::Stages;
pub use status::{Leadership, Progress, Role, Status};
pub use transport::ReplicationService;
