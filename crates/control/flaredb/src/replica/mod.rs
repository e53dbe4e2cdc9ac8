//! One replica's part in one database: what sessions ask of it, wherever its leader is.
//!
//! - `desk`: where the leader's replica takes what clients of all replicas want written.
//! - `slot`: who writes: statements of many at once, or one transaction alone.
//! - `gather`: statements that come at the same time share an entry of the log.
//! - `write`: a statement by itself, and what became of it if its answer is lost.
//! - `transaction`: statements that belong together, carried out at the desk.
//! - `read`: how current a snapshot has to be.
//! - `check`: replicas compare what they hold.
//! - `upkeep`: SQLite's own log is kept short.
//!
//! # Lost answers
//! A proposal is made in a term and does nothing in another one. So when an answer is lost, it is enough to learn of
//! a later term, catch up with it, and look whether the write was applied: it was, or it never will be. A statement by
//! itself is then proposed again, and its client sees nothing but a delay. Only where no later leader is found in time
//! is the outcome unknown, and said to be.

mod check;
mod desk;
mod found;
mod gather;
mod read;
mod slot;
#[cfg(test)]
mod tests;
mod transaction;
mod upkeep;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kit::Context;
use prost::Message as _;
use quorum::{CallHandler, Group, GroupConfig, Host, OpenError, ProposeError, ReadError};
use tokio::time::Instant;

use self::desk::Desk;
use self::read::Freshness;
use crate::base::{Catalog, SqlError, SqlState};
use crate::engine::{EngineError, Reader};
use crate::machine::{Machine, Shared};
use crate::proto::call::{Answer, Request, answer, request};

pub(crate) use self::found::SUPERUSER;
pub(crate) use self::read::Level;
pub(crate) use self::transaction::{Patience, Transaction};

/// How a replica behaves.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaOptions {
    /// Entries of the log that may be on their way to a quorum at once.
    pub(crate) pipeline: usize,
    /// Clients that may wait for their turn to write.
    pub(crate) waiting: usize,
    /// Between two comparisons of the replicas, if anything happens.
    pub(crate) check_interval: Duration,
    /// How long a write waits for its outcome.
    pub(crate) patience: Duration,
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        Self {
            pipeline: 4,
            waiting: 4096,
            check_interval: Duration::from_secs(10),
            patience: Duration::from_secs(15),
        }
    }
}

/// A database on this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Replica {
    context: Context,
    group: Group,
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    freshness: Arc<Freshness>,
    options: ReplicaOptions,
}

/// Why a replica does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplicaError {
    /// Its files.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its part in the group.
    #[error(transparent)]
    Replication(#[from] OpenError),
    /// A thread panicked; the log says where.
    #[error("the database could not be opened: a thread panicked")]
    Panicked,
}

impl Replica {
    /// Opens the database in `dir` and takes part in its group.
    pub(crate) async fn open_in(
        context: &Context,
        host: &Host,
        dir: PathBuf,
        config: GroupConfig,
        options: ReplicaOptions,
    ) -> Result<Self, ReplicaError> {
        let (owned, member) = (context.clone(), config.member.id);
        let opened = context.blocking(move || Machine::open(&owned, &dir, None, member)).await;
        Self::open(host, opened.ok_or(ReplicaError::Panicked)??, config, options).await
    }

    /// Takes part in the group of a database that is open.
    pub(crate) async fn open(
        host: &Host,
        machine: Machine,
        config: GroupConfig,
        options: ReplicaOptions,
    ) -> Result<Self, ReplicaError> {
        let (shared, files) = (machine.shared(), machine.files());
        let group = host.open_group(config, machine).await?;
        // What belongs to the group ends with it.
        let context = &group.part();
        let desk = Desk::open(context, &group, &shared, &options);
        group.on_call(desk.clone());
        let freshness = Arc::new(Freshness::default());
        let replica = Self { context: context.clone(), group, shared, desk, freshness, options };
        context.tasks().spawn(check::run(replica.clone()));
        context.tasks().spawn(upkeep::run(context.clone(), replica.shared.clone(), files));
        Ok(replica)
    }

    /// What it runs in.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Its group.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// The newest catalogue that is known here.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog().borrow().clone()
    }

    /// Whether this replica has diverged and answers nothing.
    pub(crate) fn is_fenced(&self) -> bool {
        self.shared.is_fenced()
    }

    /// The hash over everything that was done to the database, as of the last change that is visible here.
    pub(crate) fn hash(&self) -> u64 {
        self.shared.hash()
    }

    /// Lends a snapshot out; see [`Self::give_back`].
    pub(crate) fn reader(&self) -> Result<Reader, SqlError> {
        if self.shared.is_fenced() {
            return Err(fenced());
        }
        self.shared.readers().take().map_err(|e| io_error(&e))
    }

    /// Takes a snapshot back.
    pub(crate) fn give_back(&self, reader: Reader) {
        self.shared.readers().give_back(reader);
    }

    /// Asks whoever leads in `term`.
    async fn ask(&self, term: u64, body: request::Body, deadline: Instant) -> answer::Body {
        let request = Request { term, body: Some(body) };
        if self.group.leadership().borrow().is_leader {
            return self.desk.answer(request).await;
        }
        let lost = |why: String| answer::Body::Unknown(crate::proto::call::Unknown { why });
        match self.group.call_leader_until(request.encode_to_vec().into(), deadline).await {
            Ok(bytes) => match Answer::decode(bytes) {
                Ok(Answer { body: Some(body) }) => body,
                Ok(Answer { body: None }) => lost("the leader's answer was empty".into()),
                Err(e) => lost(format!("the leader's answer cannot be read: {e}")),
            },
            Err(quorum::CallError::NoLeader) => answer::Body::Refused(crate::proto::call::Refused {}),
            Err(quorum::CallError::Failed(why)) => lost(why),
        }
    }
}

#[tonic::async_trait]
impl CallHandler for Desk {
    async fn call(&self, payload: Bytes) -> Result<Bytes, String> {
        let request = Request::decode(payload).map_err(|e| format!("the request cannot be read: {e}"))?;
        let answer = Answer { body: Some(self.answer(request).await) };
        Ok(answer.encode_to_vec().into())
    }
}

fn fenced() -> SqlError {
    SqlError::new(
        SqlState::DATA_CORRUPTED,
        "this replica holds something else than the others and serves nothing",
    )
    .with_hint("Ask another node. This one is to be removed from the database and added anew.")
}

fn io_error(e: &EngineError) -> SqlError {
    SqlError::new(SqlState::IO_ERROR, format!("the database cannot be read: {e}"))
}

/// No leader was found: nothing was done.
pub(crate) fn no_leader() -> SqlError {
    SqlError::new(SqlState::CANNOT_CONNECT_NOW, "no leader: fewer than a quorum of the replicas may be up")
        .with_hint("Nothing was done. Try again; `uc flaredb status` shows which replicas answer.")
}

/// What a client is told of a read that could not be shown to be current.
fn stale_read(e: &ReadError) -> SqlError {
    match e {
        ReadError::NoLeader => no_leader(),
        other => SqlError::new(SqlState::CANNOT_CONNECT_NOW, format!("the snapshot is not current: {other}"))
            .with_hint("Ask another node, or read with SET flaredb.read_level = 'local'."),
    }
}

/// What a client is told of a statement that was not proposed.
fn refusal(e: &ProposeError) -> SqlError {
    match e {
        ProposeError::TooLarge { size, limit } => SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("the statement and what it changes take {size} bytes, the limit is {limit}"),
        )
        .with_hint("Split it into smaller ones."),
        ProposeError::Overloaded => {
            SqlError::new(SqlState::INSUFFICIENT_RESOURCES, "too many writes are under way; try again later")
        }
        _ => no_leader(),
    }
}
