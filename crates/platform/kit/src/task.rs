//! Tracked tasks and the orderly end of a process.
//!
//! Every task is named and counted. A *critical* task that ends by itself ends the process: a
//! server without its replication loop is worse than no server.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns, counts and ends the tasks of one process (or of one simulated node).
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    cause: Arc<Mutex<Option<Cause>>>,
    /// The process's, where this is a part of it.
    whole: Option<CancellationToken>,
}

/// Why a process stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was asked to.
    Requested,
    /// A part it cannot live without failed.
    Failed(String),
    /// Its storage failed: a restart will not cure that by itself.
    Storage(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("asked to stop"),
            Self::Failed(why) | Self::Storage(why) => f.write_str(why),
        }
    }
}

impl Tasks {
    /// A part of the process that can end by itself: its tasks end with it, or with the process. What fails in it
    /// fails the process.
    #[must_use]
    pub fn part(&self) -> Self {
        let whole = Some(self.whole.clone().unwrap_or_else(|| self.stop.clone()));
        Self {
            tracker: self.tracker.clone(),
            stop: self.stop.child_token(),
            cause: self.cause.clone(),
            whole,
        }
    }

    /// Ends a part, and leaves the rest of the process as it is. Of the whole process it does what [`Tasks::stop`]
    /// does.
    pub fn end_part(&self) {
        match self.whole {
            Some(_) => self.stop.cancel(),
            None => self.stop(),
        }
    }

    /// Spawns a task that is dropped when the process stops.
    #[expect(clippy::disallowed_methods, reason = "the one place that may spawn: it tracks")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Spawns a task that sees the stop itself (by [`Tasks::stopping`]) and finishes its work.
    #[expect(clippy::disallowed_methods, reason = "the one place that may spawn: it tracks")]
    pub fn spawn_draining(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Spawns a task whose end, good or bad, ends the process.
    pub fn spawn_critical<E: fmt::Display>(
        &self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let tasks = self.clone();
        self.spawn(async move {
            let why = match task.await {
                Ok(()) => format!("{name} ended although nobody asked it to"),
                Err(e) => format!("{name} failed: {e}"),
            };
            tasks.fail(why);
        });
    }

    /// Stops because something failed. The first cause is kept.
    pub fn fail(&self, why: impl Into<String>) {
        self.stop_for(Cause::Failed(why.into()));
    }

    /// Stops because its storage failed, e.g. an fsync. The first cause is kept.
    pub fn fail_storage(&self, why: impl Into<String>) {
        self.stop_for(Cause::Storage(why.into()));
    }

    /// Stops because it was asked to.
    pub fn stop(&self) {
        self.stop_for(Cause::Requested);
    }

    fn stop_for(&self, cause: Cause) {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
        self.whole.as_ref().unwrap_or(&self.stop).cancel();
    }

    /// A token that is cancelled when the process stops.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits for the stop, then at most `patience` for the tasks. Says why it stopped and how many
    /// tasks did not end in time.
    pub async fn wait(&self, patience: Duration) -> (Cause, usize) {
        self.stop.cancelled().await;
        self.tracker.close();
        let late = tokio::time::timeout(patience, self.tracker.wait()).await;
        let left = if late.is_err() { self.tracker.len() } else { 0 };
        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (cause.unwrap_or(Cause::Requested), left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_critical_task_takes_the_process_with_it() {
        let tasks = Tasks::default();
        tasks.spawn(std::future::pending());
        tasks.spawn_critical("replication", async { Err("disk gone") });
        let (cause, left) = tasks.wait(SOON).await;
        assert_eq!(cause, Cause::Failed("replication failed: disk gone".into()));
        assert_eq!(left, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_never_drains_is_counted() {
        let tasks = Tasks::default();
        tasks.spawn_draining(std::future::pending());
        tasks.stop();
        assert_eq!(tasks.wait(SOON).await, (Cause::Requested, 1));
    }

    #[tokio::test]
    async fn a_part_ends_alone_and_fails_with_everything() {
        let tasks = Tasks::default();
        let (one, other) = (tasks.part(), tasks.part().part());
        one.spawn(std::future::pending());
        one.end_part();
        assert!(one.stopping().is_cancelled() && !tasks.stopping().is_cancelled());
        assert!(!other.stopping().is_cancelled());
        other.spawn_critical("a part", async { Err("no") });
        assert_eq!(tasks.wait(SOON).await, (Cause::Failed("a part failed: no".into()), 0));
        assert!(other.stopping().is_cancelled());
    }

    #[tokio::test]
    async fn the_first_cause_is_kept() {
        let tasks = Tasks::default();
        tasks.fail("first");
        tasks.fail("second");
        assert_eq!(tasks.wait(SOON).await.0, Cause::Failed("first".into()));
    }
}
