//! The lessor at work: claims its epoch when this replica begins to lead, asks for the revocation
//! of what is over, and answers the other replicas' questions about leases.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use kit::Context;
use prost::Message;
use quorum::{CallHandler, Group, Leadership};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Lessor, LessorError};
use crate::machine::{Alarms, Refusal, decode_reply, encode, header};
use crate::proto::etcdserverpb::{
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::leader_answer::Answer;
use crate::proto::internal::leader_call::Call;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{LeaderAnswer, LeaderCall, LeaseRevoke, LessorClaim, NotPrimary};
use crate::store::Store;

/// How often the primary looks for leases that are over, and how many it then ends: etcd's rate.
const LOOK: Duration = Duration::from_millis(500);
const REVOCATIONS_A_LOOK: usize = 500;
/// Revocations under way at once.
const ABREAST: usize = 64;
/// Between attempts to claim the epoch.
const PAUSE: Duration = Duration::from_millis(50);

/// The primary's side of the lease protocol. Serves only while this replica leads.
pub(crate) struct Keeper {
    context: Context,
    lessor: Arc<Lessor>,
    store: Arc<Store>,
    alarms: Arc<Alarms>,
    group: Group,
    leadership: watch::Receiver<Leadership>,
    /// How old a proof of leadership may be. Shorter than an election takes, so that no successor
    /// can have been elected since, but for a transfer.
    freshness: Duration,
    /// When the last successful proof was begun, and in which term.
    proven: Mutex<Option<(Instant, u64)>>,
}

/// The epoch is another lessor's by now.
struct Superseded;

impl Keeper {
    pub(crate) fn new(
        context: &Context,
        lessor: Arc<Lessor>,
        store: Arc<Store>,
        alarms: Arc<Alarms>,
        group: &Group,
        election: Duration,
    ) -> Arc<Self> {
        let leadership = group.leadership();
        Arc::new(Self {
            context: context.clone(),
            lessor,
            store,
            alarms,
            group: group.clone(),
            leadership,
            freshness: election / 4,
            proven: Mutex::new(None),
        })
    }

    /// Makes sure that a quorum still followed this replica a moment ago: a leader that was cut off
    /// must not promise more time.
    async fn prove_leadership(&self) -> bool {
        let now = *self.leadership.borrow();
        if !now.is_leader {
            return false;
        }
        let proven = *self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.is_some_and(|(at, term)| term == now.term && at.elapsed() < self.freshness) {
            return true;
        }
        let begun = Instant::now();
        if self.group.read_barrier().await.is_err() || *self.leadership.borrow() != now {
            return false;
        }
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, now.term));
        true
    }

    async fn answer(&self, call: Call) -> Result<Answer, String> {
        // A state that has diverged knows nothing about leases either.
        if self.alarms.is_fenced() || !self.prove_leadership().await {
            return Ok(Answer::NotPrimary(NotPrimary {}));
        }
        match call {
            Call::KeepAlive(request) => Ok(self.keep_alive(&request)),
            Call::TimeToLive(request) => self.time_to_live(&request).await,
        }
    }

    fn keep_alive(&self, request: &LeaseKeepAliveRequest) -> Answer {
        // Read before the renewal: a client must not see a revision at which the lease was gone.
        let header = header(self.store.view().head());
        let ttl = match self.lessor.renew(request.id) {
            Ok(ttl) => ttl,
            Err(LessorError::NotFound) => 0,
            Err(LessorError::NotPrimary) => return Answer::NotPrimary(NotPrimary {}),
        };
        Answer::KeepAlive(LeaseKeepAliveResponse { header, id: request.id, ttl })
    }

    async fn time_to_live(&self, request: &LeaseTimeToLiveRequest) -> Result<Answer, String> {
        let header = header(self.store.view().head());
        let id = request.id;
        let remaining = match self.lessor.remaining(id) {
            Ok(remaining) => remaining,
            Err(LessorError::NotPrimary) => return Ok(Answer::NotPrimary(NotPrimary {})),
            Err(LessorError::NotFound) => {
                let gone = LeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() };
                return Ok(Answer::TimeToLive(gone));
            }
        };
        let mut keys = Vec::new();
        if request.keys {
            let store = self.store.clone();
            let attached = self.context.blocking(move || store.attached(id)).await;
            keys = attached.ok_or("the store's thread panicked")?.map_err(|e| e.to_string())?;
        }
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        let (ttl, granted_ttl) = (seconds(remaining.left), seconds(remaining.granted));
        Ok(Answer::TimeToLive(LeaseTimeToLiveResponse { header, id, ttl, granted_ttl, keys }))
    }

    /// Leads the leases for as long as this future is polled.
    async fn preside(&self) {
        loop {
            let epoch = self.claim().await;
            self.lessor.promote(epoch, || self.store.leases().clone());
            tracing::debug!(epoch, "primary lessor");
            let Superseded = self.end_leases().await;
            tracing::info!(epoch, "another lessor claimed the leases; claiming them again");
        }
    }

    /// Writes a fresh epoch into the log.
    async fn claim(&self) -> u64 {
        loop {
            let epoch = self.context.entropy().id();
            let command = encode(epoch, Operation::LessorClaim(LessorClaim { epoch }));
            match self.group.propose(command).await {
                Ok(_) => return epoch,
                Err(e) => tracing::debug!(error = %e, "the leases could not be claimed yet"),
            }
            sleep(PAUSE).await;
        }
    }

    async fn end_leases(&self) -> Superseded {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.alarms.is_fenced() {
                continue;
            }
            let Some((epoch, over)) = self.lessor.expired(REVOCATIONS_A_LOOK) else { return Superseded };
            let outcomes = stream::iter(over).map(|id| self.revoke(id, epoch)).buffer_unordered(ABREAST);
            let outcomes: Vec<Result<(), Superseded>> = outcomes.collect().await;
            if outcomes.into_iter().any(|outcome| outcome.is_err()) {
                return Superseded;
            }
        }
    }

    async fn revoke(&self, id: i64, epoch: u64) -> Result<(), Superseded> {
        let request_id = self.context.entropy().id();
        let unfenced = self.context.sabotage().is("let a deposed leader end leases");
        let epoch = if unfenced { 0 } else { epoch };
        let command = encode(request_id, Operation::LeaseRevoke(LeaseRevoke { id, epoch }));
        match self.group.propose(command).await.map(decode_reply) {
            Ok(Ok(Err(Refusal::StaleLessor))) => Err(Superseded),
            Ok(Ok(Ok(Outcome::LeaseRevoke(_)))) => {
                tracing::debug!(lease = id, "the lease's time is over");
                Ok(())
            }
            // It was revoked by request, or will be asked for again.
            _ => Ok(()),
        }
    }
}

/// The keeper as its group calls it. The keeper holds the group; this must not hold the keeper.
struct Desk(Weak<Keeper>);

#[tonic::async_trait]
impl CallHandler for Desk {
    async fn call(&self, payload: Bytes) -> Result<Bytes, String> {
        let call = LeaderCall::decode(payload).map_err(|e| e.to_string())?.call;
        let call = call.ok_or("a call that this version does not know")?;
        let answer = match self.0.upgrade() {
            Some(keeper) => keeper.answer(call).await?,
            None => Answer::NotPrimary(NotPrimary {}),
        };
        Ok(LeaderAnswer { answer: Some(answer) }.encode_to_vec().into())
    }
}

/// Answers the other replicas, and presides over the leases whenever this replica leads.
pub(crate) async fn run(keeper: Arc<Keeper>) {
    keeper.group.on_call(Arc::new(Desk(Arc::downgrade(&keeper))));
    let mut leadership = keeper.group.leadership();
    let unfenced = keeper.context.sabotage().is("let a deposed leader end leases");
    loop {
        let now = *leadership.borrow_and_update();
        if now.is_leader {
            tokio::select! {
                biased;
                over = leadership.wait_for(|l| !unfenced && (!l.is_leader || l.term != now.term)) => {
                    if over.is_err() {
                        return;
                    }
                }
                () = keeper.preside() => {}
            }
            keeper.lessor.demote();
        } else if leadership.changed().await.is_err() {
            return;
        }
    }
}
