//! The lab's agent on a machine: `lab agent`, a unit that starts before everything else.
//!
//! It answers the same requests as a netns node's first process, on the machine's serial channel, so
//! it can be asked while the network is cut. Services are systemd's ([`systemd`]). Who the machine is
//! comes as a credential from its firmware ([`identity`]); nothing of it is in the image.

mod awake;
mod data;
mod identity;
mod port;
mod systemd;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::entropy::Entropy;
use kit::task::Tasks;

use self::systemd::Systemd;
use crate::agent::reaper::Reaper;
use crate::agent::server::{self, Node};
use crate::agent::{LOGS, Marker};
use crate::mux;

/// Before the channel is looked at again, when the host has let go of it.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until the machine ends.
pub fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let identity = identity::from_credentials()?;
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    let mark = Marker::new(&identity.name, boot_id);
    mark.print("agent");
    let tasks = Tasks::default();
    let reaper = Arc::new(Reaper::default());
    let reap = Arc::clone(&reaper);
    tasks.spawn_critical("reaper", async move { reap.run().await });
    fs::create_dir_all(LOGS)?;
    identity::apply(&identity, &reaper).await.context("cannot become who the host says")?;
    let services = Systemd::connect(mark.clone(), Arc::clone(&reaper), &tasks).await?;
    let node = Arc::new(Node::new(mark.clone(), reaper, Box::new(services)));
    let inner = tasks.clone();
    tasks.spawn_critical("the channel to the host", async move { serve(node, inner, mark).await });
    // systemd starts this process again, and it finds the services as they are.
    let (cause, _) = tasks.wait(Duration::ZERO).await;
    bail!("{cause}");
}

async fn serve(node: Arc<Node>, tasks: Tasks, mark: Marker) -> Result<()> {
    mark.print("ready");
    let entropy = Entropy::system();
    loop {
        let channel = port::open().await?;
        let lost = mux::guest(channel, &entropy, |stream| {
            let node = Arc::clone(&node);
            tasks.spawn(async move { server::converse(&node, stream).await });
        })
        .await;
        if let Err(e) = lost {
            eprintln!("the channel to the host was lost: {e}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
