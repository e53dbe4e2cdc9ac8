//! The verbs that run lanes.

use std::process::ExitCode;

use anyhow::Result;

use super::lifecycle::{boot, boot_owned, interruptible, stop_whatever_runs, verb_lock, wipe};
use super::{Nodes, Setting};
use crate::client::{Cluster, Ownership};
use crate::lane::{Lane, Verdict};
use crate::lanes;
use crate::progress::Progress;

/// Which cluster a lane runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The one that runs.
    Running,
    /// The one that runs, or one that is booted and left running.
    RunningOrNew,
    /// One booted from nothing, which ends with the lane.
    Fresh,
}

/// A lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// [`lanes::smoke`]
    Smoke,
    /// [`lanes::chainfire_faults`]
    ChainfireFaults {
        /// Of kill -9, pause or partition.
        rounds: u32,
    },
    /// [`lanes::chainfire_live_membership`]
    ChainfireLiveMembership,
    /// [`lanes::core_control_plane_ops`]
    CoreControlPlaneOps,
    /// [`lanes::durability_proof`]
    Durability,
}

impl Which {
    /// What evidence calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::ChainfireFaults { .. } => "chainfire-faults",
            Self::ChainfireLiveMembership => "chainfire-live-membership-proof",
            Self::CoreControlPlaneOps => "core-control-plane-ops-proof",
            Self::Durability => "durability-proof",
        }
    }

    /// How it is called on a cluster of its own.
    fn verb(self) -> String {
        match self {
            Self::Smoke => "fresh-smoke".to_owned(),
            Self::ChainfireFaults { rounds } => format!("chainfire-faults --rounds {rounds}"),
            which => which.name().to_owned(),
        }
    }

    /// Boxed: each holds the state of all its checks.
    async fn perform(self, lane: &mut Lane, cluster: &Cluster) -> Result<()> {
        match self {
            Self::Smoke => Box::pin(lanes::smoke::run(lane, cluster)).await,
            Self::ChainfireFaults { rounds } => {
                Box::pin(lanes::chainfire_faults::run(lane, cluster, rounds)).await
            }
            Self::ChainfireLiveMembership => {
                Box::pin(lanes::chainfire_live_membership::run(lane, cluster)).await
            }
            Self::CoreControlPlaneOps => Box::pin(lanes::core_control_plane_ops::run(lane, cluster)).await,
            Self::Durability => Box::pin(lanes::durability_proof::run(lane, cluster)).await,
        }
    }
}

/// Runs one lane, as often in a row as was asked for, until a run fails.
pub(super) async fn one(setting: &Setting, which: Which, on: On) -> Result<ExitCode> {
    let _lock = verb_lock(&setting.paths, which.name())?;
    let mut verdicts = Vec::new();
    for number in 1..=setting.common.times {
        let mut setting = setting.clone();
        // A given seed is the first run's; each has one of its own.
        setting.common.seed = setting.common.seed.map(|seed| seed.wrapping_add(u64::from(number) - 1));
        let verdict = run(&setting, which, on).await?;
        let failed = verdict.error.is_some();
        verdicts.push(verdict);
        if failed {
            break;
        }
    }
    Ok(announce(setting, which, &verdicts))
}

/// Runs every netns lane on clusters of their own, the later ones also when an earlier one failed.
pub(super) async fn portable(setting: &Setting, rounds: u32) -> Result<ExitCode> {
    let _lock = verb_lock(&setting.paths, "portable-control-plane-regressions")?;
    let mut verdicts = Vec::new();
    let lanes = [
        Which::Smoke,
        Which::ChainfireLiveMembership,
        Which::CoreControlPlaneOps,
        Which::Durability,
        Which::ChainfireFaults { rounds },
    ];
    let mut green = true;
    for which in lanes {
        verdicts.push((which, run(setting, which, On::Fresh).await?));
    }
    for (which, verdict) in verdicts {
        green &= announce(setting, which, &[verdict]) == ExitCode::SUCCESS;
    }
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one lane to its written end. An error here means that not even that was possible.
pub(super) async fn run(setting: &Setting, which: Which, on: On) -> Result<Verdict> {
    let common = &setting.common;
    let on = if common.from.is_some() { On::Running } else { on };
    let seed = setting.common.seed.unwrap_or_else(|| kit::entropy::Entropy::system().next_u64() >> 32);
    let progress = Progress::new(setting.common.plain);
    progress.line(&format!("lane {}, seed {seed}", which.name()));
    let mut lane = Lane::begin(&setting.paths, which.name(), seed, progress)?;
    if let Some(check) = &common.from {
        lane.begin_at(check);
    }
    let mut hold = None;
    // One seed for the lane and for the switch of a cluster that it boots.
    let mut setting = setting.clone();
    setting.common.seed = Some(seed);
    let outcome = interruptible(on_cluster(&setting, which, on, &mut lane, &mut hold)).await;
    let verdict = lane.finish(outcome, setting.paths.supervisor_log()).await;
    put_away(&setting, on, hold).await?;
    verdict
}

/// What a lane holds of its cluster until its evidence is collected.
struct Hold {
    cluster: Cluster,
    ownership: Option<Ownership>,
}

async fn on_cluster(
    setting: &Setting,
    which: Which,
    on: On,
    lane: &mut Lane,
    hold: &mut Option<Hold>,
) -> Result<()> {
    let progress = Progress::new(setting.common.plain);
    let (cluster, ownership) = match on {
        On::Fresh => {
            wipe(&setting.paths).await?;
            let (cluster, ownership) = boot_owned(setting, &progress, false).await?;
            (cluster, Some(ownership))
        }
        On::Running => (Cluster::running(&setting.paths).await?, None),
        On::RunningOrNew => match Cluster::attach(&setting.paths).await? {
            Some(cluster) => (cluster, None),
            None => (boot(setting, &progress).await?, None),
        },
    };
    progress.end();
    let held = hold.insert(Hold { cluster, ownership });
    lane.attach(&held.cluster).await?;
    which.perform(lane, &held.cluster).await
}

/// Leaves a cluster as it was found: healed, or stopped if it was the lane's own.
async fn put_away(setting: &Setting, on: On, hold: Option<Hold>) -> Result<()> {
    match hold {
        // As it is, with its faults: somebody wants to look.
        Some(Hold { ownership: Some(ownership), .. }) if setting.common.keep => ownership.release().await,
        Some(Hold { cluster, ownership: Some(_ownership) }) => cluster.shut_down().await,
        Some(Hold { cluster, ownership: None }) => cluster.heal().await,
        None if on == On::Fresh => stop_whatever_runs(&setting.paths).await,
        None => Ok(()),
    }
}

/// Prints the end of each run of a lane, and says by the exit status whether all are green. Programs read the line
/// `N passed, N failed`.
pub(super) fn announce(setting: &Setting, which: Which, verdicts: &[Verdict]) -> ExitCode {
    for verdict in verdicts {
        match &verdict.error {
            None => println!("{} is green: {}", verdict.lane, verdict.dir.display()),
            Some(error) => {
                println!("{} FAILED: {error}", verdict.lane);
                println!("  logs and result.json: {}", verdict.dir.display());
                println!("  again:      {}", again(setting, which, verdict));
                if let Some(check) = verdict.failed_check.as_ref().filter(|_| setting.common.keep) {
                    println!(
                        "  go on here: ./cluster {} --seed {} --from '{check}'",
                        which.verb(),
                        verdict.seed
                    );
                }
            }
        }
        // A lane that failed outside of its checks has failed all the same.
        let failed = verdict.failed.max(usize::from(verdict.error.is_some()));
        println!("{} passed, {failed} failed", verdict.passed);
    }
    let green = verdicts.iter().all(|v| v.error.is_none());
    if green { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command that does the same again and leaves the cluster to be looked at.
fn again(setting: &Setting, which: Which, verdict: &Verdict) -> String {
    let nodes = match setting.common.nodes {
        Nodes::Netns => "",
        Nodes::Vm => " --nodes vm",
    };
    format!("./cluster {}{nodes} --seed {} --keep", which.verb(), verdict.seed)
}
