//! The multi-version store: every key at every revision that is not compacted.
//!
//! Writes go to memory ([`Recent`]) and reach the disk ([`Base`]) in large sorted flushes, each one
//! durable commit that also holds the replication position, made by a background thread. What a
//! crash loses comes back from the replicated log. So applying a command costs a microsecond or two
//! and never waits for the disk; a read at the latest revision looks at memory, then at one row of
//! the disk, however long the history is.
//!
//! The store is not replicated and knows no protocol: [`crate::machine`] gives commands their
//! meaning. It refuses nothing; whether a request is allowed was decided above.

mod base;
mod codec;
mod digest;
mod error;
mod event;
mod files;
mod flush;
mod hash;
#[cfg(test)]
mod hash_tests;
mod image;
mod import;
mod recent;
#[cfg(test)]
mod records_tests;
mod revision;
mod rewrite;
#[cfg(test)]
mod rewrite_tests;
mod scrub;
mod slice;
mod span;
mod tally;
mod transaction;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kit::Context;
use kit::sabotage::Sabotage;
use redb::ReadableTable;
use tokio::sync::{Notify, watch};

use base::Base;
use files::Files;
use recent::Recent;

use crate::proto::internal::LeaseGrant;

pub(crate) use base::FORMAT;
pub use base::State;
pub use error::StoreError;
pub use event::Event;
pub use hash::{Hashing, OutOfReach};
pub use image::Image;
#[cfg(any(test, fuzzing))]
pub(crate) use image::MAGIC;
pub(crate) use image::{FORMAT as IMAGE_FORMAT, HASH};
pub(crate) use import::{ImageSummary, check_image, restore_image};
pub use quorum::jury::Chain;
pub use revision::Revision;
pub use rewrite::{Progress, Rewrite, Rewrites, StepError};
pub use slice::Budget;
pub use span::Span;
pub use tally::Tally;
pub use transaction::{Batch, Transaction};
pub(crate) use view::Found;
pub use view::View;

/// The name of the file.
const STORE: &str = "store.redb";

/// Sizes of a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Bytes of pages that are kept in memory.
    pub cache_bytes: usize,
    /// Bytes of changes in memory that make a flush due.
    pub flush_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 16 << 20, flush_bytes: 8 << 20 }
    }
}

/// How much room a store takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// What the file takes from the disk: its pages, free ones too, but not its holes.
    pub file: u64,
    /// Of the rows in it.
    pub used: u64,
    /// Changes that are only in memory yet, and will go to the file.
    pub unflushed: u64,
}

impl Size {
    /// What quotas count.
    pub fn total(self) -> u64 {
        self.file + self.unflushed
    }
}

/// A file of versioned keys. Shared by one writer, any number of readers and the housekeeping.
pub struct Store {
    files: Files,
    path: PathBuf,
    options: StoreOptions,
    view: ArcSwap<View>,
    /// The applying thread's: where the newest layer will end. Held for the length of a batch.
    applying: Mutex<State>,
    /// Held by whoever writes the file.
    writing: Mutex<()>,
    /// Mirrors the latest state. Read only after a view was taken: see [`Store::compacted`].
    compacted: AtomicI64,
    /// Ids and times to live in seconds of all leases.
    leases: RwLock<BTreeMap<i64, i64>>,
    /// Changes up to here have been given to the watchers and may be scrubbed.
    dispatched: AtomicI64,
    heads: watch::Sender<i64>,
    record_changes: watch::Sender<u64>,
    scrubbed: watch::Sender<i64>,
    file_bytes: watch::Sender<u64>,
    wake: Notify,
    flush_wanted: AtomicBool,
    tally: Tally,
    rewrite_wanted: AtomicBool,
    /// Slices of scrubbing so far.
    scrubs: AtomicU64,
    /// The scrubber rests.
    rewriting: AtomicBool,
    rewrites: watch::Sender<Rewrites>,
}

impl Store {
    /// Opens or creates the store in a directory.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_among(Files::real(), dir, options)
    }

    /// Opens or creates the store in a directory of this process' disk.
    pub fn open_in(context: &Context, dir: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_among(Files::of(context), dir, options)
    }

    fn open_among(files: Files, dir: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        files.create_dir(dir)?;
        let path = dir.join(STORE);
        files.remove(&import::draft(&path))?;
        files.remove(&rewrite::twin(&path))?;
        let base = Base::latest(&base::open(&files, &path, options.cache_bytes)?)?;
        let leases = read_leases(&base)?;
        let mut state = base.state.clone();
        if files.sabotage.is("reuse a revision after a restart") && state.revision > 1 {
            state.revision -= 1;
        }
        let scrubbed = base.scrubbed;
        let file_bytes = watch::Sender::new(files.allocated(&path)?);
        let active = Arc::new(Recent::after(state.revision));
        let view = View { era: 0, active, sealed: Vec::new(), base: Arc::new(base) };
        Ok(Arc::new(Self {
            files,
            path,
            options,
            view: ArcSwap::from_pointee(view),
            writing: Mutex::new(()),
            compacted: AtomicI64::new(state.compacted),
            leases: RwLock::new(leases),
            dispatched: AtomicI64::new(state.revision),
            heads: watch::Sender::new(state.revision),
            record_changes: watch::Sender::new(0),
            scrubbed: watch::Sender::new(scrubbed),
            file_bytes,
            applying: Mutex::new(state),
            wake: Notify::new(),
            flush_wanted: AtomicBool::new(false),
            tally: Tally::default(),
            rewrite_wanted: AtomicBool::new(false),
            scrubs: AtomicU64::new(1),
            rewriting: AtomicBool::new(false),
            rewrites: watch::Sender::default(),
        }))
    }

    /// The store as it is now.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Revisions below this one may not be read; -1 if all may.
    ///
    /// Taken after a view it is right for that view: whatever a view no longer holds was compacted
    /// before the view was made.
    pub fn compacted(&self) -> i64 {
        self.compacted.load(Ordering::Acquire)
    }

    /// The replication position that has reached the disk.
    pub fn position(&self) -> Option<Bytes> {
        self.view.load().base.state.position.clone()
    }

    /// Follows the latest revision.
    pub fn heads(&self) -> watch::Receiver<i64> {
        self.heads.subscribe()
    }

    /// Changes whenever a record may have changed: for those who keep what they read of them.
    pub fn record_changes(&self) -> watch::Receiver<u64> {
        self.record_changes.subscribe()
    }

    /// All leases: ids and times to live in seconds.
    pub fn leases(&self) -> RwLockReadGuard<'_, BTreeMap<i64, i64>> {
        self.leases.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash of everything done so far; none: nobody has begun one. Waits for the batch being applied.
    pub fn chain(&self) -> Option<Chain> {
        self.applying().chain
    }

    /// A hash over all leases.
    pub fn leases_hash(&self) -> u64 {
        let mut chain = Chain::begin(0);
        for (id, ttl) in self.leases().iter() {
            digest::deed(&mut chain, &digest::Deed::Grant { id: *id, ttl: *ttl });
        }
        chain.hash
    }

    /// The known bug that a simulation has put in, if any.
    pub(crate) fn sabotage(&self) -> Sabotage {
        self.files.sabotage
    }

    /// What it has done since it was opened.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The keys attached to a lease, sorted.
    pub fn attached(&self, lease: i64) -> Result<Vec<Bytes>, StoreError> {
        self.view().attached(lease)
    }

    /// How large it is; the file as it was after the last change of it. Cheap.
    pub fn size(&self) -> Size {
        let view = self.view.load();
        let unflushed = view.layers().map(|layer| layer.weight() as u64).sum();
        Size { file: *self.file_bytes.borrow(), used: view.base.used, unflushed }
    }

    /// Follows what the file takes from the disk.
    pub fn file_sizes(&self) -> watch::Receiver<u64> {
        self.file_bytes.subscribe()
    }

    /// Looks at the file, after it was changed. A figure that cannot be had is no reason to stop.
    fn measure(&self) {
        match self.files.allocated(&self.path) {
            Ok(bytes) => drop(self.file_bytes.send_replace(bytes)),
            Err(e) => tracing::debug!(error = %e, "the size of the store's file is not known"),
        }
    }

    /// Waits until the housekeeping has work.
    pub async fn work(&self) {
        self.wake.notified().await;
    }

    fn applying(&self) -> MutexGuard<'_, State> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_leases(base: &Base) -> Result<BTreeMap<i64, i64>, StoreError> {
    let rows = base.leases.iter()?;
    rows.map(|row| row.map(|(id, ttl)| (id.value(), ttl.value())).map_err(StoreError::from)).collect()
}

fn export_leases(leases: &BTreeMap<i64, i64>) -> Vec<LeaseGrant> {
    leases.iter().map(|(id, ttl)| LeaseGrant { id: *id, ttl: *ttl }).collect()
}
