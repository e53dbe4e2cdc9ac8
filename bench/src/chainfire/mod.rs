//! ChainFire beside etcd: the scenarios, how much is done in each, and the rounds.

mod gaps;
mod grid;
mod history;
mod leases;
mod promises;
mod rates;
mod restart;
mod stage;
mod upkeep;
mod watchers;

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::{Timestamp, Unit as TimeUnit};

use self::stage::Stage;
use crate::machine::{self, Pinning, Scratch};
use crate::peer::{MEMBERS, Peer};
use crate::pki::Pki;
use crate::report::Report;
use crate::sample::{Ledger, Sample};

/// A load of its own, each on a fresh cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Puts, transactions, gets and ranges; then memory and disk.
    Rates,
    /// Puts of small and large values to many keys and to one.
    Grid,
    /// A thousand watchers of one key.
    Watchers,
    /// Ten thousand leases kept alive.
    Leases,
    /// How long writes pause when the leadership moves, and when the leader is killed.
    Gaps,
    /// Gets while the history behind the keys grows.
    History,
    /// Puts while a backup is taken, and while history is compacted.
    Upkeep,
    /// All three members start again on a gigabyte.
    Restart,
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
    /// Where members and load run; none: on the same cores.
    pub pinning: Option<Pinning>,
}

impl Plan {
    /// What the documents quote.
    pub fn full() -> Self {
        Self {
            rounds: 5,
            scenarios: Scenario::value_variants().to_vec(),
            divisor: 1,
            self_check: false,
            pinning: None,
        }
    }

    /// A fraction of it.
    pub fn quick() -> Self {
        Self { rounds: 2, divisor: 8, ..Self::full() }
    }

    /// The rounds of a scenario: those that first write for a minute are not worth more than two.
    fn rounds_of(&self, scenario: Scenario) -> usize {
        match scenario {
            Scenario::History | Scenario::Upkeep | Scenario::Restart => self.rounds.min(2),
            _ => self.rounds,
        }
    }
}

/// Runs all rounds, ours and theirs in turn.
pub async fn run(plan: &Plan, ours: &dyn Peer, theirs: &dyn Peer) -> anyhow::Result<Report> {
    if let Some(pinning) = &plan.pinning {
        pinning.hold_the_load()?;
    }
    let scratch = Scratch::new()?;
    let pki = Pki::make(scratch.path(), MEMBERS)?;
    let mut ledger = Ledger::new(promises::promise);
    for scenario in &plan.scenarios {
        let rounds = plan.rounds_of(*scenario);
        for round in 1..=rounds {
            for (is_ours, peer) in [(true, ours), (false, theirs)] {
                eprintln!("{scenario:?}, round {round} of {rounds}: {}", peer.name());
                let members = plan.pinning.as_ref().map(|pinning| pinning.members.as_str());
                let stage =
                    Stage { peer, pki: &pki, root: scratch.path(), divisor: plan.divisor, cpus: members };
                let samples = Box::pin(perform(*scenario, &stage)).await.with_context(|| peer.name())?;
                ledger.add(is_ours, samples);
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

async fn perform(scenario: Scenario, stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    match scenario {
        Scenario::Rates => rates::measure(stage).await,
        Scenario::Grid => grid::measure(stage).await,
        Scenario::Watchers => watchers::measure(stage).await,
        Scenario::Leases => leases::measure(stage).await,
        Scenario::Gaps => Box::pin(gaps::measure(stage)).await,
        Scenario::History => history::measure(stage).await,
        Scenario::Upkeep => Box::pin(upkeep::measure(stage)).await,
        Scenario::Restart => restart::measure(stage).await,
    }
}
