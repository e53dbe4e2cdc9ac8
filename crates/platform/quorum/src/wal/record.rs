//! Records as bytes: what a frame's body is made of. Pure, as [`super::format`].
//!
//! ```text
//! 0 length(4)  4 crc(4)  8 kind(1)  9 group(8)  17 fields of the kind …
//! ```
//!
//! The length counts the whole record; the crc covers it from the kind on and starts from the
//! segment's seed, so that one entry can be read and trusted without its frame.

use bytes::BufMut;

use super::Mark;
use super::format::{ALIGN, FRAME_HEAD, FrameHeader, Position};

/// Bytes before the fields of a kind.
const HEAD: usize = 17;
/// Bytes of an entry beside its payload.
pub(super) const ENTRY_HEAD: usize = HEAD + MARK;
const MARK: usize = 24;

/// One change to one group, or a part of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// An entry that continues its group's log.
    Entry { group: u64, mark: Mark, payload: &'a [u8] },
    /// An entry that is still wanted, copied out of an old segment. What follows it stays.
    Carried { group: u64, mark: Mark, payload: &'a [u8] },
    /// The group's vote is now this one.
    Vote { group: u64, vote: &'a [u8] },
    /// A hint: what was known to be committed.
    Committed { group: u64, mark: Option<Mark> },
    /// The log ends with this mark now.
    Truncate { group: u64, last: Option<Mark> },
    /// Entries up to this mark, with it, are gone.
    Purge { group: u64, mark: Mark },
    /// The group never was.
    Remove { group: u64 },
    /// The head of a segment: summaries of this many groups follow.
    Checkpoint { groups: u64 },
    /// All of a group but its entries.
    Summary(Summary<'a>),
}

/// A group without its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    pub(super) group: u64,
    pub(super) purged: Option<Mark>,
    pub(super) last: Option<Mark>,
    pub(super) committed: Option<Mark>,
    pub(super) vote: Option<&'a [u8]>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordFault {
    #[error("a record ends too early")]
    Short,
    #[error("a record does not match its checksum")]
    Checksum,
    #[error("a record is of the unknown kind {0}")]
    Kind(u8),
    #[error("bytes follow the last record")]
    Trailing,
}

impl<'a> Record<'a> {
    fn kind(&self) -> u8 {
        match self {
            Self::Entry { .. } => 1,
            Self::Carried { .. } => 2,
            Self::Vote { .. } => 3,
            Self::Committed { .. } => 4,
            Self::Truncate { .. } => 5,
            Self::Purge { .. } => 6,
            Self::Remove { .. } => 7,
            Self::Checkpoint { .. } => 8,
            Self::Summary(_) => 9,
        }
    }

    fn group(&self) -> u64 {
        match *self {
            Self::Entry { group, .. }
            | Self::Carried { group, .. }
            | Self::Vote { group, .. }
            | Self::Committed { group, .. }
            | Self::Truncate { group, .. }
            | Self::Purge { group, .. }
            | Self::Remove { group }
            | Self::Summary(Summary { group, .. }) => group,
            Self::Checkpoint { .. } => 0,
        }
    }

    /// Bytes that [`Record::encode`] will write.
    pub(super) fn encoded_len(&self) -> usize {
        HEAD + match self {
            Self::Entry { payload, .. } | Self::Carried { payload, .. } => MARK + payload.len(),
            Self::Vote { vote, .. } => vote.len(),
            Self::Committed { mark: m, .. } | Self::Truncate { last: m, .. } => optional_len(m.as_ref()),
            Self::Purge { .. } => MARK,
            Self::Remove { .. } => 0,
            Self::Checkpoint { .. } => 8,
            Self::Summary(s) => {
                let marks = [s.purged, s.last, s.committed];
                marks.iter().map(|m| optional_len(m.as_ref())).sum::<usize>()
                    + 1
                    + s.vote.map_or(0, <[u8]>::len)
            }
        }
    }

    pub(super) fn encode(&self, seed: u32, out: &mut Vec<u8>) {
        let start = out.len();
        let length =
            u32::try_from(self.encoded_len()).expect("the size of a record was checked when it was queued");
        out.put_u32_le(length);
        out.put_u32_le(0);
        out.put_u8(self.kind());
        out.put_u64_le(self.group());
        self.encode_fields(out);
        let crc = crc32c::crc32c_append(seed, &out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Entry { mark, payload, .. } | Self::Carried { mark, payload, .. } => {
                put_mark(out, mark);
                out.extend_from_slice(payload);
            }
            Self::Vote { vote, .. } => out.extend_from_slice(vote),
            Self::Committed { mark, .. } | Self::Truncate { last: mark, .. } => put_optional(out, mark),
            Self::Purge { mark, .. } => put_mark(out, mark),
            Self::Remove { .. } => {}
            Self::Checkpoint { groups } => out.put_u64_le(groups),
            Self::Summary(s) => {
                for mark in [s.purged, s.last, s.committed] {
                    put_optional(out, mark);
                }
                out.put_u8(u8::from(s.vote.is_some()));
                out.extend_from_slice(s.vote.unwrap_or_default());
            }
        }
    }

    /// The record at the start of `bytes`, and its length.
    pub(super) fn decode(bytes: &'a [u8], seed: u32) -> Result<(Self, usize), RecordFault> {
        let mut head = Fields(bytes);
        let (length, crc) = (head.u32()? as usize, head.u32()?);
        let covered = bytes.get(8..length).ok_or(RecordFault::Short)?;
        if crc32c::crc32c_append(seed, covered) != crc {
            return Err(RecordFault::Checksum);
        }
        let mut fields = Fields(covered);
        let record = Self::decode_fields(&mut fields)?;
        if fields.0.is_empty() { Ok((record, length)) } else { Err(RecordFault::Trailing) }
    }

    fn decode_fields(fields: &mut Fields<'a>) -> Result<Self, RecordFault> {
        let (kind, group) = (fields.u8()?, fields.u64()?);
        Ok(match kind {
            1 => Self::Entry { group, mark: fields.mark()?, payload: fields.rest() },
            2 => Self::Carried { group, mark: fields.mark()?, payload: fields.rest() },
            3 => Self::Vote { group, vote: fields.rest() },
            4 => Self::Committed { group, mark: fields.optional()? },
            5 => Self::Truncate { group, last: fields.optional()? },
            6 => Self::Purge { group, mark: fields.mark()? },
            7 => Self::Remove { group },
            8 => Self::Checkpoint { groups: fields.u64()? },
            9 => {
                let (purged, last, committed) = (fields.optional()?, fields.optional()?, fields.optional()?);
                let has_vote = fields.u8()? == 1;
                let vote = has_vote.then(|| fields.rest());
                Self::Summary(Summary { group, purged, last, committed, vote })
            }
            other => return Err(RecordFault::Kind(other)),
        })
    }
}

/// Visits the records of a frame's body: each with its place in the body and its length.
pub(super) fn walk<E: From<RecordFault>>(
    body: &[u8],
    head: &FrameHeader,
    seed: u32,
    mut visit: impl FnMut(usize, usize, &Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    for _ in 0..head.records {
        let (record, length) = Record::decode(body.get(at..).unwrap_or_default(), seed)?;
        visit(at, length, &record)?;
        at += length;
    }
    if body.len() - at < ALIGN { Ok(()) } else { Err(RecordFault::Trailing.into()) }
}

/// A frame in the making.
pub(super) struct Frame {
    bytes: Vec<u8>,
    records: u32,
    seed: u32,
}

impl Frame {
    /// Starts a frame in a used buffer.
    pub(super) fn begin(mut bytes: Vec<u8>, seed: u32) -> Self {
        bytes.clear();
        bytes.resize(FRAME_HEAD, 0);
        Self { bytes, records: 0, seed }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        record.encode(self.seed, &mut self.bytes);
        self.records += 1;
    }

    /// Bytes of its records so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - FRAME_HEAD
    }

    /// The finished frame, for this place of this generation.
    pub(super) fn finish(mut self, generation: u64, at: Position, seal: bool) -> (Vec<u8>, FrameHeader) {
        let head =
            FrameHeader { generation, offset: at.offset, durable: at, body: 0, records: self.records, seal };
        let head = head.finish(&mut self.bytes, self.seed);
        (self.bytes, head)
    }
}

/// Bytes that a frame takes whose records take `records` bytes.
pub(super) fn frame_len(records: usize) -> usize {
    FRAME_HEAD + records.next_multiple_of(ALIGN)
}

fn optional_len(mark: Option<&Mark>) -> usize {
    1 + mark.map_or(0, |_| MARK)
}

fn put_mark(out: &mut Vec<u8>, mark: Mark) {
    out.put_u64_le(mark.term);
    out.put_u64_le(mark.node);
    out.put_u64_le(mark.index);
}

fn put_optional(out: &mut Vec<u8>, mark: Option<Mark>) {
    out.put_u8(u8::from(mark.is_some()));
    if let Some(mark) = mark {
        put_mark(out, mark);
    }
}

/// What is left of a record's bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordFault> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(RecordFault::Short)?;
        self.0 = rest;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, RecordFault> {
        Ok(self.take::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, RecordFault> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, RecordFault> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn mark(&mut self) -> Result<Mark, RecordFault> {
        Ok(Mark { term: self.u64()?, node: self.u64()?, index: self.u64()? })
    }

    fn optional(&mut self) -> Result<Option<Mark>, RecordFault> {
        if self.u8()? == 1 { self.mark().map(Some) } else { Ok(None) }
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> impl Strategy<Value = Mark> {
        any::<(u64, u64, u64)>().prop_map(|(term, node, index)| Mark { term, node, index })
    }

    /// Hands a record of any kind to `check`.
    fn with_record(kind: u8, group: u64, a: Mark, b: Option<Mark>, bytes: &[u8]) -> Record<'_> {
        match kind {
            0 => Record::Entry { group, mark: a, payload: bytes },
            1 => Record::Carried { group, mark: a, payload: bytes },
            2 => Record::Vote { group, vote: bytes },
            3 => Record::Committed { group, mark: b },
            4 => Record::Truncate { group, last: b },
            5 => Record::Purge { group, mark: a },
            6 => Record::Remove { group },
            7 => Record::Checkpoint { groups: group },
            8 => Record::Summary(Summary { group, purged: b, last: Some(a), committed: None, vote: None }),
            _ => Record::Summary(Summary { group, purged: None, last: b, committed: b, vote: Some(bytes) }),
        }
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            kind in 0u8..10, group: u64, a in marks(), b in proptest::option::of(marks()),
            bytes in proptest::collection::vec(any::<u8>(), 0..200), seed: u32,
        ) {
            let record = with_record(kind, group, a, b, &bytes);
            let mut out = vec![];
            record.encode(seed, &mut out);
            prop_assert_eq!(out.len(), record.encoded_len());
            out.extend([1, 2, 3]);
            prop_assert_eq!(Record::decode(&out, seed), Ok((record, out.len() - 3)));
            prop_assert_eq!(Record::decode(&out, seed ^ 1), Err(RecordFault::Checksum));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), seed: u32) {
            let _ = Record::decode(&bytes, seed);
        }

        /// Bytes that pass the checksum, so that the fields themselves are put to the test.
        #[test]
        fn arbitrary_fields_never_panic(fields in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..12) {
            let mut bytes = vec![0; 8];
            bytes.push(kind);
            bytes.extend(fields);
            let length = u32::try_from(bytes.len()).unwrap();
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            let crc = crc32c::crc32c_append(5, &bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
            if let Ok((record, taken)) = Record::decode(&bytes, 5) {
                prop_assert_eq!(taken, bytes.len());
                prop_assert!(record.encoded_len() <= bytes.len());
            }
        }
    }
}
