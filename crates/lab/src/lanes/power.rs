//! Power cuts under load: of one node, of a majority, of all. What was acknowledged is on a disk.

use anyhow::Result;
use futures::future::try_join_all;

use super::scene::{CANONICAL, FAULT, Scene, others};
use crate::client::Cluster;
use crate::lane::{Lane, Waiting};

/// Cuts the power of one, two and three replicas' nodes.
pub(super) async fn run(lane: &mut Lane, cluster: &Cluster, scene: &Scene) -> Result<()> {
    let one = async |w: &Waiting<'_>| {
        let leader = scene.leader(w, &CANONICAL).await?;
        cut(cluster, &[&leader]).await?;
        scene.leader_after(w, &others(&CANONICAL, &leader), &leader).await?;
        scene.progress(w).await?;
        restore(cluster, &[&leader]).await?;
        scene.recovered(w, &CANONICAL).await.map(|end| format!("{leader} went dark; {end}"))
    };
    lane.check("the leader's node loses its power", FAULT, one).await?;
    let two = async |w: &Waiting<'_>| {
        let leader = scene.leader(w, &CANONICAL).await?;
        let followers = others(&CANONICAL, &leader);
        let (dark, left) = ([leader.as_str(), followers[0]], followers[1]);
        cut(cluster, &dark).await?;
        // Alone it must not answer what needs a majority.
        scene.refuses_reads(w, left).await?;
        restore(cluster, &dark).await?;
        let end = scene.recovered(w, &CANONICAL).await?;
        Ok(format!("{} went dark, {left} refused; {end}", dark.join(" and ")))
    };
    lane.check("two nodes lose their power at once", FAULT, two).await?;
    let all = async |w: &Waiting<'_>| {
        cut(cluster, &CANONICAL).await?;
        restore(cluster, &CANONICAL).await?;
        scene.recovered(w, &CANONICAL).await
    };
    lane.check("all three nodes lose their power at once", FAULT, all).await
}

async fn cut(cluster: &Cluster, nodes: &[&str]) -> Result<()> {
    try_join_all(nodes.iter().map(async |node| cluster.node(node).power_cut().await)).await.map(drop)
}

async fn restore(cluster: &Cluster, nodes: &[&str]) -> Result<()> {
    try_join_all(nodes.iter().map(async |node| cluster.node(node).power_on().await)).await.map(drop)
}
