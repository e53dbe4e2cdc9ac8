//! `durability-proof`: what was lost comes back. Keys from an export, a damaged member from the others, a whole
//! cluster from a backup that was made under load; and a backup that is not whole is never used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::scene::{CANONICAL, CHAINFIRE, SOON, Scene, active_segment, others, run_name, wipe};
use crate::client::Cluster;
use crate::etcd::Etcd;
use crate::etcd::ctl::Ctl;
use crate::etcd::uc::Uc;
use crate::lane::{Lane, Waiting};
use crate::node::protocol::Damage;
use crate::roles::{CHAINFIRE_CLIENT, etc};

/// Clients of the load.
const CLIENTS: u32 = 6;

/// Keys that are lost and come back.
const KEYS: usize = 300;

/// One step of an operator.
const STEP: Duration = Duration::from_secs(60);

/// Of a `uc`.
const UC: Duration = Duration::from_secs(30);

/// The server binary and its configuration on a node.
const PROGRAM: &str = "/opt/ultracloud/bin/ultracloud";

/// Where a backup lies on a node.
const BACKUP: &str = "/var/lib/ultracloud/backup.image";

/// EX_IOERR of sysexits.h: what a damaged file is refused with.
const EXIT_STORAGE: i32 = 74;

/// By how much revisions jump.
const JUMP: i64 = 1_000_000_000;

/// What the lane holds on to.
struct Proof<'a> {
    lane: &'a mut Lane,
    cluster: &'a Cluster,
    scene: Scene,
    uc: Uc,
    /// Of the keys that are watched over.
    prefix: String,
}

/// Runs the lane.
pub async fn run(lane: &mut Lane, cluster: &Cluster) -> Result<()> {
    let scene = Scene::begin(lane, cluster, CLIENTS).await?;
    let uc = Uc::find(&scene.etcd)?;
    let prefix = format!("durability/{}/", run_name(lane));
    let mut proof = Proof { lane, cluster, scene, uc, prefix };
    let exported = proof.export_and_import().await?;
    let (backup, revision) = proof.backup().await?;
    proof.damaged_backup(&backup).await?;
    proof.repair().await?;
    let Proof { lane, scene, prefix, uc, .. } = proof;
    let etcd = scene.etcd.clone();
    scene.judge(lane).await?;
    restore(lane, cluster, (&etcd, &uc), &backup, (&prefix, revision, &exported)).await
}

fn urls(etcd: &Etcd) -> Result<Vec<String>> {
    CANONICAL.iter().map(|node| etcd.url(node)).collect()
}

/// The lines of an export that are keys: what is between its head and its end.
fn keys_of(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    ensure!(lines.len() >= 2, "{} is no export", file.display());
    Ok(lines[1..lines.len() - 1].to_vec())
}

/// Exports the keys below a prefix into a file of the evidence.
async fn export(lane: &Lane, (etcd, uc): (&Etcd, &Uc), name: &str, prefix: &str) -> Result<Vec<String>> {
    let file = lane.evidence.dir().join("artifacts").join(name);
    let path = file.display().to_string();
    uc.json(&urls(etcd)?, &["chainfire", "export", &path, "--prefix", prefix], UC).await?;
    keys_of(&file)
}

impl Proof<'_> {
    async fn export_and_import(&mut self) -> Result<Vec<String>> {
        let (scene, uc, prefix) = (&self.scene, &self.uc, self.prefix.as_str());
        let (etcd, lane) = (&scene.etcd, &*self.lane);
        let artifacts = lane.evidence.dir().join("artifacts");
        std::fs::create_dir_all(&artifacts)?;
        let mut client = etcd.client(CANONICAL[0]).await?;
        for n in 0..KEYS {
            client.put(format!("{prefix}{n:04}"), format!("value {n}"), None).await?;
        }
        let before = export(lane, (etcd, uc), "keys-before.jsonl", prefix).await?;
        ensure!(before.len() == KEYS, "{} keys were exported, not {KEYS}", before.len());
        let after_file = artifacts.join("keys-after.jsonl");
        let kept = before.clone();
        let check = async |_: &Waiting<'_>| {
            let endpoints = urls(etcd)?;
            let first = [endpoints[0].as_str()];
            let deleted = Ctl::find(etcd).run(&first, &["del", "--prefix", prefix]).await?;
            ensure!(deleted.trim() == KEYS.to_string(), "{deleted} keys were deleted");
            let file = artifacts.join("keys-before.jsonl").display().to_string();
            let said = uc.json(&endpoints, &["chainfire", "import", &file], UC).await?;
            ensure!(said[0]["written"] == KEYS, "{said:#}");
            let again = after_file.display().to_string();
            uc.json(&endpoints, &["chainfire", "export", &again, "--prefix", prefix], UC).await?;
            ensure!(keys_of(&after_file)? == kept, "the keys are not what they were");
            Ok(format!("{KEYS} keys exported, deleted, imported"))
        };
        self.lane.check("what was lost comes back from an export", STEP, check).await?;
        Ok(before)
    }

    async fn backup(&mut self) -> Result<(PathBuf, i64)> {
        let (cluster, scene, uc) = (self.cluster, &self.scene, &self.uc);
        let file = self.lane.evidence.dir().join("artifacts/backup.image");
        let check = async |w: &Waiting<'_>| {
            let path = file.display().to_string();
            let said = uc.json(&urls(&scene.etcd)?, &["chainfire", "backup", &path], UC).await?;
            let node = cluster.node(CANONICAL[0]);
            node.push(BACKUP, 0o600, &std::fs::read(&file)?).await?;
            let verified = node.exec(&[PROGRAM, "chainfire", "verify-backup", "--json", BACKUP]).await?;
            ensure!(
                verified.exit.is_clean(),
                "verify-backup ended with {}: {}",
                verified.exit,
                verified.stderr
            );
            let whole: Value = serde_json::from_str(&verified.stdout).context("it printed no JSON")?;
            ensure!(whole["sha256"] == said[0]["sha256"], "{whole:#}\n{said:#}");
            scene.progress(w).await?;
            let revision = whole["revision"].as_i64().context("a revision")?;
            Ok((format!("{} bytes at revision {revision}", whole["bytes"]), (file.clone(), revision)))
        };
        self.lane.check_value("a backup is made under load, and is whole", STEP, check).await
    }

    async fn damaged_backup(&mut self, backup: &Path) -> Result<()> {
        let cluster = self.cluster;
        let whole = std::fs::read(backup)?;
        let bit = self.lane.seed.trailing_zeros() % 8;
        let check = async |_: &Waiting<'_>| {
            let node = cluster.node(CANONICAL[0]);
            let (mut bent, middle) = (whole.clone(), whole.len() / 2);
            bent[middle] ^= 1 << bit;
            for (what, bytes) in [("bent", &bent[..]), ("cut", &whole[..whole.len() - 512])] {
                let path = format!("{BACKUP}.{what}");
                node.push(&path, 0o600, bytes).await?;
                let refused = node.exec(&[PROGRAM, "chainfire", "verify-backup", &path]).await?;
                let code = refused.exit.code;
                ensure!(code == Some(EXIT_STORAGE), "the {what} one ended with {}", refused.exit);
                node.exec(&["rm", &path]).await?;
            }
            Ok("one with a flipped bit, one that is cut: status 74")
        };
        self.lane.check("a damaged backup is refused", STEP, check).await
    }

    async fn repair(&mut self) -> Result<()> {
        let (cluster, scene) = (self.cluster, &self.scene);
        let check = async |w: &Waiting<'_>| {
            let leader = scene.leader(w, &CANONICAL).await?;
            let victim = others(&CANONICAL, &leader)[0];
            let node = cluster.node(victim);
            node.kill_and_hold(CHAINFIRE).await?;
            let segment = active_segment(cluster, victim).await?;
            node.damage(&segment, Damage::FlipMiddleBit { bit: 3 }).await?;
            let before = node.service(CHAINFIRE).await?.status.starts;
            node.start(CHAINFIRE).await?;
            scene.storage_failure(w, victim, before + 1).await?;
            node.kill_and_hold(CHAINFIRE).await?;
            let helper = format!("https://{}:{CHAINFIRE_CLIENT}", address(cluster, &leader).await?);
            let repaired = on_node(cluster, victim, &["repair", "--from-peer", &helper]).await?;
            node.start(CHAINFIRE).await?;
            let end = scene.recovered(w, &CANONICAL).await?;
            let view = scene.etcd.view(victim).await.map_err(anyhow::Error::msg)?;
            ensure!(format!("{:x}", view.id) == repaired["new"], "{view:?} {repaired:#}");
            Ok(format!("{victim}: member {} became {}; {end}", repaired["old"], repaired["new"]))
        };
        self.lane.check("a damaged member is repaired from the others", STEP, check).await
    }
}

async fn address(cluster: &Cluster, node: &str) -> Result<String> {
    let status = cluster.status().await?;
    let found = status.nodes.get(node).with_context(|| format!("there is no node {node}"))?;
    Ok(found.address.to_string())
}

/// Runs `ultracloud chainfire …` on a node, for its replica.
async fn on_node(cluster: &Cluster, node: &str, arguments: &[&str]) -> Result<Value> {
    let config = format!("{}/config.toml", etc(CHAINFIRE));
    let fixed = [PROGRAM, "chainfire"];
    let ending = ["--config", config.as_str(), "--json"];
    let argv: Vec<&str> = fixed.iter().chain(arguments).chain(&ending).copied().collect();
    let done = cluster.node(node).exec(&argv).await?;
    let line = arguments.join(" ");
    ensure!(done.exit.is_clean(), "{line} on {node} ended with {}: {}", done.exit, done.stderr.trim());
    serde_json::from_str(&done.stdout).with_context(|| format!("{line} printed no JSON: {}", done.stdout))
}

/// All three lose everything; the backup makes another cluster of them.
async fn restore(
    lane: &mut Lane,
    cluster: &Cluster,
    (etcd, uc): (&Etcd, &Uc),
    backup: &Path,
    (prefix, revision, exported): (&str, i64, &[String]),
) -> Result<()> {
    let image = std::fs::read(backup)?;
    let check = async |w: &Waiting<'_>| {
        etcd.put(CANONICAL[0], &format!("{prefix}after-the-backup")).await.map_err(anyhow::Error::msg)?;
        for node in CANONICAL {
            cluster.node(node).kill_and_hold(CHAINFIRE).await?;
        }
        let mut restored = Vec::new();
        for node in CANONICAL {
            wipe(cluster, node).await?;
            cluster.node(node).push(BACKUP, 0o600, &image).await?;
            restored.push(on_node(cluster, node, &["restore", BACKUP]).await?);
        }
        ensure!(restored.iter().all(|one| one["cluster"] == restored[0]["cluster"]), "{restored:#?}");
        for node in CANONICAL {
            cluster.node(node).start(CHAINFIRE).await?;
        }
        let leader = w.until("one leader that all agree on", || etcd.leader_of(&CANONICAL)).await?;
        Ok((format!("cluster {}, led by {leader}", restored[0]["cluster"]), json!(restored)))
    };
    let restored = lane.check_value("three founders restore the backup", STEP * 2, check).await?;
    lane.evidence.artifact("restored", &restored)?;
    let keys = export(lane, (etcd, uc), "keys-restored.jsonl", prefix).await?;
    let check = async |_: &Waiting<'_>| {
        ensure!(
            keys == exported,
            "{} keys came back, not the {} that were there",
            keys.len(),
            exported.len()
        );
        let new = etcd.put(CANONICAL[0], &format!("{prefix}new")).await.map_err(anyhow::Error::msg)?;
        ensure!(new > revision + JUMP, "revisions went on at {new}, the backup ended at {revision}");
        let past = etcd_client::GetOptions::new().with_revision(revision);
        let mut client = etcd.client(CANONICAL[0]).await?;
        let told = client.get(prefix, Some(past)).await.err().map(|e| e.to_string()).unwrap_or_default();
        ensure!(told.contains("has been compacted"), "history before the restore: {told:?}");
        Ok(format!("{} keys as they were at revision {revision}; revisions go on at {new}", keys.len()))
    };
    lane.check("what the backup held is there, and who watched is told", SOON, check).await
}
