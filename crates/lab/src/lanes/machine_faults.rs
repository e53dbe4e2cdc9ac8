//! What only a machine can suffer: processors that stand still, a disk that fails or is slow, a clock of its own
//! that jumps, a reset.

use anyhow::{Context as _, Result, ensure};

use super::scene::{CANONICAL, CHAINFIRE, FAULT, Scene, others};
use crate::client::{Cluster, Node};
use crate::lane::{Lane, Waiting};
use crate::node::DiskFault;

/// A disk that is nearly too slow for a log with syncs.
const SLOW_IOPS: u32 = 40;

/// How far the clock jumps back, seconds.
const JUMP: i64 = 3600;

/// Runs all of it; nothing of it on nodes that are no machines.
pub(super) async fn run(lane: &mut Lane, cluster: &Cluster, scene: &Scene) -> Result<()> {
    if cluster.status().await?.machines.is_none() {
        return Ok(());
    }
    let frozen = async |w: &Waiting<'_>| {
        let old = scene.leader(w, &CANONICAL).await?;
        cluster.node(&old).freeze(true).await?;
        let new = scene.leader_after(w, &others(&CANONICAL, &old), &old).await?;
        scene.progress(w).await?;
        cluster.node(&old).freeze(false).await?;
        let end = scene.recovered(w, &CANONICAL).await?;
        Ok(format!("{old} stood still, {new} took over; {end}"))
    };
    lane.check("the leader's processor stands still and goes on", FAULT, frozen).await?;
    let reset = async |w: &Waiting<'_>| {
        let leader = scene.leader(w, &CANONICAL).await?;
        cluster.node(&leader).reset().await?;
        scene.recovered(w, &CANONICAL).await.map(|end| format!("{leader} was reset; {end}"))
    };
    lane.check("the leader's machine is reset", FAULT, reset).await?;
    let slow = async |w: &Waiting<'_>| {
        let leader = scene.leader(w, &CANONICAL).await?;
        let node = cluster.node(others(&CANONICAL, &leader)[0]);
        node.disk(DiskFault { iops: Some(SLOW_IOPS), ..DiskFault::default() }).await?;
        scene.progress(w).await?;
        node.disk(DiskFault::default()).await?;
        let end = scene.recovered(w, &CANONICAL).await?;
        Ok(format!("{} had {SLOW_IOPS} operations a second; {end}", node.name))
    };
    lane.check("a disk is slow", FAULT, slow).await?;
    let failing = async |w: &Waiting<'_>| fail_disk(w, cluster, scene).await;
    lane.check("a disk fails and is replaced", FAULT, failing).await?;
    let jump = async |w: &Waiting<'_>| {
        let leader = scene.leader(w, &CANONICAL).await?;
        let node = cluster.node(&leader);
        set_clock(&node, -JUMP).await?;
        scene.progress(w).await?;
        scene.recovered(w, &CANONICAL).await?;
        set_clock(&node, 0).await?;
        scene
            .recovered(w, &CANONICAL)
            .await
            .map(|end| format!("{leader} jumped an hour back and forth; {end}"))
    };
    lane.check("the clock of the leader's machine jumps", FAULT, jump).await
}

/// No write reaches the disk any more: the replica must end and say so. A file system that could not write its
/// journal serves only readers until it is mounted anew, so the machine is switched off and on.
async fn fail_disk(w: &Waiting<'_>, cluster: &Cluster, scene: &Scene) -> Result<String> {
    let leader = scene.leader(w, &CANONICAL).await?;
    let victim = others(&CANONICAL, &leader)[0];
    let node = cluster.node(victim);
    let starts = node.service(CHAINFIRE).await?.status.starts;
    node.disk(DiskFault { failing_writes: true, ..DiskFault::default() }).await?;
    let end = scene.storage_failure(w, victim, starts).await?;
    scene.progress(w).await?;
    node.disk(DiskFault::default()).await?;
    node.power_cut().await?;
    node.power_on().await?;
    scene.recovered(w, &CANONICAL).await?;
    Ok(format!("{victim} {end}"))
}

/// Sets a machine's clock to the host's, and so many seconds off.
async fn set_clock(node: &Node, offset: i64) -> Result<()> {
    let now = jiff::Timestamp::now().as_second().checked_add(offset).context("no such time")?;
    let done = node.exec(&["date", "-u", "-s", &format!("@{now}")]).await?;
    ensure!(done.exit.is_clean(), "date on {} ended with {}: {}", node.name, done.exit, done.stderr);
    Ok(())
}
