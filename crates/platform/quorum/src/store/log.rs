//! The engine's log and vote, kept in a group's part of the shared write-ahead log.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;
use futures::Stream;
use kit::sabotage::Sabotage;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{OptionalSend, RaftTypeConfig};
use prost::Message;

use crate::stages::{Step, Trail};
use crate::types::{LogId, RaftEntry, Types, Vote};
use crate::wal::{GroupLog, WalError};
use crate::wire::{self, proto};

/// Bytes of entries read at once, so that a long catch-up does not become one huge message.
const READ_BYTES: u64 = 1 << 20;

/// The log of one group. Cheap to clone: every replication task reads through its own.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: GroupLog,
    sabotage: Sabotage,
    trail: Trail,
}

impl LogStore {
    pub(crate) fn new(log: GroupLog, sabotage: Sabotage, trail: Trail) -> Self {
        Self { log, sabotage, trail }
    }

    /// One read, bounded in bytes; at least one entry of a range that is not empty.
    async fn read(&self, from: u64, to: u64) -> io::Result<Vec<RaftEntry>> {
        let stored = self.log.read(from, to, READ_BYTES).await?;
        let entry = |e| wire::from_wal_entry(e).map_err(io::Error::other);
        let mut entries: Vec<RaftEntry> = stored.into_iter().map(entry).collect::<io::Result<_>>()?;
        if self.sabotage.is(wire::FORGET_JOINT_QUORUM) {
            entries.iter_mut().for_each(wire::forget_joint_quorum);
        }
        Ok(entries)
    }

    fn stored_vote(&self) -> io::Result<Option<Vote>> {
        let decode = |bytes: Bytes| proto::Ballot::decode(bytes).map(wire::vote).map_err(io::Error::other);
        self.log.state().vote.map(decode).transpose()
    }
}

/// The half-open range of indexes that a range names.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(i) => *i,
        Bound::Excluded(i) => i + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(i) => i + 1,
        Bound::Excluded(i) => *i,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<RaftEntry>> {
        let (mut from, to) = bounds(&range);
        let mut all = Vec::new();
        while from < to {
            let part = self.read(from, to).await?;
            let Some(last) = part.last() else { break };
            from = last.log_id.index() + 1;
            all.extend(part);
        }
        Ok(all)
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<RaftEntry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = bounds(&range);
        let store = self.clone();
        async_stream::try_stream! {
            let mut from = from;
            while from < to {
                let part = store.read(from, to).await?;
                if part.is_empty() {
                    break;
                }
                for entry in part {
                    from = entry.log_id.index() + 1;
                    yield entry;
                }
            }
        }
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<RaftEntry>> {
        self.read(start, end).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        if self.sabotage.is("forget the vote at a restart") {
            return Ok(None);
        }
        self.stored_vote()
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let state = self.log.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(wire::from_wal_mark),
            last_log_id: state.last.or(state.purged).map(wire::from_wal_mark),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let bytes = wire::ballot(vote).encode_to_vec().into();
        self.log.save_vote(bytes).await.map_err(io::Error::from)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.log.save_committed(committed.as_ref().map(wire::wal_mark)).await.map_err(io::Error::from)
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.log.state().committed.map(wire::from_wal_mark))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = <Types as RaftTypeConfig>::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().map(wire::wal_entry).collect();
        let (last, trail) = (entries.last().map(|entry| entry.mark.index), self.trail.clone());
        trail.note(Step::Appended, last);
        let done = move |durable: io::Result<()>| {
            if durable.is_ok() {
                trail.note(Step::Durable, last);
            }
            callback.io_completed(durable);
        };
        self.log.append(entries, done).await.map_err(io::Error::from)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        if self.sabotage.is("keep what conflicts with the leader's log") {
            return Ok(());
        }
        self.log.truncate_after(last.map(|id| id.index())).await.map_err(io::Error::from)
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.log.purge(wire::wal_mark(&upto)).await.map_err(io::Error::from)
    }
}

impl From<WalError> for io::Error {
    fn from(e: WalError) -> Self {
        Self::other(e)
    }
}
