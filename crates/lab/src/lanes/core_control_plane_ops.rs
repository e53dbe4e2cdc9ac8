//! `core-control-plane-ops-proof`: what an operator does to the control plane with `uc`, on a busy
//! cluster, and what `uc` refuses to do.
//!
//! The leader's replica is replaced by one on node04, with one command; the canonical members come back
//! by plan and apply; a plan that would lose the quorum is refused; `uc chainfire verify` judges the
//! cluster, and the lane's own history. Not one operation of the load may fail meanwhile: a client may
//! ask a second replica, and that must answer. At last users are turned on and off, and a write over slow
//! links has the leader say where its time went.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::scene::{CANONICAL, CHAINFIRE, SOON, Scene, others, peer_address, run_name, wipe};
use crate::client::Cluster;
use crate::etcd::Etcd;
use crate::etcd::ctl::Ctl;
use crate::etcd::uc::Uc;
use crate::lane::{Lane, Waiting};
use crate::roles::Setup;
use crate::switch::faults::Link;

/// Clients of the load.
const CLIENTS: u32 = 9;

/// One change of the members, the start of the newcomer included.
const CHANGE: Duration = Duration::from_secs(60);

/// Of a `uc` that only looks.
const LOOK: Duration = Duration::from_secs(15);

/// Of `uc chainfire verify`.
const VERIFY: &str = "5s";

/// What each frame between the leader and the others takes, one way: a write takes twice that. Well below an
/// election, well above what is slow.
const SLOW_LINK: Duration = Duration::from_millis(250);

/// The node of the newcomer.
const GUEST: &str = "node04";

/// One lane under way.
struct Proof<'a> {
    lane: &'a mut Lane,
    cluster: &'a Cluster,
    scene: Scene,
    uc: Uc,
}

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    let scene = Scene::begin(lane, cluster, CLIENTS).await?;
    let uc = Uc::find(&scene.etcd)?;
    let mut proof = Proof { lane, cluster, scene, uc };
    let refused = proof.refused_plan().await?;
    let (replaced, replacement) = proof.replace_leader().await?;
    let applied = proof.apply(&replaced).await?;
    let Proof { lane, scene, uc, .. } = proof;
    let etcd = scene.etcd.clone();
    scene.judge_without_failures(lane).await?;
    let judged = kept_history(lane, &etcd, &uc).await?;
    let verified = verify(lane, &etcd, &uc).await?;
    users(lane, &etcd, &uc).await?;
    slow_request(lane, cluster, &etcd).await?;
    let boundary = json!({
        "schema_version": 1,
        "surface": "uc chainfire member plan|apply|replace, over the etcd v3 Cluster and Maintenance services",
        "supported": [
            "add a learner", "wait until it has caught up", "promote it", "transfer leadership",
            "remove a member, the leader included", "replace a member in one command",
            "resume after an interruption at any step",
        ],
        "refused": [
            "a step after which the voters that answer are no quorum", "any change without a quorum",
            "a second learner at a time", "a member wanted twice or under another name",
        ],
        "limits": "one change at a time; wanted members are voters; restoring a lost quorum is another command",
        "refused_plan": refused,
        "replaced": { "node": replaced, "proof": replacement },
        "applied": { "proof": applied },
        "verify": { "cluster": verified, "lane_history": judged },
    });
    lane.evidence.artifact("chainfire-live-membership-boundary", &boundary)
}

/// The URLs of some replicas.
fn urls(etcd: &Etcd, nodes: &[&str]) -> Result<Vec<String>> {
    nodes.iter().map(|n| etcd.url(n)).collect()
}

impl Proof<'_> {
    /// One voter is down: the removal of another would leave no quorum.
    async fn refused_plan(&mut self) -> Result<Value> {
        let (cluster, scene, uc) = (self.cluster, &self.scene, &self.uc);
        let check = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let followers = others(&CANONICAL, &leader);
            cluster.node(followers[0]).kill_and_hold(CHAINFIRE).await?;
            let flags = member_flags(cluster, &[&leader, followers[0]]).await?;
            let arguments: Vec<&str> = ["chainfire", "member", "plan", "-o", "json"]
                .into_iter()
                .chain(flags.iter().map(String::as_str))
                .collect();
            let said = uc.run(&urls(&scene.etcd, &CANONICAL)?, &arguments, LOOK).await?;
            ensure!(
                said.status == Some(1),
                "uc ended with {:?}: {}{}",
                said.status,
                said.stdout,
                said.stderr
            );
            let document: Value = serde_json::from_str(&said.stdout).context("uc printed no JSON")?;
            let why = document["refused"].as_str().unwrap_or_default().to_owned();
            ensure!(why.contains("would lose the quorum: 1 of 2 voters healthy, quorum 2"), "{document:#}");
            let members = scene.etcd.members(&leader).await.map_err(anyhow::Error::msg)?;
            ensure!(members.len() == CANONICAL.len(), "the members were changed: {members:?}");
            cluster.node(followers[0]).start(CHAINFIRE).await?;
            scene.recovered(w, &CANONICAL).await?;
            Ok((why, document))
        };
        let name = "a plan that would lose the quorum is refused";
        let document = self.lane.check_value(name, CHANGE, check).await?;
        self.lane.evidence.artifact("plan-refused", &document)?;
        Ok(document)
    }

    /// The leader's replica gives way to one on another node, by one command.
    async fn replace_leader(&mut self) -> Result<(String, Value)> {
        let (cluster, scene, uc) = (self.cluster, &self.scene, &self.uc);
        let kept = self.lane.evidence.dir().join("artifacts/member-replace-proof.json");
        let check = async |w: &Waiting<'_>| {
            let old = scene.leader(w, &CANONICAL).await?;
            prepare(cluster, &scene.etcd, GUEST, &CANONICAL).await?;
            let all: Vec<&str> = CANONICAL.into_iter().chain([GUEST]).collect();
            let new = format!("https://{}", peer_address(cluster, GUEST).await?);
            let proof = kept.display().to_string();
            let arguments = ["chainfire", "member", "replace", &old, &new, "--proof", &proof];
            let endpoints = urls(&scene.etcd, &all)?;
            let (document, ()) = futures::future::try_join(
                uc.json(&endpoints, &arguments, CHANGE),
                start_when_listed(w, cluster, &scene.etcd, &others(&CANONICAL, &old), GUEST),
            )
            .await?;
            ensure!(document["success"] == true, "{document:#}");
            let rest = others(&all, &old);
            let end = scene.recovered(w, &rest).await?;
            cluster.node(&old).kill_and_hold(CHAINFIRE).await?;
            Ok((format!("{old}, which led, was replaced by {GUEST}; {end}"), (old, document)))
        };
        self.lane.check_value("the leader is replaced by one command", CHANGE, check).await
    }

    /// The canonical members again, by a file of them: the first command is killed half way, the second
    /// one goes on.
    async fn apply(&mut self, replaced: &str) -> Result<Value> {
        let (cluster, scene, uc) = (self.cluster, &self.scene, &self.uc);
        let artifacts = self.lane.evidence.dir().join("artifacts");
        let check = async |w: &Waiting<'_>| {
            wipe(cluster, replaced).await?;
            let all: Vec<&str> = CANONICAL.into_iter().chain([GUEST]).collect();
            let rest = others(&all, replaced);
            prepare(cluster, &scene.etcd, replaced, &rest).await?;
            let file = artifacts.join("members.toml");
            std::fs::write(&file, members_file(cluster, &CANONICAL).await?)?;
            let (file, endpoints) = (file.display().to_string(), urls(&scene.etcd, &all)?);
            let (half, whole) =
                (artifacts.join("member-apply-interrupted.json"), artifacts.join("member-apply-proof.json"));
            let (half, whole) = (half.display().to_string(), whole.display().to_string());
            let apply = |proof| ["chainfire", "member", "apply", "--file", &file, "--proof", proof];
            {
                // Killed when this is dropped: while it waits for the newcomer to start.
                let (first, begun) = (apply(&half), apply_begun(w, &scene.etcd, &rest));
                let first = uc.run(&endpoints, &first, CHANGE);
                tokio::pin!(first, begun);
                tokio::select! {
                    biased;
                    begun = &mut begun => begun?,
                    said = &mut first => anyhow::bail!("uc ended before the newcomer was started: {said:?}"),
                }
            }
            let second = apply(&whole);
            let (document, ()) = futures::future::try_join(
                uc.json(&endpoints, &second, CHANGE),
                start_when_listed(w, cluster, &scene.etcd, &rest, replaced),
            )
            .await?;
            ensure!(document["success"] == true, "{document:#}");
            let end = scene.recovered(w, &CANONICAL).await?;
            cluster.node(GUEST).kill_and_hold(CHAINFIRE).await?;
            wipe(cluster, GUEST).await?;
            let members = scene.etcd.members(CANONICAL[0]).await.map_err(anyhow::Error::msg)?;
            let mut names: Vec<&str> =
                members.iter().filter(|m| !m.learner).map(|m| m.name.as_str()).collect();
            names.sort_unstable();
            ensure!(names == CANONICAL && members.len() == CANONICAL.len(), "{members:?}");
            Ok((format!("{replaced} is back, {GUEST} is gone; {end}"), document))
        };
        let name = "the canonical members come back by plan and apply, interrupted once";
        self.lane.check_value(name, CHANGE * 2, check).await
    }
}

/// Waits until the first `apply` has had a learner added.
async fn apply_begun(w: &Waiting<'_>, etcd: &Etcd, via: &[&str]) -> Result<()> {
    w.until("the newcomer on the list of members", || async {
        let members = etcd.members(via[0]).await?;
        members.iter().any(|m| m.learner).then_some(()).ok_or_else(|| format!("{members:?}"))
    })
    .await
}

/// Gives a node a replica that will join, not started yet.
async fn prepare(cluster: &Cluster, etcd: &Etcd, node: &str, members: &[&str]) -> Result<()> {
    let mut known = Vec::new();
    for name in members.iter().chain([&node]) {
        known.push(((*name).to_owned(), peer_address(cluster, name).await?));
    }
    cluster
        .node(node)
        .provision(CHAINFIRE, Some(Setup { members: known, join: true, ..Setup::default() }))
        .await?;
    etcd.look_again(cluster).await
}

/// What an operator does meanwhile: starts the newcomer when the cluster has been told of it.
async fn start_when_listed(
    w: &Waiting<'_>,
    cluster: &Cluster,
    etcd: &Etcd,
    via: &[&str],
    node: &str,
) -> Result<()> {
    let url = format!("https://{}", peer_address(cluster, node).await?);
    w.until("the newcomer on the list of members", || async {
        let members = etcd.members(via[0]).await?;
        let listed = members.iter().any(|m| m.peer_urls.contains(&url));
        listed.then_some(()).ok_or_else(|| format!("{members:?}"))
    })
    .await?;
    cluster.node(node).start(CHAINFIRE).await
}

async fn member_flags(cluster: &Cluster, nodes: &[&str]) -> Result<Vec<String>> {
    let mut flags = Vec::new();
    for node in nodes {
        flags.push("--member".to_owned());
        flags.push(format!("{node}=https://{}", peer_address(cluster, node).await?));
    }
    Ok(flags)
}

async fn members_file(cluster: &Cluster, nodes: &[&str]) -> Result<String> {
    let mut text = String::new();
    for node in nodes {
        let peer = peer_address(cluster, node).await?;
        text.push_str(&format!("[[members]]\nname = \"{node}\"\npeer_urls = [\"https://{peer}\"]\n\n"));
    }
    Ok(text)
}

/// The history that the lane itself has judged, judged by `uc`.
async fn kept_history(lane: &mut Lane, etcd: &Etcd, uc: &Uc) -> Result<Value> {
    let file = lane.evidence.dir().join("artifacts/history.jsonl").display().to_string();
    let check = async |_: &Waiting<'_>| {
        let endpoints = urls(etcd, &CANONICAL)?;
        let document = uc.json(&endpoints, &["chainfire", "verify", "--check", &file], LOOK * 2).await?;
        ensure!(document["verdict"] == "correct", "{document:#}");
        Ok((document["history"].to_string(), document))
    };
    lane.check_value("uc judges the lane's own history", SOON * 2, check).await
}

async fn verify(lane: &mut Lane, etcd: &Etcd, uc: &Uc) -> Result<Value> {
    let check = async |_: &Waiting<'_>| {
        let endpoints = urls(etcd, &CANONICAL)?;
        let arguments = ["chainfire", "verify", "--duration", VERIFY];
        let document = uc.json(&endpoints, &arguments, LOOK * 3).await?;
        ensure!(document["verdict"] == "correct", "{document:#}");
        ensure!(document["operations"]["failed"] == 0, "operations failed: {document:#}");
        let (operations, hashes) = (&document["operations"], &document["hashes"]["result"]);
        Ok((format!("{operations}, hashes: {hashes}"), document))
    };
    let document = lane.check_value("uc verifies the cluster", CHANGE, check).await?;
    lane.evidence.artifact("verify", &document)?;
    Ok(document)
}

/// With users, a stranger gets nowhere and root does; without them, everybody does again.
async fn users(lane: &mut Lane, etcd: &Etcd, uc: &Uc) -> Result<()> {
    let ctl = Ctl::find(etcd);
    let password = format!("{:016x}", kit::entropy::Entropy::system().next_u64());
    let root = format!("root:{password}");
    let key = format!("ops/{}", run_name(lane));
    let check = async |_: &Waiting<'_>| {
        let endpoints = urls(etcd, &CANONICAL)?;
        let first = [endpoints[0].as_str()];
        ctl.run(&first, &["user", "add", "root", "--new-user-password", &password]).await?;
        ctl.run(&first, &["user", "grant-role", "root", "root"]).await?;
        ctl.run(&first, &["auth", "enable"]).await?;
        let stranger = ctl.run(&first, &["put", &key, "stranger"]).await;
        let as_root = ctl.run(&first, &["--user", &root, "put", &key, "root"]).await;
        let arguments = ["chainfire", "verify", "--duration", "1s", "--user", &root];
        let verified = uc.json(&endpoints, &arguments, LOOK * 2).await;
        // Whatever came of it, the cluster is left as it was found.
        ctl.run(&first, &["--user", &root, "auth", "disable"]).await?;
        ctl.run(&first, &["user", "delete", "root"]).await?;
        ensure!(stranger.is_err(), "a stranger could write: {stranger:?}");
        as_root.context("root could not write")?;
        let verified = verified.context("root could not verify")?;
        let read = ctl.run(&first, &["get", "--print-value-only", &key]).await?;
        ensure!(read.trim() == "root", "{key} holds `{}`", read.trim());
        let why = stranger.err().map(|e| format!("{e:#}")).unwrap_or_default();
        Ok(format!("a stranger was told: {why}; root verified: {}", verified["verdict"]))
    };
    lane.check("users keep strangers out, and let root verify", SOON * 2, check).await
}

/// Over slow links a write is slow, and the leader's log says that it was the replication.
async fn slow_request(lane: &mut Lane, cluster: &Cluster, etcd: &Etcd) -> Result<()> {
    let key = format!("slow/{}", run_name(lane));
    let check = async |w: &Waiting<'_>| {
        let leader = w.until("one leader that all agree on", || etcd.leader_of(&CANONICAL)).await?;
        let link = Link { delay: SLOW_LINK, ..Link::default() };
        cluster.links(&[&leader], &others(&CANONICAL, &leader), true, link).await?;
        let put = etcd.put(&leader, &key).await;
        cluster.heal().await?;
        put.map_err(anyhow::Error::msg)?;
        let log = cluster.node(&leader).service(CHAINFIRE).await?.host_log;
        w.until("the leader to say where the time of the write went", || async {
            let text = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
            let told = text.lines().find(|line| line.contains("slow request") && line.contains(&key));
            let told = told.ok_or_else(|| format!("nothing of {key} in {}", log.display()))?;
            let spent = replicated(told).ok_or_else(|| format!("no time of the replication in: {told}"))?;
            match spent >= 2 * SLOW_LINK {
                true => Ok(format!("replicating took {spent:?} of it")),
                false => Err(format!("replicating took less than the links did: {told}")),
            }
        })
        .await
    };
    lane.check("a slow request says where its time went", SOON, check).await
}

/// The time that a log line says a write was replicated in.
fn replicated(line: &str) -> Option<Duration> {
    let spent = line.split("replicate=").nth(1)?.split_whitespace().next()?;
    let (number, unit) = spent.split_at(spent.find(|c: char| c.is_alphabetic() || c == 'µ')?);
    let seconds = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_replication_is_read_from_a_line() {
        let line = "slow request method=\"Put\" parts=queue=1.0ms fsync=2.1ms replicate=501.3ms apply=7.0µs";
        assert_eq!(replicated(line), Some(Duration::from_micros(501_300)));
        assert_eq!(replicated("replicate=1.5s apply=1s"), Some(Duration::from_millis(1500)));
        assert_eq!(replicated("slow request"), None);
    }
}
