//! Opening a log: what survived, where it goes on, and when to refuse.
//!
//! Everything below the highest durable place that any frame names must be whole; a segment that
//! breaks off below it is damaged, and the log does not open. A segment that breaks off above it
//! was torn by a crash: the rest is cut. If whole frames stand behind the cut, the log goes on in
//! the next segment, so that they can never be met again; otherwise it goes on in place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit::disk::Disk;

use super::books::Books;
use super::depot::{Name, Numbers, parse_name, segment_name};
use super::error::WalError;
use super::format::{BLOCK, FRAME_HEAD, Position, SegmentHeader};
use super::scan::{Scan, describe, scan};
use super::segment::Segment;
use super::state::apply_frame;

/// A log that was read back.
pub(super) struct Recovered {
    pub(super) books: Books,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    /// Where the log goes on; none for a new one.
    pub(super) tail: Option<Tail>,
    pub(super) numbers: Numbers,
}

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) position: Position,
    /// Whether nothing more may be written to this segment but its seal.
    pub(super) leave: bool,
}

/// Reads the log in `dir` and makes all of it durable. Blocks on the disk.
pub(super) fn recover(disk: &dyn Disk, dir: &Path) -> Result<Recovered, WalError> {
    make_dir(disk, dir)?;
    let (sequences, litter) = list(disk, dir)?;
    let mut reading = Reading::default();
    for sequence in sequences {
        reading.check_sequence(sequence);
        reading.take_in(Segment::open(disk, &dir.join(segment_name(sequence)), sequence)?)?;
    }
    reading.check_whole(dir)?;
    reading.make_durable()?;
    reading.drop_empty();
    for path in litter.iter().chain(&reading.stale).chain(reading.unproven.iter().rev()) {
        // One at a time: a crash must not leave a gap in the numbers.
        disk.remove(path).map_err(WalError::io("remove", path))?;
        disk.sync_dir(dir).map_err(WalError::io("sync directory", dir))?;
    }
    Ok(reading.finish())
}

fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<(), WalError> {
    disk.create_dir_all(dir).map_err(WalError::io("create directory", dir))?;
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        disk.sync_dir(parent).map_err(WalError::io("sync directory", parent))?;
    }
    disk.sync_dir(dir).map_err(WalError::io("sync directory", dir))
}

/// The numbers of the segments, in order, and the files that only a running log needs: spares and
/// drafts are made anew, because the name of one may not be durable if the process before this one
/// ended by a failed sync.
fn list(disk: &dyn Disk, dir: &Path) -> Result<(Vec<u64>, Vec<PathBuf>), WalError> {
    let (mut sequences, mut litter) = (vec![], vec![]);
    for name in disk.list(dir).map_err(WalError::io("list", dir))? {
        match parse_name(&name) {
            Some(Name::Segment(sequence)) => sequences.push(sequence),
            Some(Name::Spare | Name::Draft) => litter.push(dir.join(name)),
            None => {}
        }
    }
    sequences.sort_unstable();
    Ok((sequences, litter))
}

/// The log as far as it has been read.
#[derive(Default)]
struct Reading {
    books: Books,
    segments: BTreeMap<u64, Arc<Segment>>,
    /// Where the frames of each segment end.
    ends: BTreeMap<u64, u64>,
    last: Option<Last>,
    /// Segments made ahead: no frame in them, and no seal that leads to them.
    unproven: Vec<PathBuf>,
    /// Segments before a gap in the numbers.
    stale: Vec<PathBuf>,
    /// The number that is missing there.
    gap: Option<u64>,
    /// The header that was read last.
    read: Option<SegmentHeader>,
    highest_generation: u64,
    durable: Option<Position>,
}

/// The last segment that was taken in.
struct Last {
    path: PathBuf,
    sequence: u64,
    scan: Scan,
    /// What to say if its end turns out to be damage.
    fault: String,
}

impl Reading {
    /// Behind a gap in the numbers the log begins anew. A segment that was put aside gets its old name back
    /// when the sync of that change failed and the power went later; what follows the gap then is all of the
    /// log. Whether it is, its checkpoint tells at the end.
    fn check_sequence(&mut self, sequence: u64) {
        let Some(expected) = self.read.map(|header| header.sequence + 1) else { return };
        if sequence == expected {
            return;
        }
        let before = std::mem::take(self);
        let mut stale = before.stale;
        stale.extend(before.segments.values().map(|segment| segment.path.clone()));
        stale.extend(before.unproven);
        let (highest_generation, durable) = (before.highest_generation, before.durable);
        *self = Self { stale, gap: Some(expected), highest_generation, durable, ..Self::default() };
    }

    fn take_in(&mut self, segment: Segment) -> Result<(), WalError> {
        let header = segment.header;
        let bytes = segment.read_all()?;
        let scan = scan(&bytes, &header);
        self.read = Some(header);
        self.highest_generation = self.highest_generation.max(header.generation);
        self.durable = self.durable.max(scan.durable);
        if self.last.as_ref().is_some_and(|last| !last.scan.sealed) {
            self.unproven.push(segment.path.clone());
            return self.judge_end();
        }
        self.replay(&segment, &scan, &bytes)?;
        let fault = describe(&bytes, scan.end, &header);
        self.ends.insert(header.sequence, scan.end);
        self.last = Some(Last { path: segment.path.clone(), sequence: header.sequence, scan, fault });
        self.segments.insert(header.sequence, Arc::new(segment));
        self.judge_end()
    }

    /// Refuses if the log breaks off below what is known to have been durable.
    fn judge_end(&self) -> Result<(), WalError> {
        match &self.last {
            Some(last) if last.scan.is_damaged(last.sequence, self.durable) => {
                Err(WalError::damaged(&last.path, last.scan.end, last.fault.clone()))
            }
            _ => Ok(()),
        }
    }

    fn replay(&mut self, segment: &Segment, scan: &Scan, bytes: &[u8]) -> Result<(), WalError> {
        for head in &scan.frames {
            let at = usize::try_from(head.offset).unwrap_or(usize::MAX);
            let body = &bytes[at + FRAME_HEAD..][..head.body as usize];
            apply_frame(&mut self.books, segment, head, body)
                .map_err(|e| WalError::damaged(&segment.path, head.offset, e.to_string()))?;
        }
        Ok(())
    }

    /// Refuses a log that lacks its end or its beginning.
    fn check_whole(&self, dir: &Path) -> Result<(), WalError> {
        if let Some(last) = self.last.as_ref().filter(|last| last.scan.sealed) {
            return Err(missing_segment(dir, last.sequence + 1));
        }
        // A log begins with segment 1 and an empty checkpoint, or with the checkpoint of a later one.
        let first = self.segments.keys().next().copied().unwrap_or(1);
        if first > 1 && !self.books.has_checkpoint() {
            return Err(missing_segment(dir, first - 1));
        }
        let Some((group, index)) = self.books.missing() else { return Ok(()) };
        if let Some(gap) = self.gap {
            return Err(missing_segment(dir, gap));
        }
        let why = format!("entry {index} of group {group} is in no segment");
        Err(WalError::damaged(&dir.join(segment_name(first)), BLOCK as u64, why))
    }

    /// A log that never began is made anew too.
    fn drop_empty(&mut self) {
        let is_empty =
            self.segments.len() == 1 && self.last.as_ref().is_some_and(|l| l.scan.frames.is_empty());
        if is_empty {
            self.segments.clear();
            self.unproven.splice(..0, self.last.take().map(|last| last.path));
        }
    }

    fn finish(self) -> Recovered {
        let tail = self.last.map(|last| Tail {
            position: Position { sequence: last.sequence, offset: last.scan.tail() },
            leave: last.scan.has_leftovers,
        });
        let next_sequence = tail.map_or(1, |tail| tail.position.sequence + 1);
        let numbers = Numbers { next_sequence, next_generation: self.highest_generation + 1 };
        Recovered { books: self.books, segments: self.segments, tail, numbers }
    }

    /// Writes what no frame names as durable once more, and syncs it. After a failed sync the
    /// kernel may hold pages that are clean in memory and old on the disk: what was read here may
    /// be gone after the next power cut unless it is written again.
    fn make_durable(&self) -> Result<(), WalError> {
        let from = self.durable.unwrap_or(Position { sequence: 0, offset: 0 });
        for (sequence, segment) in self.segments.range(from.sequence..) {
            let begin = if *sequence == from.sequence { from.offset } else { BLOCK as u64 };
            let end = self.ends.get(sequence).copied().unwrap_or(begin);
            if begin < end {
                segment.write(&segment.read(begin, end - begin)?, begin)?;
            }
            segment.sync()?;
        }
        Ok(())
    }
}

fn missing_segment(dir: &Path, sequence: u64) -> WalError {
    let path = dir.join(segment_name(sequence));
    WalError::damaged(&path, 0, "the file is missing, but it is a part of the log")
}
