//! The etcd v3 API over the store and its replication.
//!
//! A service here decodes, checks, asks, stamps the header. What a command means is the machine's,
//! what an error is called is [`crate::convert`]'s. Reads are linearizable unless they say otherwise;
//! a read of one key is answered on the spot, anything longer on a thread that may block.

mod answers;
mod auth;
mod cluster;
mod deadline;
mod downgrade;
mod hash;
mod http;
mod kv;
mod lease;
mod maintenance;
mod metrics;
mod quota;
mod range_stream;
mod recipes;
mod slow;
mod watch;

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit::Context;
use kit::server::Peer;
use kit::telemetry::Metrics;
use quorum::{Group, Leadership};
use tokio::sync::{Semaphore, watch as channel};
use tokio::time::{Instant, timeout};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use self::answers::Answers;
use self::slow::SlowLog;
use crate::auth::{Authority, Caller, Jwt, Passwords};
use crate::config::Limits;
use crate::convert::{Checks, Rejection};
use crate::machine::{Alarms, decode_reply, encode_as};
use crate::proto::etcdserverpb::{AlarmType, ResponseHeader};
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::store::{Store, View};
use crate::watch::Hub;

pub(crate) use http::{figures, router};
pub(crate) use metrics::ApiMetrics;
pub(crate) use quota::Quota;
#[cfg(any(test, fuzzing))]
pub(crate) use watch::{new_watcher, split};

/// How long it is believed that this replica is, or is not, a learner.
const ROLE_FRESHNESS: Duration = Duration::from_millis(100);

/// From here on a linearizable read is counted as slow: when etcd asks for its confirmation again.
const SLOW_READ: Duration = Duration::from_millis(500);
/// What a member whose state has diverged still answers: what is needed to see that, and to replace it.
const UNSOUND: [&str; 10] = [
    "Alarm",
    "Status",
    "Hash",
    "HashKV",
    "MoveLeader",
    "MemberList",
    "MemberAdd",
    "MemberRemove",
    "MemberUpdate",
    "MemberPromote",
];

/// What the services stand on.
pub(crate) struct ApiConfig {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) group: Group,
    pub(crate) cluster: u64,
    pub(crate) limits: Limits,
    /// The shortest time to live of a lease, in seconds.
    pub(crate) shortest_lease: i64,
    /// How long a watch that requires a leader goes without one.
    pub(crate) leaderless: Duration,
    /// Whether members speak TLS, which their URLs show.
    pub(crate) tls: bool,
    /// Where snapshots wait for their reader.
    pub(crate) spool: PathBuf,
    pub(crate) metrics: ApiMetrics,
    /// What `/metrics` shows.
    pub(crate) registry: Metrics,
    pub(crate) authority: Arc<Authority>,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) quota: Arc<Quota>,
    pub(crate) passwords: Passwords,
    /// Signs and verifies tokens; none: they are simple ones.
    pub(crate) jwt: Option<Jwt>,
    /// Whether a client's certificate says which user it is.
    pub(crate) certificate_users: bool,
}

tokio::task_local! {
    /// Who the request is from that is being served. A part of the request, not of the process: every command
    /// takes it from here, so that no service can forget to hand it on; without one, a command is nobody's.
    static CALLER: Option<Caller>;
}

/// All services. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

pub(crate) struct Inner {
    config: ApiConfig,
    leadership: channel::Receiver<Leadership>,
    requests: Semaphore,
    waiters: Arc<Semaphore>,
    snapshots: Arc<Semaphore>,
    request_ids: AtomicU64,
    learner: Mutex<Option<(Instant, bool)>>,
    answers: Answers,
    /// Held while the store is hashed.
    hashing: tokio::sync::Mutex<()>,
    slow: Arc<SlowLog>,
}

impl std::ops::Deref for Api {
    type Target = ApiConfig;

    fn deref(&self) -> &ApiConfig {
        &self.0.config
    }
}

/// Which requests a learner answers: etcd's list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLearner {
    Serve,
    Refuse,
}

impl Api {
    pub(crate) fn new(config: ApiConfig) -> Self {
        let requests = Semaphore::new(config.limits.requests);
        let waiters = Arc::new(Semaphore::new(config.limits.waiters));
        let snapshots = Arc::new(Semaphore::new(config.limits.snapshots));
        let request_ids = AtomicU64::new(config.context.entropy().next_u64());
        let leadership = config.group.leadership();
        let learner = Mutex::new(None);
        let answers = Answers::new(config.limits.answer_bytes);
        let hashing = tokio::sync::Mutex::default();
        let slow = Arc::new(SlowLog::new(config.limits.slow_request, config.metrics.slow.clone()));
        Self(Arc::new(Inner {
            config,
            leadership,
            requests,
            waiters,
            snapshots,
            request_ids,
            learner,
            answers,
            hashing,
            slow,
        }))
    }

    fn checks(&self) -> Checks {
        Checks { txn_operations: self.limits.txn_operations }
    }

    fn leadership(&self) -> channel::Receiver<Leadership> {
        self.0.leadership.clone()
    }

    /// Places of those who may wait for long: not among the requests under way, which others need.
    fn waiters(&self) -> Arc<Semaphore> {
        self.0.waiters.clone()
    }

    fn answers(&self) -> &Answers {
        &self.0.answers
    }

    fn snapshots(&self) -> Arc<Semaphore> {
        self.0.snapshots.clone()
    }

    /// Adds what only this member knows to the header of an answer.
    fn stamp(&self, header: &mut Option<ResponseHeader>) {
        let header = header.get_or_insert_default();
        header.cluster_id = self.cluster;
        header.member_id = self.group.id();
        header.raft_term = self.0.leadership.borrow().term;
    }

    /// The header of an answer that no command gave.
    fn header(&self) -> Option<ResponseHeader> {
        self.header_at(self.store.view().head())
    }

    fn header_at(&self, revision: i64) -> Option<ResponseHeader> {
        let mut header = Some(ResponseHeader { revision, ..Default::default() });
        self.stamp(&mut header);
        header
    }

    /// Serves one request: bounds, deadline, figures, and the words for what went wrong.
    async fn unary<M, R, F>(
        &self,
        method: &'static str,
        on_learner: OnLearner,
        request: Request<M>,
        serve: impl FnOnce(M) -> F,
    ) -> Result<Response<R>, Status>
    where
        F: Future<Output = Result<R, Rejection>>,
    {
        let Ok(_permit) = self.0.requests.try_acquire() else {
            let refused = Status::from(Rejection::TooManyRequests);
            self.metrics.served(method, Duration::ZERO, Some(&refused));
            return Err(refused);
        };
        self.attend(method, on_learner, request, serve).await
    }

    /// As [`Self::unary`], but takes no place among the requests under way: for what waits, and finds a place
    /// for that by itself.
    async fn attend<M, R, F>(
        &self,
        method: &'static str,
        on_learner: OnLearner,
        request: Request<M>,
        serve: impl FnOnce(M) -> F,
    ) -> Result<Response<R>, Status>
    where
        F: Future<Output = Result<R, Rejection>>,
    {
        let begun = Instant::now();
        let admitted = self.sound_for(method).and_then(|()| self.admit(on_learner, request.metadata()));
        let outcome = match admitted {
            Err(rejection) => Err(rejection),
            Ok(()) => {
                let (metadata, extensions, message) = request.into_parts();
                let peer = extensions.get::<Peer>();
                let serving = self.on_behalf(method, &metadata, peer, serve(message));
                let served = timeout(deadline::of(&metadata), serving).await;
                let served = served.unwrap_or(Err(Rejection::DeadlineExceeded));
                // Again: it may have come to light meanwhile.
                self.sound_for(method).and(served)
            }
        };
        let outcome = outcome.map(Response::new).map_err(Status::from);
        self.metrics.served(method, begun.elapsed(), outcome.as_ref().err());
        outcome
    }

    fn admit(&self, on_learner: OnLearner, metadata: &MetadataMap) -> Result<(), Rejection> {
        if on_learner == OnLearner::Refuse && self.is_learner() {
            return Err(Rejection::NotForLearners);
        }
        if requires_leader(metadata) && self.0.leadership.borrow().leader.is_none() {
            return Err(Rejection::NoLeader);
        }
        Ok(())
    }

    /// The alarms that make this member unhealthy.
    fn raised(&self) -> impl Iterator<Item = AlarmType> {
        let raised = self.alarms.all();
        let kinds: Vec<_> =
            raised.iter().filter(|a| self.alarms.concerns_me(**a)).map(|a| a.kind()).collect();
        kinds.into_iter()
    }

    /// A member whose state has diverged answers nothing that depends on it.
    fn sound(&self) -> Result<(), Rejection> {
        if self.alarms.is_fenced() { Err(Rejection::Corrupt) } else { Ok(()) }
    }

    fn sound_for(&self, method: &str) -> Result<(), Rejection> {
        if UNSOUND.contains(&method) { Ok(()) } else { self.sound() }
    }

    fn is_learner(&self) -> bool {
        if self.0.leadership.borrow().is_leader {
            return false;
        }
        let mut known = self.0.learner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, is_learner)) = *known
            && at.elapsed() < ROLE_FRESHNESS
        {
            return is_learner;
        }
        let is_learner = self.group.status().is_learner(self.group.id());
        *known = Some((Instant::now(), is_learner));
        is_learner
    }

    /// Replicates a command and gives what it did.
    async fn propose(&self, operation: Operation) -> Result<Outcome, Rejection> {
        let request_id = self.0.request_ids.fetch_add(1, Ordering::Relaxed);
        let payload = encode_as(self.credentials(), request_id, operation);
        if payload.len() > self.limits.request_bytes {
            return Err(Rejection::RequestTooLarge);
        }
        let replication = &self.metrics.replication;
        let _pending = replication.proposing();
        let proposed = self.group.propose_timed(payload).await;
        if proposed.is_err() {
            replication.failed.inc();
        }
        let accepted = proposed?;
        slow::note_stages(accepted.stages);
        Ok(decode_reply(accepted.reply)??)
    }

    /// Waits until this replica has everything that was acknowledged before.
    async fn barrier(&self) -> Result<(), Rejection> {
        let begun = Instant::now();
        let passed = self.group.read_barrier().await;
        let replication = &self.metrics.replication;
        if passed.is_err() {
            replication.reads_failed.inc();
        }
        let took = begun.elapsed();
        slow::note_confirm(took);
        if took >= SLOW_READ {
            replication.reads_slow.inc();
        }
        Ok(passed?)
    }

    /// Reads the store as it is now. `quick` reads are made on the spot.
    async fn read<T: Send + 'static>(
        &self,
        quick: bool,
        read: impl FnOnce(&View, i64) -> Result<T, Rejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        let store = self.store.clone();
        let look = move || {
            // In this order: what the view lacks was compacted before it was taken.
            let view = store.view();
            read(&view, store.compacted())
        };
        if quick {
            return look();
        }
        let _turn = self.answers().read().await?;
        self.blocking(look).await?
    }

    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let panicked = || Rejection::Internal("a thread of the store panicked; see this member's log".into());
        self.context.blocking(call).await.ok_or_else(panicked)
    }
}

/// etcd's `WithRequireLeader`.
fn requires_leader(metadata: &MetadataMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value == "true")
}

/// An answer of another kind than the command asks for.
fn unexpected() -> Rejection {
    Rejection::Internal("the command's reply is of another kind".into())
}
