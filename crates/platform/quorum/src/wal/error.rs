//! What can go wrong with the log, and what its owner should do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error of the log. Those of the disk are final; those of the caller leave the log as it was.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The options contradict each other or the format.
    #[error("the log's options cannot work: {0}; correct them and start again")]
    Options(String),
    /// The disk refused.
    #[error("cannot {doing} {}: {source}; {}", path.display(), next_step(source))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process has the log open.
    #[error("{} is locked by another process (`fuser -v` names it); stop that one, or use another directory", .0.display())]
    InUse(PathBuf),
    /// What is on the disk below a durable watermark is not what was written there.
    #[error(
        "log segment {} is damaged at offset {offset}: {why}; keep the file for inspection and restore \
         this replica from its peers",
        segment.display()
    )]
    Damaged {
        /// The segment's file.
        segment: PathBuf,
        /// Bytes from the start of the file.
        offset: u64,
        /// What was found.
        why: String,
    },
    /// A segment of a format that this program cannot read.
    #[error(
        "log segment {} has format version {found}, this program reads version {supported}; run the \
         version that wrote it, or a newer one",
        segment.display()
    )]
    Version {
        /// The segment's file.
        segment: PathBuf,
        /// The version in its header.
        found: u32,
        /// The version that this program knows.
        supported: u32,
    },
    /// An append that does not continue the group's log.
    #[error("group {group}: entry {got} does not follow the log, which continues at {expected}")]
    Gap {
        /// The group.
        group: u64,
        /// The index that must come next.
        expected: u64,
        /// The index that was given.
        got: u64,
    },
    /// A truncation that reaches into what was purged.
    #[error("group {group}: cannot cut the log before entry {first}, the first one that is not purged")]
    Purged {
        /// The group.
        group: u64,
        /// The first index that is not purged.
        first: u64,
    },
    /// An entry or a vote that no segment could hold.
    #[error("group {group}: {bytes} bytes are too many for one record of the log, the limit is {limit}")]
    TooLarge {
        /// The group.
        group: u64,
        /// The size that was given.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// An earlier error was final.
    #[error("the log has failed: {0}")]
    Failed(Arc<str>),
    /// The log was closed by its owner.
    #[error("the log is closed")]
    Closed,
}

impl WalError {
    /// For `map_err`: adds what was tried, and where.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(super) fn damaged(segment: &Path, offset: u64, why: impl Into<String>) -> Self {
        Self::Damaged { segment: segment.to_owned(), offset, why: why.into() }
    }

    /// Whether the disk is full, which leaves everything written so far intact.
    pub(super) fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

fn next_step(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "nothing acknowledged is lost; free space on that file system, then start again"
        }
        io::ErrorKind::PermissionDenied => "correct the permissions, then start again",
        _ => "check that device and the kernel's log, then start again",
    }
}
