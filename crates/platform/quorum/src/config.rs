//! What every replicated service is told of its members and its timing, the same in each one's configuration.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::tls::AllowList;
use serde::{Deserialize, Serialize};

use crate::wal::WalOptions;

/// A founder of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialMember {
    /// Its name.
    pub name: String,
    /// `host:port` of its replication.
    pub peer: String,
}

/// Where the other members come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// `host:port` where the other members reach it. Empty, which only a stand-in for another program
    /// says: where they reach it now.
    pub advertise: String,
    /// SPIFFE paths that are let in, and that a peer must have.
    pub allow: AllowList,
}

/// Timing, such as `"100ms"`. Slow networks scale both together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaftConfig {
    /// How often a leader shows that it lives.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// The shortest silence after which a leader is replaced.
    #[serde(with = "humantime_serde")]
    pub election: Duration,
    /// Recent log entries kept in memory.
    pub cache_bytes: u64,
    /// Size of one file of the log; four of the largest requests at least, whatever is asked for.
    pub segment_bytes: u64,
    /// Entries after which the store is made durable and the log before it may go: etcd's `snapshot-count`.
    pub entries_per_flush: u64,
    /// Entries kept before that, from which a member that was away catches up.
    pub entries_kept: u64,
    /// Where the log is, if not in the data directory: etcd's `wal-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

impl Default for RaftConfig {
    fn default() -> Self {
        let (heartbeat, election) = (Duration::from_millis(100), Duration::from_secs(1));
        let (entries_per_flush, entries_kept) = (10_000, 50_000);
        let WalOptions { cache_bytes, segment_bytes, .. } = WalOptions::default();
        Self { heartbeat, election, cache_bytes, segment_bytes, entries_per_flush, entries_kept, dir: None }
    }
}

impl RaftConfig {
    /// What is out of bounds, with its cure.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let &RaftConfig { heartbeat, election, segment_bytes, entries_per_flush, .. } = self;
        if !(32 << 10..=1 << 30).contains(&segment_bytes) {
            problems.push(format!("raft.segment_bytes is {segment_bytes}: choose between 32 KiB and 1 GiB"));
        }
        if entries_per_flush == 0 {
            problems.push("raft.entries_per_flush is 0: choose at least 1".into());
        }
        if heartbeat.is_zero() || election < heartbeat * 5 {
            problems.push(
                "raft.election must be at least five times raft.heartbeat: one lost heartbeat is no reason to \
                 elect; raise it"
                    .into(),
            );
        }
        if election > Duration::from_secs(50) {
            problems.push(
                "raft.election is above 50s, which would leave the cluster without a leader: lower it".into(),
            );
        }
        problems
    }
}

/// What is wrong with how a member is named and finds the others, with its cure. `who`: its name, and the token of its
/// cluster.
pub fn member_problems(
    (name, token): (&str, &str),
    join: bool,
    members: &[InitialMember],
    peer: &PeerConfig,
) -> Vec<String> {
    let mut problems = Vec::new();
    if name.is_empty() || token.is_empty() {
        problems.push("name and cluster_token must not be empty: choose them".into());
    }
    let unique = |of: fn(&InitialMember) -> &str| {
        members.iter().map(of).collect::<BTreeSet<_>>().len() == members.len()
    };
    if !unique(|m| &m.name) || !unique(|m| &m.peer) {
        problems.push("initial_members names a member or a peer address twice: remove one".into());
    }
    for member in members.iter().filter(|member| !is_address(&member.peer)) {
        problems.push(format!("initial_members: {:?} is not an address: write host:port", member.peer));
    }
    let own = members.iter().find(|member| member.name == name);
    if members.is_empty() || (!join && own.is_none()) {
        problems.push(format!(
            "initial_members does not name {name:?}: add it with its peer address, or set join = true if it was \
             added to a running cluster"
        ));
    }
    if let Some(own) = own.filter(|own| own.peer != peer.advertise) {
        problems.push(format!(
            "initial_members says that {name:?} is reached at {:?}, peer.advertise says {:?}: make them the same",
            own.peer, peer.advertise
        ));
    }
    if !is_address(&peer.advertise) {
        problems.push(format!("peer.advertise {:?} is not an address: write host:port", peer.advertise));
    }
    problems
}

/// Whether a text is `host:port`, `1.2.3.4:port` or `[v6]:port`.
pub fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let is_host = !bare.is_empty()
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c))
        && (bare == host) != bare.contains(':');
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in ["node04:2380", "10.0.0.1:1", "[fe80::1%eth0]:65535", "a.b-c:80"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["node04", "node04:0", "node04:65536", ":2380", "fe80::1:80", "[node]:80", "a b:1", ""] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
