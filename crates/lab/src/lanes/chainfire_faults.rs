//! `chainfire-faults`: what a replicated store must survive, one fault after the other, under a load
//! whose history is judged at the end. Acknowledged is never lost, and every replica comes back.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scene::{CANONICAL, CHAINFIRE, FAULT, Scene, active_segment, others, run_name};
use crate::client::Cluster;
use crate::lane::{Lane, Waiting};
use crate::node::protocol::{Damage, Launch};
use crate::switch::faults::Link;

/// Clients of the load.
const CLIENTS: u32 = 9;

/// The file system that gets full: data so far, and room for a while.
const SMALL_DISK_MIB: u32 = 512;

/// The sync that fails, counted from the start of the process: after recovery, under load.
const FAILING_SYNC: u32 = 40;

/// One lane under way.
struct Faults<'a> {
    lane: &'a mut Lane,
    cluster: &'a Cluster,
    scene: Scene,
    rng: ChaCha8Rng,
}

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster, rounds: u32) -> Result<()> {
    let rng = ChaCha8Rng::seed_from_u64(lane.seed);
    let scene = Scene::begin(lane, cluster, CLIENTS).await?;
    let mut faults = Faults { lane, cluster, scene, rng };
    faults.network().await?;
    faults.processes(rounds).await?;
    super::power::run(faults.lane, cluster, &faults.scene).await?;
    super::machine_faults::run(faults.lane, cluster, &faults.scene).await?;
    faults.clock().await?;
    faults.failing_sync().await?;
    faults.torn_write().await?;
    faults.flipped_bit().await?;
    // Last: it fills the log, and the faults before want a log of one segment.
    faults.full_disk().await?;
    let Faults { lane, scene, .. } = faults;
    scene.judge(lane).await
}

/// One of the faults that come again and again.
#[derive(Clone, Copy, Debug)]
struct Round {
    blow: Blow,
    /// Whether it hits whoever leads.
    leader: bool,
    /// Whom it hits otherwise.
    pick: usize,
}

#[derive(Clone, Copy, Debug)]
enum Blow {
    Kill,
    Pause,
    Partition,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.blow {
            Blow::Kill => "kill -9",
            Blow::Pause => "pause",
            Blow::Partition => "partition",
        })
    }
}

impl Round {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let blow = [Blow::Kill, Blow::Pause, Blow::Partition][rng.random_range(0..3)];
        Self { blow, leader: rng.random_bool(0.5), pick: rng.random_range(0..CANONICAL.len()) }
    }

    /// Hits, waits until the others serve without the victim, and until all are one cluster again.
    async fn happen(self, w: &Waiting<'_>, cluster: &Cluster, scene: &Scene) -> Result<String> {
        let leader = scene.leader(w, &CANONICAL).await?;
        let victim = if self.leader { leader.as_str() } else { CANONICAL[self.pick] };
        let rest = others(&CANONICAL, victim);
        match self.blow {
            Blow::Kill => cluster.node(victim).kill(CHAINFIRE).await?,
            Blow::Pause => cluster.node(victim).pause(CHAINFIRE).await?,
            Blow::Partition => cluster.partition(&[victim], &rest).await?,
        }
        // A killed one is started again at once and may lead again.
        if !matches!(self.blow, Blow::Kill) {
            if victim == leader {
                scene.leader_after(w, &rest, victim).await?;
            }
            scene.progress(w).await?;
        }
        match self.blow {
            Blow::Kill => {}
            Blow::Pause => cluster.node(victim).resume(CHAINFIRE).await?,
            Blow::Partition => cluster.heal().await?,
        }
        let role = if victim == leader { "leader" } else { "follower" };
        scene.recovered(w, &CANONICAL).await.map(|end| format!("{role} {victim}; {end}"))
    }
}

impl Faults<'_> {
    async fn network(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let follower = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let followers = others(&CANONICAL, &leader);
            cluster.partition(&followers[..1], &others(&CANONICAL, followers[0])).await?;
            scene.progress(w).await?;
            scene.refuses_reads(w, followers[0]).await?;
            cluster.heal().await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("a follower is cut off and healed", FAULT, follower).await?;
        let leader = async |w: &Waiting<'_>| {
            let old = scene.leader(w, &CANONICAL).await?;
            let rest = others(&CANONICAL, &old);
            cluster.partition(&[&old], &rest).await?;
            let new = scene.leader_after(w, &rest, &old).await?;
            scene.progress(w).await?;
            scene.refuses_reads(w, &old).await?;
            cluster.heal().await?;
            scene
                .recovered(w, &CANONICAL)
                .await
                .map(|end| format!("{old} was cut off, {new} took over; {end}"))
        };
        self.lane.check("the leader is cut off and healed", FAULT, leader).await?;
        let one_way = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let followers = others(&CANONICAL, &leader);
            cluster.cut_one_way(&[&leader], &followers[..1]).await?;
            scene.progress(w).await?;
            cluster.heal().await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("a follower does not hear the leader, one way", FAULT, one_way).await?;
        let deaf = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            cluster.cut_one_way(&others(&CANONICAL, &leader), &[&leader]).await?;
            scene.progress(w).await?;
            cluster.heal().await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("the leader hears nobody, one way", FAULT, deaf).await?;
        let bad = async |w: &Waiting<'_>| {
            let link = Link { loss: 0.05, delay: Duration::from_millis(15), ..Link::default() };
            cluster.links(&CANONICAL, &CANONICAL, false, link).await?;
            scene.progress(w).await?;
            scene.leader(w, &CANONICAL).await?;
            scene.progress(w).await?;
            cluster.heal().await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("every link loses 5 % and adds 15 ms", FAULT, bad).await
    }

    async fn processes(&mut self, rounds: u32) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let paused = async |w: &Waiting<'_>| {
            let old = scene.leader(w, &CANONICAL).await?;
            cluster.node(&old).pause(CHAINFIRE).await?;
            let new = scene.leader_after(w, &others(&CANONICAL, &old), &old).await?;
            scene.progress(w).await?;
            cluster.node(&old).resume(CHAINFIRE).await?;
            scene
                .recovered(w, &CANONICAL)
                .await
                .map(|end| format!("{old} was paused, {new} took over; {end}"))
        };
        self.lane.check("the leader is paused and goes on", FAULT, paused).await?;
        for round in 1..=rounds {
            let fault = Round::draw(&mut self.rng);
            let check = async |w: &Waiting<'_>| fault.happen(w, cluster, scene).await;
            self.lane.check(&format!("round {round} of {rounds}: {fault}"), FAULT, check).await?;
        }
        let all = async |w: &Waiting<'_>| {
            let nodes = CANONICAL.map(|n| cluster.node(n));
            futures::future::try_join_all(nodes.iter().map(|n| n.kill(CHAINFIRE))).await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("kill -9 of all three at once", FAULT, all).await?;
        let politely = async |w: &Waiting<'_>| {
            let nodes = CANONICAL.map(|n| cluster.node(n));
            futures::future::try_join_all(nodes.iter().map(|n| n.stop(CHAINFIRE))).await?;
            futures::future::try_join_all(nodes.iter().map(|n| n.start(CHAINFIRE))).await?;
            scene.recovered(w, &CANONICAL).await
        };
        self.lane.check("restart of all three", FAULT, politely).await
    }

    async fn clock(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let offset = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let node = cluster.node(&leader);
            node.stop(CHAINFIRE).await?;
            node.start_as(CHAINFIRE, Launch::clock_offset(-3600)).await?;
            scene.recovered(w, &CANONICAL).await?;
            let shown = scene.recovered(w, &CANONICAL).await?;
            node.stop(CHAINFIRE).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok(format!("{leader} lived an hour ago; {shown}"))
        };
        self.lane.check("a node's clock is an hour slow", FAULT, offset).await
    }

    async fn torn_write(&mut self) -> Result<()> {
        let (cluster, scene, seed) = (self.cluster, &self.scene, self.rng.random());
        let torn = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let victim = others(&CANONICAL, &leader)[0];
            let node = cluster.node(victim);
            node.kill_and_hold(CHAINFIRE).await?;
            let segment = active_segment(cluster, victim).await?;
            let done = node.damage(&segment, Damage::TearTail { bytes: 9, seed }).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok(format!("{victim}: {done}"))
        };
        self.lane.check("the last write before a crash is torn", FAULT, torn).await
    }

    async fn flipped_bit(&mut self) -> Result<()> {
        let (cluster, scene, bit) = (self.cluster, &self.scene, self.rng.random_range(0..8));
        let flipped = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let victim = others(&CANONICAL, &leader)[0];
            let node = cluster.node(victim);
            node.kill_and_hold(CHAINFIRE).await?;
            let segment = active_segment(cluster, victim).await?;
            let done = node.damage(&segment, Damage::FlipMiddleBit { bit }).await?;
            let before = node.service(CHAINFIRE).await?.status.starts;
            node.start(CHAINFIRE).await?;
            let end = scene.storage_failure(w, victim, before + 1).await?;
            scene.progress(w).await?;
            node.kill_and_hold(CHAINFIRE).await?;
            // The same bit once more: as it was.
            node.damage(&segment, Damage::FlipMiddleBit { bit }).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok(format!("{victim}: {done}; it refused to start: {end}"))
        };
        self.lane.check("a bit in the log is flipped", FAULT, flipped).await
    }

    async fn failing_sync(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let failing = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let victim = others(&CANONICAL, &leader)[0];
            let node = cluster.node(victim);
            node.stop(CHAINFIRE).await?;
            let before = node.service(CHAINFIRE).await?.status.starts;
            node.start_as(CHAINFIRE, Launch::failing_fsync(FAILING_SYNC)).await?;
            let end = scene.storage_failure(w, victim, before + 1).await?;
            scene.progress(w).await?;
            node.kill_and_hold(CHAINFIRE).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok(format!("{victim} {end}"))
        };
        self.lane.check("a sync fails", FAULT, failing).await
    }

    async fn full_disk(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let run = run_name(self.lane);
        let full = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let victim = others(&CANONICAL, &leader)[0];
            let node = cluster.node(victim);
            node.stop(CHAINFIRE).await?;
            let kind = node.small_disk(CHAINFIRE, SMALL_DISK_MIB).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            let before = node.service(CHAINFIRE).await?.status.starts;
            node.ballast(CHAINFIRE, Some(0)).await?;
            let rest = others(&CANONICAL, victim);
            let end = {
                // Large writes, so that what was preallocated is used up.
                let flood = flood(scene, &rest, &run);
                let failure = scene.storage_failure(w, victim, before);
                tokio::pin!(flood, failure);
                tokio::select! {
                    biased;
                    end = &mut failure => end?,
                    e = &mut flood => return Err(e),
                }
            };
            scene.progress(w).await?;
            node.kill_and_hold(CHAINFIRE).await?;
            node.ballast(CHAINFIRE, None).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok(format!("{victim} on an {kind} {end}"))
        };
        self.lane.check("a disk is full", FAULT * 2, full).await
    }
}

/// Writes 256 KiB at a time over a few keys until it is dropped. Only the harness's own errors end it.
async fn flood(scene: &Scene, via: &[&str], run: &str) -> anyhow::Error {
    let block = vec![0xa5; 256 << 10];
    for n in 0u64.. {
        let node = via[usize::try_from(n).unwrap_or_default() % via.len()];
        match scene.etcd.client(node).await {
            // A write that fails is what this check is about.
            Ok(mut client) => drop(client.put(format!("flood/{run}/{}", n % 16), block.clone(), None).await),
            Err(e) => return e,
        }
    }
    anyhow::anyhow!("the flood ended")
}
