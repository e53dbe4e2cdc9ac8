//! A log on a simulated disk, and the processes that open it one after the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kit::Context;
use kit::clock::Clock;
use kit::entropy::Entropy;
use kit::net::Tcp;
use quorum::wal::{Entry, GroupLog, Mark, Wal, WalError, WalOptions};
use sim::SimDisk;
use tokio::sync::oneshot;

pub(crate) const DIR: &str = "/data/wal";
pub(crate) const SEGMENT: u64 = 32 << 10;

/// Small enough that a few appends fill a segment and a batch, and overflow the cache.
pub(crate) fn small() -> WalOptions {
    WalOptions {
        segment_bytes: SEGMENT,
        max_batch_bytes: 8 << 10,
        cache_bytes: 16 << 10,
        queue_bytes: 64 << 10,
        spare_segments: 1,
        keep_segments: 2,
    }
}

/// Runs a test on a runtime of its own.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(test)
}

/// A machine whose processes come and go.
pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) options: WalOptions,
    starts: u64,
    context: Option<Context>,
    wal: Option<Wal>,
}

impl World {
    pub(crate) fn new(options: WalOptions) -> Self {
        Self { disk: SimDisk::new(1), options, starts: 0, context: None, wal: None }
    }

    /// A machine with a log that is open.
    pub(crate) async fn open(options: WalOptions) -> Self {
        let mut world = Self::new(options);
        world.start().await.expect("an empty directory opens");
        world
    }

    pub(crate) async fn start(&mut self) -> Result<(), WalError> {
        self.kill().await;
        self.starts += 1;
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
        let disk = Arc::new(self.disk.clone());
        let context = Context::simulated(clock, Entropy::seeded(self.starts), disk, Arc::new(Tcp));
        self.context = Some(context.clone());
        self.wal = Some(Wal::open(&context, PathBuf::from(DIR), self.options.clone()).await?);
        Ok(())
    }

    /// The process ends without warning. What it wrote stays with the kernel.
    pub(crate) async fn kill(&mut self) {
        self.wal = None;
        if let Some(context) = self.context.take() {
            context.tasks().stop();
            let (_, left) = context.tasks().wait(Duration::from_secs(5)).await;
            assert_eq!(left, 0, "a task of the log does not end");
        }
    }

    /// The power goes; what was not synced is lost, kept or torn.
    pub(crate) async fn crash(&mut self, seed: u64) {
        self.kill().await;
        self.disk.crash(seed);
    }

    pub(crate) async fn restart(&mut self) {
        self.start().await.expect("the log opens");
    }

    pub(crate) async fn crash_and_restart(&mut self, seed: u64) {
        self.crash(seed).await;
        self.restart().await;
    }

    pub(crate) fn wal(&self) -> &Wal {
        self.wal.as_ref().expect("a process runs")
    }

    pub(crate) fn log(&self, group: u64) -> GroupLog {
        self.wal().log(group)
    }

    /// The segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        self.files("wal")
    }

    pub(crate) fn files(&self, extension: &str) -> Vec<PathBuf> {
        let is_one = |path: &PathBuf| {
            path.parent() == Some(Path::new(DIR)) && path.extension().is_some_and(|e| e == extension)
        };
        self.disk.files().into_keys().filter(is_one).collect()
    }

    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        self.disk.files().remove(path).expect("the file is there")
    }
}

pub(crate) fn mark(term: u64, index: u64) -> Mark {
    Mark { term, node: 1, index }
}

/// An entry whose content says which one it is.
pub(crate) fn entry(term: u64, index: u64, size: usize) -> Entry {
    let mut payload = format!("entry {index} of term {term} ").into_bytes();
    payload.resize(size, b'.');
    Entry { mark: mark(term, index), payload: Bytes::from(payload) }
}

/// Appends and waits until it is durable.
pub(crate) async fn append(log: &GroupLog, entries: Vec<Entry>) -> Result<(), String> {
    let (done, outcome) = oneshot::channel();
    let done = move |result| {
        let _ = done.send(result);
    };
    log.append(entries, done).await.map_err(|e| e.to_string())?;
    outcome.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// Appends `count` entries of term 1, one at a time, after what is there.
pub(crate) async fn fill(log: &GroupLog, count: u64, size: usize) {
    for _ in 0..count {
        let next = log.state().last.map_or(0, |m| m.index + 1);
        append(log, vec![entry(1, next, size)]).await.expect("durable");
    }
}

/// All entries of a group.
pub(crate) async fn all(log: &GroupLog) -> Vec<Entry> {
    log.read(0, u64::MAX, u64::MAX).await.expect("readable")
}
