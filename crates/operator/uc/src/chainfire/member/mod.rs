//! `uc chainfire member …`: who belongs to the cluster, and how to change that without losing it.

mod apply;
mod desired;
mod model;
mod observe;
mod plan;
#[cfg(test)]
mod plan_tests;
mod proof;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::desired::{Desired, exchange};
use self::model::{Observed, Wanted};
use self::plan::{Proven, Refusal};
use self::proof::Keeper;
use crate::connect::Target;
use crate::output::{Column, Report};

const STEPS: &[Column] = &[
    Column::always("STEP", "step"),
    Column::always("DOES", "does"),
    Column::always("VOTERS", "voters"),
    Column::always("HEALTHY", "healthy"),
    Column::always("QUORUM", "quorum"),
    Column::always("BEARS", "bears"),
    Column::wide("BEFORE", "before"),
];

const PLAN_EXAMPLES: &str = "\
Examples:
  uc chainfire member plan --file members.toml
  uc chainfire member plan --member a=https://10.0.0.1:2380 --member b=https://10.0.0.2:2380 \\
      --member d=https://10.0.0.4:2380,https://10.0.0.4:2379

members.toml:
  [[members]]
  name = \"a\"
  peer_urls = [\"https://10.0.0.1:2380\"]
  client_urls = [\"https://10.0.0.1:2379\"]   # where uc asks a new member whether it has caught up

VOTERS, HEALTHY, QUORUM and BEARS (how many more voters may fail) are as after the step; -o json has
both sides of every step. Exit status 1: a step would lose the quorum, or it is lost already.";

const APPLY_EXAMPLES: &str = "\
Examples:
  uc chainfire member apply --file members.toml
  uc chainfire member apply --file members.toml --proof change-17.json

It looks at the cluster before every step, and does only what the plan for what it sees begins with. So it
may be interrupted and begun again. A new member is started by you, with `join = true`, when it says so.
The proof holds the plan, what was seen before each step, what came of it, and when.";

const REPLACE_EXAMPLES: &str = "\
Examples:
  uc chainfire member replace node02 https://10.0.0.4:2380 --client-url https://10.0.0.4:2379
  uc chainfire member replace 8e9e05c52164694d https://10.0.0.4:2380

The new member comes in as learner, catches up, gets its vote, and only then the old one goes, after handing
over leadership if it leads. An old one that does not answer goes first. Afterwards stop the old member
and remove its data directory: its id is never used again.";

/// What can be done with members.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the members of the cluster, learners too.
    List,
    /// Show the steps to other members, and prove that each keeps the quorum. Changes nothing.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan {
        #[command(flatten)]
        desired: Desired,
    },
    /// Change the members step by step, and keep the proof.
    #[command(after_help = APPLY_EXAMPLES)]
    Apply {
        #[command(flatten)]
        desired: Desired,
        #[command(flatten)]
        how: How,
    },
    /// Put a new member in the place of another one.
    #[command(after_help = REPLACE_EXAMPLES)]
    Replace {
        /// Who goes: its name or its id.
        old: String,
        /// Where the peers of the new one reach it.
        #[arg(value_name = "NEW_URL", value_parser = desired::url)]
        new: String,
        /// Where clients reach the new one, to ask whether it has caught up.
        #[arg(long, value_name = "URL", value_parser = desired::url)]
        client_url: Vec<String>,
        /// Only show the steps.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        how: How,
    },
}

/// How a change is made.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// How long one step may take, the start of a new member included.
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration, value_name = "TIME")]
    step_timeout: Duration,
    /// Where the proof is kept [default: chainfire-members-<time>.json here].
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
}

/// Does it.
pub(crate) async fn run(target: &Target, verb: &Verb) -> anyhow::Result<Report> {
    match verb {
        Verb::List => super::members(target).await,
        Verb::Plan { desired } => show(target, &desired.wanted()?).await,
        Verb::Apply { desired, how } => change(target, &desired.wanted()?, how).await,
        Verb::Replace { old, new, client_url, dry_run, how } => {
            let (peer_urls, client_urls) = (vec![new.clone()], client_url.clone());
            let newcomer = Wanted { name: String::new(), peer_urls, client_urls };
            let sight = observe::look(target, std::slice::from_ref(&newcomer)).await?;
            match exchange(&sight.observed, old, newcomer)? {
                None => {
                    eprintln!("uc: {old} has been replaced already");
                    Ok(planned(&sight.observed, Vec::new(), None))
                }
                Some(wanted) if *dry_run => show(target, &wanted).await,
                Some(wanted) => change(target, &wanted, how).await,
            }
        }
    }
}

async fn show(target: &Target, wanted: &[Wanted]) -> anyhow::Result<Report> {
    let sight = observe::look(target, wanted).await?;
    let (steps, refusal) = plan::plan(&sight.observed, wanted);
    if steps.is_empty() && refusal.is_none() {
        eprintln!("uc: nothing to do: the members are as wanted; {}", sight.observed.bounds());
    }
    Ok(planned(&sight.observed, steps, refusal))
}

fn planned(observed: &Observed, steps: Vec<Proven>, refusal: Option<Refusal>) -> Report {
    let mut report = Report::new(STEPS, "does");
    report.rows = (1..).zip(&steps).map(|(number, proven)| row(number, proven)).collect();
    report.complaints.extend(refusal.as_ref().map(|r| format!("refused: {r}")));
    report.document = Some(json!({
        "schema_version": 1,
        "refused": refusal.map(|r| r.to_string()),
        "observed": observed,
        "bounds": observed.bounds(),
        "steps": steps,
    }));
    report
}

fn row(number: usize, proven: &Proven) -> Value {
    let after = proven.after;
    json!({
        "step": number,
        "does": apply::describe(&proven.step),
        "voters": after.voters,
        "healthy": after.healthy,
        "quorum": after.quorum,
        "bears": after.tolerates(),
        "before": proven.before.to_string(),
    })
}

async fn change(target: &Target, wanted: &[Wanted], how: &How) -> anyhow::Result<Report> {
    let keeper: Keeper = apply::apply(target, wanted, how.step_timeout, how.proof.as_deref()).await?;
    let members = keeper.proof.members.as_ref();
    let mut report = super::members_report();
    report.rows = members.into_iter().flat_map(|m| &m.members).map(member_row).collect();
    report.document = Some(serde_json::to_value(&keeper.proof)?);
    Ok(report)
}

fn member_row(member: &model::Member) -> Value {
    json!({
        "name": member.name,
        "member": format!("{:x}", member.id),
        "learner": member.learner,
        "client": member.client_urls,
        "peer": member.peer_urls,
    })
}
