//! What can go wrong below the store.

use std::io;
use std::path::{Path, PathBuf};

/// A store that cannot be read or written. Always final: the process ends, and what the store had
/// not yet made durable comes back from the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open the store at {path}: {source}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: redb::DatabaseError,
    },
    /// Another process has it open.
    #[error(
        "{path} is in use by another process (`fuser -v` names it); stop that one, or choose another data_dir"
    )]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// A row that this version did not write.
    #[error(
        "the table `{0}` has a damaged row; restore this member from the others: remove it and add it anew"
    )]
    Row(&'static str),
    /// Written by a later version.
    #[error("the store has format {found}, this version reads up to {known}; run the version that wrote it")]
    Format {
        /// The store's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// An image that is not whole and unharmed.
    #[error("the image is refused and nothing was changed: {0}")]
    Image(String),
    /// A file that cannot be written beside the old one without leaving others without room.
    #[error(
        "rewriting the store's file needs {needed} bytes beside it, and {free} are free: make room first"
    )]
    NoRoom {
        /// What it needs.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// A rewritten file that is not the old one's equal.
    #[error(
        "the rewritten file has {found} rows in `{table}` instead of {expected}; the old one stays in use"
    )]
    Twin {
        /// Which table.
        table: &'static str,
        /// Rows of the old file.
        expected: u64,
        /// Rows of the new one.
        found: u64,
    },
    /// The database.
    #[error("the store failed: {0}")]
    Database(#[source] Box<redb::Error>),
    /// The file system.
    #[error("the store's files: {0}")]
    Io(#[from] io::Error),
}

impl StoreError {
    pub(crate) fn open(path: &Path, source: redb::DatabaseError) -> Self {
        let path = path.to_owned();
        match source {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::InUse { path },
            source => Self::Open { path, source },
        }
    }

    pub(crate) fn image(why: impl Into<String>) -> Self {
        Self::Image(why.into())
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(e) => e,
            e @ (StoreError::Row(_) | StoreError::Image(_) | StoreError::Format { .. }) => {
                Self::new(io::ErrorKind::InvalidData, e)
            }
            e => Self::other(e),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(e: redb::StorageError) -> Self {
        Self::Database(Box::new(e.into()))
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(e: redb::TransactionError) -> Self {
        Self::Database(Box::new(e.into()))
    }
}

impl From<redb::TableError> for StoreError {
    fn from(e: redb::TableError) -> Self {
        Self::Database(Box::new(e.into()))
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(e: redb::CommitError) -> Self {
        Self::Database(Box::new(e.into()))
    }
}

impl From<redb::SetDurabilityError> for StoreError {
    fn from(e: redb::SetDurabilityError) -> Self {
        Self::Database(Box::new(e.into()))
    }
}
