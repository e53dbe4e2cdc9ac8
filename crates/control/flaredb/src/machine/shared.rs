//! What sessions use of a database beside the log: its writer for the open transaction, snapshots, the catalogue.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use quorum::jury::Statement;
use tokio::sync::watch;

use super::recent::{Fate, Recent};
use crate::base::Catalog;
use crate::engine::{EngineError, Readers, Stopper, Writer};
use crate::proto::log::command::Body;

/// What applying the log has found, for those who act on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What this replica has to state.
    pub(crate) statement: Option<Statement>,
    /// Replicas that have diverged; 0: nobody can say which.
    pub(crate) diverged: BTreeSet<u64>,
    /// This one is among them.
    pub(crate) fenced: bool,
}

/// One database of this process.
pub(crate) struct Shared {
    writer: Mutex<Writer>,
    /// Of the writer, without waiting for it.
    stopper: Mutex<Stopper>,
    /// Whose transaction is open.
    open: Mutex<Option<[u8; 16]>>,
    readers: Readers,
    catalog: watch::Sender<Arc<Catalog>>,
    findings: watch::Sender<Findings>,
    fenced: AtomicBool,
    changed: AtomicU64,
    hash: AtomicU64,
    recent: Mutex<Recent>,
}

impl Shared {
    pub(super) fn new(writer: Writer, path: PathBuf, vfs: Option<String>) -> Self {
        let (recent, hash) = (Mutex::new(Recent::default()), AtomicU64::new(writer.hash()));
        locked(&recent).begin(writer.state().changed);
        Self {
            stopper: Mutex::new(writer.stopper()),
            catalog: watch::Sender::new(writer.catalog().clone()),
            writer: Mutex::new(writer),
            open: Mutex::new(None),
            readers: Readers::new(path, vfs),
            findings: watch::Sender::default(),
            fenced: AtomicBool::new(false),
            changed: AtomicU64::new(0),
            hash,
            recent,
        }
    }

    /// The writer. Blocks while a statement of the open transaction runs, or the log is applied.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        locked(&self.writer)
    }

    /// The writer, if nobody has it.
    #[cfg(test)]
    pub(super) fn writer_if_free(&self) -> Option<MutexGuard<'_, Writer>> {
        self.writer.try_lock().ok()
    }

    /// Snapshots.
    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The catalogue, as it changes.
    pub(crate) fn catalog(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalog.subscribe()
    }

    /// What the replicas' check has found, as it changes.
    pub(crate) fn findings(&self) -> watch::Receiver<Findings> {
        self.findings.subscribe()
    }

    /// Whether this replica must not answer anything.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// The entry that changed anything last; 0: none since the start.
    pub(crate) fn changed(&self) -> u64 {
        self.changed.load(Ordering::Acquire)
    }

    /// The hash over everything that was done, as of the last change.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Acquire)
    }

    /// What became of a write. Ask after a read barrier.
    pub(crate) fn fate(&self, id: &[u8; 16]) -> Fate {
        locked(&self.recent).fate(id)
    }

    /// Opens a transaction. Whoever asks holds the write slot.
    pub(crate) fn open_transaction(&self, id: [u8; 16]) -> Result<(), EngineError> {
        let mut writer = self.writer();
        writer.open_transaction(id)?;
        *locked(&self.open) = Some(id);
        Ok(())
    }

    /// Undoes a transaction, if it is the open one.
    pub(crate) fn abort_transaction(&self, id: &[u8; 16]) -> Result<(), EngineError> {
        let mut writer = self.writer();
        if writer.is_open(id) {
            *locked(&self.open) = None;
            writer.abort_transaction()?;
        }
        Ok(())
    }

    /// Stops the statement that the open transaction runs, if it is this one.
    pub(crate) fn stop(&self, id: &[u8; 16]) {
        if locked(&self.open).as_ref() == Some(id) {
            locked(&self.stopper).stop();
        }
    }

    /// Stops the open transaction if these entries mean that it has lost; no entries: in any case.
    pub(super) fn make_way(&self, bodies: &[Option<Body>]) {
        let Some(open) = *locked(&self.open) else { return };
        let lost = |body: &Option<Body>| match body {
            Some(Body::Commit(commit)) => commit.id[..] != open,
            Some(Body::Batch(_)) => true,
            _ => false,
        };
        if bodies.is_empty() || bodies.iter().any(lost) {
            locked(&self.stopper).doom();
        }
    }

    /// The ids of an entry's writes.
    pub(super) fn ids(&self, body: Option<&Body>) -> Vec<[u8; 16]> {
        match body {
            Some(Body::Batch(batch)) => {
                batch.writes.iter().filter_map(|write| write.id[..].try_into().ok()).collect()
            }
            Some(Body::Commit(commit)) => commit.id[..].try_into().ok().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn remember(&self, index: u64, ids: Vec<[u8; 16]>, reply: &Bytes) {
        locked(&self.recent).add(index, ids, reply);
    }

    /// Tells what was applied.
    pub(super) fn publish(&self, writer: &Writer) {
        *locked(&self.open) = writer.transaction();
        self.changed.store(writer.state().changed, Ordering::Release);
        self.hash.store(writer.hash(), Ordering::Release);
        let version = writer.catalog().version;
        self.catalog.send_if_modified(|known| {
            let changed = writer.transaction().is_none() && known.version != version;
            if changed {
                *known = writer.catalog().clone();
            }
            changed
        });
    }

    pub(super) fn found(&self, change: impl FnOnce(&mut Findings)) {
        self.findings.send_modify(change);
        self.fenced.store(self.findings.borrow().fenced, Ordering::Release);
    }

    /// Another database has taken this one's place.
    pub(super) fn replace(&self, new: Writer, path: &Path) -> Result<(), EngineError> {
        let mut writer = self.writer();
        writer.abort_transaction()?;
        *locked(&self.open) = None;
        *locked(&self.stopper) = new.stopper();
        locked(&self.recent).begin(new.state().changed);
        *writer = new;
        self.readers.move_to(path.to_owned());
        self.found(|findings| *findings = Findings::default());
        self.catalog.send_replace(writer.catalog().clone());
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
