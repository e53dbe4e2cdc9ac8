//! Putting an open log together.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit::Context;
use kit::disk::{Disk, File};
use kit::worker::Worker;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::depot::Depot;
use super::error::WalError;
use super::format::{BLOCK, Position};
use super::options::{Limits, WalOptions};
use super::recover::{Tail, recover};
use super::segment::Segment;
use super::state::State;
use super::writer::{Shared, Writer};
use super::{Inner, Wal};

/// Wakes that may wait for the writer; each wake handles everything that is queued.
const WAKES: usize = 1024;

/// The file whose lock keeps other processes out. It is never removed: whoever waits for it must find it.
const LOCK: &str = "LOCK";

/// What recovery leaves to start with.
struct Start {
    lock: Box<dyn File>,
    depot: Arc<Depot>,
    shared: Arc<Shared>,
    end: (Arc<Segment>, Tail),
}

pub(super) async fn open(context: &Context, dir: PathBuf, options: WalOptions) -> Result<Wal, WalError> {
    let limits = options.limits()?;
    let start = {
        let context = context.clone();
        move || prepare(&context, &dir, &options, limits)
    };
    let panicked = || Err(WalError::Failed("recovery panicked; see the log above".into()));
    let start = context.blocking(start).await.unwrap_or_else(panicked)?;
    let ended = [CancellationToken::new(), CancellationToken::new()];
    let tidy = start_depot(context, &start, ended[0].clone().drop_guard())?;
    // The next segment is made while this one is filled.
    let _ = tidy.send(()).await;
    let shared = start.shared.clone();
    let guard = ended[1].clone().drop_guard();
    let mut writer = Writer::new(shared.clone(), start.depot, tidy, limits, start.end, (start.lock, guard));
    let writer =
        Worker::start(context, "wal", WAKES, move |_: &mut Vec<()>| writer.run()).map_err(no_thread)?;
    let inner = Inner { context: context.clone(), shared, writer, queue_bytes: limits.queue, ended };
    Ok(Wal { inner: Arc::new(inner) })
}

fn prepare(context: &Context, dir: &Path, options: &WalOptions, limits: Limits) -> Result<Start, WalError> {
    let disk = &**context.disk();
    let lock = keep_others_out(disk, dir)?;
    let mut log = recover(disk, dir)?;
    let depot = Depot::new(context, dir, options.segment_bytes, options.spare_segments, log.numbers);
    let end = match log.tail {
        Some(tail) => (log.segments[&tail.position.sequence].clone(), tail),
        None => {
            let segment = Arc::new(depot.next()?);
            let sequence = segment.header.sequence;
            log.segments.insert(sequence, segment.clone());
            (segment, Tail { position: Position { sequence, offset: BLOCK as u64 }, leave: false })
        }
    };
    // Nothing is retired yet: the last segment may have no frame, and so no checkpoint of its own.
    let state = State::new(limits, log.books, log.segments);
    Ok(Start { lock, depot: Arc::new(depot), shared: Arc::new(Shared::new(state, limits.queue)), end })
}

fn keep_others_out(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn File>, WalError> {
    disk.create_dir_all(dir).map_err(WalError::io("create directory", dir))?;
    let path = dir.join(LOCK);
    let file = disk.open(&path, true).map_err(WalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(WalError::InUse(path)),
        Err(e) => Err(WalError::io("lock", &path)(e)),
    }
}

fn start_depot(context: &Context, start: &Start, ended: DropGuard) -> Result<Worker<()>, WalError> {
    let (depot, shared) = (start.depot.clone(), start.shared.clone());
    let tidy = move |_: &mut Vec<()>| {
        let _ended = &ended;
        match depot.tidy() {
            Ok(()) => true,
            Err(e) if e.is_disk_full() => {
                // The current segment is still good; the writer tries once more when it is full.
                tracing::warn!(error = %e, "no next log segment yet");
                true
            }
            Err(e) => {
                shared.fail(&e.to_string(), vec![]);
                false
            }
        }
    };
    Worker::start(context, "wal-depot", 1, tidy).map_err(no_thread)
}

fn no_thread(source: std::io::Error) -> WalError {
    WalError::Failed(format!("cannot start a thread: {source}").into())
}
