//! Requests sent on to the leader's replica.
//!
//! What matters is whether the leader may have taken the request. It certainly has not if the
//! connection could not be made, or if the receiver says that it does not lead.

use bytes::Bytes;
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use super::{Accepted, Group, Refused};
use crate::error::ProposeError;
use crate::membership::{Change, MembershipError};
use crate::wire::{self, proto};

type Client = proto::replication_client::ReplicationClient<tonic::transport::Channel>;

impl Group {
    pub(super) async fn forward_proposal(
        &self,
        leader: u64,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Accepted, Refused<ProposeError>> {
        use proto::propose_reply::Result as R;
        let mut client = self.client_of(leader).ok_or(Refused::NotLeader(None))?;
        let message = proto::ProposeRequest { route: self.route(leader), payload };
        let begun = Instant::now();
        let again = self.has_bug("propose again what may have been taken");
        let reply = client.propose(until(message, deadline)).await.map_err(|status| {
            lost(&status)
                .filter(|_| !again)
                .map_or(Refused::NotLeader(None), |why| Refused::Failed(ProposeError::Unknown(why)))
        })?;
        let proto::ProposeReply { result, stages } = reply.into_inner();
        match result {
            Some(R::Reply(reply)) => {
                let stages = stages.map(|stages| wire::stages(&stages).within(begun.elapsed()));
                Ok(Accepted { reply, stages })
            }
            Some(R::NotLeader(to)) => Err(Refused::NotLeader(known(&to))),
            Some(R::Unknown(why)) => Err(Refused::Failed(ProposeError::Unknown(why))),
            None => Err(Refused::Failed(ProposeError::Unknown("the leader's answer was empty".into()))),
        }
    }

    pub(super) async fn forward_read_index(
        &self,
        leader: u64,
        deadline: Instant,
    ) -> Result<u64, Option<u64>> {
        use proto::read_index_reply::Result as R;
        let mut client = self.client_of(leader).ok_or(None)?;
        let message = proto::ReadIndexRequest { route: self.route(leader) };
        // A read may be asked again, so that no failure of it matters.
        let reply = client.read_index(until(message, deadline)).await.map_err(|_| None)?;
        match reply.into_inner().result {
            Some(R::Index(index)) => Ok(index),
            Some(R::NotLeader(to)) => Err(known(&to)),
            None => Err(None),
        }
    }

    pub(super) async fn forward_change(
        &self,
        leader: u64,
        change: &Change,
        deadline: Instant,
    ) -> Result<(), Refused<MembershipError>> {
        use proto::change_reply::Result as R;
        let mut client = self.client_of(leader).ok_or(Refused::NotLeader(None))?;
        let message = proto::ChangeRequest { route: self.route(leader), change: Some(change.into()) };
        let reply = client.change(until(message, deadline)).await.map_err(|status| {
            lost(&status)
                .map_or(Refused::NotLeader(None), |why| Refused::Failed(MembershipError::Unknown(why)))
        })?;
        match reply.into_inner().result {
            Some(R::Done(_)) => Ok(()),
            Some(R::NotLeader(to)) => Err(Refused::NotLeader(known(&to))),
            Some(R::Refusal(why)) => Err(Refused::Failed(why.into())),
            None => Err(Refused::Failed(MembershipError::Unknown("the leader's answer was empty".into()))),
        }
    }

    pub(super) async fn forward_call(
        &self,
        leader: u64,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Refused<String>> {
        use proto::call_reply::Result as R;
        let mut client = self.client_of(leader).ok_or(Refused::NotLeader(None))?;
        let message = proto::CallRequest { route: self.route(leader), payload };
        let reply = client
            .call(until(message, deadline))
            .await
            .map_err(|status| lost(&status).map_or(Refused::NotLeader(None), Refused::Failed))?;
        match reply.into_inner().result {
            Some(R::Reply(reply)) => Ok(reply),
            Some(R::NotLeader(to)) => Err(Refused::NotLeader(known(&to))),
            Some(R::Error(why)) => Err(Refused::Failed(why)),
            None => Err(Refused::Failed("the leader's answer was empty".into())),
        }
    }

    fn client_of(&self, id: u64) -> Option<Client> {
        let status = self.status();
        self.inner.links.peers.client(status.member(id)?)
    }

    fn route(&self, to: u64) -> Option<proto::Route> {
        Some(self.inner.links.route(to))
    }
}

fn until<T>(message: T, deadline: Instant) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline.saturating_duration_since(Instant::now()));
    request
}

fn known(to: &proto::NotLeader) -> Option<u64> {
    Some(to.leader).filter(|id| *id != 0)
}

/// Why the outcome is unknown; none if the request was certainly not taken.
fn lost(status: &Status) -> Option<String> {
    let refused_at_the_door = matches!(status.code(), Code::FailedPrecondition | Code::NotFound);
    if refused_at_the_door || kit::client::was_never_sent(status) {
        return None;
    }
    Some(format!("the leader did not answer: {}", status.message()))
}
