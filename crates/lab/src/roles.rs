//! What the lab knows of the server binary's roles: their ports, their units, their configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::node::unit::{Policy, Ready, Unit};
use crate::topology::{NodeSpec, Topology};

/// Roles of the `ultracloud` binary that a topology may name.
pub const ALL: &[&str] = &[CHAINFIRE, FLAREDB];

/// The key-value store.
pub const CHAINFIRE: &str = "chainfire";
/// The SQL database.
pub const FLAREDB: &str = "flaredb";

/// etcd API of ChainFire.
pub const CHAINFIRE_CLIENT: u16 = 2379;
/// Replication among ChainFire members.
pub const CHAINFIRE_PEER: u16 = 2380;
/// Metrics and health of ChainFire.
pub const CHAINFIRE_ADMIN: u16 = 2381;

/// PostgreSQL's protocol.
pub const FLAREDB_CLIENT: u16 = 5432;
/// Replication among FlareDB members.
pub const FLAREDB_PEER: u16 = 5433;
/// Metrics and health of FlareDB.
pub const FLAREDB_ADMIN: u16 = 5434;

/// A port of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolePort {
    /// What it is for.
    pub name: &'static str,
    /// Its number on the node.
    pub port: u16,
    /// Whether the host's loopback leads to it.
    pub forwarded: bool,
}

/// The ports of a role.
pub fn ports(role: &str) -> &'static [RolePort] {
    match role {
        CHAINFIRE => &[
            RolePort { name: "client", port: CHAINFIRE_CLIENT, forwarded: true },
            RolePort { name: "peer", port: CHAINFIRE_PEER, forwarded: false },
            RolePort { name: "admin", port: CHAINFIRE_ADMIN, forwarded: true },
        ],
        FLAREDB => &[
            RolePort { name: "client", port: FLAREDB_CLIENT, forwarded: true },
            RolePort { name: "peer", port: FLAREDB_PEER, forwarded: false },
            RolePort { name: "admin", port: FLAREDB_ADMIN, forwarded: true },
        ],
        _ => &[],
    }
}

/// The directory of a role's configuration and keys on a node.
pub fn etc(role: &str) -> String {
    format!("/etc/ultracloud/{role}")
}

/// The directory of a role's data on a node.
pub fn data_dir(role: &str) -> String {
    format!("/var/lib/ultracloud/{role}")
}

/// How a role is run: what its systemd unit says on a VM.
pub fn unit(role: &str) -> Unit {
    let argv =
        ["/opt/ultracloud/bin/ultracloud", "run", role, "--config", &format!("{}/config.toml", etc(role))];
    Unit {
        name: role.to_owned(),
        argv: argv.into_iter().map(str::to_owned).collect(),
        env: [("RUST_BACKTRACE".to_owned(), "1".to_owned())].into(),
        ready: Ready::Notify,
        data_dir: Some(data_dir(role)),
        policy: Policy::default(),
    }
}

/// The number of a role's port; 0: it has none of this name.
fn port(role: &str, name: &str) -> u16 {
    ports(role).iter().find(|port| port.name == name).map_or(0, |port| port.port)
}

/// What differs between two members of a replicated role beside their name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Everybody whom it knows at its first start, itself included, as name and peer address.
    pub members: Vec<(String, String)>,
    /// Whether the cluster exists already and has been told of it.
    pub join: bool,
    /// Where the key-value store is, for roles that need it.
    #[serde(default)]
    pub directory: Vec<String>,
}

impl Setup {
    /// The topology's own members, forming a new cluster.
    pub fn of_topology(topology: &Topology, role: &str) -> Self {
        let members = topology.with_role(role).map(|n| (n.name.clone(), peer(role, n)));
        let keeps = |node: &NodeSpec| format!("{}:{CHAINFIRE_CLIENT}", node.address);
        let directory = topology.with_role(CHAINFIRE).map(keeps);
        Self { members: members.collect(), join: false, directory: directory.collect() }
    }
}

/// The peer address of a node's member.
fn peer(role: &str, node: &NodeSpec) -> String {
    format!("{}:{}", node.address, port(role, "peer"))
}

/// The configuration file of a member.
///
/// `time_scale` stretches the timing of replication: a machine without KVM stands still for longer than
/// an ordinary heartbeat.
pub fn config(role: &str, node: &NodeSpec, cluster_token: &str, setup: &Setup, time_scale: f64) -> String {
    let etc = etc(role);
    let client = format!("{}:{}", node.address, port(role, "client"));
    let listen = |name| format!("0.0.0.0:{}", port(role, name));
    let file = Replicated {
        name: &node.name,
        data_dir: data_dir(role),
        cluster_token,
        join: setup.join,
        initial_members: setup.members.iter().map(|(name, peer)| Member { name, peer }).collect(),
        client: Listener {
            listen: listen("client"),
            advertise: Some(match role {
                // etcd's clients are told URLs.
                CHAINFIRE => toml::Value::Array(vec![format!("https://{client}").into()]),
                _ => client.into(),
            }),
            allow: strings(&["operator/*", "node/*/*"]),
        },
        peer: Listener {
            listen: listen("peer"),
            advertise: Some(peer(role, node).into()),
            allow: vec![format!("node/*/{role}")],
        },
        admin: Listener {
            listen: listen("admin"),
            advertise: None,
            allow: strings(&["operator/*", "node/*/*"]),
        },
        directory: (role == FLAREDB && !setup.directory.is_empty())
            .then(|| Directory { endpoints: &setup.directory, allow: strings(&["node/*/chainfire"]) }),
        tls: Tls {
            cert: format!("{etc}/cert.pem"),
            key: format!("{etc}/key.pem"),
            ca: format!("{etc}/ca.pem"),
        },
        raft: (time_scale > 1.0).then(|| Raft {
            heartbeat: millis(HEARTBEAT.mul_f64(pace(time_scale))),
            election: millis(ELECTION.mul_f64(pace(time_scale))),
        }),
    };
    toml::to_string(&file).expect("strings, numbers and lists always serialise")
}

#[derive(Serialize)]
struct Replicated<'a> {
    name: &'a str,
    data_dir: String,
    cluster_token: &'a str,
    join: bool,
    initial_members: Vec<Member<'a>>,
    client: Listener,
    peer: Listener,
    admin: Listener,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<Directory<'a>>,
    tls: Tls,
    #[serde(skip_serializing_if = "Option::is_none")]
    raft: Option<Raft>,
}

/// ChainFire's own timing.
const HEARTBEAT: Duration = Duration::from_millis(100);
const ELECTION: Duration = Duration::from_secs(1);

/// How much slower a replica and those who ask it may be: by this at most, because slower than that nothing would
/// be proven.
const MOST: f64 = 3.0;

/// What the timing of a protocol is multiplied by; deadlines of checks are by the whole scale.
pub fn pace(time_scale: f64) -> f64 {
    time_scale.clamp(1.0, MOST)
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

#[derive(Serialize)]
struct Raft {
    heartbeat: String,
    election: String,
}

#[derive(Serialize)]
struct Member<'a> {
    name: &'a str,
    peer: &'a str,
}

#[derive(Serialize)]
struct Listener {
    listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advertise: Option<toml::Value>,
    allow: Vec<String>,
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}

#[derive(Serialize)]
struct Directory<'a> {
    endpoints: &'a [String],
    allow: Vec<String>,
}

#[derive(Serialize)]
struct Tls {
    cert: String,
    key: String,
    ca: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_told_of_all_three_and_of_itself() {
        let six = Topology::six().unwrap();
        let setup = Setup::of_topology(&six, CHAINFIRE);
        let text = config(CHAINFIRE, six.node("node02").unwrap(), "lab-1", &setup, 1.0);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(parsed["name"].as_str(), Some("node02"));
        assert_eq!(parsed["initial_members"].as_array().unwrap().len(), 3);
        assert_eq!(parsed["peer"]["advertise"].as_str(), Some("10.60.0.12:2380"));
        assert_eq!(parsed["client"]["advertise"][0].as_str(), Some("https://10.60.0.12:2379"));
        assert_eq!(parsed["join"].as_bool(), Some(false));
        assert!(!parsed.contains_key("raft"));
        let slow = config(CHAINFIRE, six.node("node02").unwrap(), "lab-1", &setup, 10.0);
        let slow: toml::Table = toml::from_str(&slow).unwrap();
        assert_eq!(slow["raft"]["election"].as_str(), Some("3000ms"));
        let setup = Setup::of_topology(&six, FLAREDB);
        let text = config(FLAREDB, six.node("node03").unwrap(), "lab-1", &setup, 1.0);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(parsed["client"]["advertise"].as_str(), Some("10.60.0.13:5432"));
        assert_eq!(parsed["directory"]["endpoints"][2].as_str(), Some("10.60.0.13:2379"));
        assert_eq!(parsed["peer"]["allow"][0].as_str(), Some("node/*/flaredb"));
    }
}
