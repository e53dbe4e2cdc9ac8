//! Known bugs of replication, put back in: the simulation must catch each.

use std::sync::atomic::Ordering;

use quorum::Change;
use sim::seeds::alone;

use crate::run::{crash, simulate_in};
use crate::scenarios::{FOUNDERS, Story, leader, others, status};
use crate::world::World;

/// Seeds that may pass before a bug is caught.
const SEEDS: u64 = 60;

fn caught(bug: &str, by: &[&str]) {
    let (seed, said) = sim::bugs::caught(bug, by, SEEDS).unwrap();
    println!("{bug}: seed {seed}: {said}");
}

#[test]
#[ignore = "the tests below run it, in processes of its own"]
fn one_seed_with_a_bug() {
    let (bug, seed) = sim::bugs::asked();
    let world = World { bug: Some(bug), ..World::new(seed) };
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
    caught("apply before a majority has it", LOST);
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
    caught("forget the vote at a restart", LOST);
}

#[test]
fn a_vote_for_a_shorter_log_is_caught() {
    caught("vote for whoever asks, whatever its log", LOST);
}

#[test]
fn a_member_counted_without_an_answer_is_caught() {
    caught("count a member that did not answer", LOST);
}

#[test]
fn a_log_forgotten_too_early_is_caught() {
    caught("forget the log before the state is durable", LOST);
}

/// The voters are to be replaced by two others when the network parts old and new: with the joint quorum nobody
/// but the old majority can go on, without it both sides choose a leader.
fn two_sides(bug: Option<&'static str>) -> (Option<u64>, Option<u64>) {
    let _one = alone();
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
