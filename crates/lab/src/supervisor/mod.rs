//! The one process that a running cluster is: it owns the switch, the forwards and the nodes.
//!
//! The command line attaches to it over a unix socket and may come and go. It holds the cluster's
//! lock; whatever kills it kills the nodes too (see [`crate::node::netns`]), and what it could not put
//! away then, [`leftovers`] does before the next start. It runs on one thread: node processes are
//! bound to the thread that started them by their parent-death signal.

mod bodies;
mod cgroup;
pub mod cluster;
mod forward;
pub mod leftovers;
pub mod protocol;
mod serve;

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::task::Tasks;
use sha2::{Digest, Sha256};
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::cluster::Cluster;
use crate::node::vm::Machines;
use crate::paths::Paths;
use crate::private_file::make_private_dir;
use crate::state::{ClusterState, Lock};
use crate::topology::Topology;

/// Open conversations when the cluster stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a supervisor is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is.
    pub paths: Paths,
    /// Which nodes.
    pub topology: Topology,
    /// Of all faults; drawn at random if not said.
    pub seed: Option<u64>,
    /// The server binary; a topology without roles needs none.
    pub binary: Option<PathBuf>,
    /// What nodes are made of if they are machines.
    pub machines: Option<Machines>,
}

/// Stops the cluster, and tells when it has stopped.
#[derive(Clone, Debug, Default)]
struct Stop {
    asked: CancellationToken,
    finished: CancellationToken,
    /// Somebody owns the cluster, or has let it live on.
    owned: CancellationToken,
}

impl Stop {
    fn ask(&self) {
        self.asked.cancel();
    }

    async fn finished(&self) {
        self.finished.cancelled().await;
    }
}

/// Runs a cluster until it is told to stop.
pub fn run(options: Options) -> Result<()> {
    // Away from the terminal: its Ctrl-C is the command line's business.
    let _ = nix::unistd::setsid();
    let _lock = Lock::take_soon(&options.paths.lock(), "supervisor")?;
    for found in leftovers::clean(&options.paths)? {
        tracing::warn!("left over from an earlier run and cleaned up: {found}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(supervise(options))
}

async fn supervise(options: Options) -> Result<()> {
    let Options { paths, topology, seed, binary, machines } = options;
    // Only root may talk to a cluster that runs as root.
    make_private_dir(&paths.runtime)?;
    std::fs::create_dir_all(&paths.state)?;
    let bin = paths.state.join("bin");
    let hash = match &binary {
        Some(binary) => Some(install_binary(binary, &bin)?),
        None => std::fs::create_dir_all(&bin).map(|()| None)?,
    };
    let mut state = ClusterState::new(
        &paths,
        &topology,
        seed.unwrap_or_else(|| kit::entropy::Entropy::system().next_u64()),
    );
    // The same ports as before, so that exports in somebody's shell stay true.
    state.forwards = ClusterState::load(&paths)?.map(|old| old.forwards).unwrap_or_default();
    state.binary_sha256 = hash;
    if machines.is_some() {
        state.node_body = "vm".to_owned();
    }
    let tasks = Tasks::default();
    let cluster = Arc::new(Cluster::prepare(&paths, topology, state, bin, machines, tasks.clone())?);
    let socket = UnixListener::bind(paths.socket())
        .with_context(|| format!("cannot listen on {}", paths.socket().display()))?;
    let stop = Stop::default();
    tasks.spawn(boot(Arc::clone(&cluster), stop.clone()));
    tasks.spawn(hang_on_the_launcher(stop.clone()));
    serve(&cluster, &socket, &stop, &tasks).await?;
    cluster.shut_down().await;
    std::fs::remove_dir_all(&paths.runtime)?;
    stop.finished.cancel();
    tasks.stop();
    tasks.wait(LAST_WORDS).await;
    Ok(())
}

/// A boot that is given up half-way leaves nodes without a lifeline: they end by themselves.
async fn boot(cluster: Arc<Cluster>, stop: Stop) {
    tokio::select! {
        biased;
        () = stop.asked.cancelled() => {}
        () = cluster.boot() => {}
    }
}

/// Stops a cluster whose launcher has gone before it could own it. A person who runs this by hand owns it.
async fn hang_on_the_launcher(stop: Stop) {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let Ok(Ok(pipe)) = stdin.map(pipe::Receiver::from_owned_fd) else { return };
    tokio::select! {
        biased;
        () = stop.owned.cancelled() => {}
        // Nothing is ever written: this is its end.
        _ = pipe.readable() => {
            tracing::info!("the launcher has gone");
            stop.ask();
        }
    }
}

async fn serve(cluster: &Arc<Cluster>, socket: &UnixListener, stop: &Stop, tasks: &Tasks) -> Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            biased;
            () = stop.asked.cancelled() => return Ok(()),
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
            client = socket.accept() => {
                let (stream, _) = client.context("the supervisor's socket failed")?;
                let conversation = serve::converse(Arc::clone(cluster), stream, stop.clone());
                tasks.spawn_draining(conversation);
            }
        }
    }
}

/// Gives the cluster a copy of the binary that a rebuild cannot change under it; answers its hash.
fn install_binary(binary: &Path, bin: &Path) -> Result<String> {
    if !binary.is_file() {
        bail!("{} is missing: run ./cluster build", binary.display());
    }
    std::fs::create_dir_all(bin)?;
    let copy = bin.join("ultracloud");
    let _ = std::fs::remove_file(&copy);
    // A link is enough: linkers write a new file instead of changing the old one.
    if std::fs::hard_link(binary, &copy).is_err() {
        std::fs::copy(binary, &copy).with_context(|| format!("cannot copy {}", binary.display()))?;
    }
    file_sha256(&copy)
}

fn file_sha256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
