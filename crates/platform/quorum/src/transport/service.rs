//! What peers ask of this process, handed to the group they mean.
//!
//! Who may connect at all is the listener's business (mutual TLS and its allow-list). Here a request
//! must name this cluster, a group of this process and this replica, or it is refused.

use std::io::ErrorKind;

use openraft::raft::{AppendEntriesResponse, TransferLeaderRequest, VoteRequest};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::entries;
use super::peers::MAX_MESSAGE_BYTES;
use crate::error::ProposeError;
use crate::group::{Group, Refused};
use crate::host::Groups;
use crate::store::{ImageError, ImageKey};
use crate::types::{SnapshotMeta, Types};
use crate::wire::proto::replication_server::{Replication, ReplicationServer};
use crate::wire::{self, Malformed, Position, proto};

/// The gRPC service of a process, for all of its groups.
#[derive(Clone)]
pub struct ReplicationService {
    groups: Groups,
    /// Streams live as long as their connection; when the process stops, they would hold it up.
    stopping: CancellationToken,
}

impl ReplicationService {
    pub(crate) fn new(groups: Groups, stopping: CancellationToken) -> Self {
        Self { groups, stopping }
    }

    /// As a service for a listener.
    pub fn into_server(self) -> ReplicationServer<Self> {
        ReplicationServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn group(&self, route: Option<proto::Route>) -> Result<Group, Status> {
        let route = route.ok_or_else(|| Status::invalid_argument("a request without a route"))?;
        let group = self.any_group(&route)?;
        if route.to != group.id() {
            return Err(Status::failed_precondition(format!(
                "this is replica {:x}, the request is for {:x}; was the member replaced?",
                group.id(),
                route.to
            )));
        }
        Ok(group)
    }

    fn any_group(&self, route: &proto::Route) -> Result<Group, Status> {
        self.any_group_of(route, self.groups.cluster())
    }

    fn any_group_of(&self, route: &proto::Route, cluster: u64) -> Result<Group, Status> {
        if route.cluster != cluster {
            return Err(Status::failed_precondition(format!(
                "this replica belongs to cluster {:x}, the request is for {:x}; check the peer addresses and the cluster token",
                self.groups.cluster(),
                route.cluster
            )));
        }
        self.groups.get(route.group).ok_or_else(|| Status::not_found("no such group here (yet)"))
    }
}

#[tonic::async_trait]
impl Replication for ReplicationService {
    async fn append(
        &self,
        request: Request<proto::AppendRequest>,
    ) -> Result<Response<proto::AppendReply>, Status> {
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let rpc = entries::request(&group, message).map_err(invalid)?;
        let outcome = group.engine().append_entries(rpc).await.map_err(|e| stopped(&e))?;
        Ok(Response::new(append_reply(outcome)))
    }

    type AppendStreamStream = entries::Replies;

    async fn append_stream(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<entries::Replies>, Status> {
        let (service, stopping) = (self.clone(), self.stopping.clone());
        let named = move |route| service.group(route);
        Ok(Response::new(entries::take(named, request.into_inner(), stopping)))
    }

    async fn vote(&self, request: Request<proto::VoteRequest>) -> Result<Response<proto::VoteReply>, Status> {
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let vote = wire::required_vote(message.ballot).map_err(invalid)?;
        let mut rpc = VoteRequest::<Types>::new(vote, message.last.map(wire::log_id));
        rpc.leadership_transfer = message.leadership_transfer;
        if group.has_bug("vote for whoever asks, whatever its log") {
            rpc.last_log_id = Some(wire::log_id(proto::Mark { term: u64::MAX, node: 0, index: u64::MAX }));
        }
        let raft = group.engine();
        let answer = if message.pre_vote { raft.pre_vote(rpc).await } else { raft.vote(rpc).await };
        let answer = answer.map_err(|e| stopped(&e))?;
        Ok(Response::new(proto::VoteReply {
            ballot: Some(wire::ballot(&answer.vote)),
            granted: answer.vote_granted,
            last: answer.last_log_id.as_ref().map(wire::mark),
        }))
    }

    async fn transfer(
        &self,
        request: Request<proto::TransferRequest>,
    ) -> Result<Response<proto::TransferReply>, Status> {
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let from = wire::required_vote(message.from).map_err(invalid)?;
        let rpc =
            TransferLeaderRequest::<Types>::new(from, message.successor, message.last.map(wire::log_id));
        let answer = group.engine().handle_transfer_leader(rpc).await.map_err(|e| stopped(&e))?;
        let refusal = answer.err().map_or_else(String::new, |e| e.to_string());
        Ok(Response::new(proto::TransferReply { refusal }))
    }

    async fn image_offset(
        &self,
        request: Request<proto::ImageHeader>,
    ) -> Result<Response<proto::ImageOffsetReply>, Status> {
        let header = request.into_inner();
        let group = self.group(header.route)?;
        let key = image_key(header).map_err(invalid)?;
        let images = group.images();
        let offset = blocking(&group, move || images.offset(key)).await?;
        let offset = offset.map_err(|e| refused_image(&group, e.into()))?;
        Ok(Response::new(proto::ImageOffsetReply { offset }))
    }

    async fn send_image(
        &self,
        request: Request<Streaming<proto::ImagePart>>,
    ) -> Result<Response<proto::ImageReply>, Status> {
        use proto::image_part::Part;
        let mut parts = request.into_inner();
        let first = parts.try_next().await?.and_then(|p| p.part);
        let Some(Part::Header(header)) = first else {
            return Err(Status::invalid_argument("an image begins with its header"));
        };
        let group = self.group(header.route)?;
        let vote = wire::required_vote(header.ballot).map_err(invalid)?;
        let key = image_key(header).map_err(invalid)?;
        while let Some(part) = parts.try_next().await? {
            let Some(Part::Chunk(chunk)) = part.part else {
                return Err(Status::invalid_argument("an image has one header"));
            };
            let (images, key) = (group.images(), key.clone());
            let received = blocking(&group, move || images.receive(&key, &chunk)).await?;
            received.map_err(|e| refused_image(&group, e))?;
        }
        let completed = group.images().complete(&key);
        let (position, image) = completed.map_err(|e| refused_image(&group, e))?;
        let meta = SnapshotMeta { last_log_id: position.applied, last_membership: position.membership };
        let snapshot = crate::types::Snapshot { meta, snapshot: image };
        let answer = group.engine().install_full_snapshot(vote, snapshot).await.map_err(|e| stopped(&e))?;
        Ok(Response::new(proto::ImageReply { ballot: Some(wire::ballot(&answer.vote)) }))
    }

    async fn propose(
        &self,
        request: Request<proto::ProposeRequest>,
    ) -> Result<Response<proto::ProposeReply>, Status> {
        use proto::propose_reply::Result as R;
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let mut stages = None;
        let result = match group.propose_here(message.payload).await {
            Ok(accepted) => {
                stages = accepted.stages.as_ref().map(wire::stages_message);
                R::Reply(accepted.reply)
            }
            Err(Refused::NotLeader(leader)) => R::NotLeader(not_leader(leader)),
            Err(Refused::Failed(ProposeError::Unknown(why))) => R::Unknown(why),
            Err(Refused::Failed(e)) => return Err(Status::unavailable(e.to_string())),
        };
        Ok(Response::new(proto::ProposeReply { result: Some(result), stages }))
    }

    async fn read_index(
        &self,
        request: Request<proto::ReadIndexRequest>,
    ) -> Result<Response<proto::ReadIndexReply>, Status> {
        use proto::read_index_reply::Result as R;
        let group = self.group(request.into_inner().route)?;
        let result = match group.read_index_here().await {
            Ok(index) => R::Index(index),
            Err(leader) => R::NotLeader(not_leader(leader)),
        };
        Ok(Response::new(proto::ReadIndexReply { result: Some(result) }))
    }

    async fn change(
        &self,
        request: Request<proto::ChangeRequest>,
    ) -> Result<Response<proto::ChangeReply>, Status> {
        use proto::change_reply::Result as R;
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let change = message.change.ok_or_else(|| Status::invalid_argument("an empty change"))?;
        let result = match group.change_here(change.into()).await {
            Ok(()) => R::Done(proto::Done {}),
            Err(Refused::NotLeader(leader)) => R::NotLeader(not_leader(leader)),
            Err(Refused::Failed(e)) => R::Refusal(e.into()),
        };
        Ok(Response::new(proto::ChangeReply { result: Some(result) }))
    }

    async fn call(&self, request: Request<proto::CallRequest>) -> Result<Response<proto::CallReply>, Status> {
        use proto::call_reply::Result as R;
        let message = request.into_inner();
        let group = self.group(message.route)?;
        let result = match group.call_here(message.payload).await {
            Ok(reply) => R::Reply(reply),
            Err(Refused::NotLeader(leader)) => R::NotLeader(not_leader(leader)),
            Err(Refused::Failed(why)) => R::Error(why),
        };
        Ok(Response::new(proto::CallReply { result: Some(result) }))
    }

    async fn introduce(
        &self,
        request: Request<proto::IntroduceRequest>,
    ) -> Result<Response<proto::IntroduceReply>, Status> {
        let message = request.into_inner();
        let route = message.route.ok_or_else(|| Status::invalid_argument("a request without a route"))?;
        // Who does not know the cluster's id yet asks by what it is known as. A member of the cluster that this one
        // was restored from does not ask: it knows who it is.
        let asked =
            if route.cluster == self.groups.known_as() { route.cluster } else { self.groups.cluster() };
        let group = self.any_group_of(&route, asked)?;
        // A member that was away may still list one that was removed. To give its id to the blank machine that
        // took its place would lend that machine's vote to the old members: two leaders, and lost writes.
        group
            .read_barrier()
            .await
            .map_err(|e| Status::unavailable(format!("who belongs here is unclear: {e}")))?;
        let named = group.member_at(&message.peer_address);
        let member = named.as_ref().map(Into::into);
        Ok(Response::new(proto::IntroduceReply { member, cluster: self.groups.cluster() }))
    }

    async fn standing(
        &self,
        request: Request<proto::StandingRequest>,
    ) -> Result<Response<proto::StandingReply>, Status> {
        let route = request.into_inner().route;
        let from = route.as_ref().map_or(0, |route| route.from);
        let group = self.group(route)?;
        // Who asks has its id from a membership that was committed. So, once this replica has all that was
        // committed before the question, it knows the asker, or the asker was removed.
        group
            .read_barrier()
            .await
            .map_err(|e| Status::unavailable(format!("who belongs here is unclear: {e}")))?;
        Ok(Response::new(proto::StandingReply { removed: !group.belongs(from) }))
    }

    async fn farewell(
        &self,
        request: Request<proto::FarewellRequest>,
    ) -> Result<Response<proto::FarewellReply>, Status> {
        self.group(request.into_inner().route)?.retire();
        Ok(Response::new(proto::FarewellReply {}))
    }
}

fn append_reply(outcome: AppendEntriesResponse<Types>) -> proto::AppendReply {
    use proto::append_reply::Outcome;
    let reply = |outcome: Outcome| proto::AppendReply { outcome: outcome.into(), ..Default::default() };
    match outcome {
        AppendEntriesResponse::Success => reply(Outcome::Success),
        AppendEntriesResponse::Conflict => reply(Outcome::Conflict),
        AppendEntriesResponse::PartialSuccess(upto) => {
            proto::AppendReply { accepted: upto.as_ref().map(wire::mark), ..reply(Outcome::Partial) }
        }
        AppendEntriesResponse::HigherVote(vote) => {
            proto::AppendReply { ballot: Some(wire::ballot(&vote)), ..reply(Outcome::HigherBallot) }
        }
    }
}

pub(crate) fn image_key(header: proto::ImageHeader) -> Result<ImageKey, Malformed> {
    let position = header.position.ok_or(Malformed("an image without a position"))?;
    Ok(ImageKey { position: Position::from_message(position)?, size: header.size, crc32c: header.crc32c })
}

fn not_leader(leader: Option<u64>) -> proto::NotLeader {
    proto::NotLeader { leader: leader.unwrap_or(0) }
}

pub(super) fn invalid(e: Malformed) -> Status {
    Status::invalid_argument(e.to_string())
}

/// A disk that fails here fails the log, too, sooner or later: the process ends rather than being sent the same
/// image for ever. One without room may get some.
fn refused_image(group: &Group, e: ImageError) -> Status {
    match &e {
        ImageError::Io(io) if !matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            group.context().tasks().fail_storage(format!("an image of the state cannot be kept: {io}"));
            Status::unavailable(e.to_string())
        }
        ImageError::Io(_) => Status::resource_exhausted(e.to_string()),
        _ => Status::data_loss(e.to_string()),
    }
}

pub(super) fn stopped(e: &impl std::fmt::Display) -> Status {
    Status::unavailable(format!("this replica has stopped: {e}"))
}

async fn blocking<T: Send + 'static>(
    group: &Group,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    group.context().blocking(call).await.ok_or_else(|| Status::internal("a storage call panicked"))
}
