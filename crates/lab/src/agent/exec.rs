//! A command on the node, with its streams on the connection.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;

use super::PLAIN_ENVIRONMENT;
use super::reaper::Reaper;
use crate::node::unit::Exit;
use crate::wire::{self, Kind};

/// Runs a command with its streams on the connection. Its client's end is its own end.
pub(super) async fn exec(
    reaper: &Reaper,
    argv: &[String],
    env: &BTreeMap<String, String>,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
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
    let (mut child, exit) = reaper.spawn(&mut command).with_context(|| format!("cannot run {program}"))?;
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

async fn feed(from: &mut (impl AsyncRead + Unpin), stdin: ChildStdin) -> Result<()> {
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
