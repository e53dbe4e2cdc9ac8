//! Taking an image: read and check all of it into a new file, then let that file take the place of
//! the old one.
//!
//! Whatever is wrong with the image is found before anything changes. A crash leaves the old file
//! or the new one under the store's name.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use kit::Context;
use prost::Message;
use redb::{Database, Durability, ReadableTable};
use sha2::{Digest, Sha256};

use super::Chain;
use super::base::{ATTACHED, Base, META, State};
use super::error::StoreError;
use super::event::Pointer;
use super::files::Files;
use super::flush::{count, write_changes, write_state};
use super::image::{BLOCK, FORMAT, HASH, LONGEST_RECORD, MAGIC, event};
use super::recent::Recent;
use super::revision::Revision;
use super::view::View;
use super::{STORE, Store, base, read_leases};
use crate::machine::ALARMS;
use crate::proto::internal::image_record::Record;
use crate::proto::internal::{ImageChain, ImageEnd, ImageEntry, ImageHeader, ImagePart, ImageRecord};

/// Where an image is unpacked.
pub(super) fn draft(path: &Path) -> PathBuf {
    path.with_extension("redb.new")
}

impl Store {
    /// Replaces everything by an image, durably, and stores a replication position with it.
    pub fn import(&self, image: &mut dyn Read, position: &Bytes) -> Result<(), StoreError> {
        let mut state = self.applying();
        let _writing = self.writing();
        let draft = draft(&self.path);
        self.files.remove(&draft)?;
        let base = match unpack(image, &self.files, &draft, self.options.cache_bytes, position) {
            Ok(base) => base,
            Err(e) => {
                // The image's fault is what matters; the draft is removed at the next start at the latest.
                let _ = self.files.remove(&draft);
                return Err(e);
            }
        };
        let leases = read_leases(&base)?;
        self.files.replace(&draft, &self.path)?;
        *state = base.state.clone();
        *self.leases.write().unwrap_or_else(PoisonError::into_inner) = leases;
        self.take_over(base);
        self.measure();
        Ok(())
    }

    fn take_over(&self, base: Base) {
        let (revision, compacted, scrubbed) = (base.state.revision, base.state.compacted, base.scrubbed);
        let active = Arc::new(Recent::after(revision));
        let base = Arc::new(base);
        self.view.rcu(|old| View {
            era: old.era + 1,
            active: active.clone(),
            sealed: Vec::new(),
            base: base.clone(),
        });
        self.compacted.store(compacted, Ordering::Release);
        self.scrubbed.send_replace(scrubbed);
        self.heads.send_replace(revision);
        self.record_changes.send_modify(|n| *n += 1);
    }
}

fn unpack(
    image: &mut dyn Read,
    files: &Files,
    draft: &Path,
    cache: usize,
    position: &Bytes,
) -> Result<Base, StoreError> {
    let database = base::open(files, draft, cache)?;
    let mut target = Target { database: &database };
    let outline = walk(image, |part| target.take(part))?;
    let header = outline.header;
    let state = State {
        revision: header.revision,
        compacted: header.compact_revision,
        epoch: header.lessor_epoch,
        position: Some(position.clone()),
        chain: header.chain.map(|ImageChain { origin, hash }| Chain { origin, hash }),
    };
    target.finish(&state, header.scrubbed)?;
    Base::latest(&database)
}

/// What an image says about itself, checked against its content.
struct Outline {
    header: ImageHeader,
    seen: ImageEnd,
    last: Option<Revision>,
    bytes: u64,
    sha256: [u8; HASH],
}

/// Reads an image to its end and checks all that can be checked of it, part by part.
fn walk(
    image: &mut dyn Read,
    mut take: impl FnMut(ImagePart) -> Result<(), StoreError>,
) -> Result<Outline, StoreError> {
    let mut records = Records::new(image)?;
    let Record::Header(header) = records.next()? else {
        return Err(StoreError::image("it does not begin with a header"));
    };
    if header.format > FORMAT {
        return Err(StoreError::Format { found: header.format, known: FORMAT });
    }
    let ImageHeader { revision, compact_revision: compacted, .. } = header;
    if revision < 1 || compacted > revision {
        return Err(StoreError::image(format!("revision {revision}, compacted at {compacted}")));
    }
    let (seen, last) = (ImageEnd::default(), None);
    let mut outline = Outline { header, seen, last, bytes: 0, sha256: [0; HASH] };
    loop {
        match records.next()? {
            Record::Part(part) => {
                outline.look_at(&part)?;
                take(part)?;
            }
            Record::End(end) if end == outline.seen => break,
            Record::End(end) => {
                return Err(StoreError::image(format!("it announces {end:?} but holds {:?}", outline.seen)));
            }
            Record::Header(_) => return Err(StoreError::image("it has a second header")),
        }
    }
    (outline.bytes, outline.sha256) = records.finish()?;
    Ok(outline)
}

impl Outline {
    fn look_at(&mut self, part: &ImagePart) -> Result<(), StoreError> {
        self.seen.leases += part.leases.len() as u64;
        self.seen.events += part.events.len() as u64;
        self.seen.records += part.records.len() as u64;
        for event in &part.events {
            let at = Revision { main: event.main, sub: event.sub };
            let in_order = self.last.is_none_or(|last| last < at);
            if !in_order || at.main < 0 || at.main > self.header.revision || event.key.is_empty() {
                return Err(StoreError::image(format!("its event {at} is out of place")));
            }
            self.last = Some(at);
        }
        Ok(())
    }
}

/// What a whole image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageSummary {
    pub(crate) revision: i64,
    pub(crate) compacted: i64,
    pub(crate) events: u64,
    pub(crate) leases: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; HASH],
}

impl ImageSummary {
    /// Tells images apart; never zero.
    pub(crate) fn id(&self) -> u64 {
        let first = self.sha256.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        first.max(1)
    }
}

impl From<Outline> for ImageSummary {
    fn from(outline: Outline) -> Self {
        let Outline { header, seen, bytes, sha256, .. } = outline;
        let (revision, compacted) = (header.revision, header.compact_revision);
        let ImageEnd { events, leases, records } = seen;
        Self { revision, compacted, events, leases, records, bytes, sha256 }
    }
}

/// Reads an image to its end, and makes nothing of it.
pub(crate) fn check_image(image: &mut dyn Read) -> Result<ImageSummary, StoreError> {
    Ok(walk(image, |_| Ok(()))?.into())
}

/// Makes the store of a new cluster from an image that was checked before: everything but the alarms, at a revision
/// that lies `bump` ahead, with all history before that compacted, at a position in a new log. Gives that revision.
pub(crate) fn restore_image(
    context: &Context,
    dir: &Path,
    image: &mut dyn Read,
    checked: &ImageSummary,
    (bump, position): (u64, Bytes),
) -> Result<i64, StoreError> {
    let (files, path) = (Files::of(context), dir.join(STORE));
    let draft = draft(&path);
    files.remove(&draft)?;
    let database = base::open(&files, &draft, super::StoreOptions::default().cache_bytes)?;
    let mut target = Target { database: &database };
    let outline = walk(image, |mut part| {
        part.records.retain(|entry| !entry.name.starts_with(ALARMS.as_bytes()));
        target.take(part)
    })?;
    if outline.sha256 != checked.sha256 {
        return Err(StoreError::image("it has changed since it was checked"));
    }
    let bumped = i64::try_from(bump).ok().and_then(|bump| outline.header.revision.checked_add(bump));
    let revision = bumped.ok_or_else(|| StoreError::image("its revision cannot be bumped so far"))?;
    let chain = Some(Chain::begin(checked.id()));
    let state = State { revision, compacted: revision, epoch: 0, position: Some(position), chain };
    target.finish(&state, outline.header.scrubbed)?;
    drop(database);
    files.replace(&draft, &path)?;
    Ok(revision)
}

/// The new file, while it is being filled.
struct Target<'a> {
    database: &'a Database,
}

impl Target<'_> {
    fn take(&mut self, part: ImagePart) -> Result<(), StoreError> {
        let layer = Recent::after(0);
        for lease in part.leases {
            layer.set_lease(lease.id, Some(lease.ttl));
        }
        for ImageEntry { name, record } in part.records {
            layer.set_record(name, Some(record));
        }
        for message in part.events {
            layer.push(event(message));
        }
        let mut txn = self.database.begin_write()?;
        // Nothing of the draft counts before it is complete.
        txn.set_durability(Durability::None)?;
        let written = write_changes(&txn, &layer.read())?;
        count(&txn, written)?;
        txn.commit()?;
        Ok(())
    }

    fn finish(self, state: &State, scrubbed: i64) -> Result<(), StoreError> {
        let mut txn = self.database.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        txn.set_quick_repair(true);
        write_state(&txn, state)?;
        txn.open_table(META)?.insert("scrubbed", scrubbed.to_be_bytes().as_slice())?;
        {
            let mut attached = txn.open_table(ATTACHED)?;
            for row in txn.open_table(base::CURRENT)?.iter()? {
                let (key, pointer) = row?;
                let lease = Pointer::decode(pointer.value())?.lease;
                if lease != 0 {
                    attached.insert((lease, key.value()), ())?;
                }
            }
        }
        txn.commit()?;
        Ok(())
    }
}

/// Takes an image apart, hashing on the way.
struct Records<'a> {
    source: &'a mut dyn Read,
    hash: Sha256,
    length: usize,
}

impl<'a> Records<'a> {
    fn new(source: &'a mut dyn Read) -> Result<Self, StoreError> {
        let mut records = Self { source, hash: Sha256::new(), length: 0 };
        if records.take(MAGIC.len())? != MAGIC {
            return Err(StoreError::image("it is not a ChainFire image"));
        }
        Ok(records)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.source.read_exact(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => StoreError::image("it ends too early"),
            _ => StoreError::Io(e),
        })
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut taken = Vec::new();
        // Grown as it arrives: a damaged length must not claim memory.
        while taken.len() < length {
            let at = taken.len();
            taken.resize(length.min(at + (1 << 20)), 0);
            self.fill(&mut taken[at..])?;
        }
        self.hash.update(&taken);
        self.length += length;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, StoreError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    fn next(&mut self) -> Result<Record, StoreError> {
        let at = self.length;
        let damaged = || StoreError::image(format!("its record at offset {at} is damaged"));
        let (length, checksum) = (self.number()? as usize, self.number()?);
        if length > LONGEST_RECORD {
            return Err(damaged());
        }
        let bytes = Bytes::from(self.take(length)?);
        if crc32c::crc32c(&bytes) != checksum {
            return Err(damaged());
        }
        ImageRecord::decode(bytes).ok().and_then(|message| message.record).ok_or_else(damaged)
    }

    /// What follows the last record: padding, the hash, nothing. Gives the length with all of it, and the hash.
    fn finish(mut self) -> Result<(u64, [u8; HASH]), StoreError> {
        let padding = self.length.next_multiple_of(BLOCK) - self.length;
        if self.take(padding)?.iter().any(|byte| *byte != 0) {
            return Err(StoreError::image("its padding is damaged"));
        }
        let mut hash = [0; HASH];
        let own = self.hash.finalize_reset();
        self.fill(&mut hash)?;
        if own.as_slice() != hash {
            return Err(StoreError::image("its hash does not match its content"));
        }
        match self.source.read(&mut [0])? {
            0 => Ok(((self.length + HASH) as u64, hash)),
            _ => Err(StoreError::image("something follows its end")),
        }
    }
}
