//! Leases: granted and revoked through the log, kept alive and looked at on the leader.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use kit::server::Peer;
use prost::Message;
use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Api, OnLearner, requires_leader, unexpected};
use crate::auth::Guard;
use crate::convert::Rejection;
use crate::machine::cost;
use crate::proto::etcdserverpb::lease_server::Lease;
use crate::proto::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::leader_answer::Answer;
use crate::proto::internal::leader_call::Call;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{LeaderAnswer, LeaderCall, LeaseGrant, LeaseRevoke};

/// etcd's bound, in seconds.
const LONGEST_LEASE: i64 = 9_000_000_000;
/// How long to look for a leader that answers about leases, and the pause between attempts.
const PATIENCE: Duration = Duration::from_secs(7);
const PAUSE: Duration = Duration::from_millis(20);

type KeepAlives = Pin<Box<dyn Stream<Item = Result<LeaseKeepAliveResponse, Status>> + Send>>;

#[async_trait]
impl Lease for Api {
    type LeaseKeepAliveStream = KeepAlives;

    async fn lease_grant(
        &self,
        request: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        self.unary("LeaseGrant", OnLearner::Refuse, request, |message| self.serve_grant(message)).await
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        self.unary("LeaseRevoke", OnLearner::Refuse, request, |message| self.serve_revoke(message)).await
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<KeepAlives>, Status> {
        // The stream itself holds no permit: it may be open for days.
        self.sound()?;
        self.admit(OnLearner::Refuse, request.metadata())?;
        let needs_leader = requires_leader(request.metadata());
        let (metadata, extensions, requests) = request.into_parts();
        let state = (self.clone(), requests, Arc::new((metadata, extensions)));
        let answers = stream::try_unfold(state, move |(api, mut requests, from)| async move {
            let Some(request) = requests.message().await? else { return Ok(None) };
            api.sound()?;
            if needs_leader && api.leadership().borrow().leader.is_none() {
                return Err(Rejection::NoLeader.into());
            }
            // A token may end while the stream goes on.
            let caller = api.identify(&from.0, from.1.get::<Peer>()).await?;
            api.may_keep_alive(caller.as_ref(), request.id).await?;
            let answer = api.serve_keep_alive(request).await?;
            Ok(Some((answer, (api, requests, from))))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        self.unary("LeaseTimeToLive", OnLearner::Refuse, request, |message| self.serve_time_to_live(message))
            .await
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        self.unary("LeaseLeases", OnLearner::Refuse, request, |_| self.serve_leases()).await
    }
}

impl Api {
    pub(super) async fn serve_grant(
        &self,
        request: LeaseGrantRequest,
    ) -> Result<LeaseGrantResponse, Rejection> {
        if request.ttl > LONGEST_LEASE {
            return Err(Rejection::LeaseTtlTooLarge);
        }
        self.quota.admit(cost::LEASE).await?;
        let id = if request.id == 0 { self.mint_lease_id() } else { request.id };
        let ttl = request.ttl.max(self.shortest_lease);
        let granted = self.propose(Operation::LeaseGrant(LeaseGrant { id, ttl })).await?;
        let Outcome::LeaseGrant(mut response) = granted else { return Err(unexpected()) };
        self.stamp(&mut response.header);
        Ok(response)
    }

    /// Positive, because clients print and parse ids as signed hexadecimal.
    fn mint_lease_id(&self) -> i64 {
        loop {
            let id = (self.context.entropy().id() >> 1).cast_signed();
            if id != 0 {
                return id;
            }
        }
    }

    pub(super) async fn serve_revoke(
        &self,
        request: LeaseRevokeRequest,
    ) -> Result<LeaseRevokeResponse, Rejection> {
        let command = Operation::LeaseRevoke(LeaseRevoke { id: request.id, epoch: 0 });
        let Outcome::LeaseRevoke(mut response) = self.propose(command).await? else {
            return Err(unexpected());
        };
        self.stamp(&mut response.header);
        Ok(response)
    }

    async fn serve_keep_alive(
        &self,
        request: LeaseKeepAliveRequest,
    ) -> Result<LeaseKeepAliveResponse, Rejection> {
        let Answer::KeepAlive(mut response) = self.ask_primary(Call::KeepAlive(request)).await? else {
            return Err(unexpected());
        };
        self.stamp(&mut response.header);
        Ok(response)
    }

    async fn serve_time_to_live(
        &self,
        request: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, Rejection> {
        let keys = if request.keys { self.guarded_keys(request.id).await? } else { Vec::new() };
        let asked = self.ask_primary(Call::TimeToLive(request));
        let answer = self.read_as_permitted(|guard| Ok(guard.read_all(&keys)?), asked).await?;
        let Answer::TimeToLive(mut response) = answer else { return Err(unexpected()) };
        // What was attached since the look is not for everybody, either.
        self.read_as_permitted(|guard| Ok(guard.read_all(&response.keys)?), async { Ok(()) }).await?;
        self.stamp(&mut response.header);
        Ok(response)
    }

    async fn serve_leases(&self) -> Result<LeaseLeasesResponse, Rejection> {
        self.barrier().await?;
        let ids: Vec<i64> = self.store.leases().keys().copied().collect();
        let mut keys = Vec::new();
        for id in &ids {
            keys.extend(self.guarded_keys(*id).await?);
        }
        let seen = |guard: &Guard<'_>| Ok(guard.user().and_then(|()| guard.read_all(&keys))?);
        self.read_as_permitted(seen, async { Ok(()) }).await?;
        let leases = ids.into_iter().map(|id| LeaseStatus { id }).collect();
        Ok(LeaseLeasesResponse { header: self.header(), leases })
    }

    /// Asks the primary lessor, wherever it is. A new leader becomes primary a moment after its election.
    async fn ask_primary(&self, call: Call) -> Result<Answer, Rejection> {
        let payload: bytes::Bytes = LeaderCall { call: Some(call) }.encode_to_vec().into();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.group.call_leader(payload.clone()).await?;
            let answer = LeaderAnswer::decode(answer).map_err(|e| Rejection::Internal(e.to_string()))?.answer;
            match answer {
                Some(Answer::NotPrimary(_)) if Instant::now() < deadline => sleep(PAUSE).await,
                Some(Answer::NotPrimary(_)) => return Err(Rejection::TimedOut),
                Some(answer) => return Ok(answer),
                None => return Err(unexpected()),
            }
        }
    }
}
