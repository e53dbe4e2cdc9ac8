//! The whole store as one stream of bytes, and back.
//!
//! ```text
//! magic (16 bytes)
//! records: length (u32), crc32c (u32), ImageRecord
//! zeros up to a multiple of 512
//! SHA-256 of everything before it (32 bytes)
//! ```
//!
//! Numbers are big-endian. The outline (content in multiples of 512, then its hash) is that of an
//! etcd snapshot file, by which `etcdctl snapshot save` recognises that it got everything. The
//! image is logical: it holds no page of a file, so any version that reads the format can take it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use super::Chain;
use super::base::State;
use super::error::StoreError;
use super::event::Event;
use super::revision::Revision;
use super::slice::Budget;
use super::view::View;
use super::{Store, export_leases};
use crate::proto::internal::image_record::Record;
use crate::proto::internal::{
    ImageChain, ImageEnd, ImageEntry, ImageEvent, ImageHeader, ImagePart, ImageRecord, LeaseGrant,
};

pub(crate) const MAGIC: &[u8; 16] = b"chainfire image\n";
/// The highest format that this version reads. Format 2 added records; without any, format 1 is written,
/// which the version before reads, too.
pub(crate) const FORMAT: u32 = 2;
pub(super) const BLOCK: usize = 512;
/// Bytes of the hash that ends an image.
pub(crate) const HASH: usize = 32;
/// The largest record that is read: one transaction of the largest request, many times over.
pub(super) const LONGEST_RECORD: usize = 1 << 30;
const PART: Budget = Budget { events: 4096, bytes: 256 << 10 };
const LEASES_A_PART: usize = 8192;

/// A consistent image of the store, made while it is read.
pub struct Image {
    view: View,
    state: State,
    leases: Vec<LeaseGrant>,
    records: Vec<(Bytes, Bytes)>,
    stage: Stage,
    end: ImageEnd,
    hash: Sha256,
    length: usize,
    ready: Vec<u8>,
    taken: usize,
}

enum Stage {
    Header,
    Leases(usize),
    Records,
    Events(i64),
    Tail,
    Done,
}

impl Store {
    /// An image of everything applied so far. Costs the applying thread nothing.
    pub fn export(&self) -> Image {
        let (view, leases) = self.seal_and_look();
        let state = view.sealed.last().map_or_else(|| view.base.state.clone(), |sealed| sealed.state.clone());
        Image {
            view,
            state,
            leases,
            records: Vec::new(),
            stage: Stage::Header,
            end: ImageEnd::default(),
            hash: Sha256::new(),
            length: 0,
            ready: Vec::new(),
            taken: 0,
        }
    }

    /// The state after the last batch, with nothing in the newest layer.
    fn seal_and_look(&self) -> (View, Vec<LeaseGrant>) {
        let state = self.applying();
        self.seal(&state);
        self.wake.notify_one();
        let mut view = View::clone(&self.view());
        // Later batches go into the layer that is newest now: look at an empty one of our own.
        view.active = Arc::new(super::Recent::after(state.revision));
        (view, export_leases(&self.leases()))
    }
}

impl Image {
    /// The revision that the image ends at.
    pub fn revision(&self) -> i64 {
        self.state.revision
    }

    /// Makes the next bytes; none at the end.
    fn advance(&mut self) -> Result<(), StoreError> {
        self.ready.clear();
        self.taken = 0;
        match self.stage {
            Stage::Header => {
                self.ready.extend_from_slice(MAGIC);
                // Reversed, to be taken off the end.
                self.records = self.view.records([])?.into_iter().rev().collect();
                let header = self.header();
                self.record(Record::Header(header));
                self.stage = Stage::Leases(0);
            }
            Stage::Leases(from) => {
                let to = self.leases.len().min(from + LEASES_A_PART);
                let leases = self.leases[from..to].to_vec();
                self.end.leases += leases.len() as u64;
                self.record(Record::Part(ImagePart { leases, ..Default::default() }));
                self.stage = if to < self.leases.len() { Stage::Leases(to) } else { self.after_records() };
            }
            Stage::Records => {
                let records = self.next_records();
                self.end.records += records.len() as u64;
                self.record(Record::Part(ImagePart { records, ..Default::default() }));
                self.stage = self.after_records();
            }
            Stage::Events(from) => {
                let events = self.view.events_from(from, PART)?;
                self.stage = events.last().map_or(Stage::Tail, |last| Stage::Events(last.revision.main + 1));
                self.end.events += events.len() as u64;
                let events = events.iter().map(|event| event_message(event)).collect();
                self.record(Record::Part(ImagePart { events, ..Default::default() }));
            }
            Stage::Tail => {
                let end = self.end;
                self.record(Record::End(end));
                let length = self.length + self.ready.len();
                self.ready.resize(self.ready.len() + length.next_multiple_of(BLOCK) - length, 0);
                self.stage = Stage::Done;
            }
            Stage::Done => return Ok(()),
        }
        self.hash.update(&self.ready);
        self.length += self.ready.len();
        if matches!(self.stage, Stage::Done) {
            self.ready.extend_from_slice(&self.hash.finalize_reset());
        }
        Ok(())
    }

    /// Records, as long as there are any: every step makes bytes, since none mean the end.
    fn after_records(&self) -> Stage {
        if self.records.is_empty() { Stage::Events(0) } else { Stage::Records }
    }

    fn next_records(&mut self) -> Vec<ImageEntry> {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while bytes < PART.bytes {
            let Some((name, record)) = self.records.pop() else { break };
            bytes += name.len() + record.len();
            part.push(ImageEntry { name, record });
        }
        part
    }

    fn header(&self) -> ImageHeader {
        ImageHeader {
            format: if self.records.is_empty() { FORMAT - 1 } else { FORMAT },
            revision: self.state.revision,
            compact_revision: self.state.compacted,
            scrubbed: self.view.base.scrubbed,
            lessor_epoch: self.state.epoch,
            chain: self.state.chain.map(|Chain { origin, hash }| ImageChain { origin, hash }),
        }
    }

    fn record(&mut self, record: Record) {
        let message = ImageRecord { record: Some(record) }.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a part is about as large as its budget");
        self.ready.extend_from_slice(&length.to_be_bytes());
        self.ready.extend_from_slice(&crc32c::crc32c(&message).to_be_bytes());
        self.ready.extend_from_slice(&message);
    }
}

impl Read for Image {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            self.advance()?;
        }
        let left = &self.ready[self.taken..];
        let taken = left.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&left[..taken]);
        self.taken += taken;
        Ok(taken)
    }
}

pub(super) fn event_message(event: &Event) -> ImageEvent {
    let previous = event.previous.unwrap_or_default();
    ImageEvent {
        deleted: event.deleted,
        main: event.revision.main,
        sub: event.revision.sub,
        create_revision: event.create,
        version: event.version,
        lease: event.lease,
        previous_main: previous.main,
        previous_sub: previous.sub,
        key: event.key.clone(),
        value: event.value.clone(),
    }
}

pub(super) fn event(message: ImageEvent) -> Event {
    let previous = Revision { main: message.previous_main, sub: message.previous_sub };
    Event {
        revision: Revision { main: message.main, sub: message.sub },
        deleted: message.deleted,
        key: message.key,
        value: message.value,
        create: message.create_revision,
        version: message.version,
        lease: message.lease,
        previous: (previous.main != 0).then_some(previous),
    }
}
