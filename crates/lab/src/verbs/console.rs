//! `console`: a machine's serial console on this terminal.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Setting;
use crate::client::Cluster;

/// Ctrl-], as telnet has it: the one key that does not go to the machine.
const LEAVE: u8 = 0x1d;

/// Connects the terminal until Ctrl-], the end of a piped input, or the end of the machine.
pub(super) async fn run(setting: &Setting, name: &str) -> Result<ExitCode> {
    let cluster = Cluster::running(&setting.paths).await?;
    let node = cluster.node(name).status().await?;
    node.process.with_context(|| format!("{name} is off"))?;
    let log = node.console.display();
    let socket = node.terminal.with_context(|| {
        format!("{name} is no machine and has no console to type at: ./cluster ssh {name}; its log is {log}")
    })?;
    let mut line = UnixStream::connect(&socket)
        .await
        .with_context(|| format!("cannot reach the console at {}", socket.display()))?;
    if std::io::stdin().is_terminal() {
        eprintln!("console of {name}; Ctrl-] leaves it. What it said so far: {log}");
    }
    let raw = Raw::take()?;
    let ended = pass(&mut line).await;
    drop(raw);
    ended?;
    eprintln!();
    // A blocked read of the terminal must not keep the process.
    std::process::exit(0)
}

async fn pass(line: &mut UnixStream) -> Result<()> {
    let (mut from, mut to) = line.split();
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let (mut typed, mut said) = ([0; 1024], [0; 8192]);
    loop {
        tokio::select! {
            biased;
            read = from.read(&mut said) => match read.context("the console was lost")? {
                0 => return Ok(()),
                size => {
                    stdout.write_all(&said[..size]).await?;
                    stdout.flush().await?;
                }
            },
            read = stdin.read(&mut typed) => match &typed[..read?] {
                [] => return Ok(()),
                keys => {
                    let end = keys.iter().position(|key| *key == LEAVE);
                    to.write_all(&keys[..end.unwrap_or(keys.len())]).await?;
                    if end.is_some() {
                        return Ok(());
                    }
                }
            },
        }
    }
}

/// The terminal passes every key on; when this goes, it is as before.
struct Raw {
    before: Option<Termios>,
}

impl Raw {
    fn take() -> Result<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(&stdin).context("cannot ask the terminal")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw).context("cannot change the terminal")?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
