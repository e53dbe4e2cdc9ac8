//! Segments and frames as bytes. Pure: no I/O, no panics, no allocation sized by what is read.
//!
//! A segment is a header block and then frames, each starting at a multiple of [`ALIGN`]:
//!
//! ```text
//! segment  0 magic(8)  8 crc(4)  12 version(4)  16 sequence(8)  24 generation(8)  32 salt(8)  40 bytes(8)  … 4096
//! frame    0 magic(4)  4 crc(4)   8 generation(8)  16 offset(8)  24 durable sequence(8)  32 durable offset(8)
//!         40 body bytes(4)  44 records(4)  48 body crc(4)  52 flags(4)  56 zero(8)  64 body …
//! ```
//!
//! Numbers are little-endian, checksums crc32c. The checksums of frames and records begin with the
//! segment's generation and salt, so that neither an older life of the same blocks nor a payload
//! made to look like a frame passes for one. The crc of a segment header covers the block from the
//! version on, at this place in every version to come.

/// Bytes of a segment's header.
pub(super) const BLOCK: usize = 4096;
/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 64;
/// Bytes of a frame's header.
pub(super) const FRAME_HEAD: usize = 64;
/// The version that is written.
pub(super) const VERSION: u32 = 1;

const SEGMENT_MAGIC: [u8; 8] = *b"UCWALSEG";
const FRAME_MAGIC: [u8; 4] = *b"UCWF";
const FLAG_SEAL: u32 = 1;

/// A place in the log. Ordered as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) sequence: u64,
    pub(super) offset: u64,
}

/// The first block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Place in the order of segments; also the file's name.
    pub(super) sequence: u64,
    /// Never used twice in the life of a directory.
    pub(super) generation: u64,
    /// Random, so that nobody outside can make bytes that pass for a frame.
    pub(super) salt: u64,
    /// Size of the file.
    pub(super) bytes: u64,
}

/// Why a block is no segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderFault {
    #[error("it does not begin as a log segment")]
    NotASegment,
    #[error("its header does not match its checksum")]
    Checksum,
    #[error("its format version is {0}")]
    Version(u32),
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_as(VERSION)
    }

    fn encode_as(&self, version: u32) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK);
        block.extend(SEGMENT_MAGIC);
        block.extend([0; 4]);
        block.extend(version.to_le_bytes());
        for field in [self.sequence, self.generation, self.salt, self.bytes] {
            block.extend(field.to_le_bytes());
        }
        block.resize(BLOCK, 0);
        let crc = crc32c::crc32c(&block[12..]);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
        block
    }

    pub(super) fn decode(block: &[u8]) -> Result<Self, HeaderFault> {
        if block.len() < BLOCK || block[..8] != SEGMENT_MAGIC {
            return Err(HeaderFault::NotASegment);
        }
        if crc32c::crc32c(&block[12..BLOCK]) != u32_at(block, 8) {
            return Err(HeaderFault::Checksum);
        }
        match u32_at(block, 12) {
            VERSION => Ok(Self {
                sequence: u64_at(block, 16),
                generation: u64_at(block, 24),
                salt: u64_at(block, 32),
                bytes: u64_at(block, 40),
            }),
            other => Err(HeaderFault::Version(other)),
        }
    }

    /// Where every checksum inside the segment starts from.
    pub(super) fn seed(&self) -> u32 {
        let of_generation = crc32c::crc32c(&self.generation.to_le_bytes());
        crc32c::crc32c_append(of_generation, &self.salt.to_le_bytes())
    }
}

/// The head of a frame: one batch of records, written by one call and made durable by one sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) generation: u64,
    /// Its own place in the segment.
    pub(super) offset: u64,
    /// Everything before this place was durable when the frame was written.
    pub(super) durable: Position,
    /// Bytes of the body, a multiple of [`ALIGN`].
    pub(super) body: u32,
    pub(super) records: u32,
    /// Whether the log goes on in the next segment.
    pub(super) seal: bool,
}

impl FrameHeader {
    /// Where the next frame begins.
    pub(super) fn end(&self) -> u64 {
        self.offset + FRAME_HEAD as u64 + u64::from(self.body)
    }

    /// Fills in the head of a frame whose body already stands behind it, and pads the body.
    pub(super) fn finish(mut self, frame: &mut Vec<u8>, seed: u32) -> Self {
        frame.resize(frame.len().next_multiple_of(ALIGN).max(FRAME_HEAD), 0);
        self.body = u32::try_from(frame.len() - FRAME_HEAD).expect("a batch is smaller than a segment");
        let body_crc = crc32c::crc32c_append(seed, &frame[FRAME_HEAD..]);
        let mut head = Vec::with_capacity(FRAME_HEAD);
        head.extend(FRAME_MAGIC);
        head.extend([0; 4]);
        for field in [self.generation, self.offset, self.durable.sequence, self.durable.offset] {
            head.extend(field.to_le_bytes());
        }
        for field in [self.body, self.records, body_crc, if self.seal { FLAG_SEAL } else { 0 }] {
            head.extend(field.to_le_bytes());
        }
        head.resize(FRAME_HEAD, 0);
        let crc = crc32c::crc32c_append(seed, &head[8..]);
        head[4..8].copy_from_slice(&crc.to_le_bytes());
        frame[..FRAME_HEAD].copy_from_slice(&head);
        self
    }

    /// The head that stands at `offset` of a segment, if it was written there in this generation.
    pub(super) fn decode(segment: &[u8], offset: usize, of: &SegmentHeader) -> Option<Self> {
        let head = segment.get(offset..)?.get(..FRAME_HEAD)?;
        if head[..4] != FRAME_MAGIC || crc32c::crc32c_append(of.seed(), &head[8..]) != u32_at(head, 4) {
            return None;
        }
        let header = Self {
            generation: u64_at(head, 8),
            offset: u64_at(head, 16),
            durable: Position { sequence: u64_at(head, 24), offset: u64_at(head, 32) },
            body: u32_at(head, 40),
            records: u32_at(head, 44),
            seal: u32_at(head, 52) & FLAG_SEAL != 0,
        };
        (header.generation == of.generation && header.offset == offset as u64).then_some(header)
    }

    /// The body that follows the head at `self.offset`, if it is whole.
    pub(super) fn body<'a>(&self, segment: &'a [u8], of: &SegmentHeader) -> Option<&'a [u8]> {
        let offset = usize::try_from(self.offset).ok()?;
        let body = segment.get(offset + FRAME_HEAD..)?.get(..self.body as usize)?;
        (crc32c::crc32c_append(of.seed(), body) == u32_at(segment, offset + 48)).then_some(body)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEGMENT: SegmentHeader = SegmentHeader { sequence: 3, generation: 9, salt: 77, bytes: 1 << 16 };

    fn segment_with(body: &[u8]) -> (Vec<u8>, FrameHeader) {
        let durable = Position { sequence: 3, offset: BLOCK as u64 };
        let head = FrameHeader { generation: 9, offset: 4096, durable, body: 0, records: 1, seal: false };
        let mut frame = vec![0; FRAME_HEAD];
        frame.extend_from_slice(body);
        head.finish(&mut frame, SEGMENT.seed());
        let mut segment = SEGMENT.encode();
        segment.extend(frame);
        (segment, head)
    }

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_seen() {
        let block = SEGMENT.encode();
        assert_eq!(SegmentHeader::decode(&block), Ok(SEGMENT));
        for bit in 0..BLOCK * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(
                SegmentHeader::decode(&bad),
                Err(HeaderFault::NotASegment | HeaderFault::Checksum)
            ));
        }
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(SegmentHeader::decode(&SEGMENT.encode_as(2)), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn a_frame_is_bound_to_place_generation_and_salt() {
        let (segment, _) = segment_with(b"payload");
        let found = FrameHeader::decode(&segment, BLOCK, &SEGMENT).expect("the frame");
        assert_eq!(found.body(&segment, &SEGMENT).map(|b| &b[..7]), Some(&b"payload"[..]));
        let older = SegmentHeader { generation: 8, ..SEGMENT };
        let forged = SegmentHeader { salt: 78, ..SEGMENT };
        assert_eq!(FrameHeader::decode(&segment, BLOCK, &older), None);
        assert_eq!(FrameHeader::decode(&segment, BLOCK, &forged), None);
        let mut moved = segment;
        moved.splice(BLOCK..BLOCK, [0; ALIGN]);
        assert_eq!(FrameHeader::decode(&moved, BLOCK + ALIGN, &SEGMENT), None);
    }

    #[test]
    fn any_flipped_bit_of_a_frame_is_seen() {
        let (segment, _) = segment_with(b"some payload");
        for bit in BLOCK * 8..segment.len() * 8 {
            let mut bad = segment.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let head = FrameHeader::decode(&bad, BLOCK, &SEGMENT);
            assert!(head.and_then(|h| h.body(&bad, &SEGMENT)).is_none(), "bit {bit} passed");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0usize..700) {
            prop_assert!(SegmentHeader::decode(&bytes).is_err());
            prop_assert!(FrameHeader::decode(&bytes, at, &SEGMENT).is_none());
        }

        #[test]
        fn a_cut_frame_never_passes(cut in 0usize..200) {
            let (segment, _) = segment_with(&[7; 130]);
            let cut = &segment[..BLOCK + cut];
            let head = FrameHeader::decode(cut, BLOCK, &SEGMENT);
            prop_assert!(head.and_then(|h| h.body(cut, &SEGMENT)).is_none());
        }
    }
}
