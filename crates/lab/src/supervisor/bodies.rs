//! What a cluster's nodes are made of: namespaces or machines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kit::task::Tasks;

use crate::init::BootSpec;
use crate::node::identity::Identity;
use crate::node::netns::NetnsBody;
use crate::node::vm::door::Door;
use crate::node::vm::machine::{Disk, Machine, Sockets, size_of};
use crate::node::vm::ssh::Keys;
use crate::node::vm::warm::Bed;
use crate::node::vm::{Machines, VmBody, VmSpec};
use crate::node::{Body, Cable};
use crate::paths::Paths;
use crate::switch::Switch;
use crate::topology::{NodeKind, NodeSpec, Topology};

/// What the host's own port on the switch is called.
const DOOR: &str = "host";

/// Makes the bodies of a cluster's nodes.
pub(super) struct Maker<'a> {
    pub(super) paths: &'a Paths,
    pub(super) topology: &'a Topology,
    /// The cluster's cgroup.
    pub(super) cgroup: Option<&'a Path>,
    /// The server binary's directory.
    pub(super) bin: PathBuf,
    pub(super) tasks: &'a Tasks,
}

impl Maker<'_> {
    /// Nodes of namespaces.
    pub(super) fn namespaces(&self) -> Result<Vec<Arc<dyn Body>>> {
        let program = std::env::current_exe().context("cannot tell where lab itself is")?;
        let mut bodies: Vec<Arc<dyn Body>> = Vec::new();
        for spec in &self.topology.nodes {
            let boot = BootSpec {
                name: spec.name.clone(),
                dir: self.paths.node(&spec.name),
                socket: self.paths.node_socket(&spec.name),
                cgroup: self.node_cgroup(&spec.name)?,
                bin: self.bin.clone(),
                hosts: self.hosts(),
            };
            bodies.push(Arc::new(NetnsBody::new(boot, spec.address, program.clone())));
        }
        Ok(bodies)
    }

    /// Nodes that are machines, and the host's door to them, plugged in behind the last node.
    pub(super) fn machines(&self, made: &Machines, switch: &Switch) -> Result<Vec<Arc<dyn Body>>> {
        let network = self.topology.network;
        let (door, tap) = Door::open(network.host_address(), network.prefix)?;
        let port = self.topology.nodes.len();
        switch.plug(port, DOOR, Cable::Tap(tap)).context("the switch has no room for the host")?;
        let door = Arc::new(door);
        let known = self.topology.nodes.iter().map(|n| n.address.to_string()).collect::<Vec<_>>().join(",");
        let keys = Keys::open(&self.paths.pki(), &known)?;
        let mut bodies: Vec<Arc<dyn Body>> = Vec::new();
        for spec in &self.topology.nodes {
            let machine = self.machine(spec, made);
            let bed = made.beds.as_ref().map(|beds| {
                let arguments = machine.arguments().join("\0");
                let traits = [&made.images.digest, &made.payload_digest, &made.qemu, &arguments];
                Bed::of(beds.join(&spec.name), &traits.map(String::as_str))
            });
            let vm = VmSpec {
                machine,
                bed,
                identity: self.identity(spec, &keys),
                dir: self.paths.node(&spec.name),
                cgroup: self.node_cgroup(&spec.name)?,
                time_scale: made.verdict.time_scale,
                keys: keys.clone(),
            };
            bodies.push(Arc::new(VmBody::new(vm, Arc::clone(&door), self.tasks.clone())));
        }
        Ok(bodies)
    }

    fn machine(&self, spec: &NodeSpec, made: &Machines) -> Machine {
        let dir = self.paths.node(&spec.name);
        let layer = match spec.kind {
            NodeKind::Worker => "worker",
            NodeKind::ControlPlane | NodeKind::Gateway => "base",
        };
        let socket = |what: &str| self.paths.runtime.join(format!("{}.{what}", spec.name));
        let (ram_mib, cpus) = size_of(spec.kind);
        Machine {
            name: spec.name.clone(),
            accel: made.verdict.accel,
            ram_mib,
            cpus,
            mac: spec.mac_text(),
            kernel: made.images.kernel(),
            initrd: made.images.initrd(),
            payload: made.payload.clone(),
            root: Disk { base: made.images.disk(layer), file: dir.join("root.qcow2") },
            data: Disk { base: made.images.disk(crate::image::DATA), file: dir.join("data.qcow2") },
            sockets: Sockets {
                monitor: socket("qmp"),
                channel: socket("agent"),
                console: socket("console"),
                cable: socket("cable"),
                identity: socket("identity"),
            },
            console_log: dir.join("console.log"),
        }
    }

    fn identity(&self, spec: &NodeSpec, keys: &Keys) -> Identity {
        Identity {
            name: spec.name.clone(),
            address: spec.address,
            prefix: self.topology.network.prefix,
            mac: spec.mac_text(),
            hosts: self.hosts(),
            roles: spec.roles.clone(),
            authorized_keys: keys.authorized.clone(),
            ssh_host_key: keys.host_key.clone(),
        }
    }

    fn hosts(&self) -> Vec<(String, std::net::Ipv4Addr)> {
        self.topology.nodes.iter().map(|n| (n.name.clone(), n.address)).collect()
    }

    fn node_cgroup(&self, node: &str) -> Result<Option<PathBuf>> {
        let Some(cgroup) = self.cgroup.map(|c| c.join(node)) else { return Ok(None) };
        std::fs::create_dir_all(&cgroup).with_context(|| format!("cannot make {}", cgroup.display()))?;
        Ok(Some(cgroup))
    }
}
