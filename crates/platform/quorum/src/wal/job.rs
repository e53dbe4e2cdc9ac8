//! What is queued for the writer.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::record::Record;
use super::{Entry, Mark};

/// Called once: what it waits for is durable, or never will be known to be.
pub(super) type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A change in the order of the log.
pub(super) struct Job {
    /// Its place in the order of all jobs.
    pub(super) ticket: u64,
    pub(super) change: Change,
    pub(super) done: Option<Done>,
    /// Its share of the memory for queued entries, given back when the job is dropped.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

pub(super) enum Change {
    Append {
        group: u64,
        entries: Vec<Entry>,
    },
    Vote {
        group: u64,
        vote: Bytes,
    },
    Truncate {
        group: u64,
        last: Option<Mark>,
    },
    Purge {
        group: u64,
        mark: Mark,
    },
    Remove {
        group: u64,
    },
    /// Nothing; done when everything queued before it is durable.
    Barrier,
}

impl Change {
    /// Hands each record of the change to `visit`.
    pub(super) fn records(&self, mut visit: impl FnMut(&Record<'_>)) {
        match self {
            Self::Append { group, entries } => {
                for entry in entries {
                    visit(&Record::Entry { group: *group, mark: entry.mark, payload: &entry.payload });
                }
            }
            Self::Vote { group, vote } => visit(&Record::Vote { group: *group, vote }),
            Self::Truncate { group, last } => visit(&Record::Truncate { group: *group, last: *last }),
            Self::Purge { group, mark } => visit(&Record::Purge { group: *group, mark: *mark }),
            Self::Remove { group } => visit(&Record::Remove { group: *group }),
            Self::Barrier => {}
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        let mut bytes = 0;
        self.records(|record| bytes += record.encoded_len());
        bytes
    }
}

/// What one frame will hold.
pub(super) struct Batch {
    /// Never empty.
    pub(super) jobs: Vec<Job>,
    /// Known commits, by group: written because there is something to write anyway.
    pub(super) hints: Vec<(u64, Option<Mark>)>,
    /// Bytes of all records.
    pub(super) bytes: usize,
}

impl Batch {
    pub(super) fn records(&self, mut visit: impl FnMut(&Record<'_>)) {
        for job in &self.jobs {
            job.change.records(&mut visit);
        }
        for (group, mark) in &self.hints {
            visit(&Record::Committed { group: *group, mark: *mark });
        }
    }

    /// The last job's place in the order.
    pub(super) fn ticket(&self) -> u64 {
        self.jobs.last().map_or(0, |job| job.ticket)
    }
}

/// Tells everybody who waits for these jobs.
pub(super) fn finish(jobs: Vec<Job>, outcome: Result<(), &Arc<str>>) {
    for job in jobs {
        if let Some(done) = job.done {
            done(outcome.map_err(|why| io::Error::other(why.to_string())));
        }
    }
}
