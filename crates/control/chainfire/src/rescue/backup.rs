//! A backup: a snapshot that was saved, read to its end before anything is made of it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Serialize;

use super::{RescueError, io_at};
use crate::store::{ImageSummary, check_image};

/// What a backup holds, as far as all of its hashes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its latest revision.
    pub revision: i64,
    /// History before this was compacted; -1: nothing was.
    pub compact_revision: i64,
    /// Changes of keys: history, and what is there now.
    pub events: u64,
    /// Leases.
    pub leases: u64,
    /// Users, roles and alarms.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// Its hash, in hexadecimal: what its last 32 bytes say, and what its content has.
    pub sha256: String,
}

impl From<&ImageSummary> for Backup {
    fn from(summary: &ImageSummary) -> Self {
        Self {
            revision: summary.revision,
            compact_revision: summary.compacted,
            events: summary.events,
            leases: summary.leases,
            records: summary.records,
            bytes: summary.bytes,
            sha256: summary.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Reads a backup to its end. Blocks.
pub fn verify(file: &Path) -> Result<Backup, RescueError> {
    Ok((&summary(file)?).into())
}

pub(super) fn summary(file: &Path) -> Result<ImageSummary, RescueError> {
    Ok(check_image(&mut open(file)?)?)
}

pub(super) fn open(file: &Path) -> Result<BufReader<File>, RescueError> {
    Ok(BufReader::with_capacity(1 << 20, File::open(file).map_err(io_at(file))?))
}
