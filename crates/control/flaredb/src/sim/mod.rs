//! Databases under everything at once: crashes, partitions, held messages, failing disks of the log, wrong clocks;
//! replayed from a seed. The log is on a simulated disk; SQLite's files are real ones, which a crash of the process
//! leaves as they are.
//!
//! `SIM_SEED=7 cargo test -p flaredb --lib sim::one_seed` replays one run; `SIM_SEEDS=2000` widens the search.

mod append;
mod client;
mod run;
mod world;

use sim::seeds::{alone, number};

use self::run::{Outcome, simulate};

fn check(seed: u64) -> Outcome {
    let outcome = simulate(seed);
    if let Some(why) = &outcome.failure {
        panic!("{why}\n\nreplay: SIM_SEED={seed} cargo test -p flaredb --lib sim::one_seed -- --nocapture");
    }
    outcome
}

#[test]
fn many_seeds() {
    let outcome = sim::seeds::spread("sim::a_range_of_seeds", number("SIM_FROM", 1), number("SIM_SEEDS", 40));
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

#[test]
#[ignore = "many_seeds runs it, in processes of its own"]
fn a_range_of_seeds() {
    let _one = alone();
    let (from, seeds) = (number("SIM_FROM", 1), number("SIM_SEEDS", 1));
    let (mut transactions, mut certain) = (0, 0);
    for seed in from..from + seeds {
        let outcome = check(seed);
        transactions += outcome.transactions;
        certain += outcome.certain;
    }
    println!("{seeds} seeds, {transactions} transactions, {certain} of them certain");
    assert!(certain > seeds * 30, "the clients hardly did anything: {certain} transactions");
}

#[test]
fn one_seed() {
    let _one = alone();
    let filter = std::env::var("RUST_LOG").unwrap_or("off".into());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
    let outcome = check(number("SIM_SEED", 1));
    println!("{} transactions, {} of them certain", outcome.transactions, outcome.certain);
}
