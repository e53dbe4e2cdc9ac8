//! The command line's and the lanes' view of a running cluster.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::net::BoxStream;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::node::protocol::{Damage, FileEntry, Launch, Reply, Request};
use crate::node::unit::{Exit, Phase};
use crate::node::{DiskFault, finish, send_content};
use crate::paths::Paths;
use crate::process::Process;
use crate::roles::Setup;
use crate::state::ClusterState;
use crate::supervisor::protocol::{
    Answer, Ask, ClusterStatus, FaultRecord, NodeStatus, Phase as ClusterPhase, ServiceReport,
};
use crate::switch::faults::Link;
use crate::wire::{self, Kind};

/// From the supervisor's execution until it listens.
const SUPERVISOR_DEADLINE: Duration = Duration::from_secs(20);

/// A cluster whose supervisor runs.
#[derive(Clone, Debug)]
pub struct Cluster {
    paths: Paths,
}

/// Keeps a cluster alive: when this is dropped, or this process dies, the cluster stops.
#[derive(Debug)]
pub struct Ownership {
    connection: UnixStream,
}

impl Ownership {
    /// Lets the cluster live on by itself.
    pub async fn release(mut self) -> Result<()> {
        self.connection.write_all(&[1]).await.context("the supervisor went away")
    }
}

/// One of its nodes.
#[derive(Clone, Debug)]
pub struct Node {
    cluster: Cluster,
    /// Its name.
    pub name: String,
}

/// What a command on a node said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Cluster {
    /// Attaches to the running cluster; `None` when none runs, or only a dying one.
    pub async fn attach(paths: &Paths) -> Result<Option<Self>> {
        let greet = async {
            let mut stream = UnixStream::connect(paths.socket()).await?;
            wire::write_json(&mut stream, &Ask::Faults { since: usize::MAX }).await?;
            wire::read_json::<_, Answer>(&mut stream).await
        };
        match greet.await {
            Ok(_) => Ok(Some(Self { paths: paths.clone() })),
            Err(e) if is_nobody(e.kind()) => Ok(None),
            Err(e) => {
                Err(e).with_context(|| format!("cannot reach the supervisor at {}", paths.socket().display()))
            }
        }
    }

    /// Attaches, or says how to get a cluster.
    pub async fn running(paths: &Paths) -> Result<Self> {
        Self::attach(paths).await?.context("no cluster is running here: ./cluster start boots one")
    }

    /// Executes a supervisor, waits until it listens, and owns its cluster. `arguments` go to `lab supervise`.
    pub async fn launch(paths: &Paths, arguments: &[String]) -> Result<(Self, Ownership)> {
        std::fs::create_dir_all(&paths.state)
            .with_context(|| format!("cannot make {}", paths.state.display()))?;
        let log = std::fs::File::options().create(true).append(true).open(paths.supervisor_log())?;
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg("supervise")
            .args(arguments)
            .envs(paths.environment())
            // Until it has an owner, the cluster's life hangs on this pipe.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the supervisor")?;
        let deadline = Instant::now() + SUPERVISOR_DEADLINE;
        loop {
            if let Some(cluster) = Self::attach(paths).await? {
                let ownership = cluster.own().await?;
                return Ok((cluster, ownership));
            }
            if let Some(status) = child.try_wait()? {
                bail!("the supervisor ended ({status}): {}", last_words(paths));
            }
            if Instant::now() >= deadline {
                bail!("the supervisor did not listen within {SUPERVISOR_DEADLINE:?}: {}", last_words(paths));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where its things are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Node {
        Node { cluster: self.clone(), name: name.to_owned() }
    }

    /// Ties the cluster's life to this process.
    pub async fn own(&self) -> Result<Ownership> {
        let mut connection = self.connect().await?;
        wire::write_json(&mut connection, &Ask::Own).await?;
        wire::read_json::<_, Answer>(&mut connection).await?;
        Ok(Ownership { connection })
    }

    /// How it is.
    pub async fn status(&self) -> Result<ClusterStatus> {
        match self.ask(&Ask::Status).await? {
            Answer::Status(status) => Ok(*status),
            other => bail!("the supervisor answered {other:?}"),
        }
    }

    /// Stops it and waits until the supervisor is gone.
    pub async fn shut_down(&self) -> Result<()> {
        let supervisor = ClusterState::load(&self.paths).ok().flatten().and_then(|s| s.supervisor);
        self.ask(&Ask::Shutdown).await?;
        let deadline = Instant::now() + SUPERVISOR_DEADLINE;
        while supervisor.as_ref().is_some_and(Process::is_alive) {
            if Instant::now() >= deadline {
                bail!("the supervisor does not end: {}", last_words(&self.paths));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Cuts every connection between two groups of nodes, both ways.
    pub async fn partition(&self, a: &[&str], b: &[&str]) -> Result<()> {
        self.links(a, b, true, Link::CUT).await
    }

    /// Cuts what goes from one group to another, one way.
    pub async fn cut_one_way(&self, from: &[&str], to: &[&str]) -> Result<()> {
        self.links(from, to, false, Link::CUT).await
    }

    /// Sets what happens to frames between two groups.
    pub async fn links(&self, from: &[&str], to: &[&str], both: bool, link: Link) -> Result<()> {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        self.ask(&Ask::Links { from: owned(from), to: owned(to), both, link }).await.map(|_| ())
    }

    /// Removes all faults of the network.
    pub async fn heal(&self) -> Result<()> {
        self.ask(&Ask::Heal).await.map(|_| ())
    }

    /// Writes the last frames of every link as pcap files into a directory.
    pub async fn captures(&self, dir: &Path) -> Result<()> {
        // The supervisor may stand elsewhere.
        let dir = std::path::absolute(dir)?;
        self.ask(&Ask::Captures { dir }).await.map(|_| ())
    }

    /// What was done on purpose, from an index on.
    pub async fn faults(&self, since: usize) -> Result<Vec<FaultRecord>> {
        match self.ask(&Ask::Faults { since }).await? {
            Answer::Faults { faults } => Ok(faults),
            other => bail!("the supervisor answered {other:?}"),
        }
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer> {
        let mut stream = self.connect().await?;
        wire::write_json(&mut stream, ask).await?;
        match wire::read_json(&mut stream).await.context("the supervisor went away")? {
            Answer::Refused { why } => bail!("{why}"),
            answer => Ok(answer),
        }
    }

    async fn connect(&self) -> Result<UnixStream> {
        let socket = self.paths.socket();
        UnixStream::connect(&socket)
            .await
            .with_context(|| format!("no supervisor answers at {}", socket.display()))
    }
}

/// What connecting to a socket without an owner looks like, or to one whose owner dies meanwhile.
fn is_nobody(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    [NotFound, ConnectionRefused, ConnectionReset, BrokenPipe, UnexpectedEof].contains(&error)
}

fn last_words(paths: &Paths) -> String {
    let log = paths.supervisor_log();
    let said = crate::tail::last_lines(&log, 3).join("; ");
    format!("{said} (see {})", log.display())
}

impl Node {
    /// Runs a command to its end.
    pub async fn exec(&self, argv: &[&str]) -> Result<Output> {
        let argv = argv.iter().map(|a| (*a).to_owned()).collect();
        let mut stream = self.open(Request::Exec { argv, env: BTreeMap::new() }).await?;
        // A node that refuses may have hung up already; its answer is there all the same.
        let _ = wire::write(&mut stream, Kind::EndOfInput, &[]).await;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match wire::read(&mut stream).await? {
                Some((Kind::Stdout, data)) => stdout.extend(data),
                Some((Kind::Stderr, data)) => stderr.extend(data),
                Some((Kind::Json, data)) => return output(&data, &stdout, &stderr),
                Some((kind, _)) => bail!("{} sent {kind:?} from a command", self.name),
                None => bail!("{} went away during a command", self.name),
            }
        }
    }

    /// Opens a conversation with the node's agent.
    pub async fn open(&self, request: Request) -> Result<BoxStream> {
        let mut stream = self.cluster.connect().await?;
        wire::write_json(&mut stream, &Ask::Node { node: self.name.clone(), request }).await?;
        Ok(Box::new(stream))
    }

    async fn call(&self, request: Request) -> Result<Option<String>> {
        match finish(&mut self.open(request).await?).await? {
            Reply::Done { note } => Ok(note),
            other => bail!("{} answered {other:?}", self.name),
        }
    }

    /// Writes a file.
    pub async fn push(&self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let mut stream: BoxStream = Box::new(self.cluster.connect().await?);
        let request = Request::Push { path: path.to_owned(), mode };
        wire::write_json(&mut stream, &Ask::Node { node: self.name.clone(), request }).await?;
        // As above.
        let _ = send_content(&mut stream, content).await;
        finish(&mut stream).await.map(|_| ())
    }

    /// The files below a directory.
    pub async fn files(&self, dir: &str) -> Result<Vec<FileEntry>> {
        match finish(&mut self.open(Request::Files { dir: dir.to_owned() }).await?).await? {
            Reply::Files { files } => Ok(files),
            other => bail!("{} answered {other:?}", self.name),
        }
    }

    /// Starts a service.
    pub async fn start(&self, service: &str) -> Result<()> {
        self.start_as(service, Launch::default()).await
    }

    /// Starts a service in a special way.
    pub async fn start_as(&self, service: &str, how: Launch) -> Result<()> {
        self.call(Request::Start { service: service.to_owned(), how }).await.map(|_| ())
    }

    /// Stops a service politely; returns when it is down.
    pub async fn stop(&self, service: &str) -> Result<()> {
        self.call(Request::Stop { service: service.to_owned() }).await.map(|_| ())
    }

    /// Kills a service with SIGKILL; its manager starts it again.
    pub async fn kill(&self, service: &str) -> Result<()> {
        self.signal(service, libc::SIGKILL, false).await
    }

    /// Kills a service with SIGKILL and keeps it down.
    pub async fn kill_and_hold(&self, service: &str) -> Result<()> {
        self.signal(service, libc::SIGKILL, true).await
    }

    /// Stops the world of a service (SIGSTOP).
    pub async fn pause(&self, service: &str) -> Result<()> {
        self.signal(service, libc::SIGSTOP, false).await
    }

    /// Lets it go on (SIGCONT).
    pub async fn resume(&self, service: &str) -> Result<()> {
        self.signal(service, libc::SIGCONT, false).await
    }

    async fn signal(&self, service: &str, signal: i32, hold: bool) -> Result<()> {
        self.call(Request::Signal { service: service.to_owned(), signal, hold }).await.map(|_| ())
    }

    /// Puts the data of a service that is down on a small disk; says of what kind.
    pub async fn small_disk(&self, service: &str, mib: u32) -> Result<String> {
        Ok(self.call(Request::SmallDisk { service: service.to_owned(), mib }).await?.unwrap_or_default())
    }

    /// Fills that disk up to a rest, or frees it.
    pub async fn ballast(&self, service: &str, leave: Option<u64>) -> Result<String> {
        Ok(self.call(Request::Ballast { service: service.to_owned(), leave }).await?.unwrap_or_default())
    }

    /// Damages a file; says what was done.
    pub async fn damage(&self, path: &str, how: Damage) -> Result<String> {
        Ok(self.call(Request::Damage { path: path.to_owned(), how }).await?.unwrap_or_default())
    }

    /// Cuts its power.
    pub async fn power_cut(&self) -> Result<()> {
        self.cluster.ask(&Ask::Power { node: self.name.clone(), on: false }).await.map(|_| ())
    }

    /// Switches it on, with the services its topology gives it.
    pub async fn power_on(&self) -> Result<()> {
        self.cluster.ask(&Ask::Power { node: self.name.clone(), on: true }).await.map(|_| ())
    }

    /// Presses its reset button and waits until its services were started again. Machines only.
    pub async fn reset(&self) -> Result<()> {
        self.cluster.ask(&Ask::Reset { node: self.name.clone() }).await.map(|_| ())
    }

    /// Stops its processors, or lets them go on. Machines only.
    pub async fn freeze(&self, frozen: bool) -> Result<()> {
        self.cluster.ask(&Ask::Freeze { node: self.name.clone(), frozen }).await.map(|_| ())
    }

    /// Makes the disk of its data slow, broken or sound. Machines only.
    pub async fn disk(&self, fault: DiskFault) -> Result<()> {
        self.cluster.ask(&Ask::Disk { node: self.name.clone(), fault }).await.map(|_| ())
    }

    /// Gives it a member of a replicated role, not started.
    pub async fn provision(&self, role: &str, setup: Option<Setup>) -> Result<()> {
        let ask = Ask::Provision { node: self.name.clone(), role: role.to_owned(), setup };
        self.cluster.ask(&ask).await.map(|_| ())
    }

    /// How it is.
    pub async fn status(&self) -> Result<NodeStatus> {
        let mut nodes = self.cluster.status().await?.nodes;
        let known = nodes.keys().cloned().collect::<Vec<_>>().join(", ");
        nodes.remove(&self.name).with_context(|| format!("there is no node {}; there are {known}", self.name))
    }

    /// How one of its services is.
    pub async fn service(&self, service: &str) -> Result<ServiceReport> {
        self.status()
            .await?
            .services
            .remove(service)
            .with_context(|| format!("{} has no service {service}", self.name))
    }
}

fn output(reply: &[u8], stdout: &[u8], stderr: &[u8]) -> Result<Output> {
    match serde_json::from_slice(reply)? {
        Reply::Exited(exit) => Ok(Output {
            exit,
            stdout: String::from_utf8_lossy(stdout).into_owned(),
            stderr: String::from_utf8_lossy(stderr).into_owned(),
        }),
        Reply::Refused { why } => bail!("{why}"),
        other => bail!("a command was answered with {other:?}"),
    }
}

/// Whether all of a cluster is up; else the first thing that is not, with the log to look at.
pub fn readiness(status: &ClusterStatus) -> Result<(), NotUp> {
    match &status.phase {
        ClusterPhase::Failed { why } => return Err(NotUp { what: why.clone(), hopeless: true }),
        ClusterPhase::Booting | ClusterPhase::Stopping => {
            let off =
                status.nodes.iter().find(|(_, n)| n.process.is_none()).map_or("services", |(name, _)| name);
            return Err(NotUp { what: format!("booting: {off}"), hopeless: false });
        }
        ClusterPhase::Up => {}
    }
    for (node, status) in &status.nodes {
        for (name, service) in &status.services {
            let phase = service.status.phase;
            if phase != Phase::Active {
                let exit = service.status.last_exit.map(|e| format!(" after {e}")).unwrap_or_default();
                let said = crate::tail::last_line(&service.host_log).unwrap_or_default();
                let log = service.host_log.display();
                let what = format!("{name} on {node} is {phase:?}{exit}: {said} (see {log})");
                return Err(NotUp { what, hopeless: phase == Phase::Failed });
            }
        }
    }
    Ok(())
}

/// What is not up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUp {
    /// The first thing that is not.
    pub what: String,
    /// Whether waiting will not help.
    pub hopeless: bool,
}

/// The host's ports that lead to a port of a role, by node, in order of the nodes' names.
pub fn host_ports(status: &ClusterStatus, role: &str, port: &str) -> Vec<(String, u16)> {
    let nodes = status.nodes.iter();
    nodes
        .filter_map(|(name, node)| {
            let port = node.services.get(role)?.ports.get(port)?.host_port?;
            Some((name.clone(), port))
        })
        .collect()
}
