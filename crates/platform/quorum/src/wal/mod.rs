//! The write-ahead log: one log on disk for all the Raft groups of a process.
//!
//! Entries, votes, cuts and purges of all groups go through one queue into one writer, which writes
//! what has gathered as one frame and makes it durable by one fdatasync. Files are segments of a
//! fixed size whose blocks exist before they are needed and are used again afterwards.
//!
//! # What it promises
//! - What was acknowledged is there after any crash, in order. What was not may be, never in part
//!   of a batch and never out of order.
//! - A frame is bound to its place and to one life of its segment, so used blocks never pass for
//!   new ones. Every frame names the place below which everything was durable when it was written:
//!   a tail above the last such place may be torn and is cut, damage below it refuses to open and
//!   names file and offset.
//! - A failed write or sync is final. The log fails every call from then on; its owner ends the
//!   process, because nothing may be assumed of the files.
//! - A group that sleeps does not keep old segments: its few entries are carried into the newest
//!   one. A group that keeps many is named by [`Wal::pinning`], for its owner to purge.
//!
//! # Shape
//! Pure: [`format`], [`record`] (bytes), [`scan`] (what a segment holds), [`index`], [`books`] (what
//! the durable log says), [`view`], [`state`] (what is queued, and the cache). Shells: [`segment`],
//! [`depot`] (files made, used again, removed), [`recover`], [`writer`], [`read`]. A durable frame
//! is taken into the books by the very function that recovery uses.
//!
//! # What it refuses to do
//! It knows nothing of Raft but order: it does not compare terms, and does not overwrite an entry
//! that was not cut. It shares its directory with no other process. It never tries a failed sync
//! again.

mod books;
mod depot;
mod error;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod index;
mod job;
mod open;
mod options;
mod read;
mod record;
mod recover;
mod scan;
mod segment;
mod state;
mod stats;
mod view;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use kit::Context;
use kit::worker::Worker;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;

pub use error::WalError;
use job::Done;
pub use options::WalOptions;
use state::{Piece, State};
pub use stats::{SYNC_BOUNDS_MICROS, SyncTimes, WalStats};
use writer::Shared;

/// Names an entry: the term and the leader that made it, and its place. The first index is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Term of the leader.
    pub term: u64,
    /// The leader.
    pub node: u64,
    /// Place in the group's log.
    pub index: u64,
}

/// An entry of a group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub mark: Mark,
    /// Its content, opaque here. The cache counts its length: do not pass a slice of a much larger
    /// buffer.
    pub payload: Bytes,
}

/// Everything about a group's log but its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Entries up to this one are gone.
    pub purged: Option<Mark>,
    /// The last entry; the purged one if there is none after it.
    pub last: Option<Mark>,
    /// The last vote.
    pub vote: Option<Bytes>,
    /// A hint: an entry that was known to be committed, perhaps not the last one.
    pub committed: Option<Mark>,
}

/// A group whose entries keep the oldest segment, and with it all newer ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning {
    /// The group that should be purged.
    pub group: u64,
    /// The oldest segment.
    pub segment: u64,
    /// Entries that the group has there.
    pub entries: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Segments after it.
    pub segments_behind: u64,
    /// The last entry that would have to go for few enough segments to be left.
    pub excess: u64,
}

/// An open log. Cheap to clone; ends when the last handle is dropped, better by [`Wal::close`].
#[derive(Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    shared: Arc<Shared>,
    writer: Worker<()>,
    queue_bytes: u32,
    ended: [CancellationToken; 2],
}

/// The log of one group. Cheap to clone.
///
/// Calls of one caller that waits for each are in order; what concurrent callers of one group get
/// is some order.
#[derive(Clone)]
pub struct GroupLog {
    wal: Wal,
    group: u64,
}

impl Wal {
    /// Opens the log in `dir`, making the directory if need be, and reads back what survived. Another
    /// process that has it open is a refusal.
    pub async fn open(context: &Context, dir: PathBuf, options: WalOptions) -> Result<Self, WalError> {
        open::open(context, dir, options).await
    }

    /// The log of one group; an empty one if the group was never heard of.
    pub fn log(&self, group: u64) -> GroupLog {
        GroupLog { wal: self.clone(), group }
    }

    /// The groups that have a log, in order.
    pub fn groups(&self) -> Vec<u64> {
        self.state(|state| state.group_ids())
    }

    /// Why the log failed, if it did.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.state(|state| state.failure())
    }

    /// Groups whose unpurged entries keep old segments from being used again; empty while there are
    /// few segments.
    pub fn pinning(&self) -> Vec<Pinning> {
        self.state(|state| state.pinning())
    }

    /// Figures since the log was opened.
    pub fn stats(&self) -> WalStats {
        self.state(|state| {
            let counters = state.counters;
            WalStats {
                segments: state.segments.len() as u64,
                bytes: state.segments.values().map(|s| s.header.bytes).sum(),
                cached_bytes: state.cached() as u64,
                batches: counters.batches,
                fsyncs: counters.syncs,
                entries: counters.entries,
                carried: counters.carried,
                written_bytes: counters.written,
                rotations: counters.rotations,
                sync_times: counters.times,
            }
        })
    }

    /// Writes what is queued, refuses what comes later, and waits until no thread of the log is
    /// left, so that the directory may be opened again.
    pub async fn close(&self) -> Result<(), WalError> {
        let outcome = self.queue(State::close).await;
        self.inner.shared.room.close();
        // After a failure nothing was queued, and the writer has to be told to end.
        let _ = self.wake().await;
        for ended in &self.inner.ended {
            ended.cancelled().await;
        }
        outcome
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.inner.shared.lock())
    }

    /// Queues a job and waits until it is durable.
    async fn queue(
        &self,
        job: impl FnOnce(&mut State, Done) -> Result<(), WalError>,
    ) -> Result<(), WalError> {
        let (done, outcome) = oneshot::channel();
        let done: Done = Box::new(move |result| {
            // The caller may have stopped waiting.
            let _ = done.send(result);
        });
        self.state(|state| job(state, done))?;
        self.wake().await?;
        match outcome.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(self.ended().unwrap_or_else(|| WalError::Failed(why.to_string().into()))),
            Err(_) => Err(self.ended().unwrap_or(WalError::Closed)),
        }
    }

    /// Makes the writer look at the queue. A caller that goes away here leaves no job behind: it
    /// waits only while other wakes are still to come.
    async fn wake(&self) -> Result<(), WalError> {
        let sent = self.inner.writer.send(()).await;
        sent.map_err(|_| self.ended().unwrap_or(WalError::Closed))
    }

    fn ended(&self) -> Option<WalError> {
        self.state(|state| state.check()).err()
    }

    /// Waits for room in the queue.
    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, WalError> {
        let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.inner.queue_bytes);
        let room = self.inner.shared.room.clone().acquire_many_owned(share).await;
        room.map_err(|_| self.ended().unwrap_or(WalError::Closed))
    }
}

impl GroupLog {
    /// The group's number.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// The state with everything that is queued.
    pub fn state(&self) -> LogState {
        self.wal.state(|state| state.log_state(self.group))
    }

    /// Queues entries, waiting for room. They can be read when this returns; `done` is called when
    /// they are durable or the log has failed, from the writer: it must not block. On an error
    /// nothing was queued and `done` is dropped, unless the log has failed.
    pub async fn append(
        &self,
        entries: Vec<Entry>,
        done: impl FnOnce(io::Result<()>) + Send + 'static,
    ) -> Result<(), WalError> {
        let bytes = entries.iter().map(|entry| entry.payload.len()).sum();
        let room = self.wal.room(bytes).await?;
        self.wal.state(|state| state.append(self.group, entries, Box::new(done), room))?;
        self.wal.wake().await
    }

    /// Stores the vote; durable when this returns.
    pub async fn save_vote(&self, vote: Bytes) -> Result<(), WalError> {
        self.wal.queue(|state, done| state.save_vote(self.group, vote, done)).await
    }

    /// Notes what is known to be committed. Goes with the next batch and may be lost in a crash.
    pub async fn save_committed(&self, mark: Option<Mark>) -> Result<(), WalError> {
        self.wal.state(|state| state.save_committed(self.group, mark))
    }

    /// Cuts off the entries after index `keep`, all of them for none; durable when this returns.
    pub async fn truncate_after(&self, keep: Option<u64>) -> Result<(), WalError> {
        self.wal.queue(|state, done| state.truncate(self.group, keep, done)).await
    }

    /// Drops the entries up to `upto`, with it. If it lies beyond the last one, the log is empty and
    /// goes on after it. Queued when this returns: a crash may bring the entries back.
    pub async fn purge(&self, upto: Mark) -> Result<(), WalError> {
        self.wal.state(|state| state.purge(self.group, upto))?;
        self.wal.wake().await
    }

    /// Forgets the group; durable when this returns. It may be begun anew.
    pub async fn remove(&self) -> Result<(), WalError> {
        self.wal.queue(|state, done| state.remove(self.group, done)).await
    }

    /// The entries of `from..to` that exist, in order and without gaps: at least one if there is
    /// one, then up to `max_bytes`. Begins after `from` if entries there were purged.
    pub async fn read(&self, from: u64, to: u64, max_bytes: u64) -> io::Result<Vec<Entry>> {
        let plan = self.wal.state(|state| state.plan(self.group, from, to, max_bytes));
        let plan = plan.map_err(io::Error::other)?;
        if plan.iter().all(|piece| matches!(piece, Piece::Ready(_))) {
            return read::fetch(plan).map_err(io::Error::other);
        }
        let fetched = self.wal.inner.context.blocking(move || read::fetch(plan)).await;
        fetched.unwrap_or_else(|| Err(WalError::Failed("a read panicked".into()))).map_err(io::Error::other)
    }
}
