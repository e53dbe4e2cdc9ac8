//! Where segments come from and go to: made ahead of need, used again, or removed.
//!
//! A segment gets its name `<sequence>.wal` only after all its blocks exist and its header is
//! durable; the name is durable before anything is written below the header. A segment that holds
//! nothing wanted is renamed to `<sequence>.spare`, durably, before its blocks may change. So every
//! `.wal` file is whole at any crash, and they are numbered without gaps.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::Context;
use kit::disk::Disk;

use super::error::WalError;
use super::format::SegmentHeader;
use super::segment::Segment;

/// Blocks are written, not reserved: an extent that was never written costs a journal commit at
/// its first sync.
const ZEROS: usize = 1 << 20;

/// Makes, keeps and removes segments.
pub(super) struct Depot {
    context: Context,
    dir: PathBuf,
    segment_bytes: u64,
    spare_limit: usize,
    stock: Mutex<Stock>,
    /// Apart from the stock, so that the writer never waits here for blocks to be written.
    retired: Mutex<Vec<Arc<Segment>>>,
}

struct Stock {
    numbers: Numbers,
    ready: Option<Segment>,
    /// Not yet renamed; in order, because a crash must not leave a gap in the numbers.
    retiring: VecDeque<Arc<Segment>>,
    spares: Vec<Spare>,
}

/// A file whose content nobody needs, once nobody reads from it any more.
struct Spare {
    path: PathBuf,
    segment: Arc<Segment>,
}

impl Spare {
    /// Whether its blocks may be used for a segment of `bytes`.
    fn is_free(&self, bytes: u64) -> bool {
        Arc::strong_count(&self.segment) == 1 && self.segment.header.bytes == bytes
    }
}

/// What the next segment will be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) next_sequence: u64,
    pub(super) next_generation: u64,
}

impl Depot {
    /// Whether a simulation has put this known bug in.
    pub(super) fn has_bug(&self, name: &str) -> bool {
        self.context.sabotage().is(name)
    }

    pub(super) fn new(
        context: &Context,
        dir: &Path,
        segment_bytes: u64,
        spare_limit: usize,
        numbers: Numbers,
    ) -> Self {
        let stock = Stock { numbers, ready: None, retiring: VecDeque::new(), spares: vec![] };
        Self {
            context: context.clone(),
            dir: dir.to_owned(),
            segment_bytes,
            spare_limit,
            stock: Mutex::new(stock),
            retired: Mutex::default(),
        }
    }

    /// The next segment: the one made ahead, or one made now. Waits for one that is in the making.
    pub(super) fn next(&self) -> Result<Segment, WalError> {
        let mut stock = lock(&self.stock);
        match stock.ready.take() {
            Some(segment) => Ok(segment),
            None => self.prepare(&mut stock),
        }
    }

    /// Hands over segments that hold nothing wanted, oldest first. Never waits for the disk.
    pub(super) fn retire(&self, segments: Vec<Arc<Segment>>) {
        lock(&self.retired).extend(segments);
    }

    /// Puts retired segments aside, makes the next one ready, and removes what is too much.
    pub(super) fn tidy(&self) -> Result<(), WalError> {
        let mut stock = lock(&self.stock);
        stock.retiring.append(&mut lock(&self.retired).drain(..).collect());
        while let Some(segment) = stock.retiring.front() {
            let spare = self.set_aside(segment)?;
            stock.spares.push(spare);
            stock.retiring.pop_front();
        }
        if stock.ready.is_none() {
            stock.ready = Some(self.prepare(&mut stock)?);
        }
        while stock.spares.len() > self.spare_limit {
            let spare = stock.spares.remove(0);
            self.disk().remove(&spare.path).map_err(WalError::io("remove", &spare.path))?;
        }
        Ok(())
    }

    /// One at a time, each durable before the next.
    fn set_aside(&self, segment: &Arc<Segment>) -> Result<Spare, WalError> {
        let path = segment.path.with_extension("spare");
        self.disk().rename(&segment.path, &path).map_err(WalError::io("rename", &segment.path))?;
        self.sync_names()?;
        Ok(Spare { path, segment: segment.clone() })
    }

    fn prepare(&self, stock: &mut Stock) -> Result<Segment, WalError> {
        let header = SegmentHeader {
            sequence: stock.numbers.next_sequence,
            generation: stock.numbers.next_generation,
            salt: self.context.entropy().next_u64(),
            bytes: self.segment_bytes,
        };
        let free = stock.spares.iter().position(|spare| spare.is_free(self.segment_bytes));
        let spare = free.map(|free| stock.spares.remove(free));
        let is_new = spare.is_none();
        let draft = spare.map_or_else(|| self.dir.join("next.draft"), |spare| spare.path);
        let segment = self.make(header, &draft, is_new).inspect_err(|_| {
            // Gives back the space; a left-over draft is removed at the next start anyway.
            let _ = self.disk().remove(&draft);
        })?;
        stock.numbers.next_sequence += 1;
        stock.numbers.next_generation += 1;
        Ok(segment)
    }

    fn make(&self, header: SegmentHeader, draft: &Path, is_new: bool) -> Result<Segment, WalError> {
        let file = self.disk().open(draft, is_new).map_err(WalError::io("create", draft))?;
        if is_new {
            let zeros = vec![0; ZEROS.min(usize::try_from(header.bytes).unwrap_or(ZEROS))];
            let mut at = 0;
            while at < header.bytes {
                let length = (header.bytes - at).min(zeros.len() as u64);
                let chunk = &zeros[..usize::try_from(length).unwrap_or(zeros.len())];
                file.write_all_at(chunk, at).map_err(WalError::io("preallocate log segment", draft))?;
                at += length;
            }
        }
        file.write_all_at(&header.encode(), 0).map_err(WalError::io("write the header of", draft))?;
        file.sync_data().map_err(WalError::io("sync", draft))?;
        let path = self.dir.join(segment_name(header.sequence));
        self.disk().rename(draft, &path).map_err(WalError::io("rename", draft))?;
        self.sync_names()?;
        Ok(Segment::new(header, path, file))
    }

    fn sync_names(&self) -> Result<(), WalError> {
        self.disk().sync_dir(&self.dir).map_err(WalError::io("sync directory", &self.dir))
    }

    fn disk(&self) -> &dyn Disk {
        &**self.context.disk()
    }
}

pub(super) fn segment_name(sequence: u64) -> String {
    format!("{sequence:020}.wal")
}

/// What a name in the log's directory stands for; none for files of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u64),
    Spare,
    Draft,
}

pub(super) fn parse_name(name: &str) -> Option<Name> {
    let (stem, extension) = name.split_once('.')?;
    let number = (stem.len() == 20).then(|| stem.parse().ok()).flatten();
    match (number, extension) {
        (Some(sequence), "wal") => Some(Name::Segment(sequence)),
        (Some(_), "spare") => Some(Name::Spare),
        (None, "draft") if stem == "next" => Some(Name::Draft),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_those_of_others() {
        assert_eq!(parse_name(&segment_name(7)), Some(Name::Segment(7)));
        assert_eq!(parse_name("00000000000000000007.spare"), Some(Name::Spare));
        assert_eq!(parse_name("next.draft"), Some(Name::Draft));
        for other in
            ["LOCK", "7.wal", "notes.txt", "00000000000000000007.wal.bak", "0000000000000000000x.wal"]
        {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
