//! Known bugs of replication, put back in: the simulation must catch each.

use std::env;
use std::process::Command;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use quorum::Change;

use crate::ONE;
use crate::run::{crash, simulate_in};
use crate::scenarios::{FOUNDERS, Story, leader, others, status};
use crate::world::World;

/// Seeds that may pass before a bug is caught.
const SEEDS: u64 = 40;
/// What a run of its own is to look at.
const BUG: &str = "SIM_BUG";

/// Runs until the bug is caught, by a check whose words say so.
fn caught(bug: &'static str, by: &[&str]) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for seed in 1..=SEEDS {
        let world = World { bug: Some(bug), ..World::new(seed) };
        let run = std::panic::AssertUnwindSafe(|| simulate_in(world, seed).failure);
        // An assertion of the engine counts, too.
        let found = std::panic::catch_unwind(run).unwrap_or_else(|_| Some("a panic".into()));
        let Some(why) = found else { continue };
        let line = why.lines().next().unwrap_or_default();
        println!("{bug}: seed {seed}: {line}");
        assert!(by.iter().any(|words| why.contains(words)), "caught by another check: {why}");
        return;
    }
    panic!("{bug}: {SEEDS} seeds did not catch it");
}

/// As [`caught`], each seed in a process of its own: an assertion of the engine may fail while another one is
/// being cleaned up after, which nothing survives.
fn caught_apart(bug: &'static str, by: &[&str]) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for seed in 1..=SEEDS {
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["bugs::apart", "--exact", "--nocapture"]).env(BUG, bug).env("SIM_SEED", seed.to_string());
        let output = run.output().unwrap();
        if output.status.success() {
            continue;
        }
        let told = String::from_utf8_lossy(&output.stderr);
        let place = told.lines().position(|line| line.contains("panicked at")).unwrap_or_default();
        println!("{bug}: seed {seed}: {}", told.lines().nth(place + 1).unwrap_or_default());
        let engine = told.lines().nth(place).is_some_and(|line| line.contains("/openraft-"));
        assert!(engine || by.iter().any(|words| told.contains(words)), "caught by another check: {told}");
        return;
    }
    panic!("{bug}: {SEEDS} seeds did not catch it");
}

/// One seed with one bug, for [`caught_apart`]. In a test run of its own it has nothing to do.
#[test]
fn apart() {
    let Ok(bug) = env::var(BUG) else { return };
    let seed = crate::number("SIM_SEED", 1);
    let world = World { bug: Some(Box::leak(bug.into_boxed_str())), ..World::new(seed) };
    if let Some(why) = simulate_in(world, seed).failure {
        panic!("{why}");
    }
}

const LOST: &[&str] = &["no order explains", "did not agree"];

#[test]
fn a_skipped_sync_is_caught() {
    caught("skip the sync of the log", LOST);
}

#[test]
fn an_entry_applied_too_early_is_caught() {
    caught_apart("apply before a majority has it", LOST);
}

#[test]
fn a_conflict_that_is_not_cut_is_caught() {
    caught("keep what conflicts with the leader's log", LOST);
}

#[test]
fn a_read_without_confirmation_is_caught() {
    caught("serve a read without confirming the leadership", &["no order explains"]);
}

#[test]
fn a_proposal_made_twice_is_caught() {
    caught("propose again what may have been taken", &["no order explains"]);
}

#[test]
fn a_leader_that_leads_on_after_a_restart_is_caught() {
    caught("lead on after a restart", &["no order explains"]);
}

#[test]
fn a_forgotten_vote_is_caught() {
    caught_apart("forget the vote at a restart", LOST);
}

#[test]
fn a_vote_for_a_shorter_log_is_caught() {
    caught_apart("vote for whoever asks, whatever its log", LOST);
}

#[test]
fn a_member_counted_without_an_answer_is_caught() {
    caught_apart("count a member that did not answer", LOST);
}

#[test]
fn a_log_forgotten_too_early_is_caught() {
    caught_apart("forget the log before the state is durable", LOST);
}

/// The voters are to be replaced by two others when the network parts old and new: with the joint quorum nobody
/// but the old majority can go on, without it both sides choose a leader.
fn two_sides(bug: Option<&'static str>) -> (Option<u64>, Option<u64>) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut story = Story::begin(5, World { bug, ..World::new(5) });
    let (first, _) = story.until("a leader", |world| leader(world, &FOUNDERS));
    let (old, newcomer) = (others(&first), story.world.replicas["n4"].member());
    story.order(&first, Change::AddLearner(newcomer.clone()));
    story.until("the learner has caught up", |world| {
        let (learner, leader) = (status(world, "n4")?, status(world, &first)?);
        (leader.is_learner(4) && !leader.changing && learner.applied == leader.applied).then_some(())
    });
    for name in &old {
        story.sim.partition(first.as_str(), *name);
        story.sim.partition("n4", *name);
    }
    story.order(&first, Change::Promote(newcomer.id));
    story.until("the newcomer has heard of the change", |world| {
        status(world, "n4")?.voters.contains(&4).then_some(())
    });
    crash(&mut story.sim, &story.world, &first, 5);
    story.sim.bounce(first.as_str());
    story.pass(std::time::Duration::from_secs(10));
    story.world.quiet.store(true, Ordering::Relaxed);
    let leads = |names: [&str; 2]| {
        names.iter().find_map(|name| {
            let leadership = status(&story.world, name)?.leadership;
            leadership.is_leader.then_some(leadership.term)
        })
    };
    (leads([old[0], old[1]]), leads([&first, "n4"]))
}

#[test]
fn a_forgotten_joint_quorum_is_caught() {
    let (old, new) = two_sides(Some("forget the joint quorum"));
    assert!(old.is_some() && new.is_some(), "one side leads alone: {old:?} {new:?}");
    let (old, new) = two_sides(None);
    assert!(old.is_some() && new.is_none(), "with the joint quorum: {old:?} {new:?}");
}
