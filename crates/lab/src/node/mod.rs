//! A node of a test cluster, whatever it is made of.
//!
//! A lane talks to nodes by [`protocol::Request`]s and knows nothing else about them. [`Body`] is the
//! rest: the power button, the cable, and a way to the agent that answers the requests. Two bodies
//! stand behind it: [`netns`], network namespaces, and [`vm`], QEMU machines.

pub mod identity;
pub mod netns;
pub mod protocol;
pub mod unit;
pub mod vm;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use kit::net::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use self::protocol::{Reply, Request};
use crate::process::Process;
pub use crate::switch::Cable;
use crate::wire::{self, Kind};

/// A frame carries at most this much of a file.
const PUSH_CHUNK: usize = 1 << 20;

/// What a node is made of.
#[async_trait]
pub trait Body: Send + Sync {
    /// Switches it on and waits until its agent answers.
    async fn power_on(&self) -> Result<Cable>;
    /// Cuts the power: nothing on the node gets to say goodbye. What is off stays off.
    async fn power_cut(&self) -> Result<()>;
    /// Waits until a node that was told [`Request::PowerOff`] is off.
    async fn powered_off(&self, patience: Duration) -> Result<()>;
    /// Whether it is on, and the host's process that it lives in.
    fn process(&self) -> Option<Process>;
    /// A conversation with its agent.
    async fn connect(&self) -> io::Result<BoxStream>;
    /// A connection to one of its ports that does not cross the lab's network.
    async fn dial(&self, port: u16) -> io::Result<TcpStream>;
    /// What it says while it boots.
    fn console(&self) -> PathBuf;
    /// The unix socket of its serial console, where it has one.
    fn terminal(&self) -> Option<PathBuf> {
        None
    }
    /// A command on the host that gives a person a shell on it.
    fn shell(&self) -> Result<Vec<String>>;
    /// From now on a service's log is also on the host, in the node's directory, if it was not anyway.
    fn follow(self: Arc<Self>, _service: &str) {}
    /// Starts it anew without switching it off, and waits until its agent answers.
    async fn reset(&self) -> Result<()> {
        bail!("{NOT_A_MACHINE}, it has no reset button: cut its power")
    }
    /// Stops its processors, or lets them go on: nothing on the node notices but the time.
    async fn freeze(&self, _frozen: bool) -> Result<()> {
        bail!("{NOT_A_MACHINE}, it has no processors of its own to stop: pause its services")
    }
    /// Makes the disk of the services' data slow, broken or sound.
    async fn disk_fault(&self, _fault: DiskFault) -> Result<()> {
        bail!("{NOT_A_MACHINE}, it has no disk of its own: use a failing fsync or a small disk")
    }
}

const NOT_A_MACHINE: &str = "this node is no machine (--nodes vm)";

/// What is wrong with a machine's disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskFault {
    /// Every write fails (EIO).
    pub failing_writes: bool,
    /// Every read fails (EIO).
    pub failing_reads: bool,
    /// At most so many operations a second.
    pub iops: Option<u32>,
}

/// Asks a node's agent and waits for the answer; a refusal is an error.
pub async fn call(body: &dyn Body, request: &Request) -> Result<Reply> {
    let mut stream = body.connect().await.context("the node does not answer")?;
    wire::write_json(&mut stream, request).await?;
    finish(&mut stream).await
}

/// Writes a file on the node.
pub async fn push(body: &dyn Body, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut stream = body.connect().await.context("the node does not answer")?;
    wire::write_json(&mut stream, &Request::Push { path: path.to_owned(), mode }).await?;
    send_content(&mut stream, content).await?;
    finish(&mut stream).await.map(|_| ())
}

/// The frames that carry a file's content.
pub async fn send_content(stream: &mut BoxStream, content: &[u8]) -> io::Result<()> {
    for chunk in content.chunks(PUSH_CHUNK) {
        wire::write(stream, Kind::Input, chunk).await?;
    }
    wire::write(stream, Kind::EndOfInput, &[]).await
}

/// Reads the answer; a refusal is an error.
pub async fn finish(stream: &mut BoxStream) -> Result<Reply> {
    match wire::read_json(stream).await.context("the node went away before it answered")? {
        Reply::Refused { why } => bail!("{why}"),
        reply => Ok(reply),
    }
}
