//! The engine's messages to one peer.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use tonic::{Request, Status};

use super::images;
use super::peers::Peers;
use crate::member::Member;
use crate::store::{Image, ImageStore};
use crate::types::{Snapshot, Types, Vote};
use crate::wire::{self, proto};

/// Makes the engine's links of one group.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) peers: Peers,
    pub(crate) cluster: u64,
    pub(crate) group: u64,
    pub(crate) from: u64,
    pub(crate) images: Arc<ImageStore>,
    /// The least time a message may take: a loaded peer is slow before it is dead.
    pub(crate) patience: Duration,
    pub(crate) context: kit::Context,
}

impl Links {
    pub(crate) fn route(&self, to: u64) -> proto::Route {
        proto::Route { cluster: self.cluster, group: self.group, from: self.from, to }
    }
}

impl RaftNetworkFactory<Types> for Links {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &Member) -> Link {
        Link { links: self.clone(), target, member: node.clone(), one_by_one: false }
    }
}

/// The engine's way to one peer.
pub(crate) struct Link {
    pub(crate) links: Links,
    pub(crate) target: u64,
    pub(crate) member: Member,
    /// The peer is of the version before: it takes no stream of entries.
    pub(super) one_by_one: bool,
}

type StreamAnswer = Result<StreamAppendResult<Types>, RPCError<Types>>;
type Client = proto::replication_client::ReplicationClient<tonic::transport::Channel>;

impl Link {
    pub(crate) fn client(&self) -> Result<Client, RPCError<Types>> {
        let missing = || unreachable(&format!("member {:x} has no address", self.target));
        self.links.peers.client(&self.member).ok_or_else(missing)
    }

    pub(crate) fn route(&self) -> proto::Route {
        self.links.route(self.target)
    }

    fn request<T>(&self, message: T, option: &RPCOption) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(option.hard_ttl().max(self.links.patience));
        request
    }

    async fn ask_for_vote(
        &self,
        rpc: VoteRequest<Types>,
        option: &RPCOption,
        pre_vote: bool,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let message = proto::VoteRequest {
            route: Some(self.route()),
            ballot: Some(wire::ballot(&rpc.vote)),
            last: rpc.last_log_id.as_ref().map(wire::mark),
            leadership_transfer: rpc.leadership_transfer,
            pre_vote,
        };
        let reply = self.client()?.vote(self.request(message, option)).await.map_err(failed)?.into_inner();
        let vote = wire::required_vote(reply.ballot).map_err(|e| garbled(&e))?;
        Ok(VoteResponse::new(vote, reply.last.map(wire::log_id), reply.granted))
    }
}

impl RaftNetworkV2<Types> for Link {
    type SnapshotData = Image;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let message = proto::AppendRequest {
            route: Some(self.route()),
            ballot: Some(wire::ballot(&rpc.vote)),
            previous: rpc.prev_log_id.as_ref().map(wire::mark),
            entries: rpc.entries.into_iter().map(wire::entry_message).collect(),
            committed: rpc.leader_commit.as_ref().map(wire::mark),
        };
        let reply = self.client()?.append(self.request(message, &option)).await.map_err(failed)?.into_inner();
        append_outcome(reply)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, StreamAnswer>, RPCError<Types>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
    {
        Box::pin(self.append_in_order(input, option))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(rpc, &option, false).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(rpc, &option, true).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = images::send(self, vote, snapshot) => {
                if let Err(why) = &sent {
                    self.links.images.not_sent(self.target, why);
                }
                sent
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let message = proto::TransferRequest {
            route: Some(self.route()),
            from: Some(wire::ballot(req.from_leader())),
            last: req.last_log_id().map(wire::mark),
            successor: *req.to_node_id(),
        };
        let reply =
            self.client()?.transfer(self.request(message, &option)).await.map_err(failed)?.into_inner();
        if reply.refusal.is_empty() { Ok(Ok(())) } else { Err(unreachable(&reply.refusal)) }
    }

    fn backoff(&self) -> Option<Backoff> {
        // Short: a peer that restarts should be back in the group as soon as it listens.
        let entropy = self.links.context.entropy().clone();
        let pause = move || Duration::from_millis(50) + entropy.jitter(Duration::from_millis(50));
        Some(Backoff::new(std::iter::repeat_with(pause)))
    }
}

fn append_outcome(reply: proto::AppendReply) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
    use proto::append_reply::Outcome;
    match reply.outcome() {
        Outcome::Success => Ok(AppendEntriesResponse::Success),
        Outcome::Partial => Ok(AppendEntriesResponse::PartialSuccess(reply.accepted.map(wire::log_id))),
        Outcome::Conflict => Ok(AppendEntriesResponse::Conflict),
        Outcome::HigherBallot => {
            let vote = wire::required_vote(reply.ballot).map_err(|e| garbled(&e))?;
            Ok(AppendEntriesResponse::HigherVote(vote))
        }
        Outcome::Unspecified => Err(garbled(&wire::Malformed("an append reply without an outcome"))),
    }
}

pub(crate) fn failed(status: Status) -> RPCError<Types> {
    // Every failure backs off: an immediate retry against a dead peer only burns the processor.
    RPCError::Unreachable(Unreachable::new(&status))
}

pub(super) fn unreachable(why: &str) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::new(&io::Error::other(why.to_owned())))
}

pub(super) fn garbled(e: &wire::Malformed) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(e))
}
