//! Conversations of the supervisor with the command line.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Stop;
use super::cluster::Cluster;
use super::protocol::{Answer, Ask};
use crate::node::protocol::{Launch, Request};
use crate::wire;

/// Serves one connection.
pub(super) async fn converse(cluster: Arc<Cluster>, mut stream: UnixStream, stop: Stop) {
    let ask = match wire::read_json::<_, Ask>(&mut stream).await {
        Ok(ask) => ask,
        Err(e) => {
            refuse(&mut stream, &anyhow::Error::from(e).context("the request is not understood")).await;
            return;
        }
    };
    match ask {
        Ask::Own => own(stream, &stop).await,
        Ask::Shutdown => {
            stop.ask();
            // Answered by the end of the connection, when everything is gone.
            stop.finished().await;
            answer(&mut stream, &Answer::Done).await;
        }
        Ask::Node { node, request } => {
            if let Err(e) = relay(&cluster, &node, &request, &mut stream).await {
                // The node's words, not ours, are expected on this connection.
                let refused = crate::node::protocol::Reply::Refused { why: format!("{e:#}") };
                let _ = wire::write_json(&mut stream, &refused).await;
                let (mut from, mut to) = stream.split();
                wire::hang_up(&mut from, &mut to).await;
            }
        }
        ask => match obey(&cluster, ask).await {
            Ok(reply) => answer(&mut stream, &reply).await,
            Err(e) => refuse(&mut stream, &e).await,
        },
    }
}

async fn answer(stream: &mut UnixStream, answer: &Answer) {
    // Whoever asked may have gone.
    let _ = wire::write_json(stream, answer).await;
    let _ = stream.shutdown().await;
}

async fn refuse(stream: &mut UnixStream, error: &anyhow::Error) {
    answer(stream, &Answer::Refused { why: format!("{error:#}") }).await;
}

/// Waits for the owner's end, whatever it is, and stops the cluster then; or for one byte, its release.
async fn own(mut stream: UnixStream, stop: &Stop) {
    stop.owned.cancel();
    let _ = wire::write_json(&mut stream, &Answer::Done).await;
    let mut byte = [0];
    tokio::select! {
        biased;
        () = stop.asked.cancelled() => {}
        read = stream.read(&mut byte) => match read {
            Ok(1) => tracing::info!("the owner lets the cluster live on"),
            _ => {
                tracing::info!("the owner has gone");
                stop.ask();
            }
        },
    }
}

async fn obey(cluster: &Cluster, ask: Ask) -> Result<Answer> {
    match ask {
        Ask::Status => return Ok(Answer::Status(Box::new(cluster.status().await?))),
        Ask::Faults { since } => return Ok(Answer::Faults { faults: cluster.faults(since) }),
        Ask::Power { node, on: true } => cluster.power_on(&node).await?,
        Ask::Power { node, on: false } => cluster.power_cut(&node).await?,
        Ask::Reset { node } => cluster.reset(&node).await?,
        Ask::Freeze { node, frozen } => cluster.freeze(&node, frozen).await?,
        Ask::Disk { node, fault } => cluster.disk_fault(&node, fault).await?,
        Ask::Provision { node, role, setup } => cluster.provision(&node, &role, setup).await?,
        Ask::Links { from, to, both, link } => cluster.set_links(&from, &to, both, link)?,
        Ask::Heal => cluster.heal(),
        Ask::Captures { dir } => cluster.write_captures(&dir)?,
        Ask::Own | Ask::Shutdown | Ask::Node { .. } => anyhow::bail!("this is a conversation, not a call"),
    }
    Ok(Answer::Done)
}

/// Passes a request on; from then on bytes only.
async fn relay(cluster: &Cluster, node: &str, request: &Request, client: &mut UnixStream) -> Result<()> {
    let body = cluster.body(node)?;
    let mut agent = body.connect().await.with_context(|| format!("{node} does not answer (is it off?)"))?;
    if let Some(what) = as_fault(node, request) {
        cluster.record(what);
    }
    wire::write_json(&mut agent, request).await?;
    // How it ends is between the two.
    let _ = tokio::io::copy_bidirectional(client, &mut agent).await;
    Ok(())
}

/// What of a request belongs into the fault log.
fn as_fault(node: &str, request: &Request) -> Option<String> {
    match request {
        Request::Signal { service, signal, hold } => {
            let rest = if *hold { ", hold down" } else { "" };
            Some(format!("signal {signal} to {service} on {node}{rest}"))
        }
        Request::Stop { service } => Some(format!("stop {service} on {node}")),
        Request::Start { service, how } if *how == Launch::default() => {
            Some(format!("start {service} on {node}"))
        }
        Request::Start { service, how } => {
            let faketime = how.env.get("FAKETIME").map(|f| format!(" with a clock off by {f}"));
            let wrapper = how.wrapper.last().map(|w| format!(" under strace {w}"));
            Some(format!(
                "start {service} on {node}{}{}",
                faketime.unwrap_or_default(),
                wrapper.unwrap_or_default()
            ))
        }
        Request::SmallDisk { service, mib } => {
            Some(format!("small disk of {mib} MiB for {service} on {node}"))
        }
        Request::Ballast { service, leave: Some(rest) } => {
            Some(format!("fill the disk of {service} on {node} up to {rest} bytes"))
        }
        Request::Ballast { service, leave: None } => Some(format!("free the disk of {service} on {node}")),
        Request::Damage { path, how } => Some(format!("damage {path} on {node}: {how:?}")),
        _ => None,
    }
}
