//! What the ChainFire lanes share: a load and a watch under way, and the questions asked after every
//! fault.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use history::Keys;
use history::check::{self, Summary};
use history::kept::{self, Round};
use history::load::{Load, Options, Tally};
use history::watch::Watcher;

use crate::client::Cluster;
use crate::etcd::{Etcd, MemberView};
use crate::lane::{Lane, Seen, Waiting};
use crate::node::unit::Phase;

/// The service that all of this is about.
pub(super) use crate::roles::CHAINFIRE;

/// The canonical replicas.
pub(super) const CANONICAL: [&str; 3] = ["node01", "node02", "node03"];

/// How long a fault's consequences may take: an election, a restart, a catch-up.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// A fault, its consequences and the recovery.
pub(super) const FAULT: Duration = Duration::from_secs(60);

/// So many writes acknowledged after a fault mean that the cluster works again.
const SIGNS_OF_LIFE: u64 = 15;

/// A cluster with a load and a watch on it.
pub(super) struct Scene {
    /// The ways in.
    pub(super) etcd: Etcd,
    /// The load.
    pub(super) load: Load,
    watcher: Watcher,
    cluster: Cluster,
    /// Of this run: no other has it.
    run: String,
}

impl Scene {
    /// Waits for the cluster to form, then begins a load on the canonical replicas, and a watch that
    /// is first on `watched_first`, or on whoever leads.
    pub(super) async fn begin(lane: &mut Lane, cluster: &Cluster, clients: u32) -> Result<Self> {
        let etcd = Etcd::of(cluster).await?;
        let leader = lane.check_value("formation", SOON, async |w| form(w, &etcd).await).await?;
        let run = run_name(lane);
        let keys = Keys::of_run(&run);
        let mark = format!("mark/{run}");
        let seed = lane.seed;
        let start = async |w: &Waiting<'_>| {
            let revision = w.until("a first write", || etcd.put(&leader, &mark)).await?;
            let watched: Vec<&str> = std::iter::once(leader.as_str()).chain(CANONICAL).collect();
            let watcher = Watcher::start(etcd.ways(&CANONICAL)?, &watched, keys.clone(), revision + 1);
            let load = Load::start(etcd.ways(&CANONICAL)?, keys, Options::gentle(clients, seed)).await?;
            w.until("acknowledged writes", || alive(&load, 0)).await?;
            Ok((
                format!("{clients} clients, a watch on {leader} from revision {}", revision + 1),
                (load, watcher),
            ))
        };
        let (load, watcher) = lane.check_value("load", SOON, start).await?;
        Ok(Self { etcd, load, watcher, cluster: cluster.clone(), run })
    }

    /// Waits until these replicas agree on one leader; answers it.
    pub(super) async fn leader(&self, w: &Waiting<'_>, nodes: &[&str]) -> Result<String> {
        w.until("one leader that all agree on", || self.etcd.leader_of(nodes)).await
    }

    /// Waits until these replicas agree on a leader other than `old`.
    pub(super) async fn leader_after(&self, w: &Waiting<'_>, nodes: &[&str], old: &str) -> Result<String> {
        w.until("another leader", || async {
            match self.etcd.leader_of(nodes).await? {
                leader if leader == old => Err(format!("{old} still leads")),
                leader => Ok(leader),
            }
        })
        .await
    }

    /// Waits until writes are acknowledged again.
    pub(super) async fn progress(&self, w: &Waiting<'_>) -> Result<()> {
        let before = self.load.acknowledged();
        w.until("acknowledged writes", || alive(&self.load, before)).await
    }

    /// Waits until all these replicas agree on a leader and each holds a write made just now.
    pub(super) async fn recovered(&self, w: &Waiting<'_>, nodes: &[&str]) -> Result<String> {
        let leader = self.leader(w, nodes).await?;
        self.progress(w).await?;
        self.caught_up(w, nodes).await?;
        Ok(format!("led by {leader}, {} writes acknowledged", self.load.acknowledged()))
    }

    /// Waits until each of these replicas holds a write made just now.
    pub(super) async fn caught_up(&self, w: &Waiting<'_>, nodes: &[&str]) -> Result<()> {
        let key = format!("mark/{}/{}", self.run, kit::entropy::Entropy::system().next_u64());
        w.until("a write", || self.put_anywhere(nodes, &key)).await?;
        for node in nodes {
            w.until(&format!("{node} to hold what was just written"), || self.etcd.has(node, &key)).await?;
        }
        Ok(())
    }

    async fn put_anywhere(&self, nodes: &[&str], key: &str) -> Seen<i64> {
        let mut why = String::new();
        for node in nodes {
            match self.etcd.put(node, key).await {
                Ok(revision) => return Ok(revision),
                Err(e) => why = e,
            }
        }
        Err(why)
    }

    /// Waits until a replica that cannot reach a majority refuses to answer a linearizable read.
    pub(super) async fn refuses_reads(&self, w: &Waiting<'_>, node: &str) -> Result<()> {
        let run = &self.run;
        w.until(&format!("{node} to refuse linearizable reads"), || async {
            let mut client = self.etcd.client(node).await.map_err(|e| format!("{e:#}"))?;
            match client.get(format!("mark/{run}"), None).await {
                Ok(_) => Err(format!("{node} answered one")),
                Err(_) => Ok(()),
            }
        })
        .await
    }

    /// Waits until the service on a node has ended by itself as a storage error ends it; answers how.
    pub(super) async fn storage_failure(
        &self,
        w: &Waiting<'_>,
        node: &str,
        starts_before: u32,
    ) -> Result<String> {
        let host = self.cluster.node(node);
        w.until(&format!("{CHAINFIRE} on {node} to end with status {EXIT_STORAGE}"), || async {
            let report = host.service(CHAINFIRE).await.map_err(|e| format!("{e:#}"))?;
            let said = crate::tail::last_line(&report.host_log).unwrap_or_default();
            match report.status.last_exit {
                Some(exit) if exit.code == Some(EXIT_STORAGE) && report.status.starts >= starts_before => {
                    Ok(format!("ended with {exit}; log {}", report.host_log.display()))
                }
                exit => {
                    Err(format!("last ended with {exit:?}, started {} times: {said}", report.status.starts))
                }
            }
        })
        .await
    }

    /// Waits until a replica that was removed has ended by itself, then starts it with the data it had:
    /// it must refuse.
    pub(super) async fn stays_away(&self, w: &Waiting<'_>, node: &str) -> Result<()> {
        let host = self.cluster.node(node);
        w.until(&format!("the removed replica on {node} to end by itself"), || async {
            let status = host.service(CHAINFIRE).await.map_err(|e| format!("{e:#}"))?.status;
            match (status.phase, status.last_exit) {
                (Phase::Inactive, Some(exit)) if exit.code == Some(0) => Ok(()),
                (phase, exit) => Err(format!("{phase:?}, last ended with {exit:?}")),
            }
        })
        .await?;
        // It is not ready, and that is what a manager says of such a start.
        let started = host.start(CHAINFIRE).await;
        w.until(&format!("{node} to refuse to start with status {EXIT_CONFIG}"), || async {
            let report = host.service(CHAINFIRE).await.map_err(|e| format!("{e:#}"))?;
            match report.status.last_exit {
                Some(exit) if exit.code == Some(EXIT_CONFIG) => Ok(()),
                exit => Err(format!("{:?}, last ended with {exit:?}, {started:?}", report.status.phase)),
            }
        })
        .await?;
        host.stop(CHAINFIRE).await
    }

    /// As [`Scene::judge`]; and no operation may have failed, though a second replica may have answered it.
    pub(super) async fn judge_without_failures(self, lane: &mut Lane) -> Result<()> {
        let check = async |_: &Waiting<'_>| {
            let tally = self.load.stop().await;
            match self.load.first_failure() {
                Some(why) => bail!("{}; the first was told: {why}", describe_tally(&tally)),
                None => Ok(describe_tally(&tally)),
            }
        };
        lane.check("no operation failed", SOON, check).await?;
        self.judge(lane).await
    }

    /// Ends load and watch and judges what they saw.
    pub(super) async fn judge(self, lane: &mut Lane) -> Result<()> {
        let Self { load, watcher, .. } = self;
        let finish = async |w: &Waiting<'_>| {
            w.show("reading every register through every replica");
            let tally = load.stop().await;
            let calls = load.finish(&CANONICAL).await.context("the last reads")?;
            Ok((format!("{} calls; {}", calls.len(), describe_tally(&tally)), (calls, tally)))
        };
        let (calls, tally) = lane.check_value("last reads", Duration::from_secs(120), finish).await?;
        lane.evidence.artifact("operations", &tally)?;
        let mut round = Round { number: 1, calls, ..Round::default() };
        keep(lane, &round)?;
        let judged = async |_: &Waiting<'_>| {
            let calls = round.calls.clone();
            let summary = tokio::task::spawn_blocking(move || check::calls(&calls)).await??;
            Ok((describe(&summary), summary))
        };
        let summary = lane.check_value("linearizable", Duration::from_secs(180), judged).await?;
        lane.evidence.artifact("history-summary", &summary)?;
        let last = round.calls.iter().filter(|c| c.is_acknowledged_write()).filter_map(|c| c.revision).max();
        let shown = async |w: &Waiting<'_>| {
            w.until("the watch to come to the last write", || async {
                watcher.has_reached(last.unwrap_or(0))
            })
            .await?;
            let resumed = watcher.resumed();
            let events = watcher.finish().await?;
            Ok((format!("{} events; begun again {resumed} times", events.len()), events))
        };
        let events = lane.check_value("the watch comes to the last write", SOON, shown).await?;
        round.watches.insert("watch".to_owned(), events);
        keep(lane, &round)?;
        let watched = async |_: &Waiting<'_>| {
            let summary = check::round(&round)?;
            Ok(format!("{} events, each once and in order", summary.events))
        };
        lane.check("watch without gap or repeat", SOON, watched).await
    }

    /// Keeps what every replica and the member list say now, as `artifacts/<name>.json`.
    pub(super) async fn keep_state(&self, lane: &Lane, name: &str, nodes: &[&str]) -> Result<()> {
        let views: Vec<MemberView> = self.etcd.views(nodes).await.map_err(anyhow::Error::msg)?;
        // A learner keeps no list that may be asked for.
        let Some(voter) = views.iter().find(|v| !v.learner) else { bail!("no voter is asked") };
        let members = self.etcd.members(&voter.node).await.map_err(anyhow::Error::msg)?;
        let state = serde_json::json!({
            "at": jiff::Timestamp::now().to_string(),
            "members": members,
            "views": views,
            "acknowledged_writes": self.load.acknowledged(),
        });
        lane.evidence.artifact(name, &state)
    }
}

/// EX_IOERR of sysexits.h: what a role ends with when its storage fails.
const EXIT_STORAGE: i32 = 74;

/// EX_CONFIG of sysexits.h: what a role ends with that no restart can help.
const EXIT_CONFIG: i32 = 78;

/// All but one.
pub(super) fn others<'a>(nodes: &[&'a str], but: &str) -> Vec<&'a str> {
    nodes.iter().copied().filter(|n| *n != but).collect()
}

/// Where the peers of a node's replica reach it.
pub(super) async fn peer_address(cluster: &Cluster, node: &str) -> Result<String> {
    let status = cluster.status().await?;
    let found = status.nodes.get(node).with_context(|| format!("there is no node {node}"))?;
    Ok(format!("{}:{}", found.address, crate::roles::CHAINFIRE_PEER))
}

/// Removes a replica's data; its service is down.
pub(super) async fn wipe(cluster: &Cluster, node: &str) -> Result<()> {
    let dir = crate::roles::data_dir(CHAINFIRE);
    let done = cluster.node(node).exec(&["rm", "-rf", &dir]).await?;
    anyhow::ensure!(done.exit.is_clean(), "rm -rf {dir} on {node} ended with {}: {}", done.exit, done.stderr);
    Ok(())
}

/// The run's name in the store: its directory's.
pub(super) fn run_name(lane: &Lane) -> String {
    lane.evidence.dir().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

async fn form(w: &Waiting<'_>, etcd: &Etcd) -> Result<(String, String)> {
    let leader = w.until("three replicas that agree on a leader", || etcd.leader_of(&CANONICAL)).await?;
    let voters = w
        .until("three voters, each known by its name", || async {
            let members = etcd.members(&leader).await?;
            let named = CANONICAL.iter().all(|n| members.iter().any(|m| m.name == *n && !m.learner));
            if named && members.len() == CANONICAL.len() { Ok(members) } else { Err(format!("{members:?}")) }
        })
        .await?;
    Ok((format!("{} voters, led by {leader}", voters.len()), leader))
}

async fn alive(load: &Load, before: u64) -> Seen<()> {
    let since = load.acknowledged() - before;
    if since >= SIGNS_OF_LIFE { Ok(()) } else { Err(format!("{since} writes acknowledged")) }
}

fn describe(summary: &Summary) -> String {
    format!(
        "{} calls on {} registers, {} writes acknowledged, {} of unknown outcome; longest pause {} ms",
        summary.calls,
        summary.registers,
        summary.acknowledged_writes,
        summary.unknown_writes,
        summary.longest_write_pause_ms
    )
}

fn describe_tally(tally: &Tally) -> String {
    format!(
        "{} operations answered, {} of them by a second replica; {} failed",
        tally.answered, tally.retried, tally.failed
    )
}

/// So that `uc chainfire verify --check` can judge it again.
fn keep(lane: &Lane, round: &Round) -> Result<()> {
    let mut lines = Vec::new();
    kept::write(&mut lines, round)?;
    lane.evidence.artifact_file("history.jsonl", &lines)
}

/// The log segment that a replica wrote to last. Not the one with the highest number: the next one is
/// made in advance and holds nothing yet.
pub(super) async fn active_segment(cluster: &Cluster, node: &str) -> Result<String> {
    let dir = crate::roles::data_dir(CHAINFIRE);
    let files = cluster.node(node).files(&dir).await?;
    let segments = files.into_iter().filter(|f| Path::new(&f.path).extension().is_some_and(|e| e == "wal"));
    let active = segments.max_by_key(|f| (f.modified_ms, f.path.clone()));
    active.map(|f| f.path).with_context(|| format!("{node} has no log segment below {dir}"))
}
