//! ChainFire: a replicated key-value store that etcd v3 clients use without noticing.
//!
//! [`Config`] → [`build`] → [`run`]. It keeps the cloud's desired state and coordination, in one group of
//! [`quorum`] replicas. It refuses to be more than etcd is to its clients.
//!
//! # Shape
//! - [`store`]: every key at every revision, in memory since the last flush, in one redb file before it.
//! - `machine`: what each command in the log means; deterministic, no clock, no configuration.
//! - `auth`: who there is, who may do what, and who asks.
//! - `lessor`: which leases are over; only the leader knows times, fenced by an epoch in the log.
//! - `check`: replicas compare what they hold; one that has diverged serves nothing more.
//! - `watch`: streams of history; a watcher is a position in it, never a queue that could overflow.
//! - `convert`, `api`: etcd's rules, codes and words, and its services.
//! - `node`: identity, joining, ports, housekeeping.
//! - [`etcd`]: the same member, started as etcd is.
//! - [`rescue`]: what is done to the files of a member that does not run.
//!
//! # Under concurrency
//! One thread applies commands; readers take a snapshot and never wait for it. Revisions become visible
//! one transaction at a time. A linearizable read first learns from a quorum how far it must have caught
//! up. A request without an answer may have taken effect, and says "timed out". Flushes and compaction
//! run beside both, in small steps; what a crash takes is applied again from the log, to the same state.
//!
//! # Rejected
//! - A redb commit for each batch: 10 to 13 µs a put against 4 to 7 µs in sorted flushes of 8 MiB, and every
//!   durable commit would stop the applying thread for an fsync.
//! - etcd's index of all keys in memory: it grows with the keys and must be rebuilt at every start.
//! - Dispatching watch events from the applying thread, or through a queue beside it: history already is
//!   that queue, it is bounded by nothing but compaction, and it cannot lose an event.
//! - Leader leases for reads and keep-alives by the clock alone: a paused leader would lie.

mod api;
mod auth;
mod check;
pub mod config;
mod convert;
pub mod etcd;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod lessor;
mod machine;
mod node;
pub mod proto;
pub mod rescue;
pub mod store;
pub mod version;
mod watch;

pub use auth::{AuthRefusal, Authority, JwtError, SchemeError};
pub use config::Config;
pub use lessor::{Lessor, LessorError, Remaining};
pub use machine::{Alarms, Failure, Machine, Refusal};
pub use node::{Door, Doors, IdentityError, Node, Observers, StartError, build, build_behind, run};
pub use watch::{Hub, SessionLimits};

/// The formats that this version writes: of the replicated commands, the store and its images.
pub const FORMATS: &[(&str, u32)] =
    &[("command", machine::FORMAT), ("store", store::FORMAT), ("image", store::IMAGE_FORMAT)];
