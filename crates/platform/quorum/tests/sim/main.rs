//! Replication under everything at once: crashes with torn writes, partitions, held messages, failing
//! disks, wrong clocks and changes of the group, replayed from a seed.
//!
//! `SIM_SEED=7 cargo test -p quorum --test sim one_seed` replays one run; `SIM_SEEDS=5000` widens the
//! search (`SIM_FROM` says where it begins).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod bugs;
mod client;
mod history;
mod machine;
mod planned;
mod run;
mod scenarios;
mod world;

use sim::seeds::{alone, number, replay, spread};

use run::{Outcome, simulate};

fn check(seed: u64) -> Outcome {
    let outcome = simulate(seed);
    if let Some(why) = &outcome.failure {
        panic!("{why}\n\nreplay: SIM_SEED={seed} cargo test -p quorum --test sim one_seed -- --nocapture");
    }
    outcome
}

#[test]
fn many_seeds() {
    let outcome = spread("a_range_of_seeds", number("SIM_FROM", 1), number("SIM_SEEDS", 100));
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

#[test]
#[ignore = "many_seeds runs it, in processes of its own"]
fn a_range_of_seeds() {
    let _one = alone();
    let (from, seeds) = (number("SIM_FROM", 1), number("SIM_SEEDS", 1));
    let mut operations = 0;
    for seed in from..from + seeds {
        operations += check(seed).operations;
    }
    println!("{seeds} seeds, {operations} operations");
    assert!(operations > seeds * 50, "the clients hardly did anything: {operations} operations");
}

#[test]
fn one_seed() {
    let _one = alone();
    let filter = std::env::var("RUST_LOG").unwrap_or("off".into());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
    let outcome = check(number("SIM_SEED", 1));
    println!("{} operations", outcome.operations);
    if let Ok(path) = std::env::var("SIM_TRACE") {
        std::fs::write(path, outcome.trace).unwrap();
    }
}

#[test]
fn one_seed_gives_one_trace() {
    let _one = alone();
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (replay(42, scratch.path()).unwrap(), replay(42, scratch.path()).unwrap());
    if let Some((a, b)) = first.lines().zip(second.lines()).find(|(a, b)| a != b) {
        panic!("the same seed went two ways:\n{a}\n{b}");
    }
    assert_eq!(first, second);
    assert_ne!(first, replay(43, scratch.path()).unwrap());
}
