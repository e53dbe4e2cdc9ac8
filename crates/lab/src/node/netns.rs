//! A node made of Linux namespaces: pid, mount, network, UTS and IPC, under `lab node-init`.
//!
//! Its life hangs on the supervisor twice: by the parent-death signal through util-linux' setpriv and
//! unshare, and by the pipe that is its init's standard input. A power cut is a SIGKILL of its init,
//! with which the kernel ends the whole pid namespace. What a netns node cannot lose is what the
//! kernel has already taken (page cache): that takes a VM.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use kit::net::BoxStream;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::Instant;

use super::{Body, Cable};
use crate::agent::network::INTERFACE;
use crate::init::BootSpec;
use crate::netns;
use crate::process::Process;
use crate::switch::tap;

/// From execution to the first answer. Empty nodes need some ten milliseconds.
const BOOT_DEADLINE: Duration = Duration::from_secs(20);

/// Until the kernel has ended a killed namespace.
const CUT_DEADLINE: Duration = Duration::from_secs(10);

/// One netns node.
#[derive(Debug)]
pub struct NetnsBody {
    spec: BootSpec,
    address: Ipv4Addr,
    /// `lab` itself, as seen on the host.
    program: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    outer: Child,
    _lifeline: ChildStdin,
    init: Process,
    network: OwnedFd,
}

impl NetnsBody {
    /// A node that is off.
    pub fn new(spec: BootSpec, address: Ipv4Addr, program: PathBuf) -> Self {
        Self { spec, address, program, running: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self) -> Result<(Child, ChildStdin)> {
        std::fs::create_dir_all(self.spec.dir.join("log"))?;
        let boot = self.spec.dir.join("boot.json");
        std::fs::write(&boot, serde_json::to_vec_pretty(&self.spec)?)?;
        let console = std::fs::File::options().create(true).append(true).open(self.console())?;
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--fork", "--kill-child=KILL"])
            .args(["--pid", "--mount", "--uts", "--net", "--ipc", "--"])
            .arg(&self.program)
            .arg("node-init")
            .arg(&boot)
            .stdin(Stdio::piped())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("cannot run setpriv and unshare (package util-linux)")?;
        let lifeline = child.stdin.take().context("the node's init has no input")?;
        Ok((child, lifeline))
    }

    /// Waits for the init's socket, and learns its pid from it.
    async fn first_contact(&self, outer: &mut Child) -> Result<Process> {
        let deadline = Instant::now() + BOOT_DEADLINE;
        loop {
            match UnixStream::connect(&self.spec.socket).await {
                Ok(stream) => {
                    // Credentials of whoever called listen(2), translated to our pid namespace.
                    let pid = stream.peer_cred()?.pid().context("the kernel does not tell the init's pid")?;
                    return Ok(Process::of(pid)?);
                }
                Err(e) => {
                    if let Some(status) = outer.try_wait()? {
                        bail!("{} ended while it booted ({status}): {}", self.spec.name, self.last_words());
                    }
                    if Instant::now() >= deadline {
                        bail!(
                            "{} did not answer within {BOOT_DEADLINE:?} ({e}): {}",
                            self.spec.name,
                            self.last_words()
                        );
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn last_words(&self) -> String {
        let log = self.console();
        let line = crate::tail::last_line(&log).unwrap_or_else(|| "it said nothing".to_owned());
        format!("{line} (see {})", log.display())
    }

    fn network(&self) -> io::Result<OwnedFd> {
        match &*self.lock() {
            Some(running) => running.network.as_fd().try_clone_to_owned(),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, format!("{} is off", self.spec.name))),
        }
    }
}

#[async_trait]
impl Body for NetnsBody {
    async fn power_on(&self) -> Result<Cable> {
        if self.process().is_some() {
            bail!("{} is on already", self.spec.name);
        }
        let _ = std::fs::remove_file(&self.spec.socket);
        let (mut outer, lifeline) = self.launch()?;
        let init = self.first_contact(&mut outer).await?;
        let network = netns::of_process(init.pid)?;
        let cable = tap::open(network.as_fd(), INTERFACE)
            .with_context(|| format!("cannot plug {} into the switch", self.spec.name))?;
        *self.lock() = Some(Running { outer, _lifeline: lifeline, init, network });
        Ok(Cable::Tap(cable))
    }

    async fn power_cut(&self) -> Result<()> {
        let Some(mut running) = self.lock().take() else { return Ok(()) };
        running.init.kill();
        let ended = tokio::time::timeout(CUT_DEADLINE, running.outer.wait()).await;
        ended.with_context(|| format!("{} does not die", self.spec.name))??;
        Ok(())
    }

    async fn powered_off(&self, patience: Duration) -> Result<()> {
        let Some(mut running) = self.lock().take() else { return Ok(()) };
        if tokio::time::timeout(patience, running.outer.wait()).await.is_err() {
            running.init.kill();
            running.outer.wait().await?;
        }
        Ok(())
    }

    fn process(&self) -> Option<Process> {
        let running = self.lock();
        running.as_ref().map(|r| r.init.clone()).filter(Process::is_alive)
    }

    async fn connect(&self) -> io::Result<BoxStream> {
        Ok(Box::new(UnixStream::connect(&self.spec.socket).await?))
    }

    async fn dial(&self, port: u16) -> io::Result<TcpStream> {
        let socket = netns::inside(self.network()?, TcpSocket::new_v4)?;
        let stream = socket.connect((self.address, port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn console(&self) -> PathBuf {
        self.spec.dir.join("console.log")
    }

    fn shell(&self) -> Result<Vec<String>> {
        let init = self.process().with_context(|| format!("{} is off", self.spec.name))?;
        let target = init.pid.to_string();
        let nsenter = [
            "nsenter", "--target", &target, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/",
        ];
        let shell = ["--", "env", "-i", "HOME=/root", "TERM=xterm", "/bin/bash", "--login"];
        Ok(nsenter.into_iter().chain(shell).map(str::to_owned).collect())
    }
}
