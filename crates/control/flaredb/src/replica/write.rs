//! A statement by itself, and what became of it if its answer is lost.

use std::time::Duration;

use quorum::Stages;
use tokio::time::{Instant, timeout_at};

use super::gather::Gathered;
use super::{Replica, no_leader};
use crate::base::{SqlError, SqlState};
use crate::engine::Outcome;
use crate::machine::{Fate, decode_reply};
use crate::proto::call::{answer, request};
use crate::proto::log::Write;

/// Between two looks at who leads.
const LOOK: Duration = Duration::from_millis(20);

/// What a write that was lost turned out to be.
enum Resolved {
    Applied(Outcome),
    Never,
    Unknown,
}

impl Replica {
    /// Carries a statement out, once, wherever the leader is. Retries what was certainly not carried out.
    pub(crate) async fn write(&self, write: Write) -> Result<(Outcome, Option<Stages>), SqlError> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let Some((term, mine)) = self.leader_until(deadline).await else { return Err(no_leader()) };
            let applied = *self.group.applied().borrow();
            let attempt = match mine {
                true => self.desk.write_timed(term, write.clone()).await,
                false => {
                    let body = request::Body::Write(write.clone());
                    as_gathered(self.ask(term, body, deadline).await)
                }
            };
            match attempt {
                Gathered::Outcome(outcome, stages) => return Ok((outcome, stages)),
                Gathered::Not(quorum::ProposeError::NoLeader) => self.news(deadline).await,
                Gathered::Not(e) => return Err(super::refusal(&e)),
                Gathered::Unknown(why) => match self.resolve(&write.id, (term, applied), deadline).await {
                    Resolved::Applied(outcome) => return Ok((outcome, None)),
                    Resolved::Never => {}
                    Resolved::Unknown => return Err(unknown(&why)),
                },
            }
            if Instant::now() >= deadline {
                return Err(no_leader());
            }
        }
    }

    /// The term, and whether this replica leads in it. None: nobody did in time.
    pub(super) async fn leader_until(&self, deadline: Instant) -> Option<(u64, bool)> {
        let mut leadership = self.group.leadership();
        let known = leadership.wait_for(|leadership| leadership.leader.is_some());
        let known = timeout_at(deadline, known).await.ok()?.ok()?;
        Some((known.term, known.is_leader))
    }

    /// Waits for another leader, but not long: the one who is known may be asked again.
    async fn news(&self, deadline: Instant) {
        let mut leadership = self.group.leadership();
        leadership.mark_unchanged();
        let pause = LOOK + self.context.entropy().jitter(LOOK);
        // Both ends mean the same: look again.
        let _ = timeout_at(deadline.min(Instant::now() + pause), leadership.changed()).await;
    }

    /// What came of a write of this term whose answer was lost, once a later term has begun. `applied`: what was
    /// applied here before it was proposed.
    async fn resolve(&self, id: &[u8], (term, applied): (u64, u64), deadline: Instant) -> Resolved {
        let Ok(id) = <[u8; 16]>::try_from(id) else { return Resolved::Unknown };
        loop {
            // Whatever the state of its entry, what is applied here was certainly carried out.
            if let Fate::Applied(place, reply) = self.shared.fate(&id) {
                let outcome = reply.and_then(|reply| decode_reply(reply).ok()?.into_iter().nth(place));
                return outcome.map_or(Resolved::Unknown, Resolved::Applied);
            }
            let later = self.leader_until(deadline).await.is_some_and(|(now, _)| now > term);
            if later && self.group.read_barrier().await.is_ok() {
                return match self.shared.fate(&id) {
                    Fate::Applied(..) => continue,
                    Fate::NotSince(since) if since <= applied + 1 => Resolved::Never,
                    Fate::NotSince(_) => Resolved::Unknown,
                };
            }
            if Instant::now() >= deadline {
                return Resolved::Unknown;
            }
            self.news(deadline).await;
        }
    }

    /// Whether a transaction of this term whose commit was not answered is in the database; none: nobody can say.
    pub(super) async fn was_committed(
        &self,
        id: &[u8; 16],
        known: (u64, u64),
        deadline: Instant,
    ) -> Option<Result<Outcome, ()>> {
        match self.resolve(id, known, deadline).await {
            Resolved::Applied(outcome) => Some(Ok(outcome)),
            Resolved::Never => Some(Err(())),
            Resolved::Unknown => None,
        }
    }
}

fn as_gathered(answer: answer::Body) -> Gathered {
    match answer {
        answer::Body::Done(done) => Gathered::Outcome(Ok(done), None),
        answer::Body::Failure(failure) => Gathered::Outcome(Err(failure), None),
        answer::Body::Refused(_) => Gathered::Not(quorum::ProposeError::NoLeader),
        answer::Body::Unknown(unknown) => Gathered::Unknown(unknown.why),
        answer::Body::Began(_) => Gathered::Unknown("the answer is another question's".into()),
    }
}

/// The outcome is not known, and will not be in time.
pub(super) fn unknown(why: &str) -> SqlError {
    SqlError::new(
        SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
        format!("the outcome is unknown: it may have been committed, or may yet be ({why})"),
    )
    .with_hint("Look whether it was. With SET flaredb.idempotency_key it is safe to repeat.")
}
