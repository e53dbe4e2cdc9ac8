//! Defragmentation: the rows are copied, packed, into a twin of the file, which then takes its place.
//!
//! Nobody waits for it. Slices copy from whatever is the newest snapshot, so that no old one holds on to
//! pages; what was flushed since the beginning is copied after them, as often as there is some; the last of
//! it, the small tables and the state follow while flushes are held up, which readers and the applying
//! thread do not notice. Then the twin is durable, and only then it gets the store's name. So a crash at
//! any moment leaves one whole file under that name, and whatever else is there is removed at the next start.
//!
//! That works because rows of `events` and `history` only ever go through scrubbing, which pauses meanwhile,
//! and everything else can be told from the events. An image that replaces the store ends the work: its file
//! is packed already. redb's own compaction is no use here: it wants the database to itself.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redb::{Database, Durability, Key, ReadOnlyTable, ReadableTableMetadata, Table, Value, WriteTransaction};

use super::Store;
use super::base::{self, ATTACHED, Base, CURRENT, EVENTS, HISTORY, LEASES, META, RECORDS};
use super::error::StoreError;
use super::event::{Event, Row};
use super::flush::{write_changes, write_state};
use super::recent::Recent;
use super::revision::Revision;
use super::slice::{Budget, Slice};
use super::view::View;

/// Of one slice.
const BYTES: usize = 512 << 10;
/// What must stay free beside the twin: the log goes on meanwhile.
const SPARE: u64 = 64 << 20;

/// How the rewriting of files went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// How many have ended.
    pub ended: u64,
    /// Why the last one had to be given up, if so: the old file stays in use.
    pub failure: Option<String>,
}

/// Where a rewrite stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows are being copied.
    Copying,
    /// What was flushed since is being copied.
    CatchingUp,
    /// The twin is in place.
    Done,
}

/// A rewrite under way.
pub struct Rewrite {
    era: u64,
    twin: Arc<Database>,
    path: PathBuf,
    stage: Stage,
    /// The last key that was copied of the table that is being copied, as the table encodes it.
    after: Option<Vec<u8>>,
    /// The last transaction whose rows are all in the twin, once every table was passed.
    since: i64,
    /// Rows of one slice.
    rows: usize,
}

#[derive(Clone, Copy)]
enum Stage {
    Events,
    History,
    Current,
    Attached,
    CatchUp,
    Last,
    Done,
}

impl Stage {
    fn next(self) -> Self {
        match self {
            Self::Events => Self::History,
            Self::History => Self::Current,
            Self::Current => Self::Attached,
            Self::Attached => Self::CatchUp,
            Self::CatchUp | Self::Last => Self::Last,
            Self::Done => Self::Done,
        }
    }
}

/// Where the twin is written.
pub(super) fn twin(path: &Path) -> PathBuf {
    path.with_extension("redb.twin")
}

impl Store {
    /// Asks the housekeeping to rewrite the file.
    pub fn rewrite_soon(&self) {
        self.rewrite_wanted.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether somebody asked for that.
    pub fn is_rewrite_wanted(&self) -> bool {
        self.rewrite_wanted.load(Ordering::Relaxed)
    }

    /// Follows the rewrites.
    pub fn rewrites(&self) -> tokio::sync::watch::Receiver<Rewrites> {
        self.rewrites.subscribe()
    }

    /// Begins a rewrite, a number of rows a step. One at a time; scrubbing rests until [`Store::end_rewrite`].
    pub fn begin_rewrite(&self, rows: usize) -> Result<Rewrite, StoreError> {
        self.rewriting.store(true, Ordering::Relaxed);
        let path = twin(&self.path);
        // Packed pages, and the ones that each commit replaces.
        let needed = self.view().base.used.saturating_mul(2).saturating_add(SPARE);
        let free = self.files.room_beside(&path)?;
        if free < needed {
            return Err(StoreError::NoRoom { needed, free });
        }
        self.files.remove(&path)?;
        // A scrub that is under way is done before the first row is looked at.
        let _writing = self.writing();
        let view = self.view();
        let twin = base::open(&self.files, &path, self.options.cache_bytes)?;
        let (era, since) = (view.era, view.base.state.revision);
        Ok(Rewrite { era, twin, path, stage: Stage::Events, after: None, since, rows })
    }

    /// Tells those who wait how a rewrite ended, and lets the scrubber work again.
    pub fn end_rewrite(&self, failure: Option<String>) {
        if failure.is_some() {
            // It is removed at the next start at the latest.
            let _ = self.files.remove(&twin(&self.path));
        }
        self.rewriting.store(false, Ordering::Relaxed);
        self.rewrite_wanted.store(false, Ordering::Relaxed);
        self.rewrites.send_modify(|rewrites| {
            rewrites.ended += 1;
            rewrites.failure = failure;
        });
        self.wake.notify_one();
    }

    /// Puts the twin in the file's place. What fails before it has the name costs only the twin; afterwards
    /// it is not known which file a restart would find, and the store must not go on.
    fn take_twin(&self, rewrite: &Rewrite) -> Result<(), StepError> {
        let _writing = self.writing();
        let view = self.view();
        if view.era != rewrite.era {
            self.files.remove(&rewrite.path).map_err(StoreError::from)?;
            return Ok(());
        }
        rewrite.complete(&view.base)?;
        let base = Base::latest(&rewrite.twin)?;
        self.files.replace(&rewrite.path, &self.path).map_err(|e| StepError::Fatal(e.into()))?;
        self.show(base, 0);
        self.measure();
        Ok(())
    }
}

/// Why a step of a rewrite failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The store goes on with its old file.
    #[error(transparent)]
    GivenUp(#[from] StoreError),
    /// The store cannot go on.
    #[error("the rewritten file could not be put in place: {0}")]
    Fatal(#[source] StoreError),
}

impl Rewrite {
    /// Goes on by a few milliseconds of work. Blocks.
    pub fn step(&mut self, store: &Store) -> Result<Progress, StepError> {
        let view = store.view();
        if view.era != self.era && !matches!(self.stage, Stage::Done) {
            self.stage = Stage::Last;
        }
        match self.stage {
            Stage::Done => Ok(Progress::Done),
            Stage::Last => {
                store.take_twin(self)?;
                self.stage = Stage::Done;
                Ok(Progress::Done)
            }
            Stage::CatchUp => {
                if self.catch_up(&view)? {
                    self.stage = Stage::Last;
                }
                Ok(Progress::CatchingUp)
            }
            _ => {
                if self.copy_slice(&view.base)? {
                    self.stage = self.stage.next();
                    self.after = None;
                }
                Ok(Progress::Copying)
            }
        }
    }

    /// A transaction on the twin. Each is durable, so that no large one holds up other syncs at the end.
    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut txn = self.twin.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        Ok(txn)
    }

    /// Copies some rows. True: that was all of the table.
    fn copy_slice(&mut self, base: &Base) -> Result<bool, StoreError> {
        let txn = self.begin()?;
        let (after, rows) = (&mut self.after, self.rows);
        let all = match self.stage {
            Stage::Events => copy(&base.events, &mut txn.open_table(EVENTS)?, after, rows),
            Stage::History => copy(&base.history, &mut txn.open_table(HISTORY)?, after, rows),
            Stage::Current => copy(&base.current, &mut txn.open_table(CURRENT)?, after, rows),
            Stage::Attached => copy(&base.attached, &mut txn.open_table(ATTACHED)?, after, rows),
            Stage::CatchUp | Stage::Last | Stage::Done => Ok(true),
        }?;
        txn.commit()?;
        Ok(all)
    }

    /// Copies some of what was flushed since the beginning. True: that was all, for now.
    fn catch_up(&mut self, view: &View) -> Result<bool, StoreError> {
        let (layer, last, all) =
            changes_since(&view.base, self.since, Budget { events: self.rows, bytes: BYTES })?;
        let txn = self.begin()?;
        write_changes(&txn, &layer.read())?;
        txn.commit()?;
        self.since = last;
        Ok(all)
    }

    /// The rest, and what is true of the whole. Checked once more: a twin with a row less is no twin.
    fn complete(&self, base: &Base) -> Result<(), StoreError> {
        let everything = Budget { events: usize::MAX, bytes: usize::MAX };
        let (layer, ..) = changes_since(base, self.since, everything)?;
        let mut txn = self.begin()?;
        txn.set_quick_repair(true);
        write_changes(&txn, &layer.read())?;
        copy(&base.leases, &mut txn.open_table(LEASES)?, &mut None, usize::MAX)?;
        copy(&base.records, &mut txn.open_table(RECORDS)?, &mut None, usize::MAX)?;
        write_state(&txn, &base.state)?;
        {
            let mut meta = txn.open_table(META)?;
            meta.insert("scrubbed", base.scrubbed.to_be_bytes().as_slice())?;
            meta.insert("used", base.used.to_be_bytes().as_slice())?;
        }
        same_length("events", &base.events, &txn.open_table(EVENTS)?)?;
        same_length("history", &base.history, &txn.open_table(HISTORY)?)?;
        same_length("current", &base.current, &txn.open_table(CURRENT)?)?;
        same_length("attached", &base.attached, &txn.open_table(ATTACHED)?)?;
        same_length("leases", &base.leases, &txn.open_table(LEASES)?)?;
        same_length("records", &base.records, &txn.open_table(RECORDS)?)?;
        txn.commit()?;
        Ok(())
    }
}

/// Copies rows after a key, up to a number of them or some bytes. True: there are no more.
fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadOnlyTable<K, V>,
    to: &mut Table<'_, K, V>,
    after: &mut Option<Vec<u8>>,
    rows: usize,
) -> Result<bool, StoreError> {
    let start = after.take();
    let lower = start.as_deref().map_or(Bound::Unbounded, |key| Bound::Excluded(K::from_bytes(key)));
    let mut bytes = 0;
    for (count, row) in from.range::<K::SelfType<'_>>((lower, Bound::Unbounded))?.enumerate() {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        let encoded = K::as_bytes(&key);
        bytes += encoded.as_ref().len() + V::as_bytes(&value).as_ref().len();
        to.insert(&key, &value)?;
        if rows != usize::MAX && (count + 1 >= rows || bytes >= BYTES) {
            *after = Some(encoded.as_ref().to_vec());
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_length<K: Key + 'static, V: Value + 'static>(
    table: &'static str,
    original: &ReadOnlyTable<K, V>,
    copied: &Table<'_, K, V>,
) -> Result<(), StoreError> {
    let (expected, found) = (original.len()?, copied.len()?);
    if expected == found { Ok(()) } else { Err(StoreError::Twin { table, expected, found }) }
}

/// What a snapshot has of transactions after one, as a layer to be written; the last of them; whether that
/// is all.
fn changes_since(base: &Base, since: i64, budget: Budget) -> Result<(Recent, i64, bool), StoreError> {
    let (layer, mut slice, mut last, mut all) = (Recent::after(0), Slice::new(budget), since, true);
    let from = Revision::first_of(since + 1).to_bytes();
    for row in base.events.range::<&[u8; super::revision::ENCODED]>(&from..)? {
        let (revision, row) = row?;
        let revision = Revision::from_bytes(revision.value());
        if !slice.has_room_for(revision.main) {
            all = false;
            break;
        }
        let event = Arc::new(Event::decode(revision, row.value())?);
        let was = lease_before(base, &event)?;
        if was != 0 && was != event.lease {
            layer.set_attached(was, &event.key, false);
        }
        if event.lease != 0 {
            layer.set_attached(event.lease, &event.key, true);
        }
        last = revision.main;
        layer.push(Event::clone(&event));
        slice.push(event);
    }
    Ok((layer, if all { base.state.revision } else { last }, all))
}

/// The lease that a key had before a change.
fn lease_before(base: &Base, event: &Event) -> Result<i64, StoreError> {
    let Some(previous) = event.previous else { return Ok(0) };
    let row = base.events.get(&previous.to_bytes())?.ok_or(StoreError::Row("events"))?;
    Ok(Row::decode(row.value())?.lease)
}
