//! Obeys the supervisor. One conversation a connection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use kit::task::Tasks;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;

use super::Marker;
use super::reaper::Reaper;
use super::service::{Order, PLAIN_ENVIRONMENT, Service};
use super::{files, network, small_disk};
use crate::node::protocol::{Launch, Reply, Request, ServiceStatus, Status};
use crate::node::unit::{Exit, Phase, Unit};
use crate::private_file::write_private;
use crate::wire::{self, Kind};

/// The node as its requests see it.
pub(super) struct Node {
    mark: Marker,
    reaper: Arc<Reaper>,
    tasks: Tasks,
    cgroup: Option<PathBuf>,
    services: Mutex<BTreeMap<String, Service>>,
}

impl Node {
    pub(super) fn new(mark: Marker, reaper: Arc<Reaper>, tasks: Tasks, cgroup: Option<PathBuf>) -> Self {
        Self { mark, reaper, tasks, cgroup, services: Mutex::default() }
    }

    fn service(&self, name: &str) -> Result<Service> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(name).cloned().with_context(|| format!("no service is called {name} here"))
    }

    fn services(&self) -> Vec<Service> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Serves one connection; errors go to the other end if it is still there.
pub(super) async fn converse(node: &Node, stream: UnixStream) {
    let (mut from, mut to) = stream.into_split();
    let request = match wire::read_json::<_, Request>(&mut from).await {
        Ok(request) => request,
        Err(e) => {
            refuse(&mut to, &anyhow::Error::from(e).context("the request is not understood")).await;
            return;
        }
    };
    match request {
        Request::Exec { argv, env } => match exec(node, &argv, &env, &mut from, &mut to).await {
            Ok(exit) => answer(&mut to, &Reply::Exited(exit)).await,
            Err(e) => refuse(&mut to, &e).await,
        },
        Request::PowerOff => power_off(node, &mut to).await,
        request => match obey(node, request, &mut from).await {
            Ok(reply) => answer(&mut to, &reply).await,
            Err(e) => refuse(&mut to, &e).await,
        },
    }
    wire::hang_up(&mut from, &mut to).await;
}

async fn answer(to: &mut OwnedWriteHalf, reply: &Reply) {
    // Whoever asked may have gone; what was asked is done all the same.
    let _ = wire::write_json(to, reply).await;
}

async fn refuse(to: &mut OwnedWriteHalf, error: &anyhow::Error) {
    answer(to, &Reply::Refused { why: format!("{error:#}") }).await;
}

async fn obey(node: &Node, request: Request, from: &mut OwnedReadHalf) -> Result<Reply> {
    let note = match request {
        Request::Status => return Ok(Reply::Status(status(node))),
        Request::Files { dir } => return Ok(Reply::Files { files: files::list(Path::new(&dir))? }),
        Request::Network { address, prefix, mac } => {
            network::configure(&node.reaper, address, prefix, &mac).await?;
            node.mark.print("network");
            None
        }
        Request::Push { path, mode } => {
            let content = wire::read_input(from, files::MAX_PUSH).await?;
            write_private(Path::new(&path), mode, &content)
                .with_context(|| format!("cannot write {path}"))?;
            None
        }
        Request::Define { unit } => define(node, unit).map(|()| None)?,
        Request::Start { service, how } => start(node, &service, how).await.map(|()| None)?,
        Request::Stop { service } => stop(node, &service).await.map(|()| None)?,
        Request::Signal { service, signal, hold } => {
            signal_service(node, &service, signal, hold).await.map(|()| None)?
        }
        Request::SmallDisk { service, mib } => {
            let dir = data_dir_of_stopped(node, &service)?;
            Some(small_disk::replace(&node.reaper, Path::new(&dir), mib).await?)
        }
        Request::Ballast { service, leave } => {
            let unit = node.service(&service)?.unit;
            let dir = unit.data_dir.with_context(|| format!("{service} has no data directory"))?;
            Some(small_disk::ballast(Path::new(&dir), leave)?)
        }
        Request::Damage { path, how } => {
            Some(files::damage(Path::new(&path), how).with_context(|| format!("cannot damage {path}"))?)
        }
        Request::Exec { .. } | Request::PowerOff => bail!("this is a conversation, not a call"),
    };
    Ok(Reply::Done { note })
}

fn status(node: &Node) -> Status {
    let services = node.services().into_iter().map(|s| {
        let status: ServiceStatus = s.status.borrow().clone();
        (s.unit.name, status)
    });
    Status { boot_id: node.mark.boot_id.clone(), services: services.collect() }
}

fn define(node: &Node, unit: Unit) -> Result<()> {
    let name = unit.name.clone();
    let mut services = node.services.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = services.get(&name) {
        let phase = old.status.borrow().phase;
        if !matches!(phase, Phase::Inactive | Phase::Failed) {
            bail!("{name} is {phase:?}: stop it before it is defined anew");
        }
        // Its keeper ends with the last handle; the socket's name is taken over.
        services.remove(&name);
    }
    let (service, keeper) =
        Service::new(unit, Arc::clone(&node.reaper), node.cgroup.as_deref(), node.mark.clone())
            .with_context(|| format!("cannot prepare {name}"))?;
    node.tasks.spawn(keeper);
    services.insert(name, service);
    Ok(())
}

async fn start(node: &Node, name: &str, how: Launch) -> Result<()> {
    let service = node.service(name)?;
    let phase = service.status.borrow().phase;
    if matches!(phase, Phase::Starting | Phase::Active | Phase::Stopping) {
        bail!("{name} is {phase:?} already");
    }
    let before = service.status.borrow().starts;
    service.order(Order::Start(how)).await;
    service.until(|s| s.starts > before || s.last_exit.is_some_and(|e| e.code == Some(203))).await;
    Ok(())
}

async fn stop(node: &Node, name: &str) -> Result<()> {
    let service = node.service(name)?;
    service.order(Order::Stop).await;
    service.until(|s| s.pid.is_none() && matches!(s.phase, Phase::Inactive | Phase::Failed)).await;
    Ok(())
}

async fn signal_service(node: &Node, name: &str, signal: i32, hold: bool) -> Result<()> {
    let wanted = Signal::try_from(signal).with_context(|| format!("there is no signal {signal}"))?;
    let service = node.service(name)?;
    let (pid, starts) = {
        let status = service.status.borrow();
        (status.pid, status.starts)
    };
    let Some(pid) = pid else {
        if hold {
            service.order(Order::Stop).await;
            return Ok(());
        }
        bail!("{name} does not run");
    };
    service.order(Order::Signal { signal, hold }).await;
    match wanted {
        Signal::SIGSTOP => service.until(|s| s.paused || s.pid != Some(pid)).await,
        Signal::SIGCONT => service.until(|s| !s.paused || s.pid != Some(pid)).await,
        Signal::SIGKILL => service.until(|s| s.pid != Some(pid) || s.starts > starts).await,
        _ => {}
    }
    Ok(())
}

fn data_dir_of_stopped(node: &Node, name: &str) -> Result<String> {
    let service = node.service(name)?;
    if service.status.borrow().pid.is_some() {
        bail!("{name} runs: stop it before its disk is replaced");
    }
    service.unit.data_dir.with_context(|| format!("{name} has no data directory"))
}

async fn power_off(node: &Node, to: &mut OwnedWriteHalf) {
    node.mark.print("power-off");
    let stops = node.services().into_iter().map(|s| async move {
        s.order(Order::Stop).await;
        s.until(|s| s.pid.is_none()).await;
    });
    futures::future::join_all(stops).await;
    answer(to, &Reply::Done { note: None }).await;
    let _ = to.shutdown().await;
    std::process::exit(0);
}

/// Runs a command with its streams on the connection. Its client's end is its own end.
async fn exec(
    node: &Node,
    argv: &[String],
    env: &BTreeMap<String, String>,
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
) -> Result<Exit> {
    let (program, args) = argv.split_first().context("no command was given")?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(PLAIN_ENVIRONMENT.iter().copied())
        .envs(env)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (mut child, exit) =
        node.reaper.spawn(&mut command).with_context(|| format!("cannot run {program}"))?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let stdin = ChildStdin::from_std(child.stdin.take().context("no input")?)?;
    let stdout = ChildStdout::from_std(child.stdout.take().context("no output")?)?;
    let stderr = ChildStderr::from_std(child.stderr.take().context("no error output")?)?;
    let (frames, mut outgoing) = mpsc::channel::<(Kind, Vec<u8>)>(16);
    let input = async {
        if feed(from, stdin).await.is_err() {
            // The client has gone: what it asked for is of no use to anybody.
            let _ = kill(pid, Signal::SIGKILL);
        }
    };
    let (out, err) = (pump(stdout, Kind::Stdout, frames.clone()), pump(stderr, Kind::Stderr, frames));
    let work = async {
        let relay = async {
            while let Some((kind, data)) = outgoing.recv().await {
                wire::write(to, kind, &data).await?;
            }
            anyhow::Ok(())
        };
        let (relayed, _, _) = tokio::join!(relay, out, err);
        relayed?;
        exit.await.context("the command was lost")
    };
    tokio::pin!(input, work);
    // The input may end long before the command, or never.
    tokio::select! {
        biased;
        exit = &mut work => exit,
        () = &mut input => work.await,
    }
}

async fn feed(from: &mut OwnedReadHalf, stdin: ChildStdin) -> Result<()> {
    let mut stdin = Some(stdin);
    loop {
        match wire::read(from).await? {
            // A command that closed its input does not mind what is left of it.
            Some((Kind::Input, data)) => {
                if let Some(open) = &mut stdin
                    && open.write_all(&data).await.is_err()
                {
                    stdin = None;
                }
            }
            Some((Kind::EndOfInput, _)) => stdin = None,
            Some((kind, _)) => bail!("expected input, got {kind:?}"),
            None => bail!("the client has gone"),
        }
    }
}

async fn pump(mut output: impl AsyncRead + Unpin, kind: Kind, frames: mpsc::Sender<(Kind, Vec<u8>)>) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(size @ 1..) = output.read(&mut buffer).await {
        if frames.send((kind, buffer[..size].to_vec())).await.is_err() {
            return;
        }
    }
}
