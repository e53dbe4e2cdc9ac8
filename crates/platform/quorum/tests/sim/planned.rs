//! Planned changes under load, without a single fault: nothing may fail, and nobody's outcome may be unknown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use quorum::Change;
use sim::seeds::alone;

use crate::history::violation;
use crate::run::crash;
use crate::scenarios::{FOUNDERS, Story, leader, others, status};
use crate::world::World;

/// Seeds of each story.
const SEEDS: u64 = 5;
/// Load between two changes, in simulated time.
const BETWEEN: Duration = Duration::from_millis(400);

/// A group with a leader and busy clients.
fn busy(seed: u64) -> (Story, String) {
    let mut story = Story::begin(seed, World::new(seed));
    let (first, _) = story.until("a leader", |world| leader(world, &FOUNDERS));
    story.world.planned.store(true, Ordering::Relaxed);
    story.world.quiet.store(false, Ordering::Relaxed);
    story.pass(BETWEEN);
    (story, first)
}

/// Ends the load and judges what its clients saw.
fn judge(mut story: Story, seed: u64) {
    story.world.quiet.store(true, Ordering::Relaxed);
    story.until("nothing under way", |world| (world.busy.load(Ordering::Relaxed) == 0).then_some(()));
    let failures = story.world.failures.lock().unwrap().clone();
    assert!(failures.is_empty(), "seed {seed}: {failures:#?}");
    let records = story.world.history.records();
    let unanswered = records.iter().filter(|r| r.returned.is_none()).count();
    assert_eq!((unanswered, violation(&records)), (0, None), "seed {seed}");
    assert!(records.len() > 200, "seed {seed}: the clients hardly did anything: {}", records.len());
}

fn lead(story: &mut Story, among: &[&str], who: &str) {
    story.until(&format!("{who} leads"), |world| leader(world, among).filter(|(name, _)| name == who));
    story.pass(BETWEEN);
}

fn is_removed(story: &Story, name: &str) -> bool {
    story.world.replicas[name].group.lock().unwrap().as_ref().is_some_and(|group| *group.removal().borrow())
}

#[test]
fn transfers_fail_nothing() {
    let _one = alone();
    for seed in 1..=SEEDS {
        let (mut story, mut leads) = busy(seed);
        for turn in 0..6 {
            let to = others(&leads)[turn % 2];
            let id = story.world.replicas[to].member().id;
            // Whoever is asked, the leader or another.
            story.order(FOUNDERS[turn % 3], Change::Transfer(id));
            lead(&mut story, &FOUNDERS, to);
            leads = to.to_owned();
        }
        judge(story, seed);
    }
}

#[test]
fn growing_removing_the_leader_and_scaling_in_fail_nothing() {
    let _one = alone();
    for seed in 1..=SEEDS {
        let (mut story, first) = busy(seed);
        let rest = others(&first);
        let newcomer = story.world.replicas["n4"].member();
        story.order(rest[0], Change::AddLearner(newcomer.clone()));
        story.until("the learner has caught up", |world| {
            let (learner, leader) = (status(world, "n4")?, status(world, &first)?);
            let close = learner.applied + 20 > leader.applied;
            (leader.is_learner(4) && learner.is_learner(4) && !leader.changing && close).then_some(())
        });
        story.order(rest[1], Change::Promote(newcomer.id));
        story.until("it votes", |world| (status(world, "n4")?.voters == [1, 2, 3, 4]).then_some(()));
        story.pass(BETWEEN);
        // The leader is asked to remove itself.
        let id = story.world.replicas[&first].member().id;
        story.order(&first, Change::Remove(id));
        let next = story.until("the leader has gone, and knows it", |world| {
            let group = world.replicas[&first].group.lock().unwrap().clone()?;
            let (next, _) = leader(world, &[rest[0], rest[1], "n4"])?;
            (*group.removal().borrow() && status(world, &next)?.member(id).is_none()).then_some(next)
        });
        story.pass(BETWEEN);
        // A follower leaves, too.
        let follower = [rest[0], rest[1], "n4"].into_iter().find(|name| *name != next).unwrap();
        let id = story.world.replicas[follower].member().id;
        story.order(&next, Change::Remove(id));
        story.until("the follower knows that it is gone", |world| {
            let group = world.replicas[follower].group.lock().unwrap().clone()?;
            (*group.removal().borrow()).then_some(())
        });
        story.pass(BETWEEN);
        judge(story, seed);
    }
}

#[test]
fn a_member_that_missed_its_removal_is_told_when_it_starts() {
    let _one = alone();
    let (mut story, first) = busy(11);
    let away = others(&first)[0];
    let stay = others(&first)[1];
    let id = story.world.replicas[away].member().id;
    // Nobody may be asking it when its power goes: that is no planned change.
    story.world.quiet.store(true, Ordering::Relaxed);
    story.until("nothing under way", |world| (world.busy.load(Ordering::Relaxed) == 0).then_some(()));
    crash(&mut story.sim, &story.world, away, 11);
    story.world.quiet.store(false, Ordering::Relaxed);
    story.pass(BETWEEN);
    story.order(&first, Change::Remove(id));
    story.until("it is removed", |world| status(world, stay)?.member(id).is_none().then_some(()));
    story.sim.bounce(away);
    story.until("it knows", |world| {
        let group = world.replicas[away].group.lock().unwrap().clone()?;
        (*group.removal().borrow()).then_some(())
    });
    assert!(!is_removed(&story, &first) && !is_removed(&story, stay));
    story.pass(BETWEEN);
    judge(story, 11);
}
