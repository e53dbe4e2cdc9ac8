//! Whether this replica still belongs to its group.
//!
//! A member that is removed is cut off from the log before the entry that removes it, so it cannot rely on
//! reading of it. Three things tell: the leader, as soon as the removal is committed; the own log, if the
//! entry came through after all; and, should both fail, the others, who are asked when nothing arrives any
//! more. Ids are never used again, so that a member that was removed stays so.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Request;

use super::Group;
use crate::member::Member;
use crate::wire::proto;

/// Elections without anything applied after which a follower asks whether it was forgotten.
const QUIET_ELECTIONS: u32 = 5;

/// What requests to a removed replica are told.
pub(crate) const REMOVED: &str = "this member was removed from the group";

/// What is known of a replica's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to the group, as a quorum knows it.
    Member,
    /// It was removed for good.
    Removed,
    /// Nobody could say.
    Unknown,
}

impl Group {
    /// Tells when this replica learns that it was removed. Then it takes no new request; those that wait
    /// for the leader are still answered.
    pub fn removal(&self) -> watch::Receiver<bool> {
        self.inner.removed.subscribe()
    }

    /// Asks all other members, for at most `patience`, whether this replica still belongs to the group. The
    /// first who knows is believed.
    pub async fn standing(&self, patience: Duration) -> Standing {
        if self.is_removed() {
            return Standing::Removed;
        }
        // Until its addition is committed, nobody can tell a newcomer from a member that is gone.
        if !self.belongs(self.id()) {
            return Standing::Unknown;
        }
        let others = self.status().members.into_iter().filter(|m| m.id != self.id());
        let mut answers: FuturesUnordered<_> = others.map(|m| self.ask_standing(m, patience)).collect();
        let first = async {
            while let Some(answer) = answers.next().await {
                if answer != Standing::Unknown {
                    return answer;
                }
            }
            Standing::Unknown
        };
        let standing = timeout(patience, first).await.unwrap_or(Standing::Unknown);
        if standing == Standing::Removed {
            self.retire();
        }
        standing
    }

    async fn ask_standing(&self, of: Member, patience: Duration) -> Standing {
        let Some(mut client) = self.inner.links.peers.client(&of) else { return Standing::Unknown };
        let mut request = Request::new(proto::StandingRequest { route: Some(self.inner.links.route(of.id)) });
        request.set_timeout(patience);
        match client.standing(request).await {
            Ok(answer) if answer.get_ref().removed => Standing::Removed,
            Ok(_) => Standing::Member,
            Err(e) => {
                tracing::debug!(
                    peer = of.id,
                    error = e.message(),
                    "cannot be asked whether this replica belongs"
                );
                Standing::Unknown
            }
        }
    }

    pub(crate) fn is_removed(&self) -> bool {
        *self.inner.removed.borrow()
    }

    /// Takes note of the own removal.
    pub(crate) fn retire(&self) {
        if !self.inner.removed.send_replace(true) {
            tracing::warn!(member = format_args!("{:x}", self.id()), "{REMOVED}");
        }
    }

    /// Whether a replica is a member, as of what is applied here.
    pub(crate) fn belongs(&self, id: u64) -> bool {
        self.inner.belonging.borrow().iter().any(|member| member.id == id)
    }

    /// The member that is reached at this address, as of what is applied here.
    pub(crate) fn member_at(&self, address: &str) -> Option<Member> {
        let members = self.inner.belonging.borrow();
        members.iter().find(|m| m.peer_addresses.iter().any(|a| a == address)).cloned()
    }

    /// Tells a member that its removal is committed. If that does not arrive, it will ask.
    pub(super) fn bid_farewell(&self, gone: Member) {
        let group = self.clone();
        self.inner.context.tasks().spawn(async move {
            let Some(mut client) = group.inner.links.peers.client(&gone) else { return };
            let mut request =
                Request::new(proto::FarewellRequest { route: Some(group.inner.links.route(gone.id)) });
            request.set_timeout(group.inner.options.election);
            if let Err(e) = client.farewell(request).await {
                tracing::debug!(
                    peer = gone.id,
                    error = e.message(),
                    "a removed member did not hear of it; it will ask"
                );
            }
        });
    }

    /// Notices the own removal in the log, or asks for it when the log stands still.
    pub(super) fn watch_standing(&self) {
        let (group, mut belonging) = (self.clone(), self.inner.belonging.clone());
        self.inner.context.tasks().spawn(async move {
            let own = |members: &Arc<[Member]>| members.iter().any(|m| m.id == group.id());
            // What a newcomer applies first is from before its time.
            let came = belonging.wait_for(own).await.is_ok();
            let went = belonging.wait_for(|members| !own(members)).await.is_ok();
            if came && went {
                group.retire();
            }
        });
        let group = self.clone();
        self.inner.context.tasks().spawn(async move {
            let patience = group.inner.options.election;
            let mut rounds = interval(patience * QUIET_ELECTIONS);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut before = None;
            while !group.is_removed() {
                rounds.tick().await;
                let applied = *group.inner.applied.borrow();
                if before.replace(applied) == Some(applied) && !group.leads() {
                    group.standing(patience).await;
                }
            }
        });
    }
}
