//! The one writer: takes what is queued, writes it as one frame, syncs once, tells everybody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::disk::File;
use kit::worker::Worker;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use super::depot::Depot;
use super::error::WalError;
use super::format::{BLOCK, FRAME_HEAD, Position};
use super::job::{Batch, Job, finish};
use super::options::Limits;
use super::read::fetch;
use super::record::{Frame, Record, frame_len};
use super::recover::Tail;
use super::segment::Segment;
use super::state::State;

/// Old entries carried along with a small batch, in bytes; a large one takes half its own size.
const CARRY_BYTES: usize = 64 << 10;

/// What callers and writer share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Bytes of payload that may still be queued.
    pub(super) room: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(state: State, room: u32) -> Self {
        Self { state: Mutex::new(state), room: Arc::new(Semaphore::new(room as usize)) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the log for good: every job that waits and every later call fails. The first reason is
    /// kept.
    pub(super) fn fail(&self, why: &str, mut jobs: Vec<Job>) {
        let (why, queued) = self.lock().fail(why);
        self.room.close();
        jobs.extend(queued);
        finish(jobs, Err(&why));
    }
}

/// The end of the log, and what belongs to writing there.
pub(super) struct Writer {
    shared: Arc<Shared>,
    depot: Arc<Depot>,
    tidy: Worker<()>,
    limits: Limits,
    segment: Arc<Segment>,
    offset: u64,
    leave: bool,
    carry: Carry,
    buffer: Vec<u8>,
    /// In this order: whoever hears that the log has ended may open it again.
    _held: (Box<dyn File>, DropGuard),
}

/// Entries that are copied out of an old segment, a few with each batch.
#[derive(Default)]
struct Carry {
    from: u64,
    left: VecDeque<(u64, u64)>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        depot: Arc<Depot>,
        tidy: Worker<()>,
        limits: Limits,
        (segment, tail): (Arc<Segment>, Tail),
        held: (Box<dyn File>, DropGuard),
    ) -> Self {
        Self {
            shared,
            depot,
            tidy,
            limits,
            segment,
            offset: tail.position.offset,
            leave: tail.leave,
            carry: Carry::default(),
            buffer: Vec::new(),
            _held: held,
        }
    }

    /// Writes everything that waits. False when the log has ended.
    pub(super) fn run(&mut self) -> bool {
        self.drain().unwrap_or_else(|e| {
            self.shared.fail(&e.to_string(), vec![]);
            false
        })
    }

    fn drain(&mut self) -> Result<bool, WalError> {
        let mut wrote = false;
        while let Some(batch) = self.take() {
            self.write(batch)?;
            wrote = true;
        }
        let (failed, closing) = {
            let state = self.shared.lock();
            (state.failure().is_some(), state.is_closing())
        };
        if failed {
            // The depot's doing: there is nothing to write any more.
            return Ok(false);
        }
        if wrote {
            self.write_watermark()?;
        }
        if closing {
            self.segment.sync()?;
        }
        Ok(!closing)
    }

    fn take(&self) -> Option<Batch> {
        self.shared.lock().take()
    }

    fn write(&mut self, batch: Batch) -> Result<(), WalError> {
        match self.write_durably(&batch) {
            Ok(()) => finish(batch.jobs, Ok(())),
            Err(e) => {
                self.shared.fail(&e.to_string(), batch.jobs);
                return Err(e);
            }
        }
        Ok(())
    }

    fn write_durably(&mut self, batch: &Batch) -> Result<(), WalError> {
        if batch.bytes == 0 {
            // Only barriers: what they wait for was synced with the batch before.
            return Ok(());
        }
        if !self.fits(batch.bytes) {
            self.rotate()?;
            self.check_fit(batch.bytes)?;
        }
        let mut frame = Frame::begin(std::mem::take(&mut self.buffer), self.segment.seed);
        if self.is_fresh() {
            self.shared.lock().books.checkpoint().for_each(|record| frame.push(&record));
        }
        // First, because they stand as they were before this batch.
        self.carry_along(&mut frame, batch.bytes)?;
        batch.records(|record| frame.push(record));
        self.commit(frame, batch.ticket())
    }

    fn commit(&mut self, frame: Frame, ticket: u64) -> Result<(), WalError> {
        let (bytes, head) = frame.finish(self.segment.header.generation, self.position(), false);
        self.segment.write(&bytes, self.offset)?;
        let started = Instant::now();
        if !self.depot.has_bug("skip the sync of the log") {
            self.segment.sync()?;
        }
        let took = started.elapsed();
        self.offset = head.end();
        let retired = {
            let mut state = self.shared.lock();
            state
                .commit(&self.segment, &head, &bytes, ticket)
                .map_err(|e| WalError::Failed(format!("a batch contradicts the log: {e}").into()))?;
            state.counters.batches += 1;
            state.counters.syncs += 1;
            state.counters.written += bytes.len() as u64;
            state.counters.times.add(took);
            state.retire(self.segment.header.sequence)
        };
        if bytes.len() <= 2 * self.limits.batch {
            self.buffer = bytes;
        }
        if !retired.is_empty() {
            self.depot.retire(retired);
            self.wake_depot();
        }
        Ok(())
    }

    /// Says that the last batch is durable, so that damage to it is told from a torn tail. Not
    /// synced, and written over by the next batch.
    pub(super) fn write_watermark(&mut self) -> Result<(), WalError> {
        if self.is_fresh() || self.leave {
            return Ok(());
        }
        self.write_empty(false)
    }

    fn write_empty(&mut self, seal: bool) -> Result<(), WalError> {
        let frame = Frame::begin(std::mem::take(&mut self.buffer), self.segment.seed);
        let (bytes, _) = frame.finish(self.segment.header.generation, self.position(), seal);
        self.segment.write(&bytes, self.offset)?;
        self.buffer = bytes;
        Ok(())
    }

    /// Goes on in the next segment. This one's seal is durable first, so that a segment with frames
    /// proves everything before it.
    fn rotate(&mut self) -> Result<(), WalError> {
        let next = Arc::new(self.depot.next()?);
        self.write_empty(true)?;
        self.segment.sync()?;
        let mut state = self.shared.lock();
        state.segments.insert(next.header.sequence, next.clone());
        state.counters.syncs += 1;
        state.counters.rotations += 1;
        drop(state);
        self.segment = next;
        self.offset = BLOCK as u64;
        self.leave = false;
        self.wake_depot();
        Ok(())
    }

    fn carry_along(&mut self, frame: &mut Frame, batch: usize) -> Result<(), WalError> {
        let room = self.room().saturating_sub(frame.len() + batch);
        let budget = room.min(CARRY_BYTES.max(batch / 2));
        let mut groups = vec![];
        let mut pieces = vec![];
        {
            let state = self.shared.lock();
            if self.carry.left.is_empty()
                && let Some(oldest) = state.worth_carrying()
            {
                self.carry = Carry { from: oldest, left: state.books.entries_in(oldest).into() };
            }
            let mut bytes = 0;
            while let Some(&(group, index)) = self.carry.left.front() {
                if let Some((piece, size)) = state.still_in(self.carry.from, group, index) {
                    bytes += size;
                    if bytes > room || (bytes > budget && !pieces.is_empty()) {
                        break;
                    }
                    groups.push(group);
                    pieces.push(piece);
                }
                self.carry.left.pop_front();
            }
        }
        self.shared.lock().counters.carried += groups.len() as u64;
        for (group, entry) in groups.into_iter().zip(fetch(pieces)?) {
            frame.push(&Record::Carried { group, mark: entry.mark, payload: &entry.payload });
        }
        Ok(())
    }

    fn fits(&self, batch: usize) -> bool {
        !self.leave && frame_len(self.checkpoint_len() + batch) <= frame_len(0) + self.room()
    }

    fn check_fit(&self, batch: usize) -> Result<(), WalError> {
        let checkpoint = self.checkpoint_len();
        if checkpoint <= self.limits.checkpoint && self.fits(batch) {
            return Ok(());
        }
        let limit = self.limits.checkpoint;
        let why = format!(
            "the state of all groups takes {checkpoint} bytes of each segment, the limit is {limit}; raise segment_bytes"
        );
        Err(WalError::Options(why))
    }

    fn checkpoint_len(&self) -> usize {
        if !self.is_fresh() {
            return 0;
        }
        self.shared.lock().books.checkpoint().map(|record| record.encoded_len()).sum()
    }

    /// Bytes of records that a frame may hold here, with the seal's place kept.
    fn room(&self) -> usize {
        let left = self.segment.header.bytes.saturating_sub(self.offset);
        usize::try_from(left).unwrap_or(usize::MAX).saturating_sub(2 * FRAME_HEAD)
    }

    fn is_fresh(&self) -> bool {
        self.offset == BLOCK as u64
    }

    fn position(&self) -> Position {
        Position { sequence: self.segment.header.sequence, offset: self.offset }
    }

    /// A wake that is lost costs time, not safety: the next rotation makes its segment itself.
    fn wake_depot(&self) {
        self.tidy.try_send(());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let closed = self.shared.lock().is_closing();
        if !closed {
            self.shared.fail("its writer has ended; the process is stopping", vec![]);
        }
    }
}
