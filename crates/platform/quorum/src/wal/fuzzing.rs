//! Logs made of arbitrary bytes behind right checksums, opened as a start would open them.

use std::path::Path;

use kit::disk::Disk;

use super::books::Books;
use super::depot::segment_name;
use super::format::{BLOCK, FRAME_HEAD, FrameHeader, Position, SegmentHeader};
use super::record::Record;
use super::recover::{Recovered, recover};

const DIR: &str = "/wal";
const SALT: u64 = 3;

/// Writes the log that `input` describes and opens it twice. Whatever it is, opening it is a refusal or a
/// log whose entries can be read; and what was accepted once is accepted again, as the same.
///
/// The first byte is 0 for one segment of the bytes that follow. Otherwise steps follow, each a byte:
/// below 192 a record of so many bytes; 192 to 207 end a frame, by the bits: 1 seals, 2 as if nothing was
/// durable, 4 a count of records that is wrong; 208 to 223 so many raw bytes; 224 and up flip a bit of the
/// byte that the next two point at, counted from the end.
pub fn recovery(disk: &dyn Disk, input: &[u8]) {
    let segments = match input.split_first() {
        None => return,
        Some((0, raw)) => vec![raw.to_vec()],
        Some((_, steps)) => Draft::of(steps),
    };
    write(disk, &segments).expect("a fresh disk takes files");
    let Ok(first) = recover(disk, Path::new(DIR)) else { return };
    check_entries(&first);
    let again = recover(disk, Path::new(DIR)).expect("what was accepted once is accepted again");
    assert_eq!(summaries(&first.books), summaries(&again.books));
    assert_eq!(first.tail.map(|tail| tail.position), again.tail.map(|tail| tail.position));
}

fn write(disk: &dyn Disk, segments: &[Vec<u8>]) -> std::io::Result<()> {
    disk.create_dir_all(Path::new(DIR))?;
    for (content, sequence) in segments.iter().zip(1..) {
        let file = disk.open(&Path::new(DIR).join(segment_name(sequence)), true)?;
        file.write_all_at(content, 0)?;
    }
    Ok(())
}

fn check_entries(log: &Recovered) {
    for (group, book) in log.books.groups() {
        for (index, slot) in book.index.iter() {
            let at = slot.location().expect("a log with a missing entry is refused");
            let segment = &log.segments[&at.sequence];
            let bytes = segment.read(at.offset.into(), at.len.into()).expect("it was read before");
            match Record::decode(&bytes, segment.seed) {
                Ok((Record::Entry { group: g, mark, .. } | Record::Carried { group: g, mark, .. }, _)) => {
                    assert_eq!((g, mark), (group, slot.mark(index)));
                }
                other => panic!("entry {index} of group {group} is {other:?}"),
            }
        }
    }
}

fn summaries(books: &Books) -> Vec<String> {
    books.checkpoint().map(|record| format!("{record:?}")).collect()
}

/// Segments in the making.
struct Draft {
    segments: Vec<(SegmentHeader, Vec<u8>)>,
    /// The frame, with room for its head.
    frame: Vec<u8>,
    records: u32,
}

impl Draft {
    fn of(mut steps: &[u8]) -> Vec<Vec<u8>> {
        let mut draft = Self { segments: Vec::new(), frame: vec![0; FRAME_HEAD], records: 0 };
        draft.begin_segment();
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            match *step {
                length @ 0..192 => draft.record(take(&mut steps, length)),
                bits @ 192..208 => draft.end_frame(bits),
                length @ 208..224 => draft.current().1.extend_from_slice(take(&mut steps, length - 207)),
                bit => draft.flip(take(&mut steps, 2), bit),
            }
        }
        draft.segments.into_iter().map(|(_, content)| content).collect()
    }

    fn begin_segment(&mut self) {
        let sequence = self.segments.len() as u64 + 1;
        let header = SegmentHeader { sequence, generation: sequence, salt: SALT, bytes: 1 << 20 };
        self.segments.push((header, header.encode()));
    }

    fn current(&mut self) -> &mut (SegmentHeader, Vec<u8>) {
        self.segments.last_mut().expect("there is a first segment")
    }

    fn record(&mut self, content: &[u8]) {
        let seed = self.current().0.seed();
        self.frame.extend((content.len() as u32 + 8).to_le_bytes());
        self.frame.extend(crc32c::crc32c_append(seed, content).to_le_bytes());
        self.frame.extend_from_slice(content);
        self.records += 1;
    }

    fn end_frame(&mut self, bits: u8) {
        let (seal, records) = (bits & 1 != 0, self.records + u32::from(bits & 4 != 0));
        let mut frame = std::mem::replace(&mut self.frame, vec![0; FRAME_HEAD]);
        self.records = 0;
        let (header, content) = self.current();
        let offset = content.len() as u64;
        let durable = if bits & 2 == 0 { offset } else { BLOCK as u64 };
        let durable = Position { sequence: header.sequence, offset: durable };
        let generation = header.generation;
        FrameHeader { generation, offset, durable, body: 0, records, seal }.finish(&mut frame, header.seed());
        content.extend(frame);
        if seal {
            self.begin_segment();
        }
    }

    fn flip(&mut self, place: &[u8], bit: u8) {
        let from_end = place.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        let content = &mut self.current().1;
        if let Some(at) = content.len().checked_sub(1 + from_end) {
            content[at] ^= 1 << (bit % 8);
        }
    }
}

/// The next bytes, or as many as there are.
fn take<'a>(bytes: &mut &'a [u8], length: u8) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(bytes.len().min(length.into()));
    *bytes = rest;
    taken
}
