//! A file's bytes: what the page cache shows, and what the platter holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::fate::Fate;

/// What a disk writes at once; a power cut tears longer writes between these.
pub const SECTOR: usize = 512;

/// One file, named or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// On the platter.
    durable: Vec<u8>,
    /// In the page cache: what every reader sees.
    volatile: Vec<u8>,
    /// What leads from the one to the other.
    pending: Vec<Op>,
    /// Sectors that cannot be read.
    bad: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Op {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

impl Inode {
    pub(super) fn len(&self) -> usize {
        self.volatile.len()
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.volatile
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> io::Result<usize> {
        let start = offset.min(self.volatile.len());
        let n = buffer.len().min(self.volatile.len() - start);
        if n > 0 && self.bad.range(start / SECTOR..=(start + n - 1) / SECTOR).next().is_some() {
            return Err(super::faults::eio());
        }
        buffer[..n].copy_from_slice(&self.volatile[start..start + n]);
        Ok(n)
    }

    pub(super) fn write(&mut self, data: &[u8], offset: usize) {
        if !data.is_empty() {
            self.change(Op::Write { offset, data: data.to_vec() });
        }
    }

    pub(super) fn resize(&mut self, size: usize) {
        self.change(Op::Resize(size));
    }

    fn change(&mut self, op: Op) {
        op.apply(&mut self.volatile);
        self.pending.push(op);
    }

    /// Everything reaches the platter.
    pub(super) fn sync(&mut self) {
        for op in self.pending.drain(..) {
            op.apply(&mut self.durable);
        }
    }

    /// Some of what is pending reaches the platter and the rest never will: a failed sync. The page
    /// cache goes on showing all of it, as Linux does.
    pub(super) fn scatter(&mut self, rng: &mut ChaCha8Rng) {
        match Fate::draw(rng) {
            Fate::Lost => self.pending.clear(),
            Fate::Kept => self.sync(),
            Fate::Torn => {
                let pending = std::mem::take(&mut self.pending);
                tear(&mut self.durable, &pending, rng);
            }
        }
    }

    /// A power cut: some of what is pending was written back, and the page cache is gone.
    pub(super) fn crash(&mut self, rng: &mut ChaCha8Rng) {
        self.scatter(rng);
        self.volatile.clone_from(&self.durable);
    }

    /// Turns one bit, on the platter and in the cache. False: the file has no such byte.
    pub(super) fn flip(&mut self, offset: usize, bit: u8) -> bool {
        let mask = 1 << (bit % 8);
        let Some(byte) = self.volatile.get_mut(offset) else { return false };
        *byte ^= mask;
        if let Some(byte) = self.durable.get_mut(offset) {
            *byte ^= mask;
        }
        true
    }

    pub(super) fn spoil(&mut self, offset: usize) {
        self.bad.insert(offset / SECTOR);
    }
}

impl Op {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Resize(size) => image.resize(*size, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*offset..end].copy_from_slice(data);
            }
        }
    }

    /// The sectors that a write touches.
    fn sectors(&self) -> std::ops::Range<usize> {
        match self {
            Self::Resize(_) => 0..0,
            Self::Write { offset, data } => offset / SECTOR..(offset + data.len()).div_ceil(SECTOR),
        }
    }
}

/// Write-back takes each sector as it was at some moment since the last sync, and the length as it was at
/// some moment of its own.
fn tear(image: &mut Vec<u8>, pending: &[Op], rng: &mut ChaCha8Rng) {
    let moment = |rng: &mut ChaCha8Rng| rng.random_range(0..=pending.len());
    let length_at = moment(rng);
    let mut sector_at = BTreeMap::new();
    for sector in pending.iter().flat_map(Op::sectors) {
        sector_at.entry(sector).or_insert_with(|| moment(rng));
    }
    let mut length = image.len();
    for (at, op) in pending.iter().enumerate() {
        match op {
            Op::Resize(size) if at < length_at => {
                image.truncate(*size);
                length = *size;
            }
            Op::Resize(_) => {}
            Op::Write { offset, data } => {
                for sector in op.sectors().filter(|sector| at < sector_at[sector]) {
                    write_sector(image, *offset, data, sector);
                }
                if at < length_at {
                    length = length.max(offset + data.len());
                }
            }
        }
    }
    image.resize(length, 0);
}

/// The part of a write that falls into one sector.
fn write_sector(image: &mut Vec<u8>, offset: usize, data: &[u8], sector: usize) {
    let from = offset.max(sector * SECTOR);
    let to = (offset + data.len()).min((sector + 1) * SECTOR);
    if image.len() < to {
        image.resize(to, 0);
    }
    image[from..to].copy_from_slice(&data[from - offset..to - offset]);
}
