//! `ssh`: a shell on a node, or one command with its streams and its exit status.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use kit::net::BoxStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::Setting;
use crate::client::Cluster;
use crate::node::protocol::{Reply, Request};
use crate::node::unit::Exit;
use crate::wire::{self, Kind};

/// Runs a command there, or a shell.
pub(super) async fn run(setting: &Setting, node: &str, command: &[String]) -> Result<ExitCode> {
    let cluster = Cluster::running(&setting.paths).await?;
    if command.is_empty() {
        return shell(&cluster, node).await;
    }
    let request = Request::Exec { argv: command.to_vec(), env: BTreeMap::new() };
    let (from, to) = tokio::io::split(cluster.node(node).open(request).await?);
    // Reading standard input cannot be taken back; it ends with this process.
    let input = feed(to);
    let output = drain(from);
    tokio::pin!(input, output);
    let exit = tokio::select! {
        biased;
        exit = &mut output => exit?,
        () = &mut input => output.await?,
    };
    // A blocked read of the terminal must not keep the process.
    std::process::exit(status(exit))
}

/// Replaces this process by the shell, so that the terminal is its own.
async fn shell(cluster: &Cluster, node: &str) -> Result<ExitCode> {
    let node = cluster.node(node).status().await?;
    let (program, arguments) = node.shell.split_first().context("the node is off")?;
    Err(Command::new(program).args(arguments).exec()).with_context(|| format!("cannot run {program}"))
}

async fn feed(mut to: WriteHalf<BoxStream>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; 32 << 10];
    loop {
        let sent = match stdin.read(&mut buffer).await {
            Ok(size @ 1..) => wire::write(&mut to, Kind::Input, &buffer[..size]).await,
            _ => {
                let _ = wire::write(&mut to, Kind::EndOfInput, &[]).await;
                // The connection stays open: its end would be ours.
                return std::future::pending().await;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn drain(mut from: ReadHalf<BoxStream>) -> Result<Exit> {
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    loop {
        match wire::read(&mut from).await? {
            Some((Kind::Stdout, data)) => {
                stdout.write_all(&data).await?;
                stdout.flush().await?;
            }
            Some((Kind::Stderr, data)) => {
                stderr.write_all(&data).await?;
                stderr.flush().await?;
            }
            Some((Kind::Json, data)) => match serde_json::from_slice(&data)? {
                Reply::Exited(exit) => return Ok(exit),
                Reply::Refused { why } => bail!("{why}"),
                other => bail!("a command was answered with {other:?}"),
            },
            _ => bail!("the node went away during the command"),
        }
    }
}

/// As a shell reports it: 128 and the signal's number.
fn status(exit: Exit) -> i32 {
    exit.code.or(exit.signal.map(|s| 128 + s)).unwrap_or(1)
}
