//! Obeys the supervisor. One conversation a connection.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kit::net::BoxStream;
use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::reaper::Reaper;
use super::{Marker, Services, exec, files, follow, network, small_disk};
use crate::node::protocol::{Reply, Request, Status};
use crate::node::unit::Phase;
use crate::private_file::write_private;
use crate::wire;

/// The node as its requests see it.
pub struct Node {
    mark: Marker,
    reaper: Arc<Reaper>,
    services: Box<dyn Services>,
}

impl Node {
    /// A node that answers from now on.
    pub fn new(mark: Marker, reaper: Arc<Reaper>, services: Box<dyn Services>) -> Self {
        Self { mark, reaper, services }
    }
}

/// Serves one connection; errors go to the other end if it is still there.
pub async fn converse(node: &Node, stream: BoxStream) {
    let (mut from, mut to) = tokio::io::split(stream);
    let request = match wire::read_json::<_, Request>(&mut from).await {
        Ok(request) => request,
        Err(e) => {
            refuse(&mut to, &anyhow::Error::from(e).context("the request is not understood")).await;
            return;
        }
    };
    match request {
        Request::Exec { argv, env } => {
            match exec::exec(&node.reaper, &argv, &env, &mut from, &mut to).await {
                Ok(exit) => answer(&mut to, &Reply::Exited(exit)).await,
                Err(e) => refuse(&mut to, &e).await,
            }
        }
        Request::Follow { path, offset } => {
            follow::follow(Path::new(&path), offset, &mut from, &mut to).await;
        }
        Request::PowerOff => power_off(node, &mut to).await,
        request => match obey(node, request, &mut from).await {
            Ok(reply) => answer(&mut to, &reply).await,
            Err(e) => refuse(&mut to, &e).await,
        },
    }
    wire::hang_up(&mut from, &mut to).await;
}

async fn answer(to: &mut (impl AsyncWrite + Unpin), reply: &Reply) {
    // Whoever asked may have gone; what was asked is done all the same.
    let _ = wire::write_json(to, reply).await;
}

async fn refuse(to: &mut (impl AsyncWrite + Unpin), error: &anyhow::Error) {
    answer(to, &Reply::Refused { why: format!("{error:#}") }).await;
}

async fn obey(node: &Node, request: Request, from: &mut (impl AsyncRead + Unpin)) -> Result<Reply> {
    let services = &*node.services;
    let note = match request {
        Request::Status => {
            let status = Status { boot_id: node.mark.boot_id.clone(), services: services.status() };
            return Ok(Reply::Status(status));
        }
        Request::Files { dir } => return Ok(Reply::Files { files: files::list(Path::new(&dir))? }),
        Request::Network { address, prefix, mac } => {
            network::configure(&node.reaper, address, prefix, &mac).await?;
            services.plugged_in().await?;
            node.mark.print("network");
            None
        }
        Request::Awake { awakening } => services.awake(&awakening).await.map(|()| None)?,
        Request::Push { path, mode } => {
            let content = wire::read_input(from, files::MAX_PUSH).await?;
            write_private(Path::new(&path), mode, &content)
                .with_context(|| format!("cannot write {path}"))?;
            services.hand_over(&path).await.map(|()| None)?
        }
        Request::Define { unit } => services.define(unit).await.map(|()| None)?,
        Request::Start { service, how } => {
            let phase = services.status().get(&service).map(|s| s.phase);
            if let Some(phase @ (Phase::Starting | Phase::Active | Phase::Stopping)) = phase {
                bail!("{service} is {phase:?} already");
            }
            services.start(&service, how).await.map(|()| None)?
        }
        Request::Stop { service } => services.stop(&service).await.map(|()| None)?,
        Request::Signal { service, signal, hold } => {
            let wanted = Signal::try_from(signal).with_context(|| format!("there is no signal {signal}"))?;
            services.signal(&service, wanted, hold).await.map(|()| None)?
        }
        Request::SmallDisk { service, mib } => {
            let dir = data_dir_of_stopped(services, &service)?;
            Some(small_disk::replace(&node.reaper, Path::new(&dir), mib).await?)
        }
        Request::Ballast { service, leave } => {
            let unit = services.unit(&service)?;
            let dir = unit.data_dir.with_context(|| format!("{service} has no data directory"))?;
            Some(small_disk::ballast(Path::new(&dir), leave)?)
        }
        Request::Damage { path, how } => {
            Some(files::damage(Path::new(&path), how).with_context(|| format!("cannot damage {path}"))?)
        }
        Request::Exec { .. } | Request::Follow { .. } | Request::PowerOff => {
            bail!("this is a conversation, not a call")
        }
    };
    Ok(Reply::Done { note })
}

fn data_dir_of_stopped(services: &dyn Services, name: &str) -> Result<String> {
    let unit = services.unit(name)?;
    if services.status().get(name).is_some_and(|s| s.pid.is_some()) {
        bail!("{name} runs: stop it before its disk is replaced");
    }
    unit.data_dir.with_context(|| format!("{name} has no data directory"))
}

async fn power_off(node: &Node, to: &mut (impl AsyncWrite + Unpin)) {
    node.mark.print("power-off");
    match node.services.power_off().await {
        Ok(()) => answer(to, &Reply::Done { note: None }).await,
        Err(e) => refuse(to, &e).await,
    }
    let _ = to.shutdown().await;
    node.services.off();
}
