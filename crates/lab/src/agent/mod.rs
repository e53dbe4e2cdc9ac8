//! What answers [`Request`](crate::node::protocol::Request)s on a node, whatever the node is made of.
//!
//! [`server`] holds the conversations. What differs between bodies stands behind [`Services`]: on a
//! netns node the lab's own keeper ([`crate::init`]), on a machine systemd ([`crate::machine`]).

pub mod exec;
pub mod files;
mod follow;
pub mod network;
pub mod reaper;
pub mod server;
mod small_disk;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use async_trait::async_trait;
use nix::sys::signal::Signal;

use crate::node::protocol::{Awakening, Launch, ServiceStatus};
use crate::node::unit::Unit;

/// Where root is at home on a node.
pub const HOME: &str = "/root";

/// What a node's process finds in its environment. The host's does not leak in.
pub const PLAIN_ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/opt/ultracloud/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", HOME),
    ("LANG", "C.UTF-8"),
    ("TERM", "dumb"),
];

/// Where services write what they have to say.
pub const LOGS: &str = "/var/log/ultracloud";

/// The log of a service.
pub fn log_of(service: &str) -> String {
    format!("{LOGS}/{service}.log")
}

/// A node's service manager.
#[async_trait]
pub trait Services: Send + Sync {
    /// Learns of a service, or replaces the definition of one that is down.
    async fn define(&self, unit: Unit) -> Result<()>;
    /// The definition of a service.
    fn unit(&self, name: &str) -> Result<Unit>;
    /// Every service that was defined.
    fn status(&self) -> BTreeMap<String, ServiceStatus>;
    /// Starts one that is down; returns when it was executed, or could not be.
    async fn start(&self, name: &str, how: Launch) -> Result<()>;
    /// Stops one politely; returns when it is down.
    async fn stop(&self, name: &str) -> Result<()>;
    /// Signals the main process, or kills all of them; `hold` keeps it down.
    async fn signal(&self, name: &str, signal: Signal, hold: bool) -> Result<()>;
    /// A file was written that may be a service's own.
    async fn hand_over(&self, path: &str) -> Result<()>;
    /// The node has its place in the network: from now on services may be started.
    async fn plugged_in(&self) -> Result<()> {
        Ok(())
    }
    /// The node was asleep, in a file on the host, for it does not know how long.
    async fn awake(&self, _awakening: &Awakening) -> Result<()> {
        bail!("only a machine sleeps")
    }
    /// Begins the node's orderly end.
    async fn power_off(&self) -> Result<()>;
    /// The last thing done on the node, after the end was answered.
    fn off(&self);
}

/// Writes `ULTRACLOUD_MARKER` lines to the console log.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The node's name.
    pub node: String,
    /// Fresh for every boot.
    pub boot_id: String,
}

impl Marker {
    /// The marker of the boot that runs.
    pub fn new(node: &str, boot_id: String) -> Self {
        Self { node: node.to_owned(), boot_id }
    }

    /// `ULTRACLOUD_MARKER <phase> node=<name> boot=<boot-id> t=<RFC 3339>`
    pub fn line(&self, phase: &str) -> String {
        let now = jiff::Timestamp::now();
        format!("ULTRACLOUD_MARKER {phase} node={} boot={} t={now}", self.node, self.boot_id)
    }

    /// Writes a line to standard output, which is the console's log.
    pub fn print(&self, phase: &str) {
        println!("{}", self.line(phase));
    }
}
