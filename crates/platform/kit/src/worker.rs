//! A batching worker: jobs that arrive while one batch is being handled form the next batch.
//!
//! This is how many appends share one fdatasync and many commands share one commit. In a process a
//! worker is a thread of its own, so that blocking calls hold nobody up; in a simulation it is a
//! task, so that one seed gives one order.

use std::io;

use tokio::sync::mpsc;

use crate::context::{Context, Mode};

/// Where jobs are handed in. The worker ends when the last handle is dropped and its queue is empty.
#[derive(Debug)]
pub struct Worker<J>(mpsc::Sender<J>);

impl<J> Clone for Worker<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The worker has ended: its owner failed or the process is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the worker has stopped")]
pub struct Stopped;

impl<J: Send + 'static> Worker<J> {
    /// Starts a worker. At most `capacity` jobs wait; at most that many form one batch. The handler
    /// says by `false` that it has failed for good.
    pub fn start(
        context: &Context,
        name: &str,
        capacity: usize,
        handler: impl FnMut(&mut Vec<J>) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(capacity);
        match context.mode() {
            Mode::Real => run_on_thread(name, capacity, receiver, handler)?,
            Mode::Simulated => context.tasks().spawn(run_as_task(capacity, receiver, handler)),
        }
        Ok(Self(sender))
    }

    /// Hands in a job, waiting for room.
    pub async fn send(&self, job: J) -> Result<(), Stopped> {
        self.0.send(job).await.map_err(|_| Stopped)
    }

    /// Hands in a job if there is room at once: for callers that cannot wait. `false`: the queue is full
    /// or the worker has ended, and the job is dropped.
    pub fn try_send(&self, job: J) -> bool {
        self.0.try_send(job).is_ok()
    }

    /// Whether the worker has ended.
    pub fn is_stopped(&self) -> bool {
        self.0.is_closed()
    }
}

fn run_on_thread<J: Send + 'static>(
    name: &str,
    capacity: usize,
    mut jobs: mpsc::Receiver<J>,
    mut handler: impl FnMut(&mut Vec<J>) -> bool + Send + 'static,
) -> io::Result<()> {
    // Detached on purpose: it ends with its queue, and a blocked disk must not hold up an exit.
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, capacity) > 0 {
            if !handler(&mut batch) {
                break;
            }
            batch.clear();
        }
    })?;
    Ok(())
}

async fn run_as_task<J: Send + 'static>(
    capacity: usize,
    mut jobs: mpsc::Receiver<J>,
    mut handler: impl FnMut(&mut Vec<J>) -> bool + Send + 'static,
) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, capacity).await > 0 {
        if !handler(&mut batch) {
            break;
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn jobs_keep_their_order_and_gather_into_batches() {
        let context = Context::real();
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let mut seen: Vec<Vec<u32>> = Vec::new();
        let (report, result) = oneshot::channel();
        let mut report = Some(report);
        let worker = Worker::start(&context, "test", 16, move |jobs: &mut Vec<u32>| {
            opened.recv().expect("the test holds the gate");
            seen.push(jobs.clone());
            if jobs.contains(&9) {
                report.take().expect("nine comes once").send(seen.clone()).expect("the test listens");
            }
            true
        })
        .expect("thread");
        for job in 0..10 {
            worker.send(job).await.expect("running");
        }
        for _ in 0..10 {
            let _ = gate.send(());
        }
        let batches = result.await.expect("a report");
        assert_eq!(batches.concat(), (0..10).collect::<Vec<_>>());
        assert!(batches.len() < 10, "nothing was gathered: {batches:?}");
    }

    #[tokio::test]
    async fn a_failed_handler_stops_the_worker() {
        let context = Context::real();
        let worker = Worker::start(&context, "test", 1, |_: &mut Vec<u32>| false).expect("thread");
        worker.send(1).await.expect("the first job is taken");
        while worker.send(2).await.is_ok() {}
        assert!(worker.is_stopped());
        assert!(!worker.try_send(3));
    }
}
