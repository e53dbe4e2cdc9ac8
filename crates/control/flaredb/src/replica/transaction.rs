//! A transaction that writes, as its session sees it: carried out at the desk of the replica that leads.

use std::time::Duration;

use tokio::time::Instant;

use super::write::unknown;
use super::{Replica, no_leader};
use crate::base::{SqlError, SqlState};
use crate::engine::{Outcome, failed};
use crate::proto::call::{Abort, Begin, Commit, Point, Stop, Within, answer, point, request};
use crate::proto::log::{Done, Failure, Write};

/// Its answer is not waited for longer, whatever its statement may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A transaction that has the write slot. One that is dropped is undone when its time to be idle is over: end it.
pub(crate) struct Transaction {
    replica: Replica,
    id: [u8; 16],
    term: u64,
    /// The entry that changed the database last.
    pub(crate) changed: u64,
    /// The catalogue's version that it began with.
    pub(crate) catalog: u64,
}

/// How long a transaction waits and may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For its turn.
    pub(crate) turn: Duration,
    /// Between its statements; zero: as long as is usual.
    pub(crate) idle: Duration,
}

impl Replica {
    /// Waits for the write slot and opens a transaction.
    pub(crate) async fn begin(&self, patience: Patience) -> Result<Transaction, SqlError> {
        let deadline = Instant::now() + patience.turn;
        loop {
            let Some((term, _)) = self.leader_until(deadline).await else { return Err(no_leader()) };
            let mut id = [0; 16];
            self.context.entropy().fill(&mut id);
            let left = deadline.saturating_duration_since(Instant::now());
            let begin =
                Begin { id: id.to_vec().into(), patience_ms: millis(left), idle_ms: millis(patience.idle) };
            // The answer may come when the turn does, and not a moment before.
            let until = deadline + self.options.patience;
            match self.ask(term, request::Body::Begin(begin), until).await {
                answer::Body::Began(began) => {
                    let (changed, catalog) = (began.changed, began.catalog);
                    return Ok(Transaction { replica: self.clone(), id, term, changed, catalog });
                }
                answer::Body::Failure(failure) => return Err(crate::refusal::as_error(failure)),
                // It holds nothing, or will have been idle for too long: it is not asked for again.
                _ if Instant::now() >= deadline => return Err(no_leader()),
                _ => self.look_again(deadline).await,
            }
        }
    }

    async fn look_again(&self, deadline: Instant) {
        let mut leadership = self.group.leadership();
        leadership.mark_unchanged();
        let pause = Duration::from_millis(20);
        let _ = tokio::time::timeout_at(deadline.min(Instant::now() + pause), leadership.changed()).await;
    }
}

impl Transaction {
    /// Carries out a statement of it.
    pub(crate) async fn write(&self, write: Write) -> Outcome {
        let within = Within { id: self.id.to_vec().into(), write: Some(write) };
        outcome(self.ask(request::Body::Within(within)).await)
    }

    /// `SAVEPOINT`, `ROLLBACK TO`, `RELEASE`.
    pub(crate) async fn point(&self, verb: point::Verb, name: &str) -> Outcome {
        let point = Point { id: self.id.to_vec().into(), name: name.to_owned(), verb: verb.into() };
        outcome(self.ask(request::Body::Point(point)).await)
    }

    /// Makes it visible and durable, or nothing of it. `key`: by whom it may be repeated; empty: by nobody.
    pub(crate) async fn commit(self, key: String) -> Result<Outcome, SqlError> {
        let applied = *self.replica.group.applied().borrow();
        let commit = Commit { id: self.id.to_vec().into(), key };
        match self.ask(request::Body::Commit(commit)).await {
            answer::Body::Done(done) => Ok(Ok(done)),
            answer::Body::Failure(failure) => Ok(Err(failure)),
            answer::Body::Unknown(lost) => {
                let deadline = Instant::now() + self.replica.options.patience;
                match self.replica.was_committed(&self.id, (self.term, applied), deadline).await {
                    Some(Ok(outcome)) => Ok(outcome),
                    Some(Err(())) => Ok(Err(gone())),
                    None => Err(unknown(&lost.why)),
                }
            }
            answer::Body::Refused(_) | answer::Body::Began(_) => Ok(Err(gone())),
        }
    }

    /// Undoes it.
    pub(crate) async fn roll_back(self) {
        // If it is not heard, the transaction is idle for too long, or its leader is gone.
        self.ask(request::Body::Abort(Abort { id: self.id.to_vec().into() })).await;
    }

    /// Stops the statement that it runs.
    pub(crate) async fn stop(&self) {
        self.ask(request::Body::Stop(Stop { id: self.id.to_vec().into() })).await;
    }

    async fn ask(&self, body: request::Body) -> answer::Body {
        self.replica.ask(self.term, body, Instant::now() + PATIENCE).await
    }
}

fn outcome(answer: answer::Body) -> Outcome {
    match answer {
        answer::Body::Done(done) => Ok(done),
        answer::Body::Failure(failure) => Err(failure),
        answer::Body::Refused(_) | answer::Body::Unknown(_) => Err(gone()),
        answer::Body::Began(_) => Ok(Done::default()),
    }
}

/// Its leader is gone, and everything that it did with it.
fn gone() -> Failure {
    failed(SqlState::SERIALIZATION_FAILURE, "the transaction was lost: its leader has changed")
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
