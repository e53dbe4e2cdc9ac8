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

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use run::{Outcome, simulate};

/// One run at a time: h2's server forgets reset streams by the system's clock, so that a run which another
/// one slows down could differ in what it ignores.
static ONE: Mutex<()> = Mutex::new(());

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |v| v.parse().expect("a whole number"))
}

fn check(seed: u64) -> Outcome {
    let outcome = simulate(seed);
    if let Some(why) = &outcome.failure {
        panic!("{why}\n\nreplay: SIM_SEED={seed} cargo test -p quorum --test sim one_seed -- --nocapture");
    }
    outcome
}

#[test]
fn many_seeds() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (from, seeds) = (number("SIM_FROM", 1), number("SIM_SEEDS", 100));
    let mut operations = 0;
    for seed in from..from + seeds {
        operations += check(seed).operations;
    }
    println!("{seeds} seeds, {operations} operations");
    assert!(operations > seeds * 50, "the clients hardly did anything: {operations} operations");
}

#[test]
fn one_seed() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _ =
        tracing_subscriber::fmt().with_env_filter(env::var("RUST_LOG").unwrap_or("off".into())).try_init();
    let outcome = check(number("SIM_SEED", 1));
    println!("{} operations", outcome.operations);
    if let Ok(path) = env::var("SIM_TRACE") {
        std::fs::write(path, outcome.trace).unwrap();
    }
}

/// Replays as the printed line does: in a process of its own.
fn replay(seed: u64, into: &Path) -> String {
    let trace = into.join("trace");
    let mut run = Command::new(env::current_exe().unwrap());
    run.args(["one_seed", "--exact"]).env("SIM_SEED", seed.to_string()).env("SIM_TRACE", &trace);
    assert!(run.output().unwrap().status.success());
    std::fs::read_to_string(trace).unwrap()
}

#[test]
fn one_seed_gives_one_trace() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (replay(42, scratch.path()), replay(42, scratch.path()));
    if let Some((a, b)) = first.lines().zip(second.lines()).find(|(a, b)| a != b) {
        panic!("the same seed went two ways:\n{a}\n{b}");
    }
    assert_eq!(first, second);
    assert_ne!(first, replay(43, scratch.path()));
}
