//! Where the leader's replica takes what clients of all replicas want written: statements by themselves go to the
//! gatherer, a transaction gets the write slot and is carried out here until its end is in the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit::Context;
use quorum::{Group, Leadership, ProposeError, WeakGroup};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ReplicaOptions;
use super::gather::{Gathered, Gatherer};
use super::slot::{Alone, Crowded, Slot};
use crate::base::SqlState;
use crate::engine::{EngineError, Outcome, failed};
use crate::machine::{Shared, decode_reply, encode};
use crate::proto::call::{Began, Begin, Point, Refused, Request, Unknown, answer, point, request};
use crate::proto::log::command::Body;
use crate::proto::log::{Done, Failure, Write};

/// Ends of transactions that are remembered, so that their clients can be told why.
const ENDS: usize = 64;
/// A transaction's client may take this long between statements unless it says otherwise.
const IDLE: Duration = Duration::from_secs(5);

/// The leader's side of a replica.
pub(super) struct Desk {
    context: Context,
    /// It keeps the desk alive, not the other way round.
    group: WeakGroup,
    leadership: watch::Receiver<Leadership>,
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    gatherer: Gatherer,
    held: Mutex<Held>,
}

/// The transaction that has the slot.
#[derive(Default)]
struct Held {
    open: Option<Open>,
    /// Of those that were ended by this side.
    ends: VecDeque<([u8; 16], Failure)>,
}

struct Open {
    id: [u8; 16],
    term: u64,
    idle: Duration,
    /// Since when nothing is asked of it; none while a statement runs.
    since: Option<Instant>,
    _alone: Alone,
}

impl Desk {
    pub(super) fn open(
        context: &Context,
        group: &Group,
        shared: &Arc<Shared>,
        options: &ReplicaOptions,
    ) -> Arc<Self> {
        let slot = Arc::new(Slot::new(options.waiting));
        let gatherer = Gatherer::start(context, group, &slot, (options.pipeline, options.waiting));
        let desk = Arc::new(Self {
            context: context.clone(),
            group: group.downgrade(),
            leadership: group.leadership(),
            shared: shared.clone(),
            slot,
            gatherer,
            held: Mutex::default(),
        });
        context.tasks().spawn(desk.clone().watch());
        desk
    }

    /// Answers a replica, or this node's own sessions.
    pub(super) async fn answer(&self, request: Request) -> answer::Body {
        let Request { term, body } = request;
        if !self.leads_in(term) {
            return answer::Body::Refused(Refused {});
        }
        match body {
            Some(request::Body::Write(write)) => self.write(term, write).await,
            Some(request::Body::Begin(begin)) => self.begin(term, &begin).await,
            Some(request::Body::Within(within)) => match within.write {
                Some(write) => self.within(&within.id, write).await,
                None => answer::Body::Failure(malformed()),
            },
            Some(request::Body::Point(point)) => self.point(point).await,
            Some(request::Body::Commit(commit)) => self.commit(term, &commit.id, commit.key).await,
            Some(request::Body::Abort(abort)) => self.abort(&abort.id).await,
            Some(request::Body::Stop(stop)) => {
                as_id(&stop.id).into_iter().for_each(|id| self.shared.stop(&id));
                answer::Body::Done(Done::default())
            }
            None => answer::Body::Failure(malformed()),
        }
    }

    /// A statement by itself; and where its time went, if it was slow.
    pub(super) async fn write_timed(&self, term: u64, write: Write) -> Gathered {
        self.gatherer.write(term, write).await
    }

    async fn write(&self, term: u64, write: Write) -> answer::Body {
        match self.gatherer.write(term, write).await {
            Gathered::Outcome(outcome, _) => told(outcome),
            Gathered::Not(ProposeError::NoLeader) => answer::Body::Refused(Refused {}),
            Gathered::Not(e) => answer::Body::Failure(as_failure(&super::refusal(&e))),
            Gathered::Unknown(why) => answer::Body::Unknown(Unknown { why }),
        }
    }

    async fn begin(&self, term: u64, begin: &Begin) -> answer::Body {
        let Some(id) = as_id(&begin.id) else { return answer::Body::Failure(malformed()) };
        let alone = match self.slot.alone(Duration::from_millis(begin.patience_ms.into())).await {
            Ok(alone) => alone,
            Err(crowded) => return answer::Body::Failure(crowded_out(crowded)),
        };
        if !self.leads_in(term) {
            return answer::Body::Refused(Refused {});
        }
        let idle = match begin.idle_ms {
            0 => IDLE,
            some => Duration::from_millis(some.into()),
        };
        self.held().open = Some(Open { id, term, idle, since: None, _alone: alone });
        let _busy = Busy { desk: self, id };
        let began = self
            .blocking(move |shared| {
                shared.open_transaction(id)?;
                let writer = shared.writer();
                Ok(Began { changed: writer.state().changed, catalog: writer.catalog().version })
            })
            .await;
        began.map_or_else(answer::Body::Failure, answer::Body::Began)
    }

    async fn within(&self, id: &[u8], write: Write) -> answer::Body {
        let busy = match self.busy(id) {
            Ok(busy) => busy,
            Err(failure) => return answer::Body::Failure(failure),
        };
        let id = busy.id;
        let outcome = self.blocking(move |shared| shared.writer().in_transaction(&id, &write)).await;
        told(outcome.and_then(|outcome| outcome))
    }

    async fn point(&self, point: Point) -> answer::Body {
        let busy = match self.busy(&point.id) {
            Ok(busy) => busy,
            Err(failure) => return answer::Body::Failure(failure),
        };
        let id = busy.id;
        let outcome = self
            .blocking(move |shared| {
                let mut writer = shared.writer();
                match point.verb() {
                    point::Verb::Set => writer.set_savepoint(&id, &point.name),
                    point::Verb::Back => writer.roll_back_to(&id, &point.name),
                    point::Verb::Release => writer.release(&id, &point.name),
                }
            })
            .await;
        told(outcome.and_then(|outcome| outcome.map(|()| Done::default())))
    }

    /// The changes go into the log; whatever comes of that, the transaction is over.
    async fn commit(&self, term: u64, id: &[u8], key: String) -> answer::Body {
        let busy = match self.busy(id) {
            Ok(busy) => busy,
            Err(failure) => return answer::Body::Failure(failure),
        };
        let answer = self.propose(term, busy.id, key).await;
        self.end(&busy.id).await;
        answer
    }

    async fn propose(&self, term: u64, id: [u8; 16], key: String) -> answer::Body {
        let closed = self
            .blocking(move |shared| {
                let mut writer = shared.writer();
                if let Some(done) = writer.repeated(&key)? {
                    return Ok(Ok(Err(done)));
                }
                Ok(writer.close_transaction(&id, &key)?.map(Ok))
            })
            .await;
        let mut commit = match closed.and_then(|closed| closed) {
            Ok(Ok(commit)) => commit,
            Ok(Err(done)) => return answer::Body::Done(done),
            Err(failure) => return answer::Body::Failure(failure),
        };
        if commit.segments.is_empty() && commit.sequences.is_empty() && commit.key.is_empty() {
            return self.confirm(term).await;
        }
        (commit.term, commit.now) = (term, micros(&self.context));
        let Some(group) = self.group.upgrade() else { return answer::Body::Refused(Refused {}) };
        match group.propose_in(term, encode(Body::Commit(commit))).await {
            Ok(accepted) => match decode_reply(accepted.reply).map(|outcomes| outcomes.into_iter().next()) {
                Ok(Some(outcome)) => told(outcome),
                other => answer::Body::Unknown(Unknown { why: format!("no outcome was told: {other:?}") }),
            },
            Err(ProposeError::Unknown(why) | ProposeError::Stopped(why)) => {
                answer::Body::Unknown(Unknown { why })
            }
            Err(ProposeError::NoLeader) => answer::Body::Refused(Refused {}),
            Err(e) => answer::Body::Failure(as_failure(&super::refusal(&e))),
        }
    }

    /// What has changed nothing is in no log: that it saw what there was, a quorum has to show.
    async fn confirm(&self, term: u64) -> answer::Body {
        let Some(group) = self.group.upgrade() else { return answer::Body::Refused(Refused {}) };
        match group.read_barrier().await {
            Ok(()) if self.leads_in(term) => answer::Body::Done(Done::default()),
            _ => answer::Body::Refused(Refused {}),
        }
    }

    async fn abort(&self, id: &[u8]) -> answer::Body {
        let open = self.held().open.as_ref().map(|open| open.id).filter(|open| open == id);
        if let Some(id) = open {
            // Its statement, if one runs, is of no use to anybody any more.
            self.shared.stop(&id);
            self.end(&id).await;
        }
        answer::Body::Done(Done::default())
    }

    /// Undoes what is left of a transaction and gives its slot back.
    async fn end(&self, id: &[u8; 16]) {
        let owned = *id;
        if let Err(failure) = self.blocking(move |shared| shared.abort_transaction(&owned)).await {
            tracing::warn!(message = failure.message, "a transaction could not be undone");
        }
        let mut held = self.held();
        if held.open.as_ref().is_some_and(|open| open.id == *id) {
            held.open = None;
        }
    }

    /// A statement of this transaction runs from now on.
    fn busy(&self, id: &[u8]) -> Result<Busy<'_>, Failure> {
        let mut held = self.held();
        if let Some(open) = held.open.as_mut().filter(|open| open.id == *id) {
            return match open.since.take() {
                Some(_) => Ok(Busy { desk: self, id: open.id }),
                None => Err(failed(SqlState::OBJECT_IN_USE, "the transaction runs a statement already")),
            };
        }
        let ended = held.ends.iter().find(|(ended, _)| *ended == *id).map(|(_, why)| why.clone());
        Err(ended.unwrap_or_else(|| {
            failed(SqlState::SERIALIZATION_FAILURE, "the transaction was lost: its leader has changed")
        }))
    }

    /// Ends transactions whose clients do nothing, and those of a term that is over.
    async fn watch(self: Arc<Self>) {
        let mut leadership = self.leadership.clone();
        loop {
            let due = self.held().open.as_ref().and_then(|open| Some(open.since? + open.idle));
            // A transaction that begins, or a statement that ends, is looked at a tick later at the latest.
            let tick = Instant::now() + IDLE / 10;
            tokio::select! {
                biased;
                changed = leadership.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep_until(due.map_or(tick, |due| due.min(tick))) => {}
            }
            let ended = self.overdue();
            if let Some((id, why)) = ended {
                self.remember(id, why);
                self.end(&id).await;
            }
        }
    }

    fn overdue(&self) -> Option<([u8; 16], Failure)> {
        let mut held = self.held();
        let open = held.open.as_mut()?;
        if !self.leads_in(open.term) {
            open.since.take()?;
            let why = "the transaction was lost: its leader has changed";
            return Some((open.id, failed(SqlState::SERIALIZATION_FAILURE, why)));
        }
        if open.since? + open.idle > Instant::now() {
            return None;
        }
        open.since = None;
        let why = "terminating transaction due to idle-in-transaction timeout: others wait to write";
        Some((open.id, failed(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, why)))
    }

    fn remember(&self, id: [u8; 16], why: Failure) {
        let mut held = self.held();
        held.ends.push_back((id, why));
        if held.ends.len() > ENDS {
            held.ends.pop_front();
        }
    }

    fn leads_in(&self, term: u64) -> bool {
        let leadership = *self.leadership.borrow();
        leadership.is_leader && leadership.term == term
    }

    /// Does something with the writer, off the scheduler's threads. A storage error ends the process.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Failure> {
        let shared = self.shared.clone();
        match self.context.blocking(move || work(&shared)).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(e)) => {
                self.context.tasks().fail_storage(format!("the database failed: {e}"));
                Err(failed(SqlState::IO_ERROR, "the database failed; the node starts again"))
            }
            None => {
                Err(failed(SqlState::INTERNAL_ERROR, "a statement panicked; the log of the node says where"))
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a statement of a transaction runs; also when whoever asked for it has gone.
struct Busy<'a> {
    desk: &'a Desk,
    id: [u8; 16],
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.desk.held().open.as_mut().filter(|open| open.id == self.id) {
            open.since = Some(Instant::now());
        }
    }
}

fn told(outcome: Outcome) -> answer::Body {
    match outcome {
        Ok(done) => answer::Body::Done(done),
        Err(failure) => answer::Body::Failure(failure),
    }
}

/// Wall time: microseconds since 1970.
fn micros(context: &Context) -> i64 {
    i64::try_from(context.clock().unix().as_micros()).unwrap_or(i64::MAX)
}

fn as_id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}

fn malformed() -> Failure {
    failed(
        SqlState::PROTOCOL_VIOLATION,
        "a replica's request was not understood: are all nodes of one version?",
    )
}

fn crowded_out(crowded: Crowded) -> Failure {
    match crowded {
        Crowded::Full => failed(SqlState::TOO_MANY_CONNECTIONS, "too many transactions wait to write"),
        Crowded::TimedOut => failed(
            SqlState::LOCK_NOT_AVAILABLE,
            "canceling statement due to lock timeout: another transaction writes to this database",
        ),
    }
}

fn as_failure(e: &crate::base::SqlError) -> Failure {
    Failure {
        state: e.state.to_string(),
        message: e.message.clone(),
        detail: e.detail.clone().unwrap_or_default(),
        hint: e.hint.clone().unwrap_or_default(),
        sqlite: 0,
    }
}
