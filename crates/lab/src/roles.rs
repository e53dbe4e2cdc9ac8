//! What the lab knows of the server binary's roles: their ports, their units, their configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::node::unit::{Policy, Ready, Unit};
use crate::topology::{NodeSpec, Topology};

/// Roles of the `ultracloud` binary that a topology may name.
pub const ALL: &[&str] = &["chainfire"];

/// etcd API of ChainFire.
pub const CHAINFIRE_CLIENT: u16 = 2379;
/// Replication among ChainFire members.
pub const CHAINFIRE_PEER: u16 = 2380;
/// Metrics and health of ChainFire.
pub const CHAINFIRE_ADMIN: u16 = 2381;

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
        "chainfire" => &[
            RolePort { name: "client", port: CHAINFIRE_CLIENT, forwarded: true },
            RolePort { name: "peer", port: CHAINFIRE_PEER, forwarded: false },
            RolePort { name: "admin", port: CHAINFIRE_ADMIN, forwarded: true },
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

/// What differs between two ChainFire replicas of one cluster beside their name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainfireSetup {
    /// Everybody whom it knows at its first start, itself included, as name and peer address.
    pub members: Vec<(String, String)>,
    /// Whether the cluster exists already and has been told of it.
    pub join: bool,
}

impl ChainfireSetup {
    /// The topology's own replicas, forming a new cluster.
    pub fn of_topology(topology: &Topology) -> Self {
        let members = topology.with_role("chainfire").map(|n| (n.name.clone(), chainfire_peer(n)));
        Self { members: members.collect(), join: false }
    }
}

/// The peer address of a node's replica.
pub fn chainfire_peer(node: &NodeSpec) -> String {
    format!("{}:{CHAINFIRE_PEER}", node.address)
}

/// The configuration file of a replica.
///
/// `time_scale` stretches the timing of replication: a machine without KVM stands still for longer than
/// an ordinary heartbeat.
pub fn chainfire_config(
    node: &NodeSpec,
    cluster_token: &str,
    setup: &ChainfireSetup,
    time_scale: f64,
) -> String {
    let etc = etc("chainfire");
    let file = Chainfire {
        name: &node.name,
        data_dir: data_dir("chainfire"),
        cluster_token,
        join: setup.join,
        initial_members: setup.members.iter().map(|(name, peer)| Member { name, peer }).collect(),
        client: Listener {
            listen: format!("0.0.0.0:{CHAINFIRE_CLIENT}"),
            advertise: Some(toml::Value::Array(vec![
                format!("https://{}:{CHAINFIRE_CLIENT}", node.address).into(),
            ])),
            allow: &["operator/*", "node/*/*"],
        },
        peer: Listener {
            listen: format!("0.0.0.0:{CHAINFIRE_PEER}"),
            advertise: Some(chainfire_peer(node).into()),
            allow: &["node/*/chainfire"],
        },
        admin: Listener {
            listen: format!("0.0.0.0:{CHAINFIRE_ADMIN}"),
            advertise: None,
            allow: &["operator/*", "node/*/*"],
        },
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
struct Chainfire<'a> {
    name: &'a str,
    data_dir: String,
    cluster_token: &'a str,
    join: bool,
    initial_members: Vec<Member<'a>>,
    client: Listener,
    peer: Listener,
    admin: Listener,
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
    allow: &'static [&'static str],
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
        let setup = ChainfireSetup::of_topology(&six);
        let text = chainfire_config(six.node("node02").unwrap(), "lab-1", &setup, 1.0);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(parsed["name"].as_str(), Some("node02"));
        assert_eq!(parsed["initial_members"].as_array().unwrap().len(), 3);
        assert_eq!(parsed["peer"]["advertise"].as_str(), Some("10.60.0.12:2380"));
        assert_eq!(parsed["client"]["advertise"][0].as_str(), Some("https://10.60.0.12:2379"));
        assert_eq!(parsed["join"].as_bool(), Some(false));
        assert!(!parsed.contains_key("raft"));
        let slow = chainfire_config(six.node("node02").unwrap(), "lab-1", &setup, 10.0);
        let slow: toml::Table = toml::from_str(&slow).unwrap();
        assert_eq!(slow["raft"]["election"].as_str(), Some("3000ms"));
    }
}
