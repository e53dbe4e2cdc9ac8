//! The first process of a netns node: what systemd is to a VM node.
//!
//! It is pid 1 of its own pid namespace, so its end ends every process of the node. It lives exactly
//! as long as its standard input: that is a pipe from the supervisor, which the kernel closes however
//! the supervisor ends. It gives the node a root file system of its own, runs services as unit files
//! would describe them, reaps orphans, and obeys [`Request`](crate::node::protocol::Request)s on a
//! unix socket. It refuses to be useful for anything but the lab: there is no isolation from a
//! hostile service here.

mod root;
mod service;
mod services;

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kit::task::Tasks;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use self::services::Kept;
use crate::agent::Marker;
use crate::agent::reaper::Reaper;
use crate::agent::server::{self, Node};

/// What the supervisor tells a node before it boots.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BootSpec {
    /// Host name.
    pub name: String,
    /// The node's directory on the host: `etc`, `var`, `log`, `root`.
    pub dir: PathBuf,
    /// Where to listen, on the host.
    pub socket: PathBuf,
    /// The node's cgroup (v2) on the host.
    pub cgroup: Option<PathBuf>,
    /// Directory of the binaries that services run.
    pub bin: PathBuf,
    /// Every node's name and address.
    pub hosts: Vec<(String, Ipv4Addr)>,
}

/// Runs until power off. The error is for the console log.
pub fn main(spec: &Path) -> Result<()> {
    let text = std::fs::read(spec).with_context(|| format!("cannot read {}", spec.display()))?;
    let spec: BootSpec = serde_json::from_slice(&text).context("the boot specification is damaged")?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned();
    let mark = Marker::new(&spec.name, boot_id);
    mark.print("boot");
    let services_cgroup = root::join_cgroup(&spec)?;
    let _ = std::fs::remove_file(&spec.socket);
    let listener = StdListener::bind(&spec.socket)
        .with_context(|| format!("cannot listen on {}", spec.socket.display()))?;
    listener.set_nonblocking(true)?;
    root::enter(&spec)?;
    mark.print("root");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(listener, mark, services_cgroup))
}

async fn serve(listener: StdListener, mark: Marker, cgroup: Option<PathBuf>) -> Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let tasks = Tasks::default();
    let reaper = Arc::new(Reaper::default());
    let reap = Arc::clone(&reaper);
    tasks.spawn_critical("reaper", async move { reap.run().await });
    let services = Kept::new(mark.clone(), Arc::clone(&reaper), tasks.clone(), cgroup);
    let node = Arc::new(Node::new(mark, reaper, Box::new(services)));
    let lifeline = supervisor_is_gone();
    tokio::pin!(lifeline);
    loop {
        tokio::select! {
            biased;
            result = &mut lifeline => {
                result?;
                // Nothing here is worth an orderly end: the kernel ends the rest with us.
                std::process::exit(0);
            }
            client = listener.accept() => {
                let (stream, _) = client.context("the node's socket failed")?;
                let node = Arc::clone(&node);
                tasks.spawn(async move { server::converse(&node, Box::new(stream)).await });
            }
        }
    }
}

/// Returns when the supervisor has closed (or lost) its end of our standard input.
async fn supervisor_is_gone() -> Result<()> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut pipe = tokio::net::unix::pipe::Receiver::from_owned_fd(stdin)
        .context("standard input is not the supervisor's pipe")?;
    let mut byte = [0];
    while pipe.read(&mut byte).await? > 0 {}
    Ok(())
}
