//! `chainfire-live-membership-proof`: the replicas of a running, busy cluster are exchanged one by one.
//!
//! A fourth replica on node04 joins as learner, is promoted, restarts; the leader moves on demand, is
//! removed, and returns as a new member; node04 leaves. Each step keeps what every replica says. No client
//! may notice any of it but by having to ask a second replica; who was removed must refuse to come back.

use std::time::Duration;

use anyhow::{Context as _, Result};
use etcd_client::MemberAddOptions;

use super::scene::{CANONICAL, CHAINFIRE, Scene, others, peer_address, wipe};
use crate::client::Cluster;
use crate::etcd::{Etcd, MemberEntry};
use crate::lane::{Lane, Seen, Waiting};
use crate::roles::Setup;

/// Clients of the load.
const CLIENTS: u32 = 9;

/// One change of the membership, its catch-up included.
const STEP: Duration = Duration::from_secs(60);

/// The node of the temporary replica.
const GUEST: &str = "node04";

const ALL: [&str; 4] = ["node01", "node02", "node03", GUEST];

/// One lane under way.
struct Proof<'a> {
    lane: &'a mut Lane,
    cluster: &'a Cluster,
    scene: Scene,
    step: u32,
}

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    let scene = Scene::begin(lane, cluster, CLIENTS).await?;
    let mut proof = Proof { lane, cluster, scene, step: 0 };
    proof.keep("formed", &CANONICAL).await?;
    proof.add_learner().await?;
    proof.promote(GUEST, &CANONICAL).await?;
    proof.transfer().await?;
    proof.restart_guest().await?;
    let removed = proof.remove_leader().await?;
    proof.add_again(&removed).await?;
    proof.promote(&removed, &others(&ALL, &removed)).await?;
    proof.scale_in().await?;
    let Proof { lane, scene, .. } = proof;
    scene.judge_without_failures(lane).await
}

impl Proof<'_> {
    async fn keep(&mut self, name: &str, nodes: &[&str]) -> Result<()> {
        let file = format!("{:02}-{name}", self.step);
        self.step += 1;
        self.scene.keep_state(self.lane, &file, nodes).await
    }

    async fn add_learner(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let check = async |w: &Waiting<'_>| join(w, cluster, scene, GUEST, &CANONICAL).await;
        self.lane.check("a fourth replica joins as learner", STEP, check).await?;
        let check = async |w: &Waiting<'_>| {
            scene.caught_up(w, &CANONICAL).await?;
            let (key, leader) =
                (format!("mark/learner/{}", jiff::Timestamp::now()), scene.leader(w, &CANONICAL).await?);
            w.until("a write through the leader", || scene.etcd.put(&leader, &key)).await?;
            w.until("the learner to hold it", || scene.etcd.has(GUEST, &key)).await?;
            let view = scene.etcd.view(GUEST).await.map_err(anyhow::Error::msg)?;
            anyhow::ensure!(view.learner, "{GUEST} says that it votes: {view:?}");
            scene.progress(w).await?;
            Ok(format!("{key} was read from {GUEST} itself, which does not vote"))
        };
        self.lane.check("the learner replicates", STEP, check).await?;
        self.keep("learner", &ALL).await
    }

    async fn promote(&mut self, node: &str, via: &[&str]) -> Result<()> {
        let (scene, etcd) = (&self.scene, &self.scene.etcd);
        let check = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, via).await?;
            let id = member(etcd, &leader, node).await.map_err(anyhow::Error::msg)?.id;
            w.until("the promotion", || promote_once(etcd, &leader, id)).await?;
            w.until("a voter", || async {
                let view = etcd.view(node).await?;
                if view.learner { Err(format!("{node} is still a learner")) } else { Ok(()) }
            })
            .await?;
            scene.recovered(w, &ALL).await
        };
        self.lane.check(&format!("{node} is promoted"), STEP, check).await?;
        self.keep(&format!("promoted-{node}"), &ALL).await
    }

    async fn transfer(&mut self) -> Result<()> {
        let (scene, etcd) = (&self.scene, &self.scene.etcd);
        let check = async |w: &Waiting<'_>| {
            let old = scene.leader(w, &ALL).await?;
            let target = others(&CANONICAL, &old)[0];
            let id = etcd.view(target).await.map_err(anyhow::Error::msg)?.id;
            etcd.client(&old).await?.move_leader(id).await.context("move-leader")?;
            let new = scene.leader_after(w, &ALL, &old).await?;
            anyhow::ensure!(new == target, "{new} leads instead of {target}");
            scene.progress(w).await?;
            Ok(format!("from {old} to {target}"))
        };
        self.lane.check("leadership is transferred live", STEP, check).await?;
        self.keep("transferred", &ALL).await
    }

    async fn restart_guest(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let check = async |w: &Waiting<'_>| {
            let node = cluster.node(GUEST);
            node.stop(CHAINFIRE).await?;
            scene.progress(w).await?;
            node.start(CHAINFIRE).await?;
            scene.recovered(w, &ALL).await?;
            node.kill(CHAINFIRE).await?;
            scene.recovered(w, &ALL).await
        };
        self.lane.check("the temporary voter restarts and rejoins", STEP, check).await?;
        self.keep("guest-restarted", &ALL).await
    }

    /// Removes the canonical replica that leads; answers which.
    async fn remove_leader(&mut self) -> Result<String> {
        let (scene, etcd) = (&self.scene, &self.scene.etcd);
        let check = async |w: &Waiting<'_>| {
            let mut old = scene.leader(w, &ALL).await?;
            if old == GUEST {
                let id = etcd.view(CANONICAL[0]).await.map_err(anyhow::Error::msg)?.id;
                etcd.client(GUEST).await?.move_leader(id).await.context("move-leader")?;
                old = scene.leader_after(w, &ALL, GUEST).await?;
            }
            let id = etcd.view(&old).await.map_err(anyhow::Error::msg)?.id;
            let rest = others(&ALL, &old);
            w.until("the removal", || remove_once(etcd, rest[0], id)).await?;
            let new = scene.leader_after(w, &rest, &old).await?;
            w.until("a list without it", || async {
                let members = etcd.members(&new).await?;
                if members.iter().any(|m| m.id == id) { Err(format!("{members:?}")) } else { Ok(()) }
            })
            .await?;
            scene.progress(w).await?;
            scene.stays_away(w, &old).await?;
            Ok((format!("{old} was removed, {new} leads; {old} refuses to start again"), old))
        };
        let removed = self.lane.check_value("the leader is removed", STEP, check).await?;
        self.keep(&format!("removed-{removed}"), &others(&ALL, &removed)).await?;
        Ok(removed)
    }

    async fn add_again(&mut self, node: &str) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let rest = others(&ALL, node);
        let check = async |w: &Waiting<'_>| {
            // A member that was removed never returns; its node does, as a new one.
            wipe(cluster, node).await?;
            join(w, cluster, scene, node, &rest).await
        };
        self.lane.check(&format!("{node} returns as a new learner"), STEP, check).await?;
        self.keep(&format!("returned-{node}"), &ALL).await
    }

    async fn scale_in(&mut self) -> Result<()> {
        let (cluster, scene, etcd) = (self.cluster, &self.scene, &self.scene.etcd);
        let check = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &ALL).await?;
            let id = etcd.view(GUEST).await.map_err(anyhow::Error::msg)?.id;
            let via = others(&CANONICAL, &leader)[0];
            w.until("the removal", || remove_once(etcd, via, id)).await?;
            let end = scene.recovered(w, &CANONICAL).await?;
            scene.stays_away(w, GUEST).await?;
            wipe(cluster, GUEST).await?;
            w.until("the three canonical voters and nobody else", || async {
                let members = etcd.members(CANONICAL[0]).await?;
                let mut voters: Vec<&str> =
                    members.iter().filter(|m| !m.learner).map(|m| m.name.as_str()).collect();
                voters.sort_unstable();
                if voters == CANONICAL && members.len() == CANONICAL.len() {
                    Ok(())
                } else {
                    Err(format!("{members:?}"))
                }
            })
            .await?;
            Ok(end)
        };
        self.lane.check("the temporary replica leaves", STEP, check).await?;
        self.keep("scaled-in", &CANONICAL).await
    }
}

/// Adds a replica on a node as learner, starts it, and waits until it has introduced itself.
async fn join(w: &Waiting<'_>, cluster: &Cluster, scene: &Scene, node: &str, via: &[&str]) -> Result<String> {
    let leader = scene.leader(w, via).await?;
    let url = format!("https://{}", peer_address(cluster, node).await?);
    let id = w.until("the addition", || add_once(&scene.etcd, &leader, &url)).await?;
    let mut members = Vec::new();
    for name in via.iter().chain([&node]) {
        members.push(((*name).to_owned(), peer_address(cluster, name).await?));
    }
    let host = cluster.node(node);
    host.provision(CHAINFIRE, Some(Setup { members, join: true, ..Setup::default() })).await?;
    host.start(CHAINFIRE).await?;
    scene.etcd.look_again(cluster).await?;
    let joined = w.until("the new member by its name", || async {
        let found = member(&scene.etcd, &leader, node).await?;
        if found.id == id && found.learner { Ok(()) } else { Err(format!("{found:?}, not {id:x}")) }
    });
    joined.await?;
    Ok(format!("{node} is member {id:x}"))
}

/// A cluster refuses to change while it thinks itself unhealthy, as after a restart; that is waited
/// out. An addition whose answer was lost is found in the list.
async fn add_once(etcd: &Etcd, via: &str, url: &str) -> Seen<u64> {
    let known = etcd.members(via).await?;
    if let Some(member) = known.iter().find(|m| m.peer_urls.iter().any(|u| u == url)) {
        return Ok(member.id);
    }
    let learner = MemberAddOptions::new().with_is_learner();
    let add = async { anyhow::Ok(etcd.client(via).await?.member_add([url], Some(learner)).await?) };
    let added = add.await.map_err(|e| format!("{e:#}"))?;
    added.member().map(etcd_client::Member::id).ok_or_else(|| "member add answered no member".to_owned())
}

/// As above: refusals are waited out, a lost answer is found in the list.
async fn remove_once(etcd: &Etcd, via: &str, id: u64) -> Seen<()> {
    if etcd.members(via).await?.iter().all(|m| m.id != id) {
        return Ok(());
    }
    let remove = async { anyhow::Ok(etcd.client(via).await?.member_remove(id).await?) };
    remove.await.map(|_| ()).map_err(|e| format!("{e:#}"))
}

async fn member(etcd: &Etcd, via: &str, node: &str) -> Seen<MemberEntry> {
    let members = etcd.members(via).await?;
    let found = members.iter().find(|m| m.name == node).cloned();
    found.ok_or_else(|| format!("{via} lists no {node}: {members:?}"))
}

/// A learner that lags is not promoted; that is what is waited for.
async fn promote_once(etcd: &Etcd, via: &str, id: u64) -> Seen<()> {
    let promote = async { anyhow::Ok(etcd.client(via).await?.member_promote(id).await?) };
    promote.await.map(|_| ()).map_err(|e| format!("{e:#}"))
}
