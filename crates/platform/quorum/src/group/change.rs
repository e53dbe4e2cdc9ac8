//! Changes of the members and of the leader, one at a time, on the leader.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use super::{Group, Refused};
use crate::member::Member;
use crate::membership::{self, Change, MembershipError};
use crate::status::{Leadership, Status};
use crate::types::Types;
use crate::wire;

type Changes = ChangeMembers<u64, Member>;

impl Group {
    /// Changes who belongs to the group, or who leads it. Any replica will do. Returns when the
    /// change is committed, or when the new leader leads.
    pub async fn change(&self, change: Change) -> Result<(), MembershipError> {
        let deadline = self.deadline();
        loop {
            if self.is_removed() {
                return Err(MembershipError::NotFound(self.id()));
            }
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
        let status = self.admit(&change).await?;
        tracing::info!(?change, "changing the group");
        match change {
            Change::Transfer(to) => self.transfer_here(to).await,
            Change::Remove(id) if id == self.id() => self.hand_over_here(&status).await,
            Change::Remove(id) => {
                self.alter(self.engine_change(Change::Remove(id)), false).await?;
                if let Some(gone) = status.member(id) {
                    self.bid_farewell(gone.clone());
                }
                Ok(())
            }
            other => self.alter(self.engine_change(other), false).await,
        }
    }

    /// Checks the change. A leader that was elected a moment ago has not heard from everybody yet: it waits
    /// for that as long as a member may be silent.
    async fn admit(&self, change: &Change) -> Result<Status, Refused<MembershipError>> {
        let silence = self.inner.options.longest_election();
        let deadline = Instant::now() + silence;
        let mut metrics = self.inner.raft.metrics();
        loop {
            let status = self.status();
            if status.member(self.id()).is_none() {
                // It may lead until it is noticed that it left. What it would change then, the engine does not
                // take for a leader's.
                return Err(Refused::NotLeader(None));
            }
            let refusal = match membership::check(change, &status, silence) {
                Ok(()) => return Ok(status),
                Err(refusal) => refusal,
            };
            if !membership::is_premature(&refusal, &status) {
                return Err(Refused::Failed(refusal));
            }
            if !matches!(timeout_at(deadline, metrics.changed()).await, Ok(Ok(()))) {
                return Err(Refused::Failed(refusal));
            }
        }
    }

    /// A leader that leaves hands over first, so that it ends as any other member does: with nobody waiting
    /// for what only it could answer. Whoever takes over makes the change.
    async fn hand_over_here(&self, status: &Status) -> Result<(), Refused<MembershipError>> {
        let silence = self.inner.options.longest_election();
        let to = membership::successor(status, silence)
            .ok_or(Refused::Failed(MembershipError::TransferTimedOut))?;
        self.transfer_here(to).await?;
        Err(Refused::NotLeader(Some(to)))
    }

    /// Hands the leadership to the voter that has the most, if this replica leads: before it stops.
    pub async fn hand_over(&self) -> Result<(), MembershipError> {
        if !self.leads() {
            return Ok(());
        }
        let _one = self.inner.changes.lock().await;
        match self.hand_over_here(&self.status()).await {
            Err(Refused::Failed(e)) => Err(e),
            Ok(()) | Err(Refused::NotLeader(_)) => Ok(()),
        }
    }

    fn engine_change(&self, change: Change) -> Changes {
        let one = |m: Member| BTreeMap::from([(m.id, m)]);
        let id_set = |id: u64| BTreeSet::from([id]);
        match change {
            Change::AddLearner(member) => ChangeMembers::AddNodes(one(member)),
            // One voter more or less never needs a joint quorum: the bug shows with two at once.
            Change::Promote(id) if self.has_bug(wire::FORGET_JOINT_QUORUM) => {
                ChangeMembers::ReplaceAllVoters(BTreeSet::from([self.id(), id]))
            }
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
        let status = self.status();
        if !(self.leads() && status.changing) {
            return;
        }
        if !status.remaining.contains(&self.id()) {
            // The change ends with this replica's vote.
            if let Err(Refused::Failed(e)) = self.hand_over_here(&status).await {
                tracing::warn!(error = %e, "this leader is leaving, and nobody could take over yet");
            }
            return;
        }
        tracing::info!("finishing a change of the group that a former leader began");
        let nothing = ChangeMembers::AddVoterIds(BTreeSet::new());
        if let Err(Refused::Failed(e)) = self.alter(nothing, false).await {
            tracing::warn!(error = %e, "the change could not be finished yet; it will be tried again");
        }
    }

    /// Hands the leadership over. The engine gives no result, so that the leadership is watched.
    ///
    /// Proposals wait meanwhile, and those under way are answered first: what the old leader has accepted
    /// and not committed would otherwise depend on the new one's log.
    async fn transfer_here(&self, to: u64) -> Result<(), Refused<MembershipError>> {
        if to == self.id() {
            return Ok(());
        }
        let late = || Refused::Failed(MembershipError::TransferTimedOut);
        let stopped = |e: &dyn std::fmt::Display| Refused::Failed(MembershipError::Unknown(e.to_string()));
        let patience = self.inner.options.longest_election();
        let prepared = Instant::now() + patience;
        let _shut = timeout_at(prepared, self.inner.gate.write()).await.map_err(|_| late())?;
        timeout_at(prepared, self.caught_up(to)).await.map_err(|_| late())??;
        let mut leadership = self.inner.leadership.clone();
        let Leadership { term, is_leader, .. } = *leadership.borrow();
        if !is_leader {
            return Err(Refused::NotLeader(self.other_leader()));
        }
        self.inner.raft.trigger().transfer_leader(to).await.map_err(|e| stopped(&e))?;
        let decided = |l: &Leadership| l.term > term && l.leader.is_some();
        match timeout_at(Instant::now() + patience * 2, leadership.wait_for(decided)).await {
            Ok(Ok(now)) if now.leader == Some(to) => Ok(()),
            Ok(Ok(_)) | Err(_) => Err(late()),
            Ok(Err(_)) => Err(stopped(&"the replica is stopping")),
        }
    }

    /// Waits until a member has everything that is in this replica's log.
    async fn caught_up(&self, id: u64) -> Result<(), Refused<MembershipError>> {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let status = self.status();
            if status.progress.get(&id).is_some_and(|p| p.matched >= Some(status.last_index)) {
                return Ok(());
            }
            if !status.leadership.is_leader || metrics.changed().await.is_err() {
                return Err(Refused::NotLeader(self.other_leader()));
            }
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
