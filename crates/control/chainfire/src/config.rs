//! The configuration of a ChainFire member.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::admin::AdminConfig;
use kit::config::RoleConfig;
use kit::server;
use kit::telemetry::LogConfig;
use kit::tls::{AllowList, TlsConfig};
pub use quorum::config::{InitialMember, PeerConfig, RaftConfig};
use serde::{Deserialize, Serialize};

use crate::auth::{Scheme, SchemeError};
use crate::convert::address_of_url;
use crate::node::SERVICE;
use crate::store::StoreOptions;

/// etcd's, for signed tokens that say nothing else.
const DEFAULT_JWT_TTL: Duration = Duration::from_secs(300);

/// Everything a member is told. Paths and addresses have no defaults, bounds all do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This member's name, unique in the cluster.
    pub name: String,
    /// Where it keeps its log and its store.
    pub data_dir: PathBuf,
    /// Any text; mixed into all ids, so that members of two clusters never talk to each other.
    pub cluster_token: String,
    /// The cluster runs already and this member was added to it (etcd's `initial-cluster-state=existing`).
    #[serde(default)]
    pub join: bool,
    /// The members that found the cluster; for one that joins, whom to ask.
    pub initial_members: Vec<InitialMember>,
    /// The etcd API.
    pub client: ClientConfig,
    /// Replication.
    pub peer: PeerConfig,
    /// Metrics and health.
    pub admin: AdminConfig,
    /// Who this member is. Only a test goes without.
    pub tls: Option<TlsConfig>,
    /// Timing of replication.
    #[serde(default)]
    pub raft: RaftConfig,
    /// Bounds on what clients may ask.
    #[serde(default)]
    pub limits: Limits,
    /// Sizes of the store.
    #[serde(default)]
    pub store: StoreConfig,
    /// Users.
    #[serde(default)]
    pub auth: AuthConfig,
    /// Log lines.
    #[serde(default)]
    pub log: LogConfig,
    /// A data directory is taken for whose it says it is, whatever the token: etcd looks at its own only when
    /// it founds a cluster.
    #[serde(skip)]
    pub any_cluster: bool,
}

/// Where clients come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// URLs that clients are told.
    pub advertise: Vec<String>,
    /// SPIFFE paths that are let in.
    pub allow: AllowList,
    /// Bounds of the server.
    #[serde(default)]
    pub limits: server::Limits,
}

/// Bounds on requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest request that changes something: etcd's `max-request-bytes`.
    pub request_bytes: usize,
    /// Operations in a transaction: etcd's `max-txn-ops`.
    pub txn_operations: usize,
    /// Requests under way.
    pub requests: usize,
    /// Requests that wait for a lock or for leadership, or observe an election.
    pub waiters: usize,
    /// Large answers that are in memory because their clients have not read them yet.
    pub answer_bytes: usize,
    /// Watchers on one stream.
    pub watchers_per_stream: usize,
    /// Changes that wait for the client of one watch stream.
    pub watch_buffer_bytes: usize,
    /// How often a quiet watcher that wishes it is told how far it is.
    #[serde(with = "humantime_serde")]
    pub watch_progress: Duration,
    /// Snapshots being sent.
    pub snapshots: usize,
    /// From here on a request is told in the log, with where its time went; `0s`: none is.
    #[serde(with = "humantime_serde")]
    pub slow_request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 3 << 19,
            txn_operations: 128,
            requests: 8192,
            waiters: 16_384,
            answer_bytes: 256 << 20,
            watchers_per_stream: 16_384,
            watch_buffer_bytes: 4 << 20,
            watch_progress: Duration::from_secs(600),
            snapshots: 2,
            slow_request: Duration::from_millis(300),
        }
    }
}

/// Who asks, once users are asked for (`etcdctl auth enable`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// `simple`, or `jwt,sign-method=…,priv-key=…,pub-key=…,ttl=…`: etcd's `auth-token`.
    pub token: String,
    /// How long a simple token lives unused: etcd's `auth-token-ttl`.
    #[serde(with = "humantime_serde")]
    pub token_ttl: Duration,
    /// How dear a guess at a password is: etcd's `bcrypt-cost`. One more doubles it.
    pub bcrypt_cost: u32,
    /// Who comes without a token is the user its certificate's common name says.
    pub certificate_users: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        let token_ttl = Duration::from_secs(300);
        Self { token: "simple".into(), token_ttl, bcrypt_cost: 10, certificate_users: true }
    }
}

impl AuthConfig {
    pub(crate) fn scheme(&self) -> Result<Scheme, SchemeError> {
        Scheme::parse(&self.token, DEFAULT_JWT_TTL)
    }

    fn check(&self, problems: &mut Vec<String>) {
        if let Err(e) = self.scheme() {
            problems.push(format!("auth.token: {e}"));
        }
        if !(4..=31).contains(&self.bcrypt_cost) {
            problems.push(format!("auth.bcrypt_cost is {}: choose between 4 and 31", self.bcrypt_cost));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&self.token_ttl) {
            problems.push("auth.token_ttl is not between 1s and 1day: change it".into());
        }
    }
}

/// Sizes of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Pages kept in memory.
    pub cache_bytes: usize,
    /// Changes in memory that make a flush to disk due.
    pub flush_bytes: usize,
    /// What the store may take, on disk and not yet there, before only deletions are let in: etcd's
    /// `quota-backend-bytes`. 0: 2 GiB; negative: as much as there is.
    pub quota_bytes: i64,
    /// How often members compare what they hold, as long as anything changes.
    #[serde(with = "humantime_serde")]
    pub check_interval: Duration,
    /// Entries of the log after which they do so sooner, to within a second.
    pub check_entries: u64,
    /// What the leader compacts by itself: `{ period = "1h" }` or `{ revisions = 10000 }`. Without it, whoever
    /// writes has to (Kubernetes does).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_compaction: Option<AutoCompaction>,
}

/// How much history is kept: etcd's `auto-compaction-mode` and `auto-compaction-retention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoCompaction {
    /// As of so long ago, to within a tenth; beyond an hour, compacted every hour.
    Period(#[serde(with = "humantime_serde")] Duration),
    /// So many revisions, looked at every five minutes.
    Revisions(u64),
}

impl Default for StoreConfig {
    fn default() -> Self {
        let StoreOptions { cache_bytes, flush_bytes } = StoreOptions::default();
        let (check_interval, check_entries) = (Duration::from_secs(10), 10_000);
        Self {
            cache_bytes,
            flush_bytes,
            quota_bytes: 0,
            check_interval,
            check_entries,
            auto_compaction: None,
        }
    }
}

impl From<&StoreConfig> for StoreOptions {
    fn from(config: &StoreConfig) -> Self {
        Self { cache_bytes: config.cache_bytes, flush_bytes: config.flush_bytes }
    }
}

impl RoleConfig for Config {
    const ROLE: &'static str = "chainfire";

    fn validate(&self) -> Result<(), Vec<String>> {
        let mut problems = self.member_problems();
        self.check_addresses(&mut problems);
        problems.extend(self.bounds());
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
    /// Which cluster a data directory must belong to; none: to any.
    pub(crate) fn expected_cluster(&self) -> Option<u64> {
        (!self.any_cluster).then(|| quorum::identity::cluster_id(&SERVICE, &self.cluster_token))
    }

    /// Where the log is.
    pub(crate) fn raft_dir(&self) -> PathBuf {
        self.raft.dir.clone().unwrap_or_else(|| self.data_dir.join("raft"))
    }

    /// What is out of bounds, with its cure: whoever wrote the configuration down.
    pub(crate) fn bounds(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.raft.problems());
        self.check_sizes(&mut problems);
        self.auth.check(&mut problems);
        problems.extend(self.client.limits.problems("client.limits"));
        problems
    }

    /// This member among the founders.
    pub(crate) fn as_founder(&self) -> Option<&InitialMember> {
        self.initial_members.iter().find(|member| member.name == self.name)
    }

    /// The size of one file of the log: the largest request must fit with room to spare.
    pub(crate) fn segment_bytes(&self) -> u64 {
        let needed = (4 * self.limits.request_bytes as u64).next_multiple_of(4096);
        self.raft.segment_bytes.max(needed)
    }

    fn member_problems(&self) -> Vec<String> {
        let who = (self.name.as_str(), self.cluster_token.as_str());
        quorum::config::member_problems(who, self.join, &self.initial_members, &self.peer)
    }

    fn check_addresses(&self, problems: &mut Vec<String>) {
        for url in &self.client.advertise {
            if address_of_url(url).is_none() {
                problems.push(format!("client.advertise {url:?} is not a URL: write https://host:port"));
            }
        }
        if self.client.advertise.is_empty() {
            problems.push(
                "client.advertise is empty, so that no client would find this member: add a URL".into(),
            );
        }
        let lists =
            [("client", &self.client.allow), ("peer", &self.peer.allow), ("admin", &self.admin.allow)];
        for (table, _) in lists.into_iter().filter(|(_, list)| list.is_empty()) {
            problems.push(format!("{table}.allow is empty, so that nobody would be let in: add a pattern"));
        }
    }

    fn check_sizes(&self, problems: &mut Vec<String>) {
        let limits = &self.limits;
        let sizes = [
            ("limits.request_bytes", limits.request_bytes, 1 << 10, 10 << 20),
            ("limits.txn_operations", limits.txn_operations, 1, 1 << 14),
            ("limits.requests", limits.requests, 16, 1 << 20),
            ("limits.watchers_per_stream", limits.watchers_per_stream, 1, 1 << 20),
            ("limits.watch_buffer_bytes", limits.watch_buffer_bytes, 1 << 12, 1 << 30),
            ("limits.snapshots", limits.snapshots, 1, 64),
            ("store.cache_bytes", self.store.cache_bytes, 1 << 20, 1 << 40),
            ("store.flush_bytes", self.store.flush_bytes, 64 << 10, 1 << 30),
        ];
        for (key, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                problems.push(format!("{key} is {value}: choose between {least} and {most}"));
            }
        }
        if self.store.check_interval < Duration::from_millis(100) || self.store.check_entries == 0 {
            problems.push("store.check_interval is below 100ms, or store.check_entries 0: raise it".into());
        }
        if let Some(AutoCompaction::Period(period)) = self.store.auto_compaction
            && period < Duration::from_secs(1)
        {
            problems.push("store.auto_compaction keeps less than 1s: keep more, or leave it out".into());
        }
        if limits.watch_progress < Duration::from_millis(100) {
            problems.push("limits.watch_progress is below 100ms: raise it".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOOD: &str = r#"
        name = "node01"
        data_dir = "/var/lib/ultracloud/chainfire"
        cluster_token = "lab-1234"
        [[initial_members]]
        name = "node01"
        peer = "10.60.0.11:2380"
        [client]
        listen = "0.0.0.0:2379"
        advertise = ["https://10.60.0.11:2379"]
        allow = ["operator/*", "node/*/*"]
        [peer]
        listen = "0.0.0.0:2380"
        advertise = "10.60.0.11:2380"
        allow = ["node/*/chainfire"]
        [admin]
        listen = "0.0.0.0:2381"
        allow = ["operator/*"]
        [tls]
        cert = "/etc/ultracloud/cert.pem"
        key = "/etc/ultracloud/key.pem"
        ca = "/etc/ultracloud/ca.pem"
    "#;

    fn parse(text: &str) -> Result<Config, String> {
        kit::config::parse(Path::new("chainfire.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_are_etcds_and_survive_a_dump() {
        let config = parse(GOOD).unwrap();
        assert_eq!((config.limits.request_bytes, config.limits.txn_operations), (1_572_864, 128));
        assert_eq!(config.raft.election, Duration::from_secs(1));
        assert_eq!(parse(&kit::config::dump(&config).unwrap()), Ok(config));
    }

    #[test]
    fn a_file_of_the_log_holds_the_largest_request() {
        let config = parse(&GOOD.replace("[tls]", "[limits]\nrequest_bytes = 10485760\n[tls]")).unwrap();
        assert_eq!(config.segment_bytes(), 40 << 20);
        let small = parse(&GOOD.replace("[tls]", "[raft]\nsegment_bytes = 65536\n[tls]")).unwrap();
        assert_eq!(small.segment_bytes(), 6 << 20);
    }

    #[test]
    fn every_contradiction_is_named_with_its_cure() {
        for (from, to, part) in [
            (
                "name = \"node01\"\n        data",
                "name = \"node02\"\n        data",
                "does not name \"node02\"",
            ),
            (
                "10.60.0.11:2380\"\n        [client]",
                "10.60.0.12:2380\"\n        [client]",
                "make them the same",
            ),
            ("https://10.60.0.11:2379", "10.60.0.11:2379", "write https://host:port"),
            ("[\"operator/*\", \"node/*/*\"]", "[]", "client.allow is empty"),
            ("[tls]", "[raft]\nelection = \"200ms\"\n[tls]", "five times raft.heartbeat"),
            ("[tls]", "[limits]\nrequests = 0\n[tls]", "limits.requests is 0: choose between"),
            ("[tls]", "[auth]\ntoken = \"jwt\"\n[tls]", "sign-method is missing"),
            ("[tls]", "[auth]\nbcrypt_cost = 3\n[tls]", "choose between 4 and 31"),
            ("[tls]", "[limits]\nrequest = 5\n[tls]", "unknown key \"request\" in [limits]"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
