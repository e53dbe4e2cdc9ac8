//! ChainFire under everything at once: crashes with torn writes, partitions, held messages, failing disks,
//! wrong clocks, changes of members; real members and real clients, replayed from a seed.
//!
//! Revisions order all writes. So the oracle takes the one history of events that the replicas show,
//! replays it, carries every request out on the state that its answer names, and asks whether answers
//! respect real time. Watches and leases have checks of their own.
//!
//! `SIM_SEED=7 cargo test -p chainfire --test sim one_seed` replays one run; `SIM_SEEDS=5000` widens the
//! search (`SIM_FROM` says where it begins).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod bugs;
mod check;
mod client;
mod divergence;
mod history;
mod leases;
mod model;
mod named;
mod profile;
mod run;
mod watcher;
mod watches;
mod witness;
mod world;

use sim::seeds::{alone, number, replay, spread};

use profile::Profile;
use run::{Outcome, simulate};

fn log() {
    let filter = std::env::var("RUST_LOG").unwrap_or("off".into());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
}

/// Says how to replay the seed, whether a check fails or the code panics.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "replay: SIM_SEED={} cargo test -p chainfire --test sim one_seed -- --nocapture",
                self.0
            );
        }
    }
}

fn check(seed: u64) -> Outcome {
    let _replay = Replay(seed);
    let outcome = simulate(seed, &Profile::default());
    if let Some(why) = &outcome.failure {
        panic!("{why}");
    }
    outcome
}

#[test]
fn many_seeds() {
    let outcome = spread("a_range_of_seeds", number("SIM_FROM", 1), number("SIM_SEEDS", 300));
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

#[test]
#[ignore = "many_seeds runs it, in processes of its own"]
fn a_range_of_seeds() {
    let _one = alone();
    log();
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
    log();
    let outcome = simulate(number("SIM_SEED", 1), &Profile::default());
    if let Ok(path) = std::env::var("SIM_TRACE") {
        std::fs::write(path, &outcome.trace).unwrap();
    }
    println!("{} operations", outcome.operations);
    assert_eq!(outcome.failure, None);
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
