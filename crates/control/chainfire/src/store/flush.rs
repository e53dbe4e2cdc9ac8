//! From memory to disk: seal the newest layer between two batches, write it, show the new snapshot.
//!
//! Sealing costs the applying thread nothing. Writing is one durable commit of rows sorted by key,
//! which is several times cheaper than a commit a batch, and happens on whatever thread calls
//! [`Store::flush_sealed`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redb::{Durability, ReadableTable, WriteTransaction};
use tokio::time::Instant;

use super::Store;
use super::base::{
    ATTACHED, Base, CURRENT, DELETED, EVENTS, HISTORY, KeyAt, LEASES, META, PUT, RECORDS, State,
};
use super::error::StoreError;
use super::recent::{Changes, Recent};
use super::revision::ENCODED;
use super::view::{Sealed, View};

/// Sealed layers that may wait for the disk before the applying thread helps out.
const PATIENCE: usize = 2;

impl Store {
    /// Makes everything applied so far durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.seal_now();
        self.flush_sealed()
    }

    /// Seals what has been applied, at the next end of a batch.
    pub fn seal_now(&self) {
        let state = self.applying();
        self.seal(&state);
    }

    /// Asks the housekeeping for a flush.
    pub fn flush_soon(&self) {
        self.flush_wanted.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether somebody asked for a flush since the last time this was asked.
    pub fn take_flush_wish(&self) -> bool {
        self.flush_wanted.swap(false, Ordering::Relaxed)
    }

    pub(super) fn seal(&self, state: &State) {
        let view = self.view.load();
        let on_disk = view.sealed.last().map_or(&view.base.state, |sealed| &sealed.state);
        if view.active.read().is_empty() && on_disk == state {
            return;
        }
        let fresh = Arc::new(Recent::after(state.revision));
        self.view.rcu(|view| {
            let mut next = View::clone(view);
            let changes = std::mem::replace(&mut next.active, fresh.clone());
            next.sealed.push(Sealed { changes, state: state.clone() });
            next
        });
    }

    /// Lets a batch wait while the disk is far behind: memory is bounded.
    pub(super) fn keep_up(&self) -> Result<(), StoreError> {
        if self.view.load().sealed.len() > PATIENCE { self.flush_sealed() } else { Ok(()) }
    }

    /// Writes every sealed layer, oldest first.
    pub fn flush_sealed(&self) -> Result<(), StoreError> {
        let _writing = self.writing();
        loop {
            let view = self.view();
            let Some(sealed) = view.sealed.first() else { return Ok(()) };
            let database = view.base.database();
            let mut txn = database.begin_write()?;
            txn.set_durability(Durability::Immediate)?;
            // An unclean stop must not cost a walk through the whole file at the next start.
            txn.set_quick_repair(true);
            let written = write_changes(&txn, &sealed.changes.read())?;
            count(&txn, written)?;
            if self.files.sabotage.is("apply not atomically") {
                txn.commit()?;
                txn = database.begin_write()?;
                txn.set_durability(Durability::None)?;
            }
            let mut state = sealed.state.clone();
            if self.files.sabotage.is("skip a flush's applied index") {
                state.position.clone_from(&view.base.state.position);
            }
            write_state(&txn, &state)?;
            let begun = Instant::now();
            txn.commit()?;
            self.tally.commits().observe(begun.elapsed().as_secs_f64());
            self.show(Base::latest(database)?, 1);
            self.measure();
        }
    }

    /// Replaces the snapshot, which now holds the `written` oldest layers.
    pub(super) fn show(&self, base: Base, written: usize) {
        let base = Arc::new(base);
        self.view.rcu(|view| {
            let mut next = View::clone(view);
            next.sealed.drain(..written);
            next.base = base.clone();
            next
        });
    }
}

pub(super) fn write_state(txn: &WriteTransaction, state: &State) -> Result<(), StoreError> {
    let mut meta = txn.open_table(META)?;
    meta.insert("state", state.encode().as_slice())?;
    meta.insert("chain", state.encode_chain().as_slice())?;
    Ok(())
}

/// Adds to the bytes of rows in the file.
pub(super) fn count(txn: &WriteTransaction, written: i64) -> Result<(), StoreError> {
    let mut meta = txn.open_table(META)?;
    let known = meta.get("used")?.and_then(|row| row.value().try_into().ok()).map_or(0, u64::from_be_bytes);
    let used = known.saturating_add_signed(written);
    meta.insert("used", used.to_be_bytes().as_slice())?;
    Ok(())
}

/// Bytes of a change's rows in `events` and `history`.
pub(super) fn weigh(key: usize, row: usize) -> i64 {
    i64::try_from(row + key + 2 * ENCODED + 1).unwrap_or(i64::MAX)
}

/// Writes a layer. Gives by how many bytes the rows have grown.
pub(super) fn write_changes(txn: &WriteTransaction, changes: &Changes) -> Result<i64, StoreError> {
    let mut written = 0;
    let mut row = Vec::new();
    let mut events = txn.open_table(EVENTS)?;
    for event in changes.events() {
        row.clear();
        event.encode(&mut row);
        written += weigh(event.key.len(), row.len());
        events.insert(&event.revision.to_bytes(), row.as_slice())?;
    }
    let mut history = txn.open_table(HISTORY)?;
    for event in changes.by_key() {
        let kind = if event.deleted { DELETED } else { PUT };
        history.insert(KeyAt::encode(&event.key, event.revision).as_slice(), kind)?;
    }
    written += write_current(txn, changes)?;
    write_leases(txn, changes)?;
    written += write_records(txn, changes)?;
    Ok(written)
}

fn write_current(txn: &WriteTransaction, changes: &Changes) -> Result<i64, StoreError> {
    let mut current = txn.open_table(CURRENT)?;
    let (mut row, mut new, mut old) = (Vec::new(), 0, 0);
    for event in changes.newest() {
        let replaced = if event.deleted {
            current.remove(event.key.as_ref())?
        } else {
            row.clear();
            event.pointer().encode(&mut row);
            new += event.key.len() + row.len();
            current.insert(event.key.as_ref(), row.as_slice())?
        };
        old += replaced.map_or(0, |replaced| event.key.len() + replaced.value().len());
    }
    Ok(i64::try_from(new).unwrap_or(i64::MAX) - i64::try_from(old).unwrap_or(i64::MAX))
}

fn write_records(txn: &WriteTransaction, changes: &Changes) -> Result<i64, StoreError> {
    let mut records = txn.open_table(RECORDS)?;
    let mut grown = 0;
    for (name, record) in &changes.records {
        let weight = |length: usize| i64::try_from(name.len() + length).unwrap_or(i64::MAX);
        let replaced = match record {
            Some(record) => {
                grown += weight(record.len());
                records.insert(name.as_ref(), record.as_ref())?
            }
            None => records.remove(name.as_ref())?,
        };
        grown -= replaced.map_or(0, |old| weight(old.value().len()));
    }
    Ok(grown)
}

fn write_leases(txn: &WriteTransaction, changes: &Changes) -> Result<(), StoreError> {
    let mut leases = txn.open_table(LEASES)?;
    for (id, ttl) in &changes.leases {
        match ttl {
            Some(ttl) => leases.insert(id, ttl)?,
            None => leases.remove(id)?,
        };
    }
    let mut attached = txn.open_table(ATTACHED)?;
    for ((lease, key), is_attached) in &changes.attached {
        if *is_attached {
            attached.insert((*lease, key.as_ref()), ())?;
        } else {
            attached.remove((*lease, key.as_ref()))?;
        }
    }
    Ok(())
}
