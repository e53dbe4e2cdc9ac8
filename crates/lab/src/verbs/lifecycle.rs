//! Booting, stopping and forgetting a cluster.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::{Nodes, Setting, board, server_binary};
use crate::accel;
use crate::boot_times::BootTimes;
use crate::capacity::{self, Amount};
use crate::client::{Cluster, readiness};
use crate::image::payload::Payload;
use crate::image::{self, Images, Recipe};
use crate::node::vm::Machines;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::state::{ClusterState, Lock};
use crate::supervisor::leftovers;
use crate::supervisor::protocol::ClusterStatus;

/// From the supervisor's first word until every service is up.
const UP_DEADLINE: Duration = Duration::from_secs(90);

/// Checks what `./cluster` has built, and makes the images of VMs where nodes are made of them.
pub(super) async fn build(setting: &Setting) -> Result<ExitCode> {
    let topology = setting.topology()?;
    let binary = server_binary()?;
    if !binary.is_file() {
        bail!("{} is missing: ./cluster build makes it", binary.display());
    }
    eprintln!("built: {} for {} nodes of topology {}", binary.display(), topology.nodes.len(), topology.name);
    if setting.common.nodes == Nodes::Vm {
        let made = machines(setting).await?;
        let Machines { images, payload_digest, verdict, .. } = &made;
        eprintln!(
            "images: {}; binaries: {payload_digest}; accelerator: {}, {}",
            images.digest, verdict.accel, verdict.why
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The images of this checkout's recipe, made now if they were not before.
fn images(paths: &Paths) -> Result<Images> {
    let recipe = Recipe::load(&paths.repository.join("images"))?;
    if !Images::of(&paths.images(), &recipe).exist() {
        Amount::of_host(&paths.images())?.carries(capacity::needed_by_images(), &paths.images())?;
    }
    image::build::build(&recipe, &paths.images(), &mut |line| eprintln!("{line}"))
        .context("cannot make the images of the nodes")
}

/// What machines are made of, made now where it was not before.
pub(super) async fn machines(setting: &Setting) -> Result<Machines> {
    let Setting { common, paths } = setting;
    let images = images(paths)?;
    let verdict = accel::decide(common.accel, &images, &paths.accel()).await?;
    let ultracloud = server_binary()?;
    let lab = std::env::current_exe().context("cannot tell where lab itself is")?;
    let programs = vec![("ultracloud".to_owned(), ultracloud), ("lab".to_owned(), lab)];
    let units = paths.repository.join("images/units");
    let payload = Payload {
        programs,
        guest: Some((images.kernel(), images.initrd())),
        units,
        time_scale: verdict.time_scale,
    };
    let (payload, payload_digest) =
        payload.make(&paths.images()).context("cannot make the disk with the binaries")?;
    let qemu = accel::qemu_version()?;
    Ok(Machines { images, payload, payload_digest, verdict, qemu, beds: None })
}

/// Boots the cluster, or says that it runs.
pub(super) async fn start(setting: &Setting) -> Result<ExitCode> {
    let _lock = verb_lock(&setting.paths, "start")?;
    let progress = Progress::new(setting.common.plain);
    if let Some(cluster) = Cluster::attach(&setting.paths).await? {
        wait_until_up(&cluster, &progress, None).await?;
        progress.end();
        eprintln!("the cluster runs already; ./cluster status shows it");
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = match interruptible(boot(setting, &progress)).await {
        Ok(cluster) => cluster,
        Err(e) => {
            progress.end();
            stop_whatever_runs(&setting.paths).await?;
            return Err(e);
        }
    };
    progress.end();
    let status = cluster.status().await?;
    let seconds = status.boot_seconds.unwrap_or_default();
    eprintln!(
        "{} nodes are up (booted in {seconds:.2} s); next: ./cluster status, env, ssh NODE, smoke, stop",
        status.nodes.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Runs until done, Ctrl-C, SIGTERM or a lost terminal. What was begun is dropped, and with it the ownership of a cluster that
/// was being booted: it stops.
pub(super) async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        biased;
        done = work => done,
        _ = int.recv() => bail!("interrupted"),
        _ = term.recv() => bail!("terminated"),
        _ = hangup.recv() => bail!("the terminal is gone"),
    }
}

/// Boots a cluster that will outlive this process once it is up.
pub(super) async fn boot(setting: &Setting, progress: &Progress) -> Result<Cluster> {
    let (cluster, ownership) = boot_owned(setting, progress, !setting.common.cold).await?;
    ownership.release().await?;
    Ok(cluster)
}

/// Boots a cluster that lives as long as the ownership. Only `warm` machines may be woken instead.
pub(super) async fn boot_owned(
    setting: &Setting,
    progress: &Progress,
    warm: bool,
) -> Result<(Cluster, crate::client::Ownership)> {
    progress.begin("boot");
    let mut arguments = supervisor_arguments(setting)?;
    if setting.common.nodes == Nodes::Vm {
        let mut made = machines(setting).await?;
        let paths = &setting.paths;
        made.beds = warm.then(|| paths.beds());
        let need = capacity::needed(&setting.topology()?, made.verdict.accel);
        Amount::of_host(&paths.state)?.carries(need, &paths.state)?;
        let file = setting.paths.machines();
        fs::create_dir_all(&setting.paths.state)?;
        fs::write(&file, serde_json::to_vec_pretty(&made)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        arguments.extend(["--machines".to_owned(), path_text(&file)?]);
    }
    let (cluster, ownership) = Cluster::launch(&setting.paths, &arguments).await?;
    let (kind, began) = (kind_of_boot(&cluster.status().await?, warm), Instant::now());
    let mut times = BootTimes::load(&setting.paths.work_root);
    let waited = wait_until_up(&cluster, progress, times.expected(&kind)).await;
    if waited.is_ok() {
        times.add(&kind, began.elapsed())?;
    }
    if let Err(e) = waited {
        // Said before the log of the stop covers it.
        let _ = cluster.shut_down().await;
        return Err(e.context("the cluster does not come up; what it left is in the state directory"));
    }
    Ok((cluster, ownership))
}

/// What the time that a boot takes depends on.
fn kind_of_boot(status: &ClusterStatus, warm: bool) -> String {
    let body = match &status.machines {
        Some(made) if warm => format!("vm {} warm", made.verdict.accel),
        Some(made) => format!("vm {}", made.verdict.accel),
        None => "netns".to_owned(),
    };
    format!("{body}, {} nodes", status.nodes.len())
}

fn supervisor_arguments(setting: &Setting) -> Result<Vec<String>> {
    let topology = setting.topology()?;
    let mut arguments = Vec::new();
    if topology.nodes.iter().any(|n| !n.roles.is_empty()) {
        arguments.extend(["--binary".to_owned(), path_text(&server_binary()?)?]);
    }
    if let Some(file) = &setting.common.topology {
        arguments.extend(["--topology".to_owned(), path_text(file)?]);
    }
    if let Some(seed) = setting.common.seed {
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
    }
    Ok(arguments)
}

fn path_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Waits until every node and service is up.
async fn wait_until_up(cluster: &Cluster, progress: &Progress, expected: Option<Duration>) -> Result<()> {
    let patience = UP_DEADLINE.mul_f64(cluster.status().await?.time_scale());
    let began = Instant::now();
    let deadline = began + patience;
    loop {
        let status = cluster.status().await?;
        let Err(not_up) = readiness(&status) else { return Ok(()) };
        board::show(progress, &status, began.elapsed(), expected);
        if not_up.hopeless {
            bail!("{}", not_up.what);
        }
        if Instant::now() >= deadline {
            bail!("not everything is up within {patience:?}: {}", not_up.what);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Stops the cluster; its data stays.
pub(super) async fn stop(setting: &Setting) -> Result<ExitCode> {
    match Cluster::attach(&setting.paths).await? {
        Some(cluster) => {
            cluster.shut_down().await?;
            eprintln!("stopped; ./cluster start boots it again with its data");
        }
        None => tidy(&setting.paths)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for the end of a cluster that was given up while it booted.
pub(super) async fn stop_whatever_runs(paths: &Paths) -> Result<()> {
    match Cluster::attach(paths).await? {
        Some(cluster) => cluster.shut_down().await,
        None => Ok(()),
    }
}

/// Cleans up after a supervisor that was killed.
fn tidy(paths: &Paths) -> Result<()> {
    let _lock = Lock::take_soon(&paths.lock(), "stop")?;
    let found = leftovers::clean(paths)?;
    for what in &found {
        eprintln!("cleaned up: {what}");
    }
    if found.is_empty() {
        eprintln!("no cluster is running here");
    }
    Ok(())
}

/// Stops the cluster and forgets everything about it.
pub(super) async fn clean(setting: &Setting) -> Result<ExitCode> {
    let _lock = verb_lock(&setting.paths, "clean")?;
    wipe(&setting.paths).await?;
    eprintln!("clean");
    Ok(ExitCode::SUCCESS)
}

/// Stops what runs and removes the state: exactly what the lab put there.
pub(super) async fn wipe(paths: &Paths) -> Result<()> {
    if let Some(cluster) = Cluster::attach(paths).await? {
        eprintln!("stopping the cluster that runs");
        cluster.shut_down().await?;
    }
    let _lock = Lock::take_soon(&paths.lock(), "clean")?;
    leftovers::clean(paths)?;
    let names = ClusterState::load(paths).ok().flatten().map(|s| s.node_names).unwrap_or_default();
    for name in names.iter().map(String::as_str).chain(["pki", "bin"]) {
        remove(&paths.state.join(name), |p| fs::remove_dir_all(p))?;
    }
    for name in ["supervisor.log", "cluster.new", "cluster.json", "machines.json"] {
        remove(&paths.state.join(name), |p| fs::remove_file(p))?;
    }
    // Whatever else is in there is not ours, and stays.
    let _ = fs::remove_dir(&paths.state);
    Ok(())
}

fn remove(path: &Path, how: impl Fn(&Path) -> std::io::Result<()>) -> Result<()> {
    match how(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Two verbs that change a cluster never run at once.
pub(super) fn verb_lock(paths: &Paths, verb: &str) -> Result<Lock> {
    Lock::take(&paths.verb_lock(), verb).context("another ./cluster is at work on this cluster")
}
