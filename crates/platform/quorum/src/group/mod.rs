//! One replica's part in one group.

mod change;
mod forward;
mod open;
mod propose;
mod read;
mod standing;
mod upkeep;

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use kit::Context;
use tokio::sync::{Mutex, RwLock, Semaphore, watch};
use tokio::time::Instant;

use crate::error::CallError;
use crate::member::Member;
use crate::options::GroupOptions;
use crate::reads::Reads;
use crate::stages::{Stages, Trail};
use crate::status::{Leadership, Status};
use crate::store::ImageStore;
use crate::transport::Links;
use crate::types::Raft;

pub use standing::Standing;

/// What a group is and who this replica is in it.
pub struct GroupConfig {
    /// The group's number, the same on all replicas.
    pub group: u64,
    /// This replica. Without peer addresses it keeps those that the group knows.
    pub member: Member,
    /// The first members, the same on all of them; empty for one that joins a running group.
    pub bootstrap: Vec<Member>,
    /// Timing and bounds.
    pub options: GroupOptions,
}

/// A handle to a replica. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

/// A handle that keeps nothing alive: for whoever a group keeps alive, such as its [`CallHandler`].
#[derive(Clone)]
pub struct WeakGroup {
    inner: Weak<Inner>,
}

impl WeakGroup {
    /// The handle, as long as somebody else has one.
    pub fn upgrade(&self) -> Option<Group> {
        self.inner.upgrade().map(|inner| Group { inner })
    }
}

struct Inner {
    context: Context,
    member: Member,
    options: GroupOptions,
    raft: Raft,
    links: Links,
    applied: watch::Receiver<u64>,
    leadership: watch::Receiver<Leadership>,
    reads: Reads,
    trail: Trail,
    inflight: Semaphore,
    /// Held while a change of the members runs here.
    changes: Mutex<()>,
    /// Read by every proposal until it is answered, written while the leadership changes hands.
    gate: RwLock<()>,
    /// The members as of the last applied entry.
    belonging: watch::Receiver<Arc<[Member]>>,
    /// Whether this replica knows that it was removed. It stays so.
    removed: watch::Sender<bool>,
    calls: OnceLock<Arc<dyn CallHandler>>,
}

/// A proposal that was replicated and applied.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// What the state machine says of it.
    pub reply: Bytes,
    /// Where its time went, if it was slow and that is still known.
    pub stages: Option<Stages>,
}

/// Answers the messages that other replicas of a service send to their leader.
#[tonic::async_trait]
pub trait CallHandler: Send + Sync {
    /// Answers one message. Runs only where the leader is; leadership may be lost meanwhile.
    async fn call(&self, payload: Bytes) -> Result<Bytes, String>;
}

/// Why a request was not served here.
pub(crate) enum Refused<E> {
    /// This replica does not lead and has done nothing. Who does, if known.
    NotLeader(Option<u64>),
    /// It was tried.
    Failed(E),
}

impl Group {
    /// Its tasks end; nothing is answered any more.
    pub(crate) async fn close(&self) {
        self.inner.context.tasks().end_part();
        if let Err(e) = self.inner.raft.shutdown().await {
            tracing::warn!(error = %e, "the replica's engine did not end in order");
        }
    }

    /// A handle that keeps nothing alive.
    pub fn downgrade(&self) -> WeakGroup {
        WeakGroup { inner: Arc::downgrade(&self.inner) }
    }

    /// The group's number.
    pub fn number(&self) -> u64 {
        self.inner.links.group
    }

    /// This replica's id.
    pub fn id(&self) -> u64 {
        self.inner.member.id
    }

    /// What this replica knows now.
    pub fn status(&self) -> Status {
        use openraft::async_runtime::watch::WatchReceiver;
        let metrics = self.inner.raft.metrics();
        let applied = *self.inner.applied.borrow();
        Status::from_metrics(&metrics.borrow_watched(), applied)
    }

    /// Who leads, as it changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// The index of the last applied entry, as it changes.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.applied.clone()
    }

    /// Sets who answers other replicas' messages. The first one stays.
    pub fn on_call(&self, handler: Arc<dyn CallHandler>) {
        let _ = self.inner.calls.set(handler);
    }

    /// Asks the leader's replica, which may be this one.
    pub async fn call_leader(&self, payload: Bytes) -> Result<Bytes, CallError> {
        self.call_leader_until(payload, self.deadline()).await
    }

    /// As [`Self::call_leader`], for so long.
    pub async fn call_leader_until(&self, payload: Bytes, deadline: Instant) -> Result<Bytes, CallError> {
        loop {
            let answer = match self.leader() {
                Some(leader) if leader == self.id() => self.call_here(payload.clone()).await,
                Some(leader) => self.forward_call(leader, payload.clone(), deadline).await,
                None => Err(Refused::NotLeader(None)),
            };
            match answer {
                Ok(reply) => return Ok(reply),
                Err(Refused::Failed(why)) => return Err(CallError::Failed(why)),
                Err(Refused::NotLeader(_)) if self.is_removed() => return Err(CallError::NoLeader),
                Err(Refused::NotLeader(_)) if self.await_leader(deadline).await => {}
                Err(Refused::NotLeader(_)) => return Err(CallError::NoLeader),
            }
        }
    }

    pub(crate) async fn call_here(&self, payload: Bytes) -> Result<Bytes, Refused<String>> {
        if !self.leads() {
            return Err(Refused::NotLeader(self.other_leader()));
        }
        let handler = self.inner.calls.get().ok_or(Refused::NotLeader(None))?;
        handler.call(payload).await.map_err(Refused::Failed)
    }

    pub(crate) fn engine(&self) -> &Raft {
        &self.inner.raft
    }

    pub(crate) fn images(&self) -> Arc<ImageStore> {
        self.inner.links.images.clone()
    }

    /// Whether a simulation has put this known bug in.
    pub(crate) fn has_bug(&self, name: &str) -> bool {
        self.inner.context.sabotage().is(name)
    }

    /// The part of the process that ends when the group is closed.
    pub fn part(&self) -> Context {
        self.inner.context.clone()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.inner.context
    }

    fn leader(&self) -> Option<u64> {
        self.inner.leadership.borrow().leader
    }

    fn leads(&self) -> bool {
        self.inner.leadership.borrow().is_leader
    }

    /// The leader, unless it is this replica.
    fn other_leader(&self) -> Option<u64> {
        self.leader().filter(|id| *id != self.id())
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({:x})", self.id())
    }
}
