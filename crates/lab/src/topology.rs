//! Which nodes a cluster has, where they are on the lab's network, and what runs on them.
//!
//! A topology is data: it refuses what could not be booted (a name twice, an address outside the
//! network, a role nobody knows) and decides nothing else.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::node::unit::Ready;
use crate::roles;

/// The topology that every lane is written for.
const SIX: &str = include_str!("../topologies/six.toml");

/// More ports than this and flooding, not the lab's purpose, decides what is measured.
const MAX_NODES: usize = 64;

/// A cluster's nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// What status and evidence call it.
    pub name: String,
    /// The network all nodes share.
    pub network: Network,
    /// In boot order.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSpec>,
}

/// One machine-like node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its host name.
    pub name: String,
    /// Its address on the lab's network.
    pub address: Ipv4Addr,
    /// What kind of machine it stands for.
    pub kind: NodeKind,
    /// Roles of the server binary that start with it.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Other programs that start with it (foreign peers, stand-ins).
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ForeignService>,
}

/// A program that is not a role of the server binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignService {
    /// What it is called in `status` and in its log's name.
    pub name: String,
    /// Program and arguments, looked up on the node's own PATH.
    pub command: Vec<String>,
    /// How it says that it is up.
    #[serde(default)]
    pub ready: Ready,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// Holds the cluster's state.
    ControlPlane,
    /// Runs tenants' work.
    Worker,
    /// Lets the world in.
    Gateway,
}

/// An IPv4 network such as `10.60.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// The network's own address.
    pub base: Ipv4Addr,
    /// Leading bits that all nodes share, 8 to 30.
    pub prefix: u8,
}

/// Why a topology cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file cannot be read.
    #[error("cannot read the topology {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a topology.
    #[error("{path} is not a topology: {source}")]
    Parse {
        /// The file.
        path: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The file is a topology that cannot work.
    #[error("topology {name} cannot be booted: {why}")]
    Invalid {
        /// The topology's name.
        name: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

impl Topology {
    /// The canonical six nodes.
    pub fn six() -> Result<Self, TopologyError> {
        Self::parse(SIX, "topologies/six.toml")
    }

    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| TopologyError::Read { path: shown.clone(), source })?;
        Self::parse(&text, &shown)
    }

    /// Parses and checks text; `path` is for the error only.
    pub fn parse(text: &str, path: &str) -> Result<Self, TopologyError> {
        let topology: Self = toml::from_str(text)
            .map_err(|e| TopologyError::Parse { path: path.to_owned(), source: Box::new(e) })?;
        topology.check().map_err(|why| TopologyError::Invalid { name: topology.name.clone(), why })?;
        Ok(topology)
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// The nodes that run a role from the start.
    pub fn with_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a NodeSpec> {
        self.nodes.iter().filter(move |n| n.roles.iter().any(|r| r == role))
    }

    fn check(&self) -> Result<(), String> {
        if self.nodes.is_empty() || self.nodes.len() > MAX_NODES {
            return Err(format!("it has {} nodes; 1 to {MAX_NODES} are possible", self.nodes.len()));
        }
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for node in &self.nodes {
            node.check()?;
            if !self.network.has_host(node.address) {
                return Err(format!(
                    "{} has {}, which is not a host address of {}",
                    node.name, node.address, self.network
                ));
            }
            if !names.insert(&node.name) {
                return Err(format!("two nodes are called {}", node.name));
            }
            if !addresses.insert(node.address) {
                return Err(format!("two nodes have the address {}", node.address));
            }
        }
        Ok(())
    }
}

impl NodeSpec {
    fn check(&self) -> Result<(), String> {
        if !is_label(&self.name) {
            return Err(format!(
                "`{}` is no host name: use a-z, 0-9 and inner hyphens, at most 32",
                self.name
            ));
        }
        let mut seen = BTreeSet::new();
        for role in &self.roles {
            if !roles::ALL.contains(&role.as_str()) {
                return Err(format!(
                    "{} has the unknown role `{role}`; known are {}",
                    self.name,
                    roles::ALL.join(", ")
                ));
            }
            if !seen.insert(role) {
                return Err(format!("{} has the role {role} twice", self.name));
            }
        }
        for service in &self.services {
            if !is_label(&service.name) || service.command.is_empty() {
                return Err(format!(
                    "service `{}` of {} needs a plain name and a command",
                    service.name, self.name
                ));
            }
            if !seen.insert(&service.name) {
                return Err(format!("{} has the service {} twice", self.name, service.name));
            }
        }
        Ok(())
    }

    /// A locally administered MAC address that follows from the IP address.
    pub fn mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.address.octets();
        [0x02, 0x00, a, b, c, d]
    }

    /// The same as `02:00:…`.
    pub fn mac_text(&self) -> String {
        self.mac().map(|byte| format!("{byte:02x}")).join(":")
    }
}

fn is_label(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

impl Network {
    /// The host's own address among the nodes': the last one before the broadcast address.
    pub fn host_address(&self) -> Ipv4Addr {
        Ipv4Addr::from((u32::from(self.base) | (u32::MAX >> self.prefix)) - 1)
    }

    /// Whether an address is inside and neither the network's own nor its broadcast address.
    pub fn has_host(&self, address: Ipv4Addr) -> bool {
        let host_bits = u32::MAX >> self.prefix;
        let offset = u32::from(address) ^ u32::from(self.base);
        offset <= host_bits && offset != 0 && offset != host_bits
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a network such as 10.60.0.0/24");
        let (base, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let base: Ipv4Addr = base.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if !(8..=30).contains(&prefix) {
            return Err(format!("`{text}`: the prefix must be 8 to 30"));
        }
        if u32::from(base) & (u32::MAX >> prefix) != 0 {
            return Err(format!("`{text}` has host bits set"));
        }
        Ok(Self { base, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(old: &str, new: &str) -> String {
        assert!(SIX.contains(old), "{old} is not in the topology");
        Topology::parse(&SIX.replacen(old, new, 1), "t.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_canonical_six_are_valid() {
        let six = Topology::six().unwrap();
        assert_eq!(six.nodes.len(), 6);
        assert_eq!(six.with_role("chainfire").count(), 3);
        assert_eq!(six.node("node01").unwrap().mac(), [2, 0, 10, 60, 0, 11]);
    }

    #[test]
    fn what_cannot_be_booted_says_why() {
        assert!(with("10.60.0.12", "10.60.0.11").contains("two nodes have the address 10.60.0.11"));
        assert!(with("\"node02\"", "\"node01\"").contains("two nodes are called node01"));
        assert!(with("10.60.0.12", "10.61.0.12").contains("not a host address of 10.60.0.0/24"));
        assert!(with("10.60.0.12", "10.60.0.255").contains("not a host address"));
        assert!(with("\"node02\"", "\"Node_2\"").contains("no host name"));
        assert!(with("[\"chainfire\", \"flaredb\"]", "[\"chianfire\"]").contains("unknown role `chianfire`"));
        assert!(with("[\"chainfire\", \"flaredb\"]", "[\"chainfire\", \"chainfire\"]").contains("twice"));
        assert!(with("10.60.0.0/24", "10.60.0.0/99").contains("prefix must be 8 to 30"));
        assert!(with("10.60.0.0/24", "10.60.0.1/24").contains("host bits"));
        assert!(with("kind = \"worker\"", "kind = \"werker\"").contains("t.toml"));
        assert!(with("kind = \"worker\"", "knid = \"worker\"").contains("knid"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Topology::load(Path::new("/nonexistent/t.toml")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/t.toml"), "{error}");
    }
}
