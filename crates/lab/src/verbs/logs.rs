//! `logs`: what a node and its services said.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use super::{Setting, ssh};
use crate::client::Cluster;
use crate::supervisor::protocol::{ClusterStatus, NodeStatus};

/// A machine's own log, of systemd.
const JOURNAL: &str = "journal";
/// What a node says while it boots.
const CONSOLE: &str = "console";

/// Shows the end of one log, or names all of a node's.
pub(super) async fn run(
    setting: &Setting,
    node: &str,
    which: Option<&str>,
    lines: u32,
    follow: bool,
) -> Result<ExitCode> {
    let cluster = Cluster::running(&setting.paths).await?;
    let status = cluster.status().await?;
    let found = cluster.node(node).status().await?;
    let lines = lines.to_string();
    match which {
        None => list(&status, node, &found),
        Some(JOURNAL) if status.machines.is_some() => {
            let mut argv = vec!["journalctl".to_owned(), "--no-pager".to_owned(), "-n".to_owned(), lines];
            argv.extend(follow.then(|| "-f".to_owned()));
            return ssh::run(setting, node, &argv).await;
        }
        Some(which) => {
            let file = file(node, &found, which)?;
            let mut tail = Command::new("tail");
            tail.args(["-n", &lines]).args(follow.then_some("-F")).arg("--").arg(&file);
            // Its output and its end are this process' own.
            return Err(tail.exec()).context("cannot run tail");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(status: &ClusterStatus, name: &str, node: &NodeStatus) {
    println!("{CONSOLE}  {}", node.console.display());
    if status.machines.is_some() {
        println!("{JOURNAL}  on the machine: ./cluster logs {name} {JOURNAL}");
    }
    for (service, report) in &node.services {
        println!("{service}  {}", report.host_log.display());
    }
}

fn file(name: &str, node: &NodeStatus, which: &str) -> Result<PathBuf> {
    if which == CONSOLE {
        return Ok(node.console.clone());
    }
    match node.services.get(which) {
        Some(report) => Ok(report.host_log.clone()),
        None => {
            let known: Vec<&str> =
                std::iter::once(CONSOLE).chain(node.services.keys().map(String::as_str)).collect();
            bail!("{name} has no log called {which}; there are {}", known.join(", "))
        }
    }
}
