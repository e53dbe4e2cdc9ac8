//! `smoke`: every service once. Each has one write, one read and one failover; what takes longer is a
//! lane of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::scene::{CANONICAL, CHAINFIRE, SOON, Scene, others, run_name};
use crate::accel::{Guest, QEMU};
use crate::client::{Cluster, host_ports};
use crate::etcd::admin::Admin;
use crate::etcd::ctl::Ctl;
use crate::image::payload::{GUEST_INITRD, GUEST_KERNEL};
use crate::lane::{Lane, Waiting};
use crate::roles;
use crate::topology::NodeKind;

/// Enough for a history; the lane stays short.
const CLIENTS: u32 = 6;

/// One answer of a healthy role.
const HEALTH: Duration = Duration::from_secs(20);

/// A guest in a machine: two seconds where KVM works on both levels.
const NESTED: Duration = Duration::from_secs(15);

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    health(lane, cluster).await?;
    nested(lane, cluster).await?;
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
        let mut ready = 0;
        for role in roles::ALL {
            for (node, port) in host_ports(&status, role, "admin") {
                w.until(&format!("{role} on {node} to be ready"), || admin.is_ok(port, "/readyz")).await?;
                ready += 1;
            }
        }
        Ok(format!("{ready} roles are ready"))
    };
    lane.check("health of every role", HEALTH, check).await
}

/// On workers that are machines, a machine boots inside: with the processor's own help, which the outer one
/// passes on.
async fn nested(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    let status = cluster.status().await?;
    if status.machines.is_none() {
        return Ok(());
    }
    let workers = status.nodes.iter().filter(|(_, node)| node.kind == NodeKind::Worker);
    let workers: Vec<&str> = workers.map(|(name, _)| name.as_str()).collect();
    let check = async |w: &Waiting<'_>| {
        let booted = workers.iter().map(|name| boot_inside(w, cluster, name));
        futures::future::try_join_all(booted).await.map(|seconds| seconds.join(", "))
    };
    lane.check(&format!("a guest boots under KVM inside {}", workers.join(" and ")), NESTED, check).await
}

/// Answers how long it took.
async fn boot_inside(w: &Waiting<'_>, cluster: &Cluster, name: &str) -> Result<String> {
    let node = cluster.node(name);
    // Its module comes when udev has looked at the processor, a little after the first roles.
    w.until(&format!("/dev/kvm on {name} (is nested virtualisation on in the host?)"), || async {
        match node.exec(&["test", "-c", "/dev/kvm"]).await {
            Ok(done) if done.exit.is_clean() => Ok(()),
            Ok(_) => Err(format!("there is none on {name}")),
            Err(e) => Err(format!("{e:#}")),
        }
    })
    .await?;
    let guest = Guest::under_kvm(Path::new(GUEST_KERNEL), Path::new(GUEST_INITRD), true);
    let argv: Vec<&str> = std::iter::once(QEMU).chain(guest.arguments.iter().map(String::as_str)).collect();
    let began = tokio::time::Instant::now();
    let done = node.exec(&argv).await?;
    let said = done.stdout.lines().chain(done.stderr.lines()).last().unwrap_or("nothing");
    ensure!(
        done.stdout.lines().any(|line| guest.has_said_it(line)),
        "QEMU on {name} ended with {} and without the guest's word: {said}",
        done.exit
    );
    Ok(format!("{name} in {:.1} s", began.elapsed().as_secs_f64()))
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
                ensure!(read.trim_end() == value, "{reader} shows `{}` of `{value}`", read.trim_end());
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
