//! Opens a group: log, state, engine, and the tasks around them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use kit::Context;
use kit::task::Tasks;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{Fatal, InitializeError, RaftError};
use tokio::sync::{Mutex, RwLock, Semaphore, watch};

use super::{Group, GroupConfig, Inner};
use crate::error::OpenError;
use crate::machine::StateMachine;
use crate::member::Member;
use crate::reads;
use crate::stages::Trail;
use crate::status::{Leadership, leadership};
use crate::store::{self, ImageStore, LogStore, Machine};
use crate::transport::{Links, Peers};
use crate::types::{Raft, Runtime, Types};
use crate::wal::Wal;

impl Group {
    #[expect(clippy::too_many_arguments, reason = "called once, by the host that owns all of these")]
    pub(crate) async fn open(
        context: &Context,
        wal: &Wal,
        peers: Peers,
        cluster: u64,
        images: PathBuf,
        config: GroupConfig,
        state: impl StateMachine,
    ) -> Result<Self, OpenError> {
        let GroupConfig { group, member, bootstrap, options } = config;
        let engine =
            options.engine(group, context.sabotage()).map_err(|e| OpenError::Options(e.to_string()))?;
        let log = wal.log(group);
        let images = ImageStore::open(context, images, log.clone()).map_err(OpenError::State)?;
        let (news, reached) = store::progress();
        let trail = Trail::default();
        let machine =
            Machine::start(context, state, images.clone(), news, trail.clone()).map_err(OpenError::State)?;
        let links = Links {
            peers,
            cluster,
            group,
            from: member.id,
            images,
            patience: options.election,
            context: context.clone(),
        };
        let store = LogStore::new(log, context.sabotage(), trail.clone());
        let seed = context.entropy().next_u64();
        let start = Raft::new(member.id, Arc::new(engine), links.clone(), store, machine);
        let raft = Runtime::scope(seed, start).await.map_err(|e| OpenError::Engine(e.to_string()))?;
        initialize(&raft, &bootstrap).await?;
        let (reads, rounds) = reads::queue();
        let inner = Inner {
            context: context.clone(),
            inflight: Semaphore::new(options.max_inflight),
            leadership: follow_leadership(context, &raft),
            member,
            options,
            raft,
            links,
            applied: reached.applied,
            belonging: reached.members,
            removed: watch::Sender::new(false),
            reads,
            trail,
            changes: Mutex::new(()),
            gate: RwLock::new(()),
            calls: OnceLock::new(),
        };
        let group = Self { inner: Arc::new(inner) };
        context.tasks().spawn(rounds.serve(group.clone()));
        group.start_upkeep(wal.clone());
        group.watch_standing();
        Ok(group)
    }
}

/// Writes the first membership, on a replica that has none yet. Every first member does so, alike.
async fn initialize(raft: &Raft, bootstrap: &[Member]) -> Result<(), OpenError> {
    if bootstrap.is_empty() {
        return Ok(());
    }
    let members: BTreeMap<u64, Member> = bootstrap.iter().map(|m| (m.id, m.clone())).collect();
    match raft.initialize(members).await {
        // It has a log already: this is a restart.
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(e) => Err(OpenError::Engine(e.to_string())),
    }
}

/// Follows who leads. The engine's end, which nobody asked for, ends the process.
fn follow_leadership(context: &Context, raft: &Raft) -> watch::Receiver<Leadership> {
    let mut metrics = raft.metrics();
    let (sender, receiver) = watch::channel(leadership(&metrics.borrow_watched()));
    let tasks = context.tasks().clone();
    context.tasks().spawn(async move {
        while metrics.changed().await.is_ok() {
            let (now, failure) = {
                let seen = metrics.borrow_watched();
                (leadership(&seen), seen.running_state.clone().err())
            };
            sender.send_if_modified(|known| std::mem::replace(known, now) != now);
            if let Some(e) = failure {
                return end(&tasks, &e);
            }
        }
        tasks.fail("replication ended; the process must start again");
    });
    receiver
}

fn end(tasks: &Tasks, failure: &Fatal<Types>) {
    match failure {
        Fatal::StorageError(e) => tasks.fail_storage(format!("the storage failed: {e}")),
        other => tasks.fail(format!("replication failed: {other}; the process must start again")),
    }
}
