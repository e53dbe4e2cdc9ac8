//! A hash over everything that statements do to rows, in order: two replicas that differ anywhere differ here.
//!
//! It is taken where SQLite is about to change a row, so it costs one pass over the row and no memory, and does not
//! depend on how statements were gathered into batches. What is kept beside the users' tables is left out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{Action, PreUpdateCase};
use rusqlite::types::ValueRef;
use xxhash_rust::xxh3::Xxh3;

use super::tables::{KEYED, is_ours};

/// The hash of one connection's changes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest(Arc<Mutex<u64>>);

impl Digest {
    /// Has this connection's changes hashed. Replaces what else listened to them.
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let digest = self.clone();
        connection.preupdate_hook(Some(
            move |action: Action, _database: &str, table: &str, change: &PreUpdateCase| {
                if !is_ours(table) {
                    digest.take(action, table, change);
                }
            },
        ))
    }

    /// Listens no more: a recorder takes the same place, and it must be empty.
    pub(crate) fn unwatch(connection: &mut Connection) -> rusqlite::Result<()> {
        connection.preupdate_hook(None::<fn(Action, &str, &str, &PreUpdateCase)>)
    }

    /// Where it stands.
    pub(crate) fn get(&self) -> u64 {
        *self.lock()
    }

    /// Sets it back: what was done since has been undone, or was another's.
    pub(crate) fn set(&self, hash: u64) {
        *self.lock() = hash;
    }

    /// Takes in what is no row.
    pub(crate) fn mix(&self, bytes: &[u8]) {
        let mut hash = self.lock();
        *hash = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, *hash);
    }

    fn take(&self, action: Action, table: &str, change: &PreUpdateCase) {
        let mut hash = self.lock();
        let mut hasher = Xxh3::with_seed(*hash);
        let keyed = table.starts_with(KEYED);
        hasher.update(&[action as u8]);
        hasher.update(table.as_bytes());
        if let PreUpdateCase::Delete(old) | PreUpdateCase::Update { old_value_accessor: old, .. } = change {
            // A table of keys and values has none.
            if !keyed {
                hasher.update(&old.get_old_row_id().to_le_bytes());
            }
            for column in 0..old.get_column_count() {
                value(&mut hasher, old.get_old_column_value(column).ok());
            }
        }
        if let PreUpdateCase::Insert(new) | PreUpdateCase::Update { new_value_accessor: new, .. } = change {
            if !keyed {
                hasher.update(&new.get_new_row_id().to_le_bytes());
            }
            for column in 0..new.get_column_count() {
                value(&mut hasher, new.get_new_column_value(column).ok());
            }
        }
        *hash = hasher.digest();
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn value(hasher: &mut Xxh3, value: Option<ValueRef<'_>>) {
    match value {
        None => hasher.update(&[0xff]),
        Some(ValueRef::Null) => hasher.update(&[0]),
        Some(ValueRef::Integer(value)) => tagged(hasher, 1, &value.to_le_bytes()),
        Some(ValueRef::Real(value)) => tagged(hasher, 2, &value.to_le_bytes()),
        Some(ValueRef::Text(bytes)) => tagged(hasher, 3, bytes),
        Some(ValueRef::Blob(bytes)) => tagged(hasher, 4, bytes),
    }
}

fn tagged(hasher: &mut Xxh3, tag: u8, bytes: &[u8]) {
    hasher.update(&[tag]);
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
