//! A consistent look at the whole store: what is on disk, overlaid by what is only in memory.
//!
//! A view never changes. Whoever holds one sees the same past for as long as it likes, whatever is
//! applied, flushed, compacted or replaced meanwhile; only the present, [`View::head`], moves on
//! until the newest layer is sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use redb::ReadableTableMetadata;

use super::base::{Base, State};
use super::error::StoreError;
use super::event::{Event, Pointer};
use super::recent::Recent;
use super::revision::{ENCODED, Revision};
use super::slice::{Budget, Slice};
use super::span::Span;
use crate::proto::mvccpb;

/// A sealed layer and the state it ends in.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) changes: Arc<Recent>,
    pub(crate) state: State,
}

/// All layers of the store at one moment.
#[derive(Clone)]
pub struct View {
    /// Counts the images that have replaced the store: within one of them history only grows.
    pub(crate) era: u64,
    pub(crate) active: Arc<Recent>,
    /// Oldest first; usually none.
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) base: Arc<Base>,
}

/// A key that exists at the revision of the walk.
pub(crate) enum Seen<'a> {
    /// In memory.
    Recent(&'a Arc<Event>),
    /// On disk, in its latest state.
    Latest(&'a [u8], Pointer),
    /// On disk, in a past state.
    Past(Revision),
}

/// A key and its state, whose value may still have to be read.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: Bytes,
    pub(crate) pointer: Pointer,
    value: Option<Bytes>,
}

impl Found {
    fn recent(event: &Event) -> Self {
        Self { key: event.key.clone(), pointer: event.pointer(), value: Some(event.value.clone()) }
    }
}

impl View {
    /// The latest transaction that may be read.
    pub fn head(&self) -> i64 {
        self.active.head()
    }

    /// Newest first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Recent> {
        let sealed = self.sealed.iter().rev().map(|layer| layer.changes.as_ref());
        std::iter::once(self.active.as_ref()).chain(sealed)
    }

    /// How many keys there are. Nothing is walked over.
    pub(crate) fn keys(&self) -> Result<i64, StoreError> {
        let stored = i64::try_from(self.base.current.len()?).unwrap_or(i64::MAX);
        Ok(self.layers().fold(stored, |keys, layer| keys.saturating_add(layer.keys())))
    }

    /// Whether the memory has no say at this revision, because the disk has later ones.
    fn is_past(&self, at: i64) -> bool {
        at < self.base.state.revision
    }

    /// A key's state at a revision.
    pub(crate) fn get(&self, key: &Bytes, at: i64) -> Result<Option<Found>, StoreError> {
        if self.is_past(at) {
            return match self.base.as_of(key, Revision::last_of(at))? {
                Some((revision, false)) => self.stored(revision).map(Some),
                _ => Ok(None),
            };
        }
        if let Some(event) = self.layers().find_map(|layer| layer.get(key, at)) {
            return Ok((!event.deleted).then(|| Found::recent(&event)));
        }
        let pointer = self.base.pointer(key)?;
        Ok(pointer.map(|pointer| Found { key: key.clone(), pointer, value: None }))
    }

    fn stored(&self, revision: Revision) -> Result<Found, StoreError> {
        let event = self.base.event(revision)?.ok_or(StoreError::Row("events"))?;
        Ok(Found { pointer: event.pointer(), key: event.key, value: Some(event.value) })
    }

    /// What a walk saw, to be kept.
    pub(crate) fn found(&self, seen: &Seen<'_>) -> Result<Found, StoreError> {
        match seen {
            Seen::Recent(event) => Ok(Found::recent(event)),
            Seen::Latest(key, pointer) => {
                Ok(Found { key: Bytes::copy_from_slice(key), pointer: *pointer, value: None })
            }
            Seen::Past(revision) => self.stored(*revision),
        }
    }

    /// The value of what was found.
    pub(crate) fn value(&self, found: &Found) -> Result<Bytes, StoreError> {
        found.value.clone().map_or_else(|| self.base.value(found.pointer.revision), Ok)
    }

    /// As clients see it.
    pub(crate) fn key_value(&self, found: Found) -> Result<mvccpb::KeyValue, StoreError> {
        let value = self.value(&found)?;
        Ok(found.pointer.key_value(found.key, value))
    }

    /// Visits the keys of a span that exist at a revision, in order. `visit` says by `false` that
    /// it has seen enough.
    pub(crate) fn walk(
        &self,
        span: &Span,
        at: i64,
        mut visit: impl FnMut(Seen<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if span.is_empty() {
            return Ok(());
        }
        if self.is_past(at) {
            let last = Revision::last_of(at);
            return self.base.walk_past(span, last, |_, revision| visit(Seen::Past(revision)));
        }
        let mut layers: Vec<_> = self.layers().map(|layer| layer.cursor(span, at)).collect();
        let mut rows = self.base.current.range::<&[u8]>((span.lower(), span.upper()))?;
        let mut row = rows.next().transpose()?;
        loop {
            let nearest = layers.iter_mut().filter_map(|l| l.peek().map(|e| e.key.clone())).min();
            // Rows of the disk before the memory's next key.
            while let Some((key, pointer)) = &row {
                if nearest.as_ref().is_some_and(|n| key.value() >= n.as_ref()) {
                    break;
                }
                if !visit(Seen::Latest(key.value(), Pointer::decode(pointer.value())?))? {
                    return Ok(());
                }
                row = rows.next().transpose()?;
            }
            let Some(nearest) = nearest else { return Ok(()) };
            if row.as_ref().is_some_and(|(key, _)| key.value() == nearest.as_ref()) {
                row = rows.next().transpose()?;
            }
            // The newest layer's word counts; all go past the key.
            let mut newest = None;
            for layer in &mut layers {
                if layer.peek().is_some_and(|event| event.key == nearest) {
                    newest = newest.or(layer.next());
                }
            }
            if let Some(event) = newest.filter(|event| !event.deleted)
                && !visit(Seen::Recent(&event))?
            {
                return Ok(());
            }
        }
    }

    /// The change at a revision.
    pub(crate) fn event(&self, revision: Revision) -> Result<Option<Arc<Event>>, StoreError> {
        if revision.main <= self.base.state.revision {
            return Ok(self.base.event(revision)?.map(Arc::new));
        }
        Ok(self.layers().find_map(|layer| layer.event(revision)))
    }

    /// Whether changes from this revision on are all in memory.
    pub(crate) fn in_memory(&self, from: i64) -> bool {
        from > self.base.state.revision
    }

    /// Whole transactions from `from` on, up to about a budget. Empty: there are none up to the head.
    pub fn events_from(&self, from: i64, budget: Budget) -> Result<Vec<Arc<Event>>, StoreError> {
        let (from, head) = (Revision::first_of(from), self.head());
        let mut slice = Slice::new(budget);
        if !self.in_memory(from.main) {
            self.take_stored(from, &mut slice)?;
        }
        for layer in self.sealed.iter().map(|l| &l.changes).chain([&self.active]) {
            if !slice.is_full() {
                layer.take_events(from, head, &mut slice);
            }
        }
        Ok(slice.events)
    }

    fn take_stored(&self, from: Revision, slice: &mut Slice) -> Result<(), StoreError> {
        for row in self.base.events.range::<&[u8; ENCODED]>(&from.to_bytes()..)? {
            let (revision, row) = row?;
            let revision = Revision::from_bytes(revision.value());
            if !slice.has_room_for(revision.main) {
                break;
            }
            slice.push(Arc::new(Event::decode(revision, row.value())?));
        }
        Ok(())
    }

    /// A record as it is now: records have no history.
    pub fn record(&self, name: impl AsRef<[u8]>) -> Result<Option<Bytes>, StoreError> {
        let name = name.as_ref();
        let recent = self.layers().find_map(|layer| layer.record(name));
        recent.map_or_else(|| self.base.record(name), Ok)
    }

    /// The records whose names begin so, as they are now.
    pub fn records(&self, prefix: impl AsRef<[u8]>) -> Result<BTreeMap<Bytes, Bytes>, StoreError> {
        let prefix = prefix.as_ref();
        let mut records = self.base.records(prefix)?;
        for layer in self.sealed.iter().map(|layer| &layer.changes).chain([&self.active]) {
            layer.take_records(prefix, &mut records);
        }
        Ok(records)
    }

    /// The keys attached to a lease, sorted.
    pub(crate) fn attached(&self, lease: i64) -> Result<Vec<Bytes>, StoreError> {
        let mut keys: BTreeSet<Bytes> = self.base.attached(lease)?.into_iter().collect();
        let layers: Vec<&Recent> = self.layers().collect();
        for (key, attached) in layers.into_iter().rev().flat_map(|layer| layer.attachments(lease)) {
            if attached {
                keys.insert(key);
            } else {
                keys.remove(&key);
            }
        }
        Ok(keys.into_iter().collect())
    }
}
