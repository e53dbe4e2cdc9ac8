//! The configuration of a FlareDB member.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::admin::AdminConfig;
use kit::config::RoleConfig;
use kit::telemetry::LogConfig;
use kit::tls::{AllowList, TlsConfig};
pub use quorum::config::{InitialMember, PeerConfig, RaftConfig};
use serde::{Deserialize, Serialize};

/// Everything a member is told. Paths and addresses have no defaults, bounds all do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This member's name, unique in the cluster.
    pub name: String,
    /// Where it keeps its log and its databases.
    pub data_dir: PathBuf,
    /// Any text; mixed into all ids, so that members of two clusters never talk to each other.
    pub cluster_token: String,
    /// The cluster runs already and this member was added to it.
    #[serde(default)]
    pub join: bool,
    /// The members that found the cluster; for one that joins, whom to ask.
    pub initial_members: Vec<InitialMember>,
    /// Where PostgreSQL's clients come in.
    pub client: ClientConfig,
    /// Replication.
    pub peer: PeerConfig,
    /// Metrics and health.
    pub admin: AdminConfig,
    /// Where the list of databases is. Without it there is one database, and no other can be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryConfig>,
    /// Who this member is. Only a test goes without.
    pub tls: Option<TlsConfig>,
    /// Timing of replication.
    #[serde(default)]
    pub raft: RaftConfig,
    /// Bounds on what clients may ask.
    #[serde(default)]
    pub limits: Limits,
    /// Log lines.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where PostgreSQL's clients come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// `host:port` where clients and other members' operators find it.
    pub advertise: String,
    /// SPIFFE paths whose certificate stands for a role of the database; a client without a certificate needs a
    /// password.
    pub allow: AllowList,
}

/// ChainFire, as clients of etcd see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// `host:port` of its members.
    pub endpoints: Vec<String>,
    /// SPIFFE paths that they must have.
    pub allow: AllowList,
}

/// Bounds on clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// The largest message of a client, in bytes.
    pub message_bytes: usize,
    /// The largest change of one statement or transaction, in bytes: it is one entry of the log.
    pub change_bytes: usize,
    /// How long a client may take to log in.
    #[serde(with = "humantime_serde")]
    pub login: Duration,
    /// How long a statement may take unless its session says otherwise; `0s`: as long as it likes.
    #[serde(with = "humantime_serde")]
    pub statement: Duration,
    /// How long a transaction may do nothing while others wait to write.
    #[serde(with = "humantime_serde")]
    pub idle_transaction: Duration,
    /// Clients of one database that may wait for their turn to write.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 500,
            message_bytes: 64 << 20,
            change_bytes: 16 << 20,
            login: Duration::from_secs(10),
            statement: Duration::from_secs(60),
            idle_transaction: Duration::from_secs(5),
            waiting: 4096,
        }
    }
}

impl RoleConfig for Config {
    const ROLE: &'static str = "flaredb";

    fn validate(&self) -> Result<(), Vec<String>> {
        let who = (self.name.as_str(), self.cluster_token.as_str());
        let mut problems = quorum::config::member_problems(who, self.join, &self.initial_members, &self.peer);
        problems.extend(self.raft.problems());
        self.check_lists(&mut problems);
        self.check_sizes(&mut problems);
        if self.tls.is_none() {
            problems.push("the table [tls] is missing: name this member's certificate, key and CA".into());
        }
        if let Err(e) = self.log.parse_filter() {
            problems.push(e.to_string());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl Config {
    /// The size of one file of the log: the largest change must fit with room to spare.
    pub(crate) fn segment_bytes(&self) -> u64 {
        let needed = (4 * self.limits.change_bytes as u64).next_multiple_of(4096);
        self.raft.segment_bytes.max(needed)
    }

    /// Where the log is.
    pub(crate) fn raft_dir(&self) -> PathBuf {
        self.raft.dir.clone().unwrap_or_else(|| self.data_dir.join("raft"))
    }

    /// Where the databases are, each in a directory of its group's number.
    pub(crate) fn database_dir(&self, group: u64) -> PathBuf {
        self.data_dir.join("databases").join(format!("{group:x}"))
    }

    fn check_lists(&self, problems: &mut Vec<String>) {
        for address in self.directory.iter().flat_map(|directory| &directory.endpoints) {
            if !quorum::config::is_address(address) {
                problems.push(format!("directory.endpoints: {address:?} is not an address: write host:port"));
            }
        }
        for (table, list) in [("peer", &self.peer.allow), ("admin", &self.admin.allow)] {
            if list.is_empty() {
                problems
                    .push(format!("{table}.allow is empty, so that nobody would be let in: add a pattern"));
            }
        }
    }

    fn check_sizes(&self, problems: &mut Vec<String>) {
        let limits = &self.limits;
        for (key, value, least, most) in [
            ("limits.connections", limits.connections, 1, 1 << 16),
            ("limits.message_bytes", limits.message_bytes, 64 << 10, 1 << 30),
            ("limits.change_bytes", limits.change_bytes, 64 << 10, 32 << 20),
            ("limits.waiting", limits.waiting, 1, 1 << 20),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(format!("{key} is {value}: choose between {least} and {most}"));
            }
        }
        if limits.login < Duration::from_secs(1) || limits.idle_transaction < Duration::from_millis(100) {
            problems
                .push("limits.login is below 1s, or limits.idle_transaction below 100ms: raise it".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOOD: &str = r#"
        name = "node01"
        data_dir = "/var/lib/ultracloud/flaredb"
        cluster_token = "lab-1234"
        [[initial_members]]
        name = "node01"
        peer = "10.60.0.11:5433"
        [client]
        listen = "0.0.0.0:5432"
        advertise = "10.60.0.11:5432"
        allow = ["operator/*", "node/*/*"]
        [peer]
        listen = "0.0.0.0:5433"
        advertise = "10.60.0.11:5433"
        allow = ["node/*/flaredb"]
        [admin]
        listen = "0.0.0.0:5434"
        allow = ["operator/*"]
        [tls]
        cert = "/etc/ultracloud/cert.pem"
        key = "/etc/ultracloud/key.pem"
        ca = "/etc/ultracloud/ca.pem"
    "#;

    fn parse(text: &str) -> Result<Config, String> {
        kit::config::parse(Path::new("flaredb.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_survive_a_dump() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.segment_bytes(), 64 << 20);
        assert_eq!(parse(&kit::config::dump(&config).unwrap()), Ok(config));
    }

    #[test]
    fn every_contradiction_is_named_with_its_cure() {
        for (from, to, part) in [
            (
                "10.60.0.11:5433\"\n        [client]",
                "10.60.0.12:5433\"\n        [client]",
                "make them the same",
            ),
            ("[\"node/*/flaredb\"]", "[]", "peer.allow is empty"),
            (
                "[tls]",
                "[directory]\nendpoints = [\"x\"]\nallow = [\"node/*/chainfire\"]\n[tls]",
                "\"x\" is not an address",
            ),
            ("[tls]", "[raft]\nelection = \"200ms\"\n[tls]", "five times raft.heartbeat"),
            ("[tls]", "[limits]\nconnections = 0\n[tls]", "limits.connections is 0: choose between"),
            ("[tls]", "[limits]\nlogin = \"1ms\"\n[tls]", "limits.login is below 1s"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
