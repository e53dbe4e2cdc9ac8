//! Campaign, Proclaim, Leader, Resign; and the door to Observe.

use bytes::Bytes;
use tonic::{Request, Response, Status, async_trait};

use super::super::{Api, OnLearner};
use super::observe::Observations;
use super::ticket::Wish;
use super::{by_creation, created_at, delete, prefix, put, recipe_error, unclassified};
use crate::convert::Rejection;
use crate::proto::etcdserverpb::range_request::SortOrder;
use crate::proto::etcdserverpb::{ResponseHeader, TxnRequest};
use crate::proto::v3electionpb::election_server::Election;
use crate::proto::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest,
    ProclaimResponse, ResignRequest, ResignResponse,
};

// etcd's words.
const NOT_LEADER: &str = "election: not leader";
const NO_LEADER: &str = "election: no leader";
const NO_KEY: &str = "\"leader\" field must be provided";

#[async_trait]
impl Election for Api {
    type ObserveStream = Observations;

    async fn campaign(
        &self,
        request: Request<CampaignRequest>,
    ) -> Result<Response<CampaignResponse>, Status> {
        let serve = async |message| self.serve_campaign(message).await.map_err(unclassified);
        self.attend("Campaign", OnLearner::Refuse, request, serve).await
    }

    async fn proclaim(
        &self,
        request: Request<ProclaimRequest>,
    ) -> Result<Response<ProclaimResponse>, Status> {
        let serve = async |message| self.serve_proclaim(message).await.map_err(unclassified);
        self.unary("Proclaim", OnLearner::Refuse, request, serve).await
    }

    async fn leader(&self, request: Request<LeaderRequest>) -> Result<Response<LeaderResponse>, Status> {
        let serve = async |message| self.serve_leader(message).await.map_err(unclassified);
        self.unary("Leader", OnLearner::Refuse, request, serve).await
    }

    async fn observe(&self, request: Request<LeaderRequest>) -> Result<Response<Observations>, Status> {
        self.serve_observe(request).await
    }

    async fn resign(&self, request: Request<ResignRequest>) -> Result<Response<ResignResponse>, Status> {
        let serve = async |message| self.serve_resign(message).await.map_err(unclassified);
        self.unary("Resign", OnLearner::Refuse, request, serve).await
    }
}

impl Api {
    /// One whose key went away while it waited has not won. etcd tells it that it has.
    async fn serve_campaign(&self, request: CampaignRequest) -> Result<CampaignResponse, Rejection> {
        let CampaignRequest { name, lease, value } = request;
        let wish = Wish { name: name.clone(), lease, value: Some(value), lost: NOT_LEADER };
        let ticket = self.take_turn(wish).await?.ticket;
        let leader = LeaderKey { name, key: ticket.key, rev: ticket.revision, lease: ticket.lease.id };
        Ok(CampaignResponse { header: ticket.header, leader: Some(leader) })
    }

    async fn serve_proclaim(&self, request: ProclaimRequest) -> Result<ProclaimResponse, Rejection> {
        let LeaderKey { key, rev, lease, .. } = request.leader.ok_or_else(|| recipe_error(NO_KEY))?;
        let lease = self.session(lease).await?;
        let proclaimed = self.proclaim(&key, rev, request.value, lease.id).await;
        if proclaimed.is_err() {
            self.give_up(lease).await;
        }
        Ok(ProclaimResponse { header: proclaimed? })
    }

    /// Gives a key a new value, if it is still the one that was created then.
    pub(super) async fn proclaim(
        &self,
        key: &Bytes,
        created: i64,
        value: Bytes,
        lease: i64,
    ) -> Result<Option<ResponseHeader>, Rejection> {
        let compare = vec![created_at(key, created)];
        let txn = TxnRequest { compare, success: vec![put(key, value, lease)], failure: Vec::new() };
        let response = self.serve_txn(txn).await?;
        if response.succeeded { Ok(response.header) } else { Err(recipe_error(NOT_LEADER)) }
    }

    async fn serve_leader(&self, request: LeaderRequest) -> Result<LeaderResponse, Rejection> {
        let oldest = by_creation(&prefix(&request.name), SortOrder::Ascend, 0);
        let response = self.serve_range(oldest).await?;
        let kv = response.kvs.into_iter().next().ok_or_else(|| recipe_error(NO_LEADER))?;
        Ok(LeaderResponse { header: response.header, kv: Some(kv) })
    }

    async fn serve_resign(&self, request: ResignRequest) -> Result<ResignResponse, Rejection> {
        let LeaderKey { key, rev, .. } = request.leader.ok_or_else(|| recipe_error(NO_KEY))?;
        let compare = vec![created_at(&key, rev)];
        let txn = TxnRequest { compare, success: vec![delete(&key)], failure: Vec::new() };
        Ok(ResignResponse { header: self.serve_txn(txn).await?.header })
    }
}
