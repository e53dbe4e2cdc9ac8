//! `smoke`: every service once. Each has one write, one read and one failover; what takes longer is a
//! lane of its own.

use std::time::Duration;

use anyhow::Result;

use super::scene::{CANONICAL, CHAINFIRE, SOON, Scene, others, run_name};
use crate::client::{Cluster, host_ports};
use crate::etcd::admin::Admin;
use crate::etcd::ctl::Ctl;
use crate::lane::{Lane, Waiting};

/// Enough for a history; the lane stays short.
const CLIENTS: u32 = 6;

/// One answer of a healthy role.
const HEALTH: Duration = Duration::from_secs(20);

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    health(lane, cluster).await?;
    let scene = Scene::begin(lane, cluster, CLIENTS).await?;
    convergence(lane, &scene).await?;
    failover(lane, cluster, &scene).await?;
    scene.judge(lane).await
}

/// Every role that has an admin port says that it is ready.
async fn health(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    let status = cluster.status().await?;
    let operator = crate::certs::OperatorFiles::below(&cluster.paths().pki());
    let admin = Admin::new(&operator)?;
    let check = async |w: &Waiting<'_>| {
        let ports = host_ports(&status, CHAINFIRE, "admin");
        for (node, port) in &ports {
            w.until(&format!("{CHAINFIRE} on {node} to be ready"), || admin.is_ok(*port, "/readyz")).await?;
        }
        Ok(format!("{} roles are ready", ports.len()))
    };
    lane.check("health of every role", HEALTH, check).await
}

/// What etcdctl writes through one replica, every replica shows.
async fn convergence(lane: &mut Lane, scene: &Scene) -> Result<()> {
    let ctl = Ctl::find(&scene.etcd);
    let run = run_name(lane);
    let url = |node: &str| scene.etcd.url(node);
    let check = async |w: &Waiting<'_>| {
        for writer in CANONICAL {
            let (key, value) = (format!("smoke/{run}/{writer}"), format!("written through {writer}"));
            ctl.run(&[&url(writer)?], &["put", &key, &value]).await?;
            for reader in CANONICAL {
                let read = ctl.run(&[&url(reader)?], &["get", "--print-value-only", &key]).await?;
                anyhow::ensure!(
                    read.trim_end() == value,
                    "{reader} shows `{}` of `{value}`",
                    read.trim_end()
                );
            }
            for reader in CANONICAL {
                let local = ["get", "--consistency=s", "--print-value-only", &key];
                w.until(&format!("{reader} to hold what {writer} wrote"), || async {
                    let read = ctl.run(&[&url(reader).map_err(|e| e.to_string())?], &local).await;
                    let read = read.map_err(|e| format!("{e:#}"))?;
                    if read.trim_end() == value {
                        Ok(())
                    } else {
                        Err(format!("{reader} holds `{}`", read.trim_end()))
                    }
                })
                .await?;
            }
        }
        Ok("three writers, three readers")
    };
    lane.check("etcdctl: cross-node write and read convergence", SOON, check).await
}

/// The leader is killed under load and a watch; it comes back.
async fn failover(lane: &mut Lane, cluster: &Cluster, scene: &Scene) -> Result<()> {
    let check = async |w: &Waiting<'_>| {
        let old = scene.leader(w, &CANONICAL).await?;
        let rest = others(&CANONICAL, &old);
        // Held down, because a quick restart may well be elected again.
        cluster.node(&old).kill_and_hold(CHAINFIRE).await?;
        let new = scene.leader_after(w, &rest, &old).await?;
        scene.progress(w).await?;
        Ok((format!("{old} was killed, {new} leads"), old))
    };
    let killed = lane.check_value("failover: the leader is killed", SOON, check).await?;
    let check = async |w: &Waiting<'_>| {
        cluster.node(&killed).start(CHAINFIRE).await?;
        scene.recovered(w, &CANONICAL).await
    };
    lane.check("the killed replica comes back", SOON, check).await
}
