//! FlareDB beside PostgreSQL with one synchronous standby: the scenarios and the rounds.
//!
//! Both keep what they acknowledge on two disks at least; both speak TLS to the load. PostgreSQL waits until its
//! standby has flushed (`synchronous_commit = on`).

mod load;
mod ours;
mod postgres;
mod promises;
mod server;

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::{Timestamp, Unit as TimeUnit};

pub use self::ours::Flaredb;
pub use self::postgres::Postgres;
pub use self::server::System;
use self::server::{Place, Running};
use crate::machine::{self, Pinning, Scratch};
use crate::pki::Pki;
use crate::report::Report;
use crate::sample::{Ledger, Sample};
use crate::table::Unit;

/// Who has a certificate beside the operator.
const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// A load of its own, each on fresh servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Inserts, selects and batches; then memory.
    Rates,
    /// pgbench's own script, over its own tables.
    Tpcb,
}

/// How much is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often each side is started.
    pub rounds: usize,
    /// What is run, in this order.
    pub scenarios: Vec<Scenario>,
    /// Every count is divided by this.
    pub divisor: u64,
    /// Both sides are the same program: the ratios must be about 1.
    pub self_check: bool,
    /// Where servers and load run; none: on the same cores.
    pub pinning: Option<Pinning>,
}

impl Plan {
    /// What the documents quote.
    pub fn full() -> Self {
        let scenarios = Scenario::value_variants().to_vec();
        Self { rounds: 5, scenarios, divisor: 1, self_check: false, pinning: None }
    }

    /// A fraction of it.
    pub fn quick() -> Self {
        Self { rounds: 2, divisor: 8, ..Self::full() }
    }
}

/// Runs all rounds, ours and theirs in turn.
pub async fn run(plan: &Plan, ours: &dyn System, theirs: &dyn System) -> anyhow::Result<Report> {
    if let Some(pinning) = &plan.pinning {
        pinning.hold_the_load()?;
    }
    // PostgreSQL does not run as root, and its user may not look into everybody's directories.
    let scratch = Scratch::below("/var/tmp/ultracloud".as_ref())?;
    let pki = Pki::make_for("flaredb", scratch.path(), &MEMBERS)?;
    let mut ledger = Ledger::new(promises::promise);
    for scenario in &plan.scenarios {
        for round in 1..=plan.rounds {
            for (is_ours, system) in [(true, ours), (false, theirs)] {
                eprintln!("{scenario:?}, round {round} of {}: {}", plan.rounds, system.name());
                let cpus = plan.pinning.as_ref().map(|pinning| pinning.members.as_str());
                let place = Place { pki: &pki, root: scratch.path(), cpus };
                let running = system.start(&place).await.with_context(|| system.name())?;
                let samples = Box::pin(perform(*scenario, &running, &pki, plan.divisor)).await;
                ledger.add(is_ours, samples.with_context(|| system.name())?);
                running.stop().await?;
            }
        }
    }
    scratch.remove()?;
    Ok(Report {
        schema_version: 2,
        command: machine::command_line(),
        date: Timestamp::now().round(TimeUnit::Second)?.to_string(),
        commit: machine::commit(),
        machine: machine::description(plan.pinning.as_ref()),
        rounds: plan.rounds,
        ours: ours.name(),
        theirs: if plan.self_check { format!("{} again", theirs.name()) } else { theirs.name() },
        rows: ledger.into_rows(plan.self_check),
    })
}

async fn perform(
    scenario: Scenario,
    running: &Running,
    pki: &Pki,
    divisor: u64,
) -> anyhow::Result<Vec<Sample>> {
    match scenario {
        Scenario::Rates => {
            let idle = running.resident_bytes()?;
            let mut samples = load::rates(running, pki, divisor).await?;
            samples.push(Sample::plain("memory of a server at rest", Unit::Bytes, idle as f64));
            let after = running.resident_bytes()?;
            samples.push(Sample::plain("memory of a server after the load", Unit::Bytes, after as f64));
            Ok(samples)
        }
        Scenario::Tpcb => load::tpcb(running, pki, divisor).await,
    }
}
