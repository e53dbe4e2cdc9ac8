//! Reading entries back from the segments. What is read is trusted only after its checksum.

use std::sync::Arc;

use bytes::Bytes;

use super::error::WalError;
use super::index::Location;
use super::record::{ENTRY_HEAD, Record};
use super::segment::Segment;
use super::state::Piece;
use super::{Entry, Mark};

/// Neighbours in a segment, read by one call.
struct Run {
    segment: Arc<Segment>,
    wanted: Vec<(u64, Mark, Location)>,
}

/// Completes a read, in order. Blocks on the disk.
pub(super) fn fetch(pieces: Vec<Piece>) -> Result<Vec<Entry>, WalError> {
    let mut entries = Vec::with_capacity(pieces.len());
    let mut run: Option<Run> = None;
    for piece in pieces {
        match piece {
            Piece::Ready(entry) => {
                read_run(run.take(), &mut entries)?;
                entries.push(entry);
            }
            Piece::Stored { segment, group, mark, at } => match &mut run {
                Some(run) if run.goes_on_at(at) => run.wanted.push((group, mark, at)),
                _ => read_run(run.replace(Run { segment, wanted: vec![(group, mark, at)] }), &mut entries)?,
            },
        }
    }
    read_run(run, &mut entries)?;
    Ok(entries)
}

impl Run {
    fn goes_on_at(&self, at: Location) -> bool {
        self.wanted.last().is_some_and(|(_, _, last)| {
            last.sequence == at.sequence
                && u64::from(last.offset) + u64::from(last.len) == u64::from(at.offset)
        })
    }
}

fn read_run(run: Option<Run>, entries: &mut Vec<Entry>) -> Result<(), WalError> {
    let Some(Run { segment, wanted }) = run else { return Ok(()) };
    let start = wanted.first().map_or(0, |(_, _, at)| u64::from(at.offset));
    let length = wanted.iter().map(|(_, _, at)| u64::from(at.len)).sum();
    let bytes = Bytes::from(segment.read(start, length)?);
    let mut at = 0;
    for (group, mark, place) in wanted {
        let end = at + place.len as usize;
        if !is_entry(&bytes[at..end], segment.seed, group, mark) {
            let why = format!("entry {} of group {group} is not what was written", mark.index);
            return Err(WalError::damaged(&segment.path, u64::from(place.offset), why));
        }
        entries.push(Entry { mark, payload: bytes.slice(at + ENTRY_HEAD..end) });
        at = end;
    }
    Ok(())
}

fn is_entry(bytes: &[u8], seed: u32, group: u64, mark: Mark) -> bool {
    match Record::decode(bytes, seed) {
        Ok((Record::Entry { group: g, mark: m, .. } | Record::Carried { group: g, mark: m, .. }, length)) => {
            (g, m, length) == (group, mark, bytes.len())
        }
        _ => false,
    }
}
