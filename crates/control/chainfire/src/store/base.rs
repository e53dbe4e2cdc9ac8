//! The part of the store that rests on disk: seven tables of one redb file, seen as one snapshot.
//!
//! | table | key → row |
//! |---|---|
//! | `current` | key → where its latest value is, and its counters |
//! | `events` | revision → the change, with key and value |
//! | `history` | key, revision → whether it was a deletion |
//! | `leases` | id → time to live in seconds |
//! | `attached` | lease, key → nothing |
//! | `records` | name → what replicas agree on besides keys: opaque here |
//! | `meta` | `state`, `chain`, `scrubbed`, `used`, `format` |
//!
//! A value is stored once, under its revision. A snapshot is shared by all readers until the next
//! one replaces it, so that a read opens neither transaction nor table.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{
    AccessGuard, Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table,
    TableDefinition,
};

use super::Chain;
use super::codec::{Reader, Writer};
use super::error::StoreError;
use super::event::{Event, Pointer, Row};
use super::files::Files;
use super::revision::{ENCODED, Revision};
use super::span::Span;

pub(crate) const CURRENT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("current");
pub(crate) const EVENTS: TableDefinition<'_, &[u8; ENCODED], &[u8]> = TableDefinition::new("events");
pub(crate) const HISTORY: TableDefinition<'_, KeyAt, u8> = TableDefinition::new("history");
pub(crate) const LEASES: TableDefinition<'_, i64, i64> = TableDefinition::new("leases");
pub(crate) const ATTACHED: TableDefinition<'_, (i64, &[u8]), ()> = TableDefinition::new("attached");
pub(crate) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The highest format that this version reads, and the one it writes.
/// Format 2 added `records`.
pub(crate) const FORMAT: u32 = 2;
/// Revisions of one key that are read in a row before it is cheaper to search.
const PATIENCE: usize = 16;

/// The `history` rows: a deletion or a put.
pub(crate) const PUT: u8 = 0;
pub(crate) const DELETED: u8 = 1;

/// What a snapshot of the store says about itself. Replicated: the same on every replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The latest transaction.
    pub revision: i64,
    /// The latest compaction; -1 for none.
    pub compacted: i64,
    /// The lessor that may let leases expire; 0 for none.
    pub epoch: u64,
    /// Opaque: how far replication had come.
    pub position: Option<Bytes>,
    /// The hash of everything done so far; none while nobody has begun one since a version without.
    pub chain: Option<Chain>,
}

impl State {
    /// An empty store is at revision 1, as etcd's.
    pub(crate) fn empty() -> Self {
        Self { revision: 1, compacted: -1, epoch: 0, position: None, chain: Some(Chain::begin(0)) }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.number(self.revision);
        w.number(self.compacted);
        w.number(self.epoch.cast_signed());
        w.byte(u8::from(self.position.is_some()));
        w.rest(self.position.as_deref().unwrap_or_default());
        out
    }

    fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut r = Reader::new("meta", row);
        let (revision, compacted, epoch) = (r.number()?, r.number()?, r.number()?.cast_unsigned());
        let known = r.byte()? != 0;
        let position = known.then(|| Bytes::copy_from_slice(r.rest()));
        Ok(Self { revision, compacted, epoch, position, chain: None })
    }

    /// The chain has a row of its own, bound to the position that it is of: a version that does not know
    /// it goes on without, and what it leaves behind must not be taken for the hash of its state.
    pub(crate) fn encode_chain(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(chain) = self.chain else { return out };
        out.extend_from_slice(&chain.origin.to_be_bytes());
        out.extend_from_slice(&chain.hash.to_be_bytes());
        out.extend_from_slice(self.position.as_deref().unwrap_or_default());
        out
    }

    fn with_chain(mut self, row: Option<&[u8]>) -> Result<Self, StoreError> {
        let own = self.position.as_deref().unwrap_or_default();
        let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        self.chain = match row {
            None if self.position.is_none() => Some(Chain::begin(0)),
            None | Some([]) => None,
            Some(row) => {
                let (origin, rest) = row.split_first_chunk().ok_or(StoreError::Row("meta"))?;
                let (hash, position) = rest.split_first_chunk().ok_or(StoreError::Row("meta"))?;
                (position == own).then(|| Chain { origin: number(origin), hash: number(hash) })
            }
        };
        Ok(self)
    }
}

/// A key of `history`: the key's bytes and an encoded revision, sorted by the one, then the other.
#[derive(Debug)]
pub(crate) struct KeyAt;

impl KeyAt {
    pub(crate) fn encode(key: &[u8], revision: Revision) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(key.len() + ENCODED);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&revision.to_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<(&[u8], Revision), StoreError> {
        let (key, revision) = bytes.split_last_chunk().ok_or(StoreError::Row("history"))?;
        Ok((key, Revision::from_bytes(revision)))
    }
}

impl redb::Value for KeyAt {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> redb::TypeName {
        redb::TypeName::new("chainfire::KeyAt")
    }
}

impl redb::Key for KeyAt {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        let (a, at) = a.split_at(a.len().saturating_sub(ENCODED));
        let (b, bt) = b.split_at(b.len().saturating_sub(ENCODED));
        a.cmp(b).then_with(|| at.cmp(bt))
    }
}

/// One consistent snapshot. Costs nothing but the pages that later writes would have reused.
pub(crate) struct Base {
    pub(crate) state: State,
    /// What compactions superseded below this transaction is gone.
    pub(crate) scrubbed: i64,
    /// Bytes of rows.
    pub(crate) used: u64,
    pub(crate) current: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(crate) events: ReadOnlyTable<&'static [u8; ENCODED], &'static [u8]>,
    pub(crate) history: ReadOnlyTable<KeyAt, u8>,
    pub(crate) leases: ReadOnlyTable<i64, i64>,
    pub(crate) attached: ReadOnlyTable<(i64, &'static [u8]), ()>,
    pub(crate) records: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// Declared last, so that the file is closed after its readers.
    database: Arc<Database>,
}

/// Opens or creates the file. `cache` is in bytes.
pub(super) fn open(files: &Files, path: &Path, cache: usize) -> Result<Arc<Database>, StoreError> {
    let opened = files.database(Builder::new().set_cache_size(cache), path);
    let database = opened.map_err(|source| StoreError::open(path, source))?;
    prepare(&database)?;
    Ok(Arc::new(database))
}

/// Makes sure that every table exists and that this version can read them.
fn prepare(database: &Database) -> Result<(), StoreError> {
    let mut txn = database.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    {
        let mut meta = txn.open_table(META)?;
        let found = match meta.get("format")? {
            None => None,
            Some(row) => {
                Some(u32::from_be_bytes(row.value().try_into().map_err(|_| StoreError::Row("meta"))?))
            }
        };
        match found {
            Some(found) if found > FORMAT => return Err(StoreError::Format { found, known: FORMAT }),
            Some(FORMAT) => return Ok(()),
            Some(_) => {}
            None => first_rows(&mut meta)?,
        }
        meta.insert("format", FORMAT.to_be_bytes().as_slice())?;
        txn.open_table(CURRENT)?;
        txn.open_table(EVENTS)?;
        txn.open_table(HISTORY)?;
        txn.open_table(LEASES)?;
        txn.open_table(ATTACHED)?;
        txn.open_table(RECORDS)?;
    }
    txn.commit()?;
    Ok(())
}

fn first_rows(meta: &mut Table<'_, &'static str, &'static [u8]>) -> Result<(), StoreError> {
    meta.insert("state", State::empty().encode().as_slice())?;
    meta.insert("scrubbed", 0i64.to_be_bytes().as_slice())?;
    meta.insert("used", 0u64.to_be_bytes().as_slice())?;
    Ok(())
}

impl Base {
    /// The snapshot of the last commit.
    pub(crate) fn latest(database: &Arc<Database>) -> Result<Self, StoreError> {
        let txn = database.begin_read()?;
        let meta = txn.open_table(META)?;
        let state = meta.get("state")?.ok_or(StoreError::Row("meta"))?;
        let chain = meta.get("chain")?;
        let number = |name: &str| -> Result<[u8; 8], StoreError> {
            let row = meta.get(name)?.ok_or(StoreError::Row("meta"))?;
            row.value().try_into().map_err(|_| StoreError::Row("meta"))
        };
        Ok(Self {
            state: State::decode(state.value())?.with_chain(chain.as_ref().map(AccessGuard::value))?,
            scrubbed: i64::from_be_bytes(number("scrubbed")?),
            used: u64::from_be_bytes(number("used")?),
            current: txn.open_table(CURRENT)?,
            events: txn.open_table(EVENTS)?,
            history: txn.open_table(HISTORY)?,
            leases: txn.open_table(LEASES)?,
            attached: txn.open_table(ATTACHED)?,
            records: txn.open_table(RECORDS)?,
            database: database.clone(),
        })
    }

    /// The file it is a snapshot of.
    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// A key's latest state.
    pub(crate) fn pointer(&self, key: &[u8]) -> Result<Option<Pointer>, StoreError> {
        self.current.get(key)?.map(|row| Pointer::decode(row.value())).transpose()
    }

    /// The change at a revision.
    pub(crate) fn event(&self, revision: Revision) -> Result<Option<Event>, StoreError> {
        self.events.get(&revision.to_bytes())?.map(|row| Event::decode(revision, row.value())).transpose()
    }

    /// The value put at a revision.
    pub(crate) fn value(&self, revision: Revision) -> Result<Bytes, StoreError> {
        let row = self.events.get(&revision.to_bytes())?.ok_or(StoreError::Row("events"))?;
        Ok(Bytes::copy_from_slice(Row::decode(row.value())?.value))
    }

    /// The last change of a key up to and including a revision, and whether it was a deletion.
    pub(crate) fn as_of(&self, key: &[u8], at: Revision) -> Result<Option<(Revision, bool)>, StoreError> {
        let (first, last) = (KeyAt::encode(key, Revision::default()), KeyAt::encode(key, at));
        let mut range = self.history.range(first.as_slice()..=last.as_slice())?;
        let Some(row) = range.next_back() else { return Ok(None) };
        let (key, kind) = row?;
        let (_, revision) = KeyAt::decode(key.value())?;
        Ok(Some((revision, kind.value() == DELETED)))
    }

    /// Visits the keys that existed at a past revision, in order, with the change that made them so.
    /// `visit` says by `false` that it has seen enough.
    pub(crate) fn walk_past(
        &self,
        span: &Span,
        at: Revision,
        mut visit: impl FnMut(&[u8], Revision) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = Some(KeyAt::encode(span.start(), Revision::default()));
        while let Some(start) = from.take() {
            let mut group = Group::default();
            for row in self.history.range(start.as_slice()..)? {
                let (row, kind) = row?;
                let (key, revision) = KeyAt::decode(row.value())?;
                if key != group.key {
                    if !group.emit(&mut visit)? {
                        return Ok(());
                    }
                    if !span.reaches(key) {
                        return Ok(());
                    }
                    group.begin(key);
                }
                group.rows += 1;
                if group.rows > PATIENCE {
                    group.last = self.as_of(key, at)?;
                    from = Some(KeyAt::encode(key, Revision { main: i64::MAX, sub: u32::MAX }));
                    break;
                }
                if revision <= at {
                    group.last = Some((revision, kind.value() == DELETED));
                }
            }
            if !group.emit(&mut visit)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A record.
    pub(crate) fn record(&self, name: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.records.get(name)?.map(|row| Bytes::copy_from_slice(row.value())))
    }

    /// The records whose names begin so.
    pub(crate) fn records(&self, prefix: &[u8]) -> Result<BTreeMap<Bytes, Bytes>, StoreError> {
        let mut records = BTreeMap::new();
        for row in self.records.range(prefix..)? {
            let (name, record) = row?;
            if !name.value().starts_with(prefix) {
                break;
            }
            records.insert(Bytes::copy_from_slice(name.value()), Bytes::copy_from_slice(record.value()));
        }
        Ok(records)
    }

    /// The keys attached to a lease.
    pub(crate) fn attached(&self, lease: i64) -> Result<Vec<Bytes>, StoreError> {
        let mut keys = Vec::new();
        for row in self.attached.range((lease, [].as_slice())..)? {
            let (row, ()) = row.map(|(k, v)| (k, v.value()))?;
            let (owner, key) = row.value();
            if owner != lease {
                break;
            }
            keys.push(Bytes::copy_from_slice(key));
        }
        Ok(keys)
    }
}

/// The revisions of one key, as a walk through the past passes them.
#[derive(Default)]
struct Group {
    key: Vec<u8>,
    rows: usize,
    last: Option<(Revision, bool)>,
}

impl Group {
    fn begin(&mut self, key: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.rows = 0;
    }

    fn emit(
        &mut self,
        visit: &mut impl FnMut(&[u8], Revision) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        match self.last.take() {
            Some((revision, false)) => visit(&self.key, revision),
            _ => Ok(true),
        }
    }
}
