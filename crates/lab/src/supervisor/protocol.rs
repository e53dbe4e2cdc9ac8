//! What the command line can ask of a running cluster.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::node::DiskFault;
use crate::node::protocol::{Request, ServiceStatus};
use crate::node::vm::Machines;
use crate::process::Process;
use crate::roles::Setup;
use crate::switch::PortReport;
use crate::switch::faults::Link;
use crate::topology::NodeKind;

/// A request to the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Answers [`Answer::Status`].
    Status,
    /// Ties the cluster's life to this connection: it stops when the connection ends.
    Own,
    /// Stops the cluster; answers when all of it is gone.
    Shutdown,
    /// Passes a request on to a node. From then on the connection is the node's.
    Node {
        /// Which.
        node: String,
        /// What.
        request: Request,
    },
    /// Switches a node on, or cuts its power.
    Power {
        /// Which.
        node: String,
        /// On or off.
        on: bool,
    },
    /// Presses a machine's reset button; answers when its services were started again.
    Reset {
        /// Which.
        node: String,
    },
    /// Stops a node's processors, or lets them go on.
    Freeze {
        /// Which.
        node: String,
        /// Stop.
        frozen: bool,
    },
    /// Makes the disk of a node's data slow, broken or sound.
    Disk {
        /// Whose.
        node: String,
        /// How.
        fault: DiskFault,
    },
    /// Gives a node a member of a replicated role: certificates, configuration, unit; does not start it.
    Provision {
        /// Which.
        node: String,
        /// The role.
        role: String,
        /// Whom it knows at first; the topology's members if not said.
        setup: Option<Setup>,
    },
    /// Sets what happens to frames between nodes.
    Links {
        /// Sending nodes.
        from: Vec<String>,
        /// Receiving nodes.
        to: Vec<String>,
        /// The other direction too.
        both: bool,
        /// What happens.
        link: Link,
    },
    /// Removes all faults of the network.
    Heal,
    /// Writes the last frames of every link as pcap files into a directory, which is made if need be.
    Captures {
        /// On the host, absolute.
        dir: PathBuf,
    },
    /// Answers [`Answer::Faults`] with the faults since a moment.
    Faults {
        /// Index of the first.
        since: usize,
    },
}

/// The supervisor's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// Done.
    Done,
    /// How the cluster is.
    Status(Box<ClusterStatus>),
    /// What was done to the cluster on purpose.
    Faults {
        /// In order.
        faults: Vec<FaultRecord>,
    },
    /// Not done.
    Refused {
        /// Why, and what would help.
        why: String,
    },
}

/// Something that was done to the cluster on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// RFC 3339.
    pub at: String,
    /// What, to whom.
    pub what: String,
}

/// How far the supervisor is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Nodes are being switched on.
    Booting,
    /// Every node is on and every service was started.
    Up,
    /// It could not boot.
    Failed {
        /// Why.
        why: String,
    },
    /// It is being stopped.
    Stopping,
}

/// How a cluster is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its id.
    pub id: String,
    /// Its topology's name.
    pub topology: String,
    /// How far it is.
    #[serde(flatten)]
    pub phase: Phase,
    /// `netns` or `vm`.
    pub node_body: String,
    /// Of all faults.
    pub seed: u64,
    /// RFC 3339.
    pub started: String,
    /// From the supervisor's start until all nodes were on, in seconds.
    pub boot_seconds: Option<f64>,
    /// The process that owns it.
    pub supervisor: Process,
    /// SHA-256 of the server binary.
    pub binary_sha256: Option<String>,
    /// What the nodes are made of, if they are machines.
    #[serde(default)]
    pub machines: Option<Machines>,
    /// By name.
    pub nodes: BTreeMap<String, NodeStatus>,
    /// What passed through the switch.
    pub switch: Vec<PortReport>,
}

impl ClusterStatus {
    /// What every deadline is multiplied by.
    pub fn time_scale(&self) -> f64 {
        self.machines.as_ref().map_or(1.0, |machines| machines.verdict.time_scale)
    }
}

/// How far a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Off, or not its turn yet.
    #[default]
    Off,
    /// Its power is on, and its agent does not answer yet.
    Booting,
    /// Its agent has answered.
    On,
}

/// How a node is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its address on the lab's network.
    pub address: Ipv4Addr,
    /// What it stands for.
    pub kind: NodeKind,
    /// How far it is.
    pub stage: Stage,
    /// The host's process it lives in; none when it is off.
    pub process: Option<Process>,
    /// Fresh for every boot.
    pub boot_id: Option<String>,
    /// What it says while it boots, on the host.
    pub console: PathBuf,
    /// Where its serial console is typed at, on the host; only machines have one.
    #[serde(default)]
    pub terminal: Option<PathBuf>,
    /// A command on the host that gives a shell on it.
    pub shell: Vec<String>,
    /// By name.
    pub services: BTreeMap<String, ServiceReport>,
}

/// How a service is, as the host sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceReport {
    /// As the node sees it.
    #[serde(flatten)]
    pub status: ServiceStatus,
    /// Its main process on the host.
    pub host_pid: Option<i32>,
    /// Its log on the host.
    pub host_log: PathBuf,
    /// Its ports by name.
    pub ports: BTreeMap<String, PortStatus>,
}

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// On the node.
    pub port: u16,
    /// On the host's loopback, if it is forwarded.
    pub host_port: Option<u16>,
}
