//! Observe: who leads, and what it proclaims, from now on.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, stream};
use kit::server::Peer;
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status};

use super::super::metrics::InGauge;
use super::super::watch::leaderless;
use super::super::{Api, CALLER, OnLearner, requires_leader};
use super::follow::{Follower, News};
use super::{by_creation, prefix, prefix_end, unclassified};
use crate::auth::Caller;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::range_request::SortOrder;
use crate::proto::mvccpb::KeyValue;
use crate::proto::v3electionpb::{LeaderRequest, LeaderResponse};
use crate::store::Span;

/// The answers of one Observe.
pub(crate) type Observations = Pin<Box<dyn Stream<Item = Result<LeaderResponse, Status>> + Send>>;

/// One who observes an election.
struct Observer {
    api: Api,
    caller: Option<Caller>,
    prefix: Bytes,
    /// None: it must look who leads.
    following: Option<Following>,
    /// What it has seen and not told yet.
    seen: VecDeque<LeaderResponse>,
    requires_leader: bool,
    _permit: OwnedSemaphorePermit,
    _open: InGauge,
}

/// What it waits for.
enum Following {
    /// What the leader proclaims, until its key goes.
    Leader(Follower),
    /// That there is a leader.
    Vacancy(Follower),
}

impl Api {
    pub(super) async fn serve_observe(
        &self,
        request: Request<LeaderRequest>,
    ) -> Result<Response<Observations>, Status> {
        self.sound()?;
        self.admit(OnLearner::Refuse, request.metadata())?;
        let permit = self.waiters().try_acquire_owned().map_err(|_| Rejection::TooManyRequests)?;
        let requires_leader = requires_leader(request.metadata());
        let (metadata, extensions, message) = request.into_parts();
        let caller = self.identify(&metadata, extensions.get::<Peer>()).await?;
        let observer = Observer {
            api: self.clone(),
            caller,
            prefix: prefix(&message.name),
            following: None,
            seen: VecDeque::new(),
            requires_leader,
            _permit: permit,
            _open: self.metrics.open_stream(),
        };
        Ok(Response::new(Box::pin(stream::try_unfold(observer, Observer::unfold))))
    }
}

impl Observer {
    /// It ends only by an error, or with its client.
    async fn unfold(self) -> Result<Option<(LeaderResponse, Self)>, Status> {
        self.next().await.map(Some).map_err(|rejection| unclassified(rejection).into())
    }

    async fn next(mut self) -> Result<(LeaderResponse, Self), Rejection> {
        loop {
            if let Some(told) = self.seen.pop_front() {
                return Ok((told, self));
            }
            let (api, required) = (self.api.clone(), self.requires_leader);
            self = tokio::select! {
                biased;
                () = leaderless(&api, required) => return Err(Rejection::NoLeader),
                next = self.step() => next?,
            };
        }
    }

    async fn step(mut self) -> Result<Self, Rejection> {
        match self.following.take() {
            None => self.look().await,
            Some(Following::Leader(follower)) => {
                let (news, follower) = follower.next().await?;
                self.hear_leader(news, follower);
                Ok(self)
            }
            Some(Following::Vacancy(follower)) => {
                let (news, follower) = follower.next().await?;
                self.hear_candidates(news, follower);
                Ok(self)
            }
        }
    }

    /// Looks who leads, in the name of its client.
    async fn look(mut self) -> Result<Self, Rejection> {
        let oldest = by_creation(&self.prefix, SortOrder::Ascend, 0);
        let response = CALLER.scope(self.caller.clone(), self.api.serve_range(oldest)).await?;
        let at = response.header.as_ref().map_or(0, |header| header.revision);
        match response.kvs.into_iter().next() {
            Some(kv) => {
                self.follow_leader(&kv, at + 1);
                self.seen.push_back(LeaderResponse { header: response.header, kv: Some(kv) });
            }
            None => {
                let candidates = Span::new(self.prefix.clone(), prefix_end(&self.prefix));
                self.following = Some(Following::Vacancy(Follower::new(&self.api, [candidates], at + 1)));
            }
        }
        Ok(self)
    }

    fn follow_leader(&mut self, kv: &KeyValue, from: i64) {
        let key = Span::new(kv.key.clone(), Bytes::new());
        self.following = Some(Following::Leader(Follower::new(&self.api, [key], from)));
    }

    fn hear_leader(&mut self, news: News, follower: Follower) {
        // After a deletion, or a gap: look again.
        let News::Changes(events) = news else { return };
        for event in &events {
            if event.deleted {
                return;
            }
            self.tell(event.key_value());
        }
        self.following = Some(Following::Leader(follower));
    }

    fn hear_candidates(&mut self, news: News, follower: Follower) {
        let News::Changes(events) = news else { return };
        match events.iter().find(|event| !event.deleted) {
            Some(event) => {
                let kv = event.key_value();
                self.follow_leader(&kv, kv.mod_revision + 1);
                self.tell(kv);
            }
            None => self.following = Some(Following::Vacancy(follower)),
        }
    }

    fn tell(&mut self, kv: KeyValue) {
        let header = self.api.header_at(kv.mod_revision);
        self.seen.push_back(LeaderResponse { header, kv: Some(kv) });
    }
}
