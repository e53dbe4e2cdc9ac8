//! The engine's view of a [`StateMachine`]: a thread that owns it, and a queue of jobs.

use std::io;
use std::sync::{Arc, Mutex as StateLock, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use kit::Context;
use kit::worker::Worker;
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::{Mutex, oneshot, watch};

use super::image::{Image, ImageStore};
use crate::machine::{Command, Flush, StateMachine};
use crate::member::Member;
use crate::stages::{Step, Trail};
use crate::types::{LogId, RaftEntry, Snapshot, SnapshotMeta, StoredMembership, Types};
use crate::wire::Position;

/// Entries committed at once: enough to share a commit, few enough to stay small in memory.
const BATCH_ENTRIES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;
/// What may be applied on the spot: well below the time of a disk's sync.
const QUICK_COMMANDS: usize = 8;
const QUICK_BYTES: usize = 64 << 10;

type Done<T> = oneshot::Sender<io::Result<T>>;

enum Job {
    Apply { commands: Vec<Command>, position: Bytes, done: Done<Vec<Bytes>> },
    Flush { done: Done<Flush> },
    Export { done: Done<Box<dyn io::Read + Send>> },
    Import { image: Box<dyn io::Read + Send>, position: Bytes, done: Done<()> },
}

/// Applies a small batch on the spot; none if it is not quick, or the state is in use.
type Quick = Box<dyn Fn(&[Command], &Bytes) -> Option<io::Result<Vec<Bytes>>> + Send + Sync>;

/// The state machine of one group, as the engine drives it.
pub(crate) struct Machine {
    jobs: Worker<Job>,
    quick: Quick,
    flushes: Flushes,
    position: Position,
    images: Arc<ImageStore>,
    news: Progress,
    trail: Trail,
}

/// Tells how far the state has come.
pub(crate) struct Progress {
    applied: watch::Sender<u64>,
    members: watch::Sender<Arc<[Member]>>,
}

/// Where that is heard. Whoever sees an index finds the members as they are there, or later ones.
pub(crate) struct Reached {
    pub(crate) applied: watch::Receiver<u64>,
    pub(crate) members: watch::Receiver<Arc<[Member]>>,
}

/// The two ends.
pub(crate) fn progress() -> (Progress, Reached) {
    let (applied, applied_heard) = watch::channel(0);
    let (members, members_heard) = watch::channel(Arc::from([]));
    (Progress { applied, members }, Reached { applied: applied_heard, members: members_heard })
}

impl Progress {
    fn tell(&self, position: &Position) {
        let now = || position.membership.membership().nodes().map(|(_, member)| member);
        let differs = |known: &[Member]| !known.iter().eq(now());
        self.members.send_if_modified(|known| {
            let changed = differs(known);
            if changed {
                *known = now().cloned().collect();
            }
            changed
        });
        self.applied.send_replace(position.applied.map_or(0, |id| id.index()));
    }
}

impl Machine {
    /// Hands the state to its thread. `news` will tell how far it has come.
    pub(crate) fn start(
        context: &Context,
        state: impl StateMachine,
        images: Arc<ImageStore>,
        news: Progress,
        trail: Trail,
    ) -> io::Result<Self> {
        let position = match state.position()? {
            Some(bytes) => Position::decode(bytes).map_err(io::Error::other)?,
            None => Position::default(),
        };
        news.tell(&position);
        let state = Arc::new(StateLock::new(state));
        let owned = state.clone();
        let jobs = Worker::start(context, "apply", 64, move |batch: &mut Vec<Job>| {
            batch.drain(..).all(|job| perform(&mut *locked(&owned), job))
        })?;
        let quick = on_the_spot(state);
        let flushes = Flushes { jobs: jobs.clone(), context: context.clone(), one: Arc::default() };
        Ok(Self { jobs, quick, flushes, position, images, news, trail })
    }

    async fn apply_batch(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Batch { commands, responders, position, .. } = std::mem::take(batch);
        let Some(position) = position else { return Ok(()) };
        let upto = position.applied.map(|id| id.index());
        self.trail.note(Step::Committed, upto);
        let encoded = position.encode();
        let replies = match self.quickly(&commands, &encoded) {
            Some(replies) => replies?,
            None => ask(&self.jobs, |done| Job::Apply { commands, position: encoded, done }).await?,
        };
        self.trail.note(Step::Applied, upto);
        self.position = position;
        self.news.tell(&self.position);
        answer(responders, replies)
    }

    /// Nothing may be queued that was to come before: the engine waits for each of its jobs but flushes, and
    /// what a flush makes durable beyond its due does no harm.
    fn quickly(&self, commands: &[Command], position: &Bytes) -> Option<io::Result<Vec<Bytes>>> {
        let small = commands.len() <= QUICK_COMMANDS
            && commands.iter().map(|command| command.payload.len()).sum::<usize>() <= QUICK_BYTES;
        if small { (self.quick)(commands, position) } else { None }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.position.applied, last_membership: self.position.membership.clone() }
    }
}

/// Runs on the machine's thread. False ends it: after an error nothing may be assumed of the state.
fn perform<S: StateMachine>(state: &mut S, job: Job) -> bool {
    match job {
        Job::Apply { commands, position, done } => report(done, state.apply(&commands, &position)),
        Job::Flush { done } => report(done, state.flush()),
        Job::Export { done } => report(done, state.export()),
        Job::Import { mut image, position, done } => report(done, state.import(&mut image, &position)),
    }
}

fn locked<S>(state: &StateLock<S>) -> MutexGuard<'_, S> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_the_spot<S: StateMachine>(state: Arc<StateLock<S>>) -> Quick {
    Box::new(move |commands, position| {
        let mut state = state.try_lock().ok()?;
        state.is_quick(commands).then(|| state.apply(commands, position))
    })
}

fn report<T>(done: Done<T>, result: io::Result<T>) -> bool {
    let good = result.is_ok();
    // The asker may have gone with the process; the work is done all the same.
    let _ = done.send(result);
    good
}

async fn ask<T>(jobs: &Worker<Job>, job: impl FnOnce(Done<T>) -> Job) -> io::Result<T> {
    let gone = || io::Error::other("the state machine has stopped");
    let (done, result) = oneshot::channel();
    jobs.send(job(done)).await.map_err(|_| gone())?;
    result.await.map_err(|_| gone())?
}

/// Entries gathered for one commit.
#[derive(Default)]
struct Batch {
    commands: Vec<Command>,
    /// For each entry that somebody waits for: the place of its reply among the commands, if it was one.
    responders: Vec<(Option<usize>, ApplyResponder<Types>)>,
    position: Option<Position>,
    entries: usize,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, (entry, responder): EntryResponder<Types>, membership: &StoredMembership) {
        let id = entry.log_id;
        let position =
            self.position.get_or_insert_with(|| Position { applied: None, membership: membership.clone() });
        position.applied = Some(id);
        let place = self.take_payload(entry);
        if let Some(responder) = responder {
            self.responders.push((place, responder));
        }
        self.entries += 1;
    }

    fn take_payload(&mut self, entry: RaftEntry) -> Option<usize> {
        let id: LogId = entry.log_id;
        match entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Normal(payload) => {
                self.bytes += payload.0.len();
                let term = id.committed_leader_id().term;
                self.commands.push(Command { index: id.index(), term, payload: payload.0 });
                Some(self.commands.len() - 1)
            }
            EntryPayload::Membership(membership) => {
                if let Some(position) = &mut self.position {
                    position.membership = StoredMembership::new(Some(id), membership);
                }
                None
            }
        }
    }

    fn is_full(&self) -> bool {
        self.entries >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }
}

/// Hands each waiting proposer the reply to its command.
fn answer(responders: Vec<(Option<usize>, ApplyResponder<Types>)>, replies: Vec<Bytes>) -> io::Result<()> {
    for (place, responder) in responders {
        let reply = match place {
            None => Bytes::new(),
            Some(i) => replies
                .get(i)
                .cloned()
                .ok_or_else(|| io::Error::other("the state machine gave fewer replies than commands"))?,
        };
        responder.send(reply);
    }
    Ok(())
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Image;
    type SnapshotBuilder = Flusher;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.position.applied, self.position.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let mut batch = Batch::default();
        while let Some(item) = entries.next().await {
            batch.push(item?, &self.position.membership);
            if batch.is_full() {
                self.apply_batch(&mut batch).await?;
            }
        }
        self.apply_batch(&mut batch).await
    }

    async fn get_snapshot_builder(&mut self) -> Flusher {
        Flusher { flushes: self.flushes.clone(), meta: self.meta() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, image: Image) -> io::Result<()> {
        let position = Position { applied: meta.last_log_id, membership: meta.last_membership.clone() };
        let encoded = position.encode();
        let image = image.into_reader()?;
        ask(&self.jobs, |done| Job::Import { image, position: encoded, done }).await?;
        self.position = position;
        self.news.tell(&self.position);
        Ok(())
    }

    /// The state as it is now, or an image that is already being sent if the log still reaches back
    /// to it: then an interrupted transfer goes on where it stopped.
    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        if self.position.applied.is_none() {
            return Ok(None);
        }
        if let Some((position, spool)) = self.images.reusable() {
            let meta = SnapshotMeta { last_log_id: position.applied, last_membership: position.membership };
            return Ok(Some(Snapshot { meta, snapshot: Image::spooled(spool) }));
        }
        // Durable first: the engine may purge the log up to what it was told of here.
        self.flushes.run().await?;
        let reader = ask(&self.jobs, |done| Job::Export { done }).await?;
        Ok(Some(Snapshot { meta: self.meta(), snapshot: Image::export(reader) }))
    }
}

/// The engine builds a snapshot to be allowed to purge its log. Here the state is on disk already,
/// so it is enough to make it durable; an image is only made when a replica needs one.
pub(crate) struct Flusher {
    flushes: Flushes,
    meta: SnapshotMeta,
}

/// Makes the state durable, one flush at a time, so that an older one never overtakes a newer one.
#[derive(Clone)]
struct Flushes {
    jobs: Worker<Job>,
    context: Context,
    one: Arc<Mutex<()>>,
}

impl Flushes {
    async fn run(&self) -> io::Result<()> {
        let _one = self.one.lock().await;
        let flush = ask(&self.jobs, |done| Job::Flush { done }).await?;
        let flushed = self.context.blocking(flush).await;
        flushed.unwrap_or_else(|| Err(io::Error::other("making the state durable panicked")))
    }
}

impl RaftSnapshotBuilder<Types> for Flusher {
    type SnapshotData = Image;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        if !self.flushes.context.sabotage().is("forget the log before the state is durable") {
            self.flushes.run().await?;
        }
        Ok(Snapshot { meta: self.meta.clone(), snapshot: Image::none() })
    }
}
