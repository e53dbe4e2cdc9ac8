//! What is done to the files of a member that does not run: looking, verifying, restoring, starting anew.
//!
//! - [`verify`] reads a backup to its end and says what is in it; every other step verifies first.
//! - [`restore`] makes a member of a new cluster from a backup. Founders that restore the same backup with the same
//!   settings found one cluster together: its id and theirs come from the backup, so that nobody takes it for the
//!   old cluster. Revisions jump, and history before the jump is compacted: whoever watched the old cluster is told.
//! - [`recover`] makes a cluster of one from the only member that is left. It loses what only the others had.
//! - [`repair`] gives a member whose files are damaged a new id and empty files, with the help of the others. Its
//!   old id never comes back: what it had voted for and acknowledged is no longer known.
//!
//! Refused: to write into a directory that holds anything, to touch the files of a member that runs, and to recover
//! from a lost quorum where one answers.

mod backup;
mod inspect;
mod recover;
mod repair;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

use kit::Context;
use kit::disk::File;
use kit::tls::TlsError;
use quorum::OpenError;

use crate::config::Config;
use crate::node::{Identity, IdentityError};
use crate::store::{Store, StoreError};

/// Held by whoever works on a data directory.
const LOCK: &str = "rescue.lock";

pub use backup::{Backup, verify};
pub use inspect::{Inspection, inspect};
pub use recover::{Recovered, recover};
pub use repair::{Repaired, repair};
pub use restore::{RestoreOptions, Restored, restore};

/// Why a member's files were not touched, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// A file or directory.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The backup or the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Replication(#[from] OpenError),
    /// Whose directory it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nothing is overwritten.
    #[error("{path} holds {what} already: move it away, or give another data_dir")]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
        /// What is in it.
        what: &'static str,
    },
    /// There is nothing to work on.
    #[error("{path} holds no member: check data_dir")]
    Nobody {
        /// The data directory.
        path: PathBuf,
    },
    /// Founders are named by the configuration.
    #[error(
        "initial_members does not name {0:?}: name every founder of the restored cluster, this member too"
    )]
    NotAFounder(String),
    /// There is a quorum, or may be.
    #[error(
        "{answering} of the {others} other voters answer ({names}): stop them first if they are beyond help, or bring a majority back, which loses nothing"
    )]
    StillThere {
        /// Voters that can be reached.
        answering: usize,
        /// Voters besides this one.
        others: usize,
        /// Who they are.
        names: String,
    },
    /// The members that run would not help.
    #[error("{url} does not help: {why}")]
    Peer {
        /// Who was asked.
        url: String,
        /// What it said.
        why: String,
    },
    /// One at a time.
    #[error(
        "another restore, recovery or repair is at work on {path}: let it end, or stop it and run this again"
    )]
    UnderWay {
        /// The data directory.
        path: PathBuf,
    },
    /// A thread panicked; the log says where.
    #[error("a thread of the store panicked")]
    Panicked,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> RescueError + '_ {
    move |source| RescueError::Io { path: path.to_owned(), source }
}

/// Moves the files of a member aside, within its data directory; gives where they are now. The log, too, wherever
/// it is. Marks the directory first, as `next`'s and unfinished: log and state that were parted must not be started.
fn set_aside(context: &Context, data: &Path, raft: &Path, next: Identity) -> Result<PathBuf, RescueError> {
    let now = jiff::Timestamp::try_from(context.clock().now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let aside = data.join(format!("before-{}", now.strftime("%Y%m%dT%H%M%S%3fZ")));
    context.disk().create_dir_all(&aside).map_err(io_at(&aside))?;
    keep_identity(&data.join("member.toml"), &aside.join("member.toml"))?;
    next.begin(context, data)?;
    for name in ["store.redb", "spool"] {
        move_if_there(&data.join(name), &aside.join(name))?;
    }
    move_if_there(raft, &aside.join("raft"))?;
    context.disk().sync_dir(&aside).map_err(io_at(&aside))?;
    context.disk().sync_dir(data).map_err(io_at(data))?;
    Ok(aside)
}

/// A copy: the file itself is what marks the directory.
fn keep_identity(from: &Path, to: &Path) -> Result<(), RescueError> {
    std::fs::copy(from, to).map(drop).map_err(io_at(from))
}

/// Keeps other rescues out of a data directory for as long as the file is open; makes the directory if need be. (A
/// member that runs has locks of its own, on its store and its log.)
fn hold(context: &Context, data: &Path) -> Result<Box<dyn File>, RescueError> {
    context.disk().create_dir_all(data).map_err(io_at(data))?;
    let path = data.join(LOCK);
    let file = context.disk().open(&path, true).map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            Err(RescueError::UnderWay { path: data.to_owned() })
        }
        Err(e) => Err(io_at(&path)(e)),
    }
}

/// Another process has the store open.
fn refuse_if_running(context: &Context, config: &Config) -> Result<(), RescueError> {
    match Store::open_in(context, &config.data_dir, (&config.store).into()) {
        Err(e @ StoreError::InUse { .. }) => Err(e.into()),
        // Damage is no obstacle here.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn move_if_there(from: &Path, to: &Path) -> Result<(), RescueError> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_at(from)(e)),
        _ => Ok(()),
    }
}
