//! What the store has done since it was opened, for its metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Counts of one store.
#[derive(Debug)]
pub struct Tally {
    puts: AtomicU64,
    put_bytes: AtomicU64,
    deletions: AtomicU64,
    transactions: AtomicU64,
    ranges: AtomicU64,
    commits: Histogram,
}

/// What one transaction has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) puts: u64,
    /// Of keys and values put.
    pub(super) put_bytes: u64,
    /// Requests to delete, whatever they found.
    pub(super) deletions: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let (puts, put_bytes, deletions, transactions, ranges) = Default::default();
        // etcd's buckets: a millisecond to eight seconds.
        let commits = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        Self { puts, put_bytes, deletions, transactions, ranges, commits }
    }
}

impl Tally {
    pub(super) fn add(&self, done: Done) {
        self.puts.fetch_add(done.puts, Ordering::Relaxed);
        self.put_bytes.fetch_add(done.put_bytes, Ordering::Relaxed);
        self.deletions.fetch_add(done.deletions, Ordering::Relaxed);
        if done.puts + done.deletions > 1 {
            self.transactions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A range was read.
    pub(crate) fn ranged(&self) {
        self.ranges.fetch_add(1, Ordering::Relaxed);
    }

    /// How long durable commits took, in seconds.
    pub(crate) fn commits(&self) -> &Histogram {
        &self.commits
    }

    /// Puts, alone and in transactions.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    /// Bytes of the keys and values put.
    pub fn put_bytes(&self) -> u64 {
        self.put_bytes.load(Ordering::Relaxed)
    }

    /// Requests to delete, alone and in transactions.
    pub fn deletions(&self) -> u64 {
        self.deletions.load(Ordering::Relaxed)
    }

    /// Transactions of more than one change.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Ranges read.
    pub fn ranges(&self) -> u64 {
        self.ranges.load(Ordering::Relaxed)
    }
}
