//! Members. Replication decides what may be changed; this side speaks URLs.

use std::collections::BTreeSet;
use std::time::Duration;

use quorum::{Change, MembershipError};
use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status, async_trait};

use super::{Api, OnLearner};
use crate::convert::{Rejection, address_of_url, url_of_address};
use crate::proto::etcdserverpb::cluster_server::Cluster;
use crate::proto::etcdserverpb::{
    Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
    MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest,
    MemberUpdateResponse, ResponseHeader,
};

/// How long a change waits for another one to be done, and the pause between looks.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

#[async_trait]
impl Cluster for Api {
    async fn member_add(
        &self,
        request: Request<MemberAddRequest>,
    ) -> Result<Response<MemberAddResponse>, Status> {
        self.unary("MemberAdd", OnLearner::Refuse, request, |message| self.add(message)).await
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        self.unary("MemberRemove", OnLearner::Refuse, request, |message| self.remove(message.id)).await
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        self.unary("MemberUpdate", OnLearner::Refuse, request, |message| self.update(message)).await
    }

    async fn member_list(
        &self,
        request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListResponse>, Status> {
        self.unary("MemberList", OnLearner::Refuse, request, |message| self.list(message)).await
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        self.unary("MemberPromote", OnLearner::Refuse, request, |message| self.promote(message.id)).await
    }
}

impl Api {
    async fn add(&self, request: MemberAddRequest) -> Result<MemberAddResponse, Rejection> {
        let added = quorum::Member {
            id: self.context.entropy().id(),
            name: String::new(),
            peer_addresses: addresses(&request.peer_ur_ls)?,
            client_addresses: Vec::new(),
        };
        let id = added.id;
        let change = if request.is_learner { Change::AddLearner(added) } else { Change::AddVoter(added) };
        let members = self.change(change).await?;
        let member = members.iter().find(|member| member.id == id).cloned();
        Ok(MemberAddResponse { header: self.unversioned_header(), member, members })
    }

    async fn remove(&self, id: u64) -> Result<MemberRemoveResponse, Rejection> {
        // A member that removes itself cannot learn about its own removal by a barrier.
        let others = |members: Vec<Member>| members.into_iter().filter(|member| member.id != id).collect();
        let members = if id == self.group.id() {
            self.make(Change::Remove(id)).await?;
            others(self.members())
        } else {
            self.change(Change::Remove(id)).await?
        };
        Ok(MemberRemoveResponse { header: self.unversioned_header(), members })
    }

    async fn update(&self, request: MemberUpdateRequest) -> Result<MemberUpdateResponse, Rejection> {
        let peer_addresses = addresses(&request.peer_ur_ls)?;
        let status = self.group.status();
        let known = status.member(request.id).cloned().ok_or(Rejection::MemberNotFound)?;
        let members = self.change(Change::Update(quorum::Member { peer_addresses, ..known })).await?;
        Ok(MemberUpdateResponse { header: self.unversioned_header(), members })
    }

    async fn list(&self, request: MemberListRequest) -> Result<MemberListResponse, Rejection> {
        if request.linearizable {
            self.barrier().await?;
        }
        Ok(MemberListResponse { header: self.unversioned_header(), members: self.members() })
    }

    async fn promote(&self, id: u64) -> Result<MemberPromoteResponse, Rejection> {
        let members = self.change(Change::Promote(id)).await?;
        Ok(MemberPromoteResponse { header: self.unversioned_header(), members })
    }

    /// Makes a change and gives the members after it.
    async fn change(&self, change: Change) -> Result<Vec<Member>, Rejection> {
        self.make(change).await?;
        self.barrier().await?;
        Ok(self.members())
    }

    /// Waits for its turn: one change is made at a time, and members announce themselves by changes, too.
    pub(super) async fn make(&self, change: Change) -> Result<(), Rejection> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.group.change(change.clone()).await {
                Err(MembershipError::InProgress) if Instant::now() < deadline => sleep(PAUSE).await,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// etcd names no revision where no key is concerned.
    fn unversioned_header(&self) -> Option<ResponseHeader> {
        self.header_at(0)
    }

    fn members(&self) -> Vec<Member> {
        let status = self.group.status();
        let member = |m: &quorum::Member| Member {
            id: m.id,
            name: m.name.clone(),
            peer_ur_ls: m.peer_addresses.iter().map(|a| url_of_address(a, self.tls)).collect(),
            client_ur_ls: m.client_addresses.clone(),
            is_learner: status.is_learner(m.id),
        };
        status.members.iter().map(member).collect()
    }
}

fn addresses(urls: &[String]) -> Result<Vec<String>, Rejection> {
    let addresses: Option<BTreeSet<String>> = urls.iter().map(|url| address_of_url(url)).collect();
    match addresses {
        Some(addresses) if !addresses.is_empty() => Ok(addresses.into_iter().collect()),
        _ => Err(Rejection::BadUrls),
    }
}
