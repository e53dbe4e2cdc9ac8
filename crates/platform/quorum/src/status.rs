//! What a replica knows of its group.

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::metrics::RaftMetrics;
use openraft::{Instant, ServerState};

use crate::member::Member;
use crate::types::Types;

/// A replica's part in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Replicates, does not vote.
    #[default]
    Learner,
    /// Votes and follows.
    Follower,
    /// Seeks votes.
    Candidate,
    /// Leads.
    Leader,
}

/// Who leads, as seen from one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The leader, if one is known.
    pub leader: Option<u64>,
    /// The term.
    pub term: u64,
    /// Whether this replica leads.
    pub is_leader: bool,
}

/// How far another replica has come, as its leader sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last entry known to be stored there.
    pub matched: Option<u64>,
    /// How long ago it last answered; none if never in this term.
    pub last_heard: Option<Duration>,
}

/// A snapshot of a replica's knowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// This replica.
    pub id: u64,
    /// Who leads.
    pub leadership: Leadership,
    /// What this replica does.
    pub role: Role,
    /// The last entry in its log.
    pub last_index: u64,
    /// The last entry it knows to be committed.
    pub committed: u64,
    /// The last entry applied to its state.
    pub applied: u64,
    /// Everybody in the group.
    pub members: Vec<Member>,
    /// Those who vote.
    pub voters: Vec<u64>,
    /// Those who vote when a half-done change is done; all voters if there is none.
    pub remaining: Vec<u64>,
    /// Whether a change of the voters is half done.
    pub changing: bool,
    /// Only on the leader: the others' progress.
    pub progress: BTreeMap<u64, Progress>,
}

impl Status {
    /// Whether a member is a learner.
    pub fn is_learner(&self, id: u64) -> bool {
        !self.voters.contains(&id) && self.members.iter().any(|m| m.id == id)
    }

    /// The member of this id.
    pub fn member(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|m| m.id == id)
    }

    pub(crate) fn from_metrics(metrics: &RaftMetrics<Types>, applied: u64) -> Self {
        let membership = metrics.membership_config.membership();
        let role = match metrics.state {
            ServerState::Leader => Role::Leader,
            ServerState::Candidate => Role::Candidate,
            ServerState::Follower => Role::Follower,
            ServerState::Learner | ServerState::Shutdown => Role::Learner,
        };
        Self {
            id: metrics.id,
            leadership: leadership(metrics),
            role,
            last_index: metrics.last_log_index.unwrap_or(0),
            committed: metrics.local_committed.map_or(0, |id| id.index()),
            applied,
            members: membership.nodes().map(|(_, node)| node.clone()).collect(),
            voters: membership.voter_ids().collect(),
            remaining: membership.get_joint_config().last().into_iter().flatten().copied().collect(),
            changing: membership.get_joint_config().len() > 1,
            progress: progress(metrics),
        }
    }
}

pub(crate) fn leadership(metrics: &RaftMetrics<Types>) -> Leadership {
    Leadership {
        leader: metrics.current_leader,
        term: metrics.current_term,
        is_leader: metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id),
    }
}

fn progress(metrics: &RaftMetrics<Types>) -> BTreeMap<u64, Progress> {
    let mut all: BTreeMap<u64, Progress> = BTreeMap::new();
    for (id, matched) in metrics.replication.iter().flatten() {
        all.entry(*id).or_default().matched = matched.map(|m| m.index());
    }
    for (id, heard) in metrics.heartbeat.iter().flatten() {
        all.entry(*id).or_default().last_heard = heard.as_ref().map(|at| at.elapsed());
    }
    all
}
