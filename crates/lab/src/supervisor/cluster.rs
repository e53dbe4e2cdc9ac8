//! The cluster that a supervisor owns: its nodes, its switch, and what can be done to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use kit::task::Tasks;
use tokio::time::Instant;

use super::bodies::Maker;
use super::protocol::{ClusterStatus, FaultRecord, NodeStatus, Phase, PortStatus, ServiceReport, Stage};
use super::{cgroup, forward};
use crate::certs::{self, Credentials, Pki};
use crate::node::protocol::{Launch, Reply, Request, Status};
use crate::node::unit::{Policy, Unit};
use crate::node::vm::Machines;
use crate::node::{Body, DiskFault, call, push};
use crate::paths::Paths;
use crate::process::Process;
use crate::roles::{self, Setup};
use crate::state::ClusterState;
use crate::switch::Switch;
use crate::switch::faults::Link;
use crate::topology::{ForeignService, NodeSpec, Topology};

/// A node's agent answers at once unless something is wrong with it.
const STATUS_DEADLINE: Duration = Duration::from_secs(2);

/// Above the longest `TimeoutStopSec=`.
const POWER_OFF_DEADLINE: Duration = Duration::from_secs(20);

/// A cluster in a supervisor.
pub(super) struct Cluster {
    paths: Paths,
    topology: Topology,
    /// What the nodes are made of, if they are machines.
    machines: Option<Machines>,
    tasks: Tasks,
    switch: Switch,
    pki: Pki,
    nodes: Vec<NodeEntry>,
    shared: Mutex<Shared>,
    began: Instant,
}

struct NodeEntry {
    spec: NodeSpec,
    /// Also its port on the switch.
    index: usize,
    body: Arc<dyn Body>,
    /// Whether it is being switched on just now.
    boots: AtomicBool,
}

impl NodeEntry {
    fn stage(&self) -> Stage {
        match self.boots.load(Ordering::Relaxed) {
            true => Stage::Booting,
            false if self.body.process().is_some() => Stage::On,
            false => Stage::Off,
        }
    }
}

struct Shared {
    state: ClusterState,
    phase: Phase,
    boot_seconds: Option<f64>,
    faults: Vec<FaultRecord>,
    /// Forwards that are served, by `node:port`.
    forwards: BTreeMap<String, u16>,
}

impl Cluster {
    /// Prepares a cluster; nothing runs yet but its switch.
    pub(super) fn prepare(
        paths: &Paths,
        topology: Topology,
        mut state: ClusterState,
        bin: PathBuf,
        machines: Option<Machines>,
        tasks: Tasks,
    ) -> Result<Self> {
        state.supervisor = Some(Process::this()?);
        state.cgroup = cgroup::make(&state.id);
        state.save(paths)?;
        let pki = Pki::open(&paths.pki(), &trust_domain(&state.id))?;
        pki.operator()?;
        // One port more than nodes: the host's own.
        let switch =
            Switch::start(topology.nodes.len() + 1, state.seed).context("cannot start the switch")?;
        let maker = Maker { paths, topology: &topology, cgroup: state.cgroup.as_deref(), bin, tasks: &tasks };
        let bodies = match &machines {
            Some(made) => maker.machines(made, &switch)?,
            None => maker.namespaces()?,
        };
        let specs = topology.nodes.iter().cloned().enumerate();
        let nodes = specs
            .zip(bodies)
            .map(|((index, spec), body)| NodeEntry { spec, index, body, boots: AtomicBool::new(false) })
            .collect();
        let shared = Shared {
            state,
            phase: Phase::Booting,
            boot_seconds: None,
            faults: Vec::new(),
            forwards: BTreeMap::new(),
        };
        let (paths, began) = (paths.clone(), Instant::now());
        let shared = Mutex::new(shared);
        Ok(Self { paths, topology, machines, tasks, switch, pki, nodes, shared, began })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time_scale(&self) -> f64 {
        self.machines.as_ref().map_or(1.0, |machines| machines.verdict.time_scale)
    }

    fn entry(&self, node: &str) -> Result<&NodeEntry> {
        let known = || self.nodes.iter().map(|n| n.spec.name.as_str()).collect::<Vec<_>>().join(", ");
        self.nodes
            .iter()
            .find(|n| n.spec.name == node)
            .with_context(|| format!("there is no node {node}; there are {}", known()))
    }

    /// The body of a node.
    pub(super) fn body(&self, node: &str) -> Result<Arc<dyn Body>> {
        Ok(Arc::clone(&self.entry(node)?.body))
    }

    /// Switches every node on: namespaces all at once, machines as many at a time as the host has
    /// processors, in the topology's order, because more of them only slow each other down. Returns when
    /// all services were started.
    pub(super) async fn boot(&self) {
        let tokens = match &self.machines {
            Some(_) => std::thread::available_parallelism().map_or(1, usize::from),
            None => self.nodes.len(),
        };
        let tokens = tokio::sync::Semaphore::new(tokens);
        let boots = self.nodes.iter().map(|node| async {
            let token = tokens.acquire().await.context("nobody boots any more")?;
            self.switch_on(node).await.with_context(|| format!("{} does not boot", node.spec.name))?;
            drop(token);
            self.start_all(node).await
        });
        let phase = match futures::future::try_join_all(boots).await {
            Ok(_) => Phase::Up,
            Err(e) => Phase::Failed { why: format!("{e:#}") },
        };
        tracing::info!("boot ended: {phase:?}");
        let mut shared = self.lock();
        shared.phase = phase;
        shared.boot_seconds = Some(self.began.elapsed().as_secs_f64());
    }

    /// Starts what a node's topology gives it.
    async fn start_all(&self, node: &NodeEntry) -> Result<()> {
        let name = &node.spec.name;
        for role in &node.spec.roles {
            self.provision(name, role, None)
                .await
                .with_context(|| format!("{name} cannot be given {role}"))?;
            self.start_service(node, role).await?;
        }
        for service in &node.spec.services {
            call(&*node.body, &Request::Define { unit: foreign(service) }).await?;
            Arc::clone(&node.body).follow(&service.name);
            self.start_service(node, &service.name).await?;
        }
        Ok(())
    }

    async fn start_service(&self, node: &NodeEntry, service: &str) -> Result<()> {
        let start = Request::Start { service: service.to_owned(), how: Launch::default() };
        call(&*node.body, &start)
            .await
            .with_context(|| format!("{service} on {} cannot start", node.spec.name))?;
        Ok(())
    }

    async fn switch_on(&self, node: &NodeEntry) -> Result<()> {
        node.boots.store(true, Ordering::Relaxed);
        let cable = node.body.power_on().await;
        node.boots.store(false, Ordering::Relaxed);
        let cable = cable?;
        self.switch.plug(node.index, &node.spec.name, cable).context("the switch does not take its cable")?;
        let process = node.body.process().context("it ended at once")?;
        {
            let mut shared = self.lock();
            shared.state.nodes.insert(node.spec.name.clone(), process);
            shared.state.save(&self.paths)?;
        }
        self.give_place(node).await
    }

    /// Its place in the network, and with it the leave to start services.
    async fn give_place(&self, node: &NodeEntry) -> Result<()> {
        let (address, prefix) = (node.spec.address, self.topology.network.prefix);
        let mac = node.spec.mac_text();
        call(&*node.body, &Request::Network { address, prefix, mac }).await.map(drop)
    }

    /// Switches one node on again, with the services its topology gives it.
    pub(super) async fn power_on(&self, node: &str) -> Result<()> {
        self.record(format!("power on {node}"));
        let entry = self.entry(node)?;
        self.switch_on(entry).await.with_context(|| format!("{node} does not boot"))?;
        self.start_all(entry).await
    }

    /// Cuts the power of one node.
    pub(super) async fn power_cut(&self, node: &str) -> Result<()> {
        let entry = self.entry(node)?;
        self.record(format!("power cut {node}"));
        entry.body.power_cut().await?;
        self.switch.unplug(entry.index);
        Ok(())
    }

    /// Presses a machine's reset button, and waits for its services.
    pub(super) async fn reset(&self, node: &str) -> Result<()> {
        self.record(format!("reset {node}"));
        let entry = self.entry(node)?;
        entry.body.reset().await?;
        self.give_place(entry).await?;
        self.start_all(entry).await
    }

    /// Stops a node's processors, or lets them go on.
    pub(super) async fn freeze(&self, node: &str, frozen: bool) -> Result<()> {
        self.record(format!("{} {node}", if frozen { "freeze" } else { "thaw" }));
        self.entry(node)?.body.freeze(frozen).await
    }

    /// Makes the disk of a node's data slow, broken or sound.
    pub(super) async fn disk_fault(&self, node: &str, fault: DiskFault) -> Result<()> {
        self.record(format!("disk of {node}: {fault:?}"));
        self.entry(node)?.body.disk_fault(fault).await
    }

    /// Certificates, configuration and unit of a member of a replicated role, and its forwards.
    pub(super) async fn provision(&self, node: &str, role: &str, setup: Option<Setup>) -> Result<()> {
        anyhow::ensure!(roles::ALL.contains(&role), "no role is called {role}");
        let entry = self.entry(node)?;
        let setup = setup.unwrap_or_else(|| Setup::of_topology(&self.topology, role));
        let token = self.lock().state.id.clone();
        let config = roles::config(role, &entry.spec, &trust_domain(&token), &setup, self.time_scale());
        let credentials = self.pki.role(node, entry.spec.address, role)?;
        install(&*entry.body, role, &config, &credentials).await?;
        call(&*entry.body, &Request::Define { unit: roles::unit(role) }).await?;
        Arc::clone(&entry.body).follow(role);
        self.forward_role(entry, role).await
    }

    async fn forward_role(&self, node: &NodeEntry, role: &str) -> Result<()> {
        for port in roles::ports(role).iter().filter(|p| p.forwarded) {
            let key = format!("{}:{}", node.spec.name, port.port);
            let (served, wanted) = {
                let shared = self.lock();
                (shared.forwards.contains_key(&key), shared.state.forwards.get(&key).copied())
            };
            if served {
                continue;
            }
            let host_port = forward::start(&self.tasks, Arc::clone(&node.body), port.port, wanted)
                .await
                .with_context(|| format!("cannot forward to {key}"))?;
            let mut shared = self.lock();
            shared.forwards.insert(key.clone(), host_port);
            shared.state.forwards.insert(key, host_port);
            shared.state.save(&self.paths)?;
        }
        Ok(())
    }

    /// Sets what happens to frames between two groups of nodes.
    pub(super) fn set_links(&self, from: &[String], to: &[String], both: bool, link: Link) -> Result<()> {
        let ports = |names: &[String]| {
            names.iter().map(|n| self.entry(n).map(|e| e.index)).collect::<Result<Vec<_>>>()
        };
        let (senders, receivers) = (ports(from)?, ports(to)?);
        link.check().map_err(anyhow::Error::msg)?;
        for a in &senders {
            for b in receivers.iter().filter(|b| *b != a) {
                self.switch.set_link(*a, *b, link);
                if both {
                    self.switch.set_link(*b, *a, link);
                }
            }
        }
        let arrow = if both { "<->" } else { "->" };
        self.record(format!("link {} {arrow} {}: {link}", from.join("+"), to.join("+")));
        Ok(())
    }

    /// Removes all faults of the network.
    pub(super) fn heal(&self) {
        self.switch.heal();
        self.record("heal".to_owned());
    }

    /// Writes the last frames of every link into a directory.
    pub(super) fn write_captures(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for (link, capture) in self.switch.captures() {
            let path = dir.join(format!("{link}.pcap"));
            std::fs::write(&path, capture).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Writes down that something was done on purpose.
    pub(super) fn record(&self, what: String) {
        tracing::info!(fault = what);
        self.lock().faults.push(FaultRecord { at: jiff::Timestamp::now().to_string(), what });
    }

    /// What was done on purpose, from an index on.
    pub(super) fn faults(&self, since: usize) -> Vec<FaultRecord> {
        self.lock().faults.get(since..).unwrap_or_default().to_vec()
    }

    /// Stops everything in good order.
    pub(super) async fn shut_down(&self) {
        self.lock().phase = Phase::Stopping;
        let offs = self.nodes.iter().map(|node| async move {
            if let Err(e) = self.switch_off(node).await {
                tracing::warn!("{} was switched off the hard way: {e:#}", node.spec.name);
            }
            self.switch.unplug(node.index);
        });
        futures::future::join_all(offs).await;
        if let Err(e) = self.put_away() {
            tracing::error!("not everything could be put away: {e:#}");
        }
    }

    /// In good order if its agent can be asked for it. One that is deaf is not waited for.
    async fn switch_off(&self, node: &NodeEntry) -> Result<()> {
        if node.body.process().is_none() {
            return node.body.power_cut().await;
        }
        let patience = POWER_OFF_DEADLINE.mul_f64(roles::pace(self.time_scale()));
        let asked = tokio::time::timeout(patience, call(&*node.body, &Request::PowerOff)).await;
        if let Err(e) = asked.context("its agent does not answer").flatten() {
            node.body.power_cut().await?;
            return Err(e);
        }
        node.body.powered_off(patience).await
    }

    fn put_away(&self) -> Result<()> {
        let mut shared = self.lock();
        if let Some(path) = shared.state.cgroup.take() {
            cgroup::destroy(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        shared.state.supervisor = None;
        shared.state.nodes.clear();
        shared.state.save(&self.paths)
    }

    /// How everything is.
    pub(super) async fn status(&self) -> Result<ClusterStatus> {
        let asked = self.nodes.iter().map(|n| async { (n.spec.name.clone(), self.node_status(n).await) });
        let nodes = futures::future::join_all(asked).await.into_iter().collect();
        let switch = self.switch.report();
        let shared = self.lock();
        Ok(ClusterStatus {
            id: shared.state.id.clone(),
            topology: self.topology.name.clone(),
            phase: shared.phase.clone(),
            node_body: shared.state.node_body.clone(),
            seed: shared.state.seed,
            started: shared.state.started.clone(),
            boot_seconds: shared.boot_seconds,
            supervisor: Process::this()?,
            binary_sha256: shared.state.binary_sha256.clone(),
            machines: self.machines.clone(),
            nodes,
            switch,
        })
    }

    async fn node_status(&self, node: &NodeEntry) -> NodeStatus {
        let process = node.body.process();
        let asked = match &process {
            Some(_) => {
                let patience = STATUS_DEADLINE.mul_f64(self.time_scale());
                tokio::time::timeout(patience, call(&*node.body, &Request::Status)).await.ok()
            }
            None => None,
        };
        let status: Option<Status> = match asked {
            Some(Ok(Reply::Status(status))) => Some(status),
            _ => None,
        };
        let boot_id = status.as_ref().map(|s| s.boot_id.clone());
        let services = status.into_iter().flat_map(|s| s.services);
        NodeStatus {
            address: node.spec.address,
            kind: node.spec.kind,
            stage: node.stage(),
            process,
            boot_id,
            console: node.body.console(),
            terminal: node.body.terminal(),
            shell: node.body.shell().unwrap_or_default(),
            services: services.map(|(name, s)| (name.clone(), self.service_report(node, &name, s))).collect(),
        }
    }

    fn service_report(
        &self,
        node: &NodeEntry,
        name: &str,
        status: crate::node::protocol::ServiceStatus,
    ) -> ServiceReport {
        let shared = self.lock();
        let cgroup = shared.state.cgroup.as_ref().map(|c| c.join(&node.spec.name).join(name));
        let host_pid = cgroup.zip(status.pid).and_then(|(cgroup, pid)| cgroup::host_pid(&cgroup, pid));
        let ports = roles::ports(name).iter().map(|p| {
            let host_port = shared.forwards.get(&format!("{}:{}", node.spec.name, p.port)).copied();
            (p.name.to_owned(), PortStatus { port: p.port, host_port })
        });
        ServiceReport {
            host_pid,
            host_log: self.paths.node(&node.spec.name).join("log").join(format!("{name}.log")),
            ports: ports.collect(),
            status,
        }
    }
}

/// The SPIFFE trust domain of a cluster.
pub fn trust_domain(id: &str) -> String {
    format!("lab-{id}")
}

async fn install(body: &dyn Body, role: &str, config: &str, credentials: &Credentials) -> Result<()> {
    let etc = roles::etc(role);
    push(body, &format!("{etc}/config.toml"), 0o644, config.as_bytes()).await?;
    push(body, &format!("{etc}/{}", certs::CERT), 0o644, credentials.cert.as_bytes()).await?;
    push(body, &format!("{etc}/{}", certs::KEY), 0o600, credentials.key.as_bytes()).await?;
    push(body, &format!("{etc}/{}", certs::CA), 0o644, credentials.ca.as_bytes()).await
}

fn foreign(service: &ForeignService) -> Unit {
    Unit {
        name: service.name.clone(),
        argv: service.command.clone(),
        env: BTreeMap::new(),
        ready: service.ready,
        data_dir: Some(roles::data_dir(&service.name)),
        policy: Policy::default(),
    }
}
