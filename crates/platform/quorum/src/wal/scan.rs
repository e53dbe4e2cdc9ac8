//! Reading a segment from its first frame to where it ends, and judging that end. Pure.

use super::format::{ALIGN, BLOCK, FRAME_HEAD, FrameHeader, Position, SegmentHeader};

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// Whole frames, in order.
    pub(super) frames: Vec<FrameHeader>,
    /// Where the first frame stands that is not whole.
    pub(super) end: u64,
    /// Whether the last frame says that the log goes on in the next segment.
    pub(super) sealed: bool,
    /// The highest durable place that any frame names, and whether frames were found past `end`.
    pub(super) durable: Option<Position>,
    pub(super) has_leftovers: bool,
}

/// Scans the bytes of a segment.
pub(super) fn scan(bytes: &[u8], of: &SegmentHeader) -> Scan {
    let mut found =
        Scan { frames: vec![], end: BLOCK as u64, sealed: false, durable: None, has_leftovers: false };
    let mut at = BLOCK;
    while let Some(head) = whole_frame(bytes, at, of) {
        found.durable = found.durable.max(Some(head.durable));
        found.end = head.end();
        found.sealed = head.seal;
        found.frames.push(head);
        at = usize::try_from(head.end()).unwrap_or(usize::MAX);
        if head.seal {
            return found;
        }
    }
    look_beyond(bytes, at, of, &mut found);
    found
}

fn whole_frame(bytes: &[u8], at: usize, of: &SegmentHeader) -> Option<FrameHeader> {
    let head = FrameHeader::decode(bytes, at, of)?;
    head.body(bytes, of).map(|_| head)
}

/// Looks for frames after the first broken one. A head alone is proof: nobody else can write one.
fn look_beyond(bytes: &[u8], at: usize, of: &SegmentHeader, found: &mut Scan) {
    let places = (at..bytes.len()).step_by(ALIGN).skip(1);
    for head in places.filter_map(|place| FrameHeader::decode(bytes, place, of)) {
        found.durable = found.durable.max(Some(head.durable));
        found.has_leftovers = true;
    }
}

impl Scan {
    /// Where the next frame goes: a watermark at the end is written over, as it was meant to be. It may
    /// stand in the place that is kept for the seal.
    pub(super) fn tail(&self) -> u64 {
        match self.frames.last() {
            Some(last) if last.records == 0 && !last.seal => last.offset,
            _ => self.end,
        }
    }

    /// Whether the place where the frames end was durable once, so that its loss is damage.
    pub(super) fn is_damaged(&self, sequence: u64, durable: Option<Position>) -> bool {
        !self.sealed && durable > Some(Position { sequence, offset: self.end })
    }
}

/// What was found at the end of a damaged segment, in words.
pub(super) fn describe(bytes: &[u8], at: u64, of: &SegmentHeader) -> String {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let what = match FrameHeader::decode(bytes, at, of) {
        Some(_) => "the batch there does not match its checksum",
        None if bytes.len() < at.saturating_add(FRAME_HEAD) => "the file ends there",
        None => "no batch begins there",
    };
    format!("{what}, but later batches were written after it was durable")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::{Frame, Record};
    use super::*;

    const OF: SegmentHeader = SegmentHeader { sequence: 5, generation: 9, salt: 3, bytes: 1 << 16 };

    /// A segment of frames with bodies of these sizes, and zeros after it.
    fn segment(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = OF.encode();
        for size in sizes {
            let mut frame = Frame::begin(vec![], OF.seed());
            frame.push(&Record::Vote { group: 1, vote: &vec![7; *size] });
            let at = Position { sequence: OF.sequence, offset: bytes.len() as u64 };
            bytes.extend(frame.finish(OF.generation, at, false).0);
        }
        bytes.resize(1 << 16, 0);
        bytes
    }

    #[test]
    fn whole_frames_are_found_up_to_the_zeros() {
        let found = scan(&segment(&[10, 200, 3]), &OF);
        assert_eq!(found.frames.len(), 3);
        assert_eq!(found.end, found.frames[2].end());
        assert!(!found.is_damaged(5, found.durable) && !found.has_leftovers);
    }

    #[test]
    fn a_broken_frame_is_damage_only_if_a_later_one_saw_it_durable() {
        let whole = segment(&[10, 200, 3]);
        let frames = scan(&whole, &OF).frames;
        for (i, frame) in frames.iter().enumerate() {
            let mut bad = whole.clone();
            bad[usize::try_from(frame.end()).unwrap() - 1] ^= 1;
            let found = scan(&bad, &OF);
            assert_eq!((found.frames.len(), found.end), (i, frame.offset));
            let is_last = i + 1 == frames.len();
            assert_eq!(found.is_damaged(5, found.durable), !is_last, "frame {i}");
        }
    }

    #[test]
    fn leftovers_of_a_batch_that_was_never_durable_are_no_damage() {
        // The second frame was written when only the start was durable: a lost first frame is torn.
        let mut bytes = segment(&[10]);
        let mut frame = Frame::begin(vec![], OF.seed());
        frame.push(&Record::Remove { group: 1 });
        let start = Position { sequence: 5, offset: BLOCK as u64 };
        let (mut second, head) = frame.finish(OF.generation, start, false);
        let place = BLOCK + 1024;
        FrameHeader { offset: place as u64, ..head }.finish(&mut second, OF.seed());
        bytes[place..place + second.len()].copy_from_slice(&second);
        bytes[BLOCK + 70] ^= 1;
        let found = scan(&bytes, &OF);
        assert!(!found.is_damaged(5, found.durable));
        assert!(found.has_leftovers);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), whole: bool) {
            let mut segment = OF.encode();
            segment.append(&mut bytes);
            let cut = if whole { segment.len() } else { segment.len() / 3 };
            prop_assert!(scan(&segment[..cut], &OF).frames.is_empty());
        }

        #[test]
        fn a_flip_anywhere_never_invents_a_frame(bit in 0usize..8 * 2048) {
            let whole = segment(&[100, 200, 300, 400]);
            let frames = scan(&whole, &OF).frames;
            let mut bad = whole;
            bad[BLOCK + bit / 8] ^= 1 << (bit % 8);
            let found = scan(&bad, &OF);
            prop_assert_eq!(&found.frames[..], &frames[..found.frames.len()]);
        }
    }
}
