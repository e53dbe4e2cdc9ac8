//! `work-root-budget`: see [`crate::budget`].

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::{Budget, Setting};
use crate::budget::{self, Tracked};

/// Reports, enforces, or prunes.
pub(super) fn run(setting: &Setting, what: Budget) -> Result<ExitCode> {
    match what {
        Budget::Status => report(setting).map(|_| ExitCode::SUCCESS),
        Budget::Enforce => {
            let over = report(setting)?;
            Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Budget::PruneProofLogs { keep, yes } => prune(setting, keep, yes),
    }
}

/// Prints the table; true when something is over its budget.
fn report(setting: &Setting) -> Result<bool> {
    let tracked = budget::measure(&setting.paths)?;
    for t in &tracked {
        let over = if t.is_over() { "  OVER" } else { "" };
        println!("{:>8} MiB of {:>6}  {}  {}{over}", t.bytes >> 20, t.budget >> 20, t.what, t.path.display());
    }
    let over = tracked.iter().any(Tracked::is_over);
    if over {
        eprintln!(
            "to make room: ./cluster clean (the cluster's data), then ./cluster work-root-budget prune-proof-logs 2 --yes"
        );
    }
    Ok(over)
}

fn prune(setting: &Setting, keep: usize, yes: bool) -> Result<ExitCode> {
    let old = budget::prunable(&setting.paths, keep)?;
    for run in &old {
        println!("{}", run.display());
        if yes {
            std::fs::remove_dir_all(run).with_context(|| format!("cannot remove {}", run.display()))?;
        }
    }
    let done = if yes { "removed" } else { "may go; --yes removes them" };
    eprintln!("{} dated runs beyond the newest {keep} of each lane: {done}", old.len());
    Ok(ExitCode::SUCCESS)
}
