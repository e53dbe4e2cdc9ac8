//! Changes of the members and of the leader, one at a time, on the leader.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use super::{Group, Refused};
use crate::member::Member;
use crate::membership::{self, Change, MembershipError};
use crate::types::Types;

type Changes = ChangeMembers<u64, Member>;

impl Group {
    /// Changes who belongs to the group, or who leads it. Any replica will do. Returns when the
    /// change is committed, or when the new leader leads.
    pub async fn change(&self, change: Change) -> Result<(), MembershipError> {
        let deadline = self.deadline();
        loop {
            let outcome = match self.leader() {
                Some(leader) if leader == self.id() => {
                    let unknown = || Refused::Failed(MembershipError::Unknown("timed out".into()));
                    timeout_at(deadline, self.change_here(change.clone()))
                        .await
                        .unwrap_or_else(|_| Err(unknown()))
                }
                Some(leader) => self.forward_change(leader, &change, deadline).await,
                None => Err(Refused::NotLeader(None)),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Refused::Failed(e)) => return Err(e),
                Err(Refused::NotLeader(_)) if self.await_leader(deadline).await => {}
                Err(Refused::NotLeader(_)) => return Err(MembershipError::NoLeader),
            }
        }
    }

    pub(crate) async fn change_here(&self, change: Change) -> Result<(), Refused<MembershipError>> {
        if !self.leads() {
            return Err(Refused::NotLeader(self.other_leader()));
        }
        let _one = self.inner.changes.try_lock().map_err(|_| Refused::Failed(MembershipError::InProgress))?;
        let silence = self.inner.options.longest_election();
        membership::check(&change, &self.status(), silence).map_err(Refused::Failed)?;
        tracing::info!(?change, "changing the group");
        match change {
            Change::Transfer(to) => self.transfer_here(to).await,
            other => self.alter(self.engine_change(other), false).await,
        }
    }

    fn engine_change(&self, change: Change) -> Changes {
        let one = |m: Member| BTreeMap::from([(m.id, m)]);
        let id_set = |id: u64| BTreeSet::from([id]);
        match change {
            Change::AddLearner(member) => ChangeMembers::AddNodes(one(member)),
            Change::AddVoter(member) => ChangeMembers::AddVoters(one(member)),
            Change::Promote(id) | Change::Transfer(id) => ChangeMembers::AddVoterIds(id_set(id)),
            Change::Remove(id) if self.status().is_learner(id) => ChangeMembers::RemoveNodes(id_set(id)),
            Change::Remove(id) => ChangeMembers::RemoveVoters(id_set(id)),
            Change::Update(member) => ChangeMembers::SetNodes(one(member)),
        }
    }

    async fn alter(&self, changes: Changes, retain: bool) -> Result<(), Refused<MembershipError>> {
        match self.inner.raft.change_membership(changes, retain).await {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(e)) => Err(refused(e)),
            Err(RaftError::Fatal(e)) => Err(Refused::Failed(MembershipError::Unknown(e.to_string()))),
        }
    }

    /// Finishes a change of the voters that a former leader left half done.
    pub(super) async fn finish_joint_change(&self) {
        let Ok(_one) = self.inner.changes.try_lock() else { return };
        if !(self.leads() && self.status().changing) {
            return;
        }
        tracing::info!("finishing a change of the group that a former leader began");
        let nothing = ChangeMembers::AddVoterIds(BTreeSet::new());
        if let Err(Refused::Failed(e)) = self.alter(nothing, false).await {
            tracing::warn!(error = %e, "the change could not be finished yet; it will be tried again");
        }
    }

    /// Hands the leadership over. The engine gives no result, so that the leadership is watched.
    async fn transfer_here(&self, to: u64) -> Result<(), Refused<MembershipError>> {
        if to == self.id() {
            return Ok(());
        }
        let patience = Instant::now() + self.inner.options.longest_election() * 2;
        let mut leadership = self.inner.leadership.clone();
        let stopped = |e: String| Refused::Failed(MembershipError::Unknown(e));
        self.inner.raft.trigger().transfer_leader(to).await.map_err(|e| stopped(e.to_string()))?;
        match timeout_at(patience, leadership.wait_for(|l| l.leader == Some(to))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(stopped("the replica is stopping".into())),
            Err(_) => Err(Refused::Failed(MembershipError::TransferTimedOut)),
        }
    }
}

fn refused(e: ClientWriteError<Types>) -> Refused<MembershipError> {
    match e {
        ClientWriteError::ForwardToLeader(to) => Refused::NotLeader(to.leader_id),
        // The leader has not committed anything in its term yet: ask again in a moment.
        ClientWriteError::ChangeMembershipError(ChangeMembershipError::UncommittedLeaderLog(_)) => {
            Refused::NotLeader(None)
        }
        ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)) => {
            Refused::Failed(MembershipError::InProgress)
        }
        other => Refused::Failed(MembershipError::Unknown(other.to_string())),
    }
}
