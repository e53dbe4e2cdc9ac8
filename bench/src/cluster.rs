//! A running cluster of three on loopback, with a fresh data directory for each member.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use etcd_client::Client;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::connect;
use crate::machine;
use crate::peer::{MEMBERS, Member, Peer};
use crate::pki::Pki;

/// How long a new cluster may take until every member knows a leader and the leader writes.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How often a cluster that starts is looked at; it bounds how exactly a start is timed.
const POLL: Duration = Duration::from_millis(20);

/// Three processes of one system. They are killed when this is dropped; [`Cluster::stop`] also waits.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    dir: PathBuf,
    /// Whether clients speak TLS.
    tls: bool,
    /// The cores of all members, as taskset(1) names them.
    cpus: Option<String>,
    members: Vec<Member>,
    processes: Vec<Child>,
}

impl Cluster {
    /// Starts three members under `root` and waits until they serve.
    pub async fn start(peer: &dyn Peer, pki: &Pki, root: &Path) -> anyhow::Result<Self> {
        Self::start_on(peer, pki, root, None).await
    }

    /// The same, with all members on some cores (as taskset(1) names them).
    pub async fn start_on(
        peer: &dyn Peer,
        pki: &Pki,
        root: &Path,
        cpus: Option<&str>,
    ) -> anyhow::Result<Self> {
        let dir = root.join("members");
        let members = lay_out(&dir)?;
        let cpus = cpus.map(str::to_owned);
        let mut cluster =
            Self { name: peer.name(), dir, tls: peer.tls(), cpus, members, processes: Vec::new() };
        cluster.start_again(peer, pki).await?;
        Ok(cluster)
    }

    /// Starts the members, which do not run, on what they hold, and waits until they serve.
    pub async fn start_again(&mut self, peer: &dyn Peer, pki: &Pki) -> anyhow::Result<()> {
        for member in &self.members {
            let log = File::options().create(true).append(true).open(member.home.join("log"))?;
            let command = peer.command(member, &self.members, pki)?;
            let child = pinned(command, self.cpus.as_deref())
                .stdin(std::process::Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("cannot start {}", peer.name()))?;
            self.processes.push(child);
        }
        self.wait_until_ready(pki).await
    }

    /// Kills all members and waits until their processes are gone; their data stays.
    pub async fn kill_all(&mut self) -> anyhow::Result<()> {
        for mut process in self.processes.drain(..) {
            process.kill().await?;
        }
        Ok(())
    }

    /// Hands out the process of one member, which no longer counts as one of the cluster.
    pub fn take(&mut self, index: usize) -> Child {
        self.members.remove(index);
        self.processes.remove(index)
    }

    async fn wait_until_ready(&mut self, pki: &Pki) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let Err(seen) = self.probe(pki).await else { return Ok(()) };
            for (member, process) in self.members.iter().zip(&mut self.processes) {
                if let Some(status) = process.try_wait()? {
                    bail!(
                        "{} {} ended ({status}): see {}",
                        self.name,
                        member.name,
                        member.home.join("log").display()
                    );
                }
            }
            if Instant::now() > deadline {
                bail!(
                    "{} is not ready after {START_DEADLINE:?}: {seen:#}; logs are in {}",
                    self.name,
                    self.dir.display()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn probe(&self, pki: &Pki) -> anyhow::Result<()> {
        let leader = self.leader(pki).await?;
        let mut client = self.client(leader, pki).await?;
        client.put("ready", "", None).await?;
        // Whoever gets the cluster finds it empty.
        client.delete("ready", None).await?;
        Ok(())
    }

    /// A new connection to one member, as the operator.
    pub async fn client(&self, index: usize, pki: &Pki) -> anyhow::Result<Client> {
        let (ca, cert, key) = (pki.ca(), pki.cert("operator"), pki.key("operator"));
        let files = connect::Files { ca: &ca, cert: &cert, key: &key };
        connect::connect(&[self.endpoint(index)], self.tls.then_some(files)).await
    }

    /// Which member leads, by what every member says of itself.
    pub async fn leader(&self, pki: &Pki) -> anyhow::Result<usize> {
        let mut leader = None;
        for index in 0..self.members.len() {
            match connect::leads(&mut self.client(index, pki).await?).await? {
                Some(true) => leader = Some(index),
                Some(false) => {}
                None => bail!("{} knows no leader", self.members[index].name),
            }
        }
        leader.context("every member names another one as the leader")
    }

    /// The id of one member, as the others know it.
    pub async fn member_id(&self, index: usize, pki: &Pki) -> anyhow::Result<u64> {
        let status = self.client(index, pki).await?.status().await?;
        Ok(status.header().context("a status without a header")?.member_id())
    }

    fn endpoint(&self, index: usize) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.members[index].client)
    }

    /// What etcdctl and other clients read from their environment.
    pub fn client_environment(&self, pki: &Pki) -> Vec<(&'static str, String)> {
        let endpoints: Vec<String> = (0..self.members.len()).map(|index| self.endpoint(index)).collect();
        let pids = self.processes.iter().filter_map(Child::id).map(|pid| pid.to_string());
        let mut all = vec![
            // For those who stop members.
            ("BENCH_MEMBER_PIDS", pids.collect::<Vec<_>>().join(" ")),
            ("ETCDCTL_ENDPOINTS", endpoints.join(",")),
        ];
        if self.tls {
            all.extend([
                ("ETCDCTL_CACERT", pki.ca().display().to_string()),
                ("ETCDCTL_CERT", pki.cert("operator").display().to_string()),
                ("ETCDCTL_KEY", pki.key("operator").display().to_string()),
            ]);
        }
        all
    }

    /// Resident memory of one member, bytes.
    pub fn resident_bytes(&self, index: usize) -> anyhow::Result<u64> {
        machine::resident_bytes(self.processes[index].id().context("the member has ended")?)
    }

    /// What the data of all members takes on disk, bytes.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        self.members.iter().map(|member| machine::disk_bytes(&member.data)).sum()
    }

    /// Kills the members, waits until their processes are gone, and removes their data.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.kill_all().await?;
        fs::remove_dir_all(&self.dir).with_context(|| format!("cannot remove {}", self.dir.display()))
    }
}

/// The same command on some cores only, from its first instruction on: runtimes count them at their start.
pub(crate) fn pinned(command: Command, cpus: Option<&str>) -> Command {
    let Some(cpus) = cpus else { return command };
    let inner = command.as_std();
    let mut outer = Command::new("taskset");
    outer.args(["--cpu-list", cpus]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn lay_out(dir: &Path) -> anyhow::Result<Vec<Member>> {
    let ports = free_ports(3 * MEMBERS.len())?;
    let mut members = Vec::new();
    for (name, ports) in MEMBERS.iter().zip(ports.chunks_exact(3)) {
        let home = dir.join(name);
        let data = home.join("data");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let [client, peer, admin] = [ports[0], ports[1], ports[2]];
        members.push(Member { name: (*name).to_owned(), client, peer, admin, data, home });
    }
    Ok(members)
}

/// Ports that are free now. All are held until the last is known, so that none comes twice.
pub(crate) fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()?)
}
