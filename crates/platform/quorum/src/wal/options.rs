//! The log's sizes, as its owner sets them and as the format bounds them.

use super::books::MAX_SEGMENT_BYTES;
use super::error::WalError;
use super::format::BLOCK;
use super::{Entry, record};

/// The smallest segment: header, checkpoint and one large record must fit with room to spare.
const MIN_SEGMENT_BYTES: u64 = 32 << 10;
/// The largest vote; every checkpoint repeats it.
const MAX_VOTE_BYTES: usize = 4 << 10;

/// Sizes of a log. A changed segment size holds for segments made from then on.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// Size of a segment file, 32 KiB to 1 GiB; the largest entry is half of it.
    pub segment_bytes: u64,
    /// Records written by one call and one sync; a larger entry goes alone.
    pub max_batch_bytes: u64,
    /// Recent entries kept in memory, payloads and overhead.
    pub cache_bytes: u64,
    /// Payloads that may wait to be written; more of them wait with their callers.
    pub queue_bytes: u64,
    /// Used segments kept for use again; the others are removed.
    pub spare_segments: usize,
    /// Segments that may stand before an old one with few wanted entries is emptied into the newest.
    pub keep_segments: usize,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            // Small: one is always ready ahead and one may be spare, so that their size is what an idle log
            // costs on disk.
            segment_bytes: 8 << 20,
            max_batch_bytes: 1 << 20,
            // Entries that are read soon after they were written. What a slow replica wants is in the
            // system's cache of files.
            cache_bytes: 8 << 20,
            queue_bytes: 64 << 20,
            spare_segments: 1,
            keep_segments: 12,
        }
    }
}

/// The options in the writer's terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Record bytes of a batch.
    pub(super) batch: usize,
    /// Bytes of one record.
    pub(super) record: usize,
    /// Bytes of a checkpoint.
    pub(super) checkpoint: usize,
    /// Wanted bytes up to which an old segment is emptied.
    pub(super) carry: u64,
    pub(super) cache: usize,
    pub(super) queue: u32,
    pub(super) keep_segments: usize,
}

impl WalOptions {
    /// Refuses sizes that contradict the format.
    pub(super) fn limits(&self) -> Result<Limits, WalError> {
        let bytes = self.segment_bytes;
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&bytes) || !bytes.is_multiple_of(BLOCK as u64) {
            let why = format!(
                "segment_bytes is {bytes}, but must be a multiple of {BLOCK} from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}"
            );
            return Err(WalError::Options(why));
        }
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Limits {
            batch: size(self.max_batch_bytes.min(bytes / 2)),
            record: size(bytes / 2),
            checkpoint: size(bytes / 4),
            carry: bytes / 4,
            cache: size(self.cache_bytes),
            queue: u32::try_from(self.queue_bytes).unwrap_or(u32::MAX).max(1),
            keep_segments: self.keep_segments.max(1),
        })
    }
}

impl Limits {
    pub(super) fn check_record(&self, group: u64, bytes: usize) -> Result<(), WalError> {
        if bytes > self.record {
            Err(WalError::TooLarge { group, bytes, limit: self.record })
        } else {
            Ok(())
        }
    }

    pub(super) fn check_vote(&self, group: u64, bytes: usize) -> Result<(), WalError> {
        let limit = MAX_VOTE_BYTES;
        if bytes > limit { Err(WalError::TooLarge { group, bytes, limit }) } else { Ok(()) }
    }

    /// Splits an append into what fits into batches. At least one chunk.
    pub(super) fn chunks(&self, entries: Vec<Entry>) -> Vec<Vec<Entry>> {
        let mut chunks = vec![vec![]];
        let mut bytes = 0;
        for entry in entries {
            let size = record::ENTRY_HEAD + entry.payload.len();
            if bytes + size > self.batch && bytes > 0 {
                chunks.push(vec![]);
                bytes = 0;
            }
            bytes += size;
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(entry);
            }
        }
        chunks
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Mark;
    use super::*;

    #[test]
    fn an_append_is_split_at_the_batch_size_and_nowhere_else() {
        let limits = WalOptions { max_batch_bytes: 1000, ..WalOptions::default() }.limits().expect("sane");
        let entry = |index, size| Entry {
            mark: Mark { term: 1, node: 1, index },
            payload: Bytes::from(vec![0; size]),
        };
        let sizes = |sizes: &[usize]| {
            let entries = (0..).zip(sizes).map(|(i, s)| entry(i, *s)).collect();
            limits.chunks(entries).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[400, 400, 400]), [2, 1]);
        assert_eq!(sizes(&[5000, 10]), [1, 1]);
        assert_eq!(sizes(&[10; 5]), [5]);
        assert_eq!(sizes(&[]), [0]);
    }

    #[test]
    fn sizes_that_cannot_work_are_refused() {
        let with = |segment_bytes| WalOptions { segment_bytes, ..WalOptions::default() }.limits();
        assert!(with(1 << 10).is_err());
        assert!(with((32 << 20) + 1).is_err());
        assert!(with(2 << 30).is_err());
        assert!(with(32 << 10).is_ok());
    }
}
