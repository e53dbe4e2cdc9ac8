//! The part of the store that is not yet on disk: changes since the last flush, in memory.
//!
//! Only the applying thread writes; readers come in between. A reader fixes the revision it reads
//! at, so it sees a transaction as a whole or not at all, although it holds the lock only for a
//! few keys at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::event::Event;
use super::revision::Revision;
use super::slice::Slice;
use super::span::Span;

/// Keys that a walk takes under one lock.
const CHUNK: usize = 128;
/// What an entry weighs in memory besides its event, about.
const OVERHEAD: usize = 96;

/// Changes after a revision.
pub(crate) struct Recent {
    /// The last transaction that readers may see.
    head: AtomicI64,
    /// What it weighs in memory, about. Beside the lock: every request asks.
    weight: AtomicUsize,
    inner: RwLock<Changes>,
}

/// What a flush writes.
#[derive(Default)]
pub(crate) struct Changes {
    /// In order.
    events: Vec<Entry>,
    /// Each key's last entry.
    newest: BTreeMap<Bytes, u32>,
    /// Grants with their time to live in seconds, and revocations.
    pub(crate) leases: BTreeMap<i64, Option<i64>>,
    /// Keys attached to leases, and detached from them.
    pub(crate) attached: BTreeMap<(i64, Bytes), bool>,
    /// Records written, and removed.
    pub(crate) records: BTreeMap<Bytes, Option<Bytes>>,
    /// How many keys more there are than before, or less.
    keys: i64,
}

struct Entry {
    event: Arc<Event>,
    /// The entry before it of the same key.
    older: Option<u32>,
}

impl Changes {
    pub(crate) fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter().map(|entry| &entry.event)
    }

    /// Each key's last change, by key.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.newest.values().map(|at| &self.events[*at as usize].event)
    }

    /// Every change, by key, the newest of each first.
    pub(crate) fn by_key(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.newest.values().flat_map(|at| self.chain(*at))
    }

    fn chain(&self, newest: u32) -> impl Iterator<Item = &Arc<Event>> {
        let mut at = Some(newest);
        std::iter::from_fn(move || {
            let entry = &self.events[at? as usize];
            at = entry.older;
            Some(&entry.event)
        })
    }

    /// The key's last change that a reader at `at` sees.
    fn seen(&self, newest: u32, at: i64) -> Option<&Arc<Event>> {
        self.chain(newest).find(|event| event.revision.main <= at)
    }

    /// Whether nothing was changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.leases.is_empty()
            && self.attached.is_empty()
            && self.records.is_empty()
    }
}

impl Recent {
    /// Nothing after `revision`.
    pub(crate) fn after(revision: i64) -> Self {
        Self { head: AtomicI64::new(revision), weight: AtomicUsize::new(0), inner: RwLock::default() }
    }

    /// The last transaction that readers may see.
    pub(crate) fn head(&self) -> i64 {
        self.head.load(Ordering::Acquire)
    }

    /// Lets readers see everything up to a transaction.
    pub(crate) fn publish(&self, main: i64) {
        self.head.store(main, Ordering::Release);
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Changes> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it weighs in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    fn weigh(&self, bytes: usize) {
        self.weight.fetch_add(bytes + OVERHEAD, Ordering::Relaxed);
    }

    /// How many keys more there are than before, or less.
    pub(crate) fn keys(&self) -> i64 {
        self.read().keys
    }

    fn write<T>(&self, change: impl FnOnce(&mut Changes) -> T) -> T {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a change, later than all before it.
    pub(crate) fn push(&self, event: Event) {
        self.weigh(event.weight());
        self.write(|inner| {
            let at = u32::try_from(inner.events.len()).expect("a flush is due long before this many");
            inner.keys += match (event.deleted, event.version) {
                (true, _) => -1,
                (false, 1) => 1,
                (false, _) => 0,
            };
            let older = match inner.newest.get_mut(&event.key) {
                Some(newest) => Some(std::mem::replace(newest, at)),
                None => {
                    inner.newest.insert(event.key.clone(), at);
                    None
                }
            };
            inner.events.push(Entry { event: Arc::new(event), older });
        });
    }

    pub(crate) fn set_lease(&self, id: i64, ttl: Option<i64>) {
        self.weigh(0);
        self.write(|inner| inner.leases.insert(id, ttl));
    }

    pub(crate) fn set_record(&self, name: Bytes, record: Option<Bytes>) {
        self.weigh(name.len() + record.as_ref().map_or(0, Bytes::len));
        self.write(|inner| inner.records.insert(name, record));
    }

    /// A record that was written (`Some`) or removed (`None`) here.
    pub(crate) fn record(&self, name: &[u8]) -> Option<Option<Bytes>> {
        self.read().records.get(name).cloned()
    }

    /// Brings records, whose names begin so, up to date with the changes here.
    pub(crate) fn take_records(&self, prefix: &[u8], into: &mut BTreeMap<Bytes, Bytes>) {
        let inner = self.read();
        let range = inner.records.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        for (name, record) in range.take_while(|(name, _)| name.starts_with(prefix)) {
            match record {
                Some(record) => into.insert(name.clone(), record.clone()),
                None => into.remove(name),
            };
        }
    }

    pub(crate) fn set_attached(&self, lease: i64, key: &Bytes, attached: bool) {
        self.weigh(key.len());
        self.write(|inner| inner.attached.insert((lease, key.clone()), attached));
    }

    /// The key's last change that a reader at `at` sees, deletions too.
    pub(crate) fn get(&self, key: &[u8], at: i64) -> Option<Arc<Event>> {
        let inner = self.read();
        inner.seen(*inner.newest.get(key)?, at).cloned()
    }

    /// The change at a revision.
    pub(crate) fn event(&self, revision: Revision) -> Option<Arc<Event>> {
        let inner = self.read();
        let at = inner.events.binary_search_by_key(&revision, |entry| entry.event.revision).ok()?;
        Some(inner.events[at].event.clone())
    }

    /// Takes changes from a revision on that a reader at `at` sees.
    pub(crate) fn take_events(&self, from: Revision, at: i64, into: &mut Slice) {
        let inner = self.read();
        let first = inner.events.partition_point(|entry| entry.event.revision < from);
        for entry in &inner.events[first..] {
            let main = entry.event.revision.main;
            if main > at || !into.has_room_for(main) {
                break;
            }
            into.push(entry.event.clone());
        }
    }

    /// Keys attached to a lease here (`true`) or detached (`false`).
    pub(crate) fn attachments(&self, lease: i64) -> Vec<(Bytes, bool)> {
        let inner = self.read();
        let range = inner.attached.range((lease, Bytes::new())..);
        let own = range.take_while(|((owner, _), _)| *owner == lease);
        own.map(|((_, key), attached)| (key.clone(), *attached)).collect()
    }

    /// A walk over the keys of a span as a reader at `at` sees them.
    pub(crate) fn cursor<'a>(&'a self, span: &'a Span, at: i64) -> Cursor<'a> {
        Cursor { recent: self, span, at, from: Some(None), chunk: VecDeque::new() }
    }
}

/// Visits keys in order, deletions too.
pub(crate) struct Cursor<'a> {
    recent: &'a Recent,
    span: &'a Span,
    at: i64,
    /// Where the next chunk begins: after a key, or at the span's start; none at the end.
    from: Option<Option<Bytes>>,
    chunk: VecDeque<Arc<Event>>,
}

impl Cursor<'_> {
    /// The next key's last change.
    pub(crate) fn peek(&mut self) -> Option<&Arc<Event>> {
        while self.chunk.is_empty() {
            let from = self.from.take()?;
            self.fill(from.as_deref());
        }
        self.chunk.front()
    }

    /// Goes past it.
    pub(crate) fn next(&mut self) -> Option<Arc<Event>> {
        self.peek()?;
        self.chunk.pop_front()
    }

    fn fill(&mut self, after: Option<&[u8]>) {
        if self.span.is_empty() {
            return;
        }
        let inner = self.recent.read();
        let lower = after.map_or(self.span.lower(), Bound::Excluded);
        let mut range = inner.newest.range::<[u8], _>((lower, self.span.upper()));
        let keys: Vec<(&Bytes, &u32)> = range.by_ref().take(CHUNK).collect();
        self.from = keys.last().filter(|_| keys.len() == CHUNK).map(|(key, _)| Some((*key).clone()));
        self.chunk.extend(keys.into_iter().filter_map(|(_, newest)| inner.seen(*newest, self.at)).cloned());
    }
}
