//! What the callers and the writer share: views, queue, books and the segments they point into.
//! Pure, behind one lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::books::{Books, Inconsistent, next_index};
use super::error::WalError;
use super::format::{FRAME_HEAD, FrameHeader};
use super::index::Location;
use super::job::{Batch, Change, Done, Job};
use super::options::Limits;
use super::record::{ENTRY_HEAD, Record, walk};
use super::segment::Segment;
use super::stats::Counters;
use super::view::View;
use super::{Entry, LogState, Mark, Pinning};

/// The state of a log.
pub(super) struct State {
    limits: Limits,
    views: BTreeMap<u64, View>,
    pub(super) books: Books,
    /// The segments in use, the one that is written last.
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    queue: VecDeque<Job>,
    hints: BTreeMap<u64, Option<Mark>>,
    /// The last job that was queued, and the last one that is durable.
    queued: u64,
    durable: u64,
    /// For each group with entries in memory, the job of the oldest one.
    fronts: BTreeSet<(u64, u64)>,
    cached: usize,
    failure: Option<Arc<str>>,
    closing: bool,
    pub(super) counters: Counters,
}

/// One entry of a read: at hand, or where to find it.
pub(super) enum Piece {
    Ready(Entry),
    Stored { segment: Arc<Segment>, group: u64, mark: Mark, at: Location },
}

impl State {
    pub(super) fn new(limits: Limits, books: Books, segments: BTreeMap<u64, Arc<Segment>>) -> Self {
        Self {
            limits,
            views: books.groups().map(|(id, book)| (id, View::of(book))).collect(),
            books,
            segments,
            queue: VecDeque::new(),
            hints: BTreeMap::new(),
            queued: 0,
            durable: 0,
            fronts: BTreeSet::new(),
            cached: 0,
            failure: None,
            closing: false,
            counters: Counters::default(),
        }
    }

    /// Refuses what comes after a failure or the close.
    pub(super) fn check(&self) -> Result<(), WalError> {
        match &self.failure {
            Some(why) => Err(WalError::Failed(why.clone())),
            None if self.closing => Err(WalError::Closed),
            None => Ok(()),
        }
    }

    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.failure.clone()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    pub(super) fn log_state(&self, group: u64) -> LogState {
        self.views.get(&group).map(View::state).unwrap_or_default()
    }

    pub(super) fn group_ids(&self) -> Vec<u64> {
        self.views.keys().copied().collect()
    }

    // ---- what callers queue ----

    pub(super) fn append(
        &mut self,
        group: u64,
        entries: Vec<Entry>,
        done: Done,
        room: OwnedSemaphorePermit,
    ) -> Result<(), WalError> {
        self.check()?;
        self.check_order(group, &entries)?;
        self.counters.entries += entries.len() as u64;
        let mut chunks = self.limits.chunks(entries);
        let last = chunks.pop().unwrap_or_default();
        for entries in chunks {
            self.push_entries(group, entries, None, None);
        }
        self.push_entries(group, last, Some(done), Some(room));
        Ok(())
    }

    fn check_order(&self, group: u64, entries: &[Entry]) -> Result<(), WalError> {
        let next = self.views.get(&group).map_or(0, View::next);
        for (expected, entry) in (next..).zip(entries) {
            if entry.mark.index != expected {
                return Err(WalError::Gap { group, expected, got: entry.mark.index });
            }
            self.limits.check_record(group, ENTRY_HEAD + entry.payload.len())?;
        }
        Ok(())
    }

    fn push_entries(
        &mut self,
        group: u64,
        entries: Vec<Entry>,
        done: Option<Done>,
        room: Option<OwnedSemaphorePermit>,
    ) {
        let ticket = self.queued + 1;
        self.alter(group, |view| view.append(&entries, ticket));
        self.push(Change::Append { group, entries }, done, room);
    }

    pub(super) fn save_vote(&mut self, group: u64, vote: Bytes, done: Done) -> Result<(), WalError> {
        self.check()?;
        self.limits.check_vote(group, vote.len())?;
        self.alter(group, |view| view.vote = Some(vote.clone()));
        self.push(Change::Vote { group, vote }, Some(done), None);
        Ok(())
    }

    pub(super) fn save_committed(&mut self, group: u64, mark: Option<Mark>) -> Result<(), WalError> {
        self.check()?;
        self.alter(group, |view| view.committed = mark);
        self.hints.insert(group, mark);
        Ok(())
    }

    /// Ends a group's log with entry `keep`. One that ends there already still waits for an earlier
    /// cut to be durable.
    pub(super) fn truncate(&mut self, group: u64, keep: Option<u64>, done: Done) -> Result<(), WalError> {
        self.check()?;
        let (first, next) = self.views.get(&group).map_or((0, 0), |view| (view.first(), view.next()));
        let end = keep.map_or(0, |k| k.saturating_add(1));
        if end < first {
            return Err(WalError::Purged { group, first });
        }
        if end >= next {
            self.push(Change::Barrier, Some(done), None);
            return Ok(());
        }
        let last = if end == first { self.log_state(group).purged } else { self.mark(group, end - 1) };
        self.alter(group, |view| view.truncate(last));
        self.push(Change::Truncate { group, last }, Some(done), None);
        Ok(())
    }

    pub(super) fn purge(&mut self, group: u64, upto: Mark) -> Result<(), WalError> {
        self.check()?;
        if next_index(Some(&upto)) > self.views.get(&group).map_or(0, View::first) {
            self.alter(group, |view| view.purge(upto));
            self.push(Change::Purge { group, mark: upto }, None, None);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, group: u64, done: Done) -> Result<(), WalError> {
        self.check()?;
        self.alter(group, |view| *view = View::default());
        self.views.remove(&group);
        self.hints.remove(&group);
        self.push(Change::Remove { group }, Some(done), None);
        Ok(())
    }

    pub(super) fn close(&mut self, done: Done) -> Result<(), WalError> {
        self.check()?;
        self.closing = true;
        self.push(Change::Barrier, Some(done), None);
        Ok(())
    }

    fn push(&mut self, change: Change, done: Option<Done>, room: Option<OwnedSemaphorePermit>) {
        self.queued += 1;
        self.queue.push_back(Job { ticket: self.queued, change, done, _room: room });
    }

    /// Changes a view and keeps the cache's accounts.
    fn alter(&mut self, group: u64, change: impl FnOnce(&mut View)) {
        let view = self.views.entry(group).or_default();
        let (front, cost) = (view.oldest_ticket(), view.cost());
        change(view);
        let new = view.oldest_ticket();
        self.cached = self.cached - cost + view.cost();
        if front != new {
            front.map(|ticket| self.fronts.remove(&(ticket, group)));
            new.map(|ticket| self.fronts.insert((ticket, group)));
        }
    }

    /// The mark of an entry of the view.
    fn mark(&self, group: u64, index: u64) -> Option<Mark> {
        let recent = self.views.get(&group)?.recent(index).map(|entry| entry.mark);
        recent.or_else(|| Some(self.books.get(group)?.index.get(index)?.mark(index)))
    }

    /// What a read of `from..to` returns: at least one entry if there is one, then up to
    /// `max_bytes` of records.
    pub(super) fn plan(
        &self,
        group: u64,
        from: u64,
        to: u64,
        max_bytes: u64,
    ) -> Result<Vec<Piece>, WalError> {
        self.check()?;
        let Some(view) = self.views.get(&group) else { return Ok(vec![]) };
        let mut pieces = vec![];
        let mut bytes = 0;
        for index in from.max(view.first())..to.min(view.next()) {
            let (piece, size) = match view.recent(index) {
                Some(entry) => (Piece::Ready(entry.clone()), (ENTRY_HEAD + entry.payload.len()) as u64),
                None => self.stored(group, index)?,
            };
            bytes += size;
            if bytes > max_bytes && !pieces.is_empty() {
                break;
            }
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn stored(&self, group: u64, index: u64) -> Result<(Piece, u64), WalError> {
        let find = || {
            let slot = self.books.get(group)?.index.get(index)?;
            let at = slot.location()?;
            let segment = self.segments.get(&at.sequence)?.clone();
            Some((Piece::Stored { segment, group, mark: slot.mark(index), at }, u64::from(at.len)))
        };
        let lost = || WalError::Failed(format!("entry {index} of group {group} is not in its index").into());
        find().ok_or_else(lost)
    }

    // ---- what the writer does ----

    /// The next batch; none when nothing waits. Hints go with the end of the queue only, because
    /// they may speak of any entry before it.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let mut batch = Batch { jobs: vec![], hints: vec![], bytes: 0 };
        while let Some(job) = self.queue.front() {
            let bytes = batch.bytes + job.change.encoded_len();
            if bytes > self.limits.batch && !batch.jobs.is_empty() {
                return Some(batch);
            }
            batch.bytes = bytes;
            batch.jobs.extend(self.queue.pop_front());
        }
        if batch.jobs.is_empty() {
            return None;
        }
        while let Some((group, mark)) = self.hints.pop_first() {
            let bytes = batch.bytes + Record::Committed { group, mark }.encoded_len();
            if bytes > self.limits.batch {
                self.hints.insert(group, mark);
                break;
            }
            batch.bytes = bytes;
            batch.hints.push((group, mark));
        }
        Some(batch)
    }

    /// Takes in a frame that has become durable, with all jobs up to `ticket`.
    pub(super) fn commit(
        &mut self,
        segment: &Segment,
        head: &FrameHeader,
        frame: &[u8],
        ticket: u64,
    ) -> Result<(), Inconsistent> {
        apply_frame(&mut self.books, segment, head, &frame[FRAME_HEAD..])?;
        self.durable = self.durable.max(ticket);
        self.evict();
        Ok(())
    }

    /// Shrinks the cache to its bound. Only what is durable may go.
    fn evict(&mut self) {
        while self.cached > self.limits.cache {
            match self.fronts.first() {
                Some(&(ticket, group)) if ticket <= self.durable => self.alter(group, View::evict),
                _ => break,
            }
        }
    }

    /// Takes out the segments that hold nothing wanted, oldest first. Only a head of the log may go:
    /// what is left has no gaps, and its first checkpoint is where recovery begins. The segment that is
    /// being written must have its checkpoint already.
    pub(super) fn retire(&mut self, writing: u64) -> Vec<Arc<Segment>> {
        let needed = self.books.oldest().map_or(writing, |oldest| oldest.min(writing));
        let kept = self.segments.split_off(&needed);
        std::mem::replace(&mut self.segments, kept).into_values().collect()
    }

    /// The oldest segment, if there are many and little of it is still wanted.
    pub(super) fn worth_carrying(&self) -> Option<u64> {
        let oldest = self.books.oldest().filter(|_| self.segments.len() > self.limits.keep_segments)?;
        let bytes: u64 = self.books.living_in(oldest).map(|(_, live)| live.bytes).sum();
        (bytes <= self.limits.carry).then_some(oldest)
    }

    /// An entry that must be carried out of a segment, if it still stands there, and its size.
    pub(super) fn still_in(&self, sequence: u64, group: u64, index: u64) -> Option<(Piece, usize)> {
        let at = self.books.get(group)?.index.get(index)?.location()?;
        let (piece, size) = (at.sequence == sequence).then(|| self.stored(group, index).ok()).flatten()?;
        Some((piece, usize::try_from(size).ok()?))
    }

    pub(super) fn pinning(&self) -> Vec<Pinning> {
        let Some(segment) = self.books.oldest().filter(|_| self.segments.len() > self.limits.keep_segments)
        else {
            return vec![];
        };
        let behind = self.segments.len() as u64 - 1;
        let newest = self.segments.keys().rev().nth(self.limits.keep_segments).copied().unwrap_or(segment);
        let group = |(group, live): (u64, super::books::Live)| Pinning {
            group,
            segment,
            entries: live.entries,
            bytes: live.bytes,
            segments_behind: behind,
            excess: self.books.last_within(group, newest),
        };
        self.books.living_in(segment).map(group).collect()
    }

    /// Keeps the first failure and hands out the jobs that will never be done.
    pub(super) fn fail(&mut self, why: &str) -> (Arc<str>, Vec<Job>) {
        let why = self.failure.get_or_insert_with(|| why.into()).clone();
        (why, self.queue.drain(..).collect())
    }
}

/// Takes the records of a frame into the books.
pub(super) fn apply_frame(
    books: &mut Books,
    segment: &Segment,
    head: &FrameHeader,
    body: &[u8],
) -> Result<(), Inconsistent> {
    let base = head.offset + FRAME_HEAD as u64;
    walk(body, head, segment.seed, |at, length, record| {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let location = Location {
            sequence: segment.header.sequence,
            offset: narrow(base + at as u64),
            len: narrow(length as u64),
        };
        books.apply(record, location)
    })
}
