//! What a cluster is, what it shall be, and what must hold on the way.

use std::fmt;

use serde::Serialize;

/// A cluster's members as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Observed {
    /// Everybody on the list.
    pub(crate) members: Vec<Member>,
    /// Whom a majority follows.
    pub(crate) leader: Option<u64>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Member {
    /// As the cluster gave it.
    #[serde(serialize_with = "hex")]
    pub(crate) id: u64,
    /// As it calls itself; empty until it has started.
    pub(crate) name: String,
    /// Where its peers reach it: what identifies it across restarts of a plan.
    pub(crate) peer_urls: Vec<String>,
    /// Where clients reach it.
    pub(crate) client_urls: Vec<String>,
    /// Whether it has no vote.
    pub(crate) learner: bool,
    /// Whether it answers.
    pub(crate) health: Health,
}

/// Whether a member answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// It answers and follows the leader.
    Well {
        /// Log entries that it has not applied yet.
        behind: u64,
        /// Whether it may be given a vote: it has nine tenths of the log (etcd's rule).
        caught_up: bool,
    },
    /// It does not count.
    Away {
        /// Why.
        why: String,
    },
}

/// A member as it shall be: a voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Wanted {
    /// Its name; empty if it does not matter.
    pub(crate) name: String,
    /// Where its peers reach it.
    pub(crate) peer_urls: Vec<String>,
    /// Where clients will reach it, if that is known.
    pub(crate) client_urls: Vec<String>,
}

/// What a configuration can bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Bounds {
    /// Members with a vote.
    pub(crate) voters: usize,
    /// So many of them must answer.
    pub(crate) quorum: usize,
    /// So many of them do.
    pub(crate) healthy: usize,
}

impl Bounds {
    /// How many more voters may fail; `None` when there is no quorum.
    pub(crate) fn tolerates(self) -> Option<usize> {
        self.healthy.checked_sub(self.quorum)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} voters healthy, quorum {}", self.healthy, self.voters, self.quorum)?;
        match self.tolerates() {
            Some(faults) => write!(f, ", bears {faults} failure{}", if faults == 1 { "" } else { "s" }),
            None => write!(f, ", no quorum"),
        }
    }
}

impl Member {
    /// Whether it answers.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.health, Health::Well { .. })
    }

    /// Whether it may be given a vote.
    pub(crate) fn is_caught_up(&self) -> bool {
        matches!(self.health, Health::Well { caught_up: true, .. })
    }

    /// Its name, or where it is while it has none.
    pub(crate) fn label(&self) -> String {
        label(&self.name, &self.peer_urls)
    }
}

impl Wanted {
    /// Its name, or where it is.
    pub(crate) fn label(&self) -> String {
        label(&self.name, &self.peer_urls)
    }

    /// Whether a member is this one.
    pub(crate) fn is(&self, member: &Member) -> bool {
        member.peer_urls.iter().any(|url| self.peer_urls.contains(url))
    }
}

impl Observed {
    /// Members with a vote.
    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| !m.learner)
    }

    /// What it can bear.
    pub(crate) fn bounds(&self) -> Bounds {
        let voters = self.voters().count();
        Bounds { voters, quorum: voters / 2 + 1, healthy: self.voters().filter(|m| m.is_well()).count() }
    }
}

fn label(name: &str, peer_urls: &[String]) -> String {
    if name.is_empty() { peer_urls.join(",") } else { name.to_owned() }
}

fn hex<S: serde::Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{id:x}"))
}
