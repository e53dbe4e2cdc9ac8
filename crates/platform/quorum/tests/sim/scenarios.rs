//! Single stories: one thing goes wrong at one moment, without load, and one promise is looked at.

use std::sync::atomic::Ordering;
use std::time::Duration;

use quorum::{Change, Status};
use sim::seeds::alone;
use turmoil::Sim;

use crate::run::crash;
use crate::world::{self, World};

/// How long anything may take, in simulated time.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Story {
    pub(crate) sim: Sim<'static>,
    pub(crate) world: World,
}

impl Story {
    pub(crate) fn begin(seed: u64, world: World) -> Self {
        world.quiet.store(true, Ordering::Relaxed);
        let mut sim = sim::node::world(seed).build();
        for name in world.names() {
            let world = world.clone();
            sim.host(name.clone(), move || world::run(world.clone(), name.clone()));
        }
        Self { sim, world }
    }

    /// Lets time pass until something holds, and gives it.
    pub(crate) fn until<T>(&mut self, what: &str, look: impl Fn(&World) -> Option<T>) -> T {
        let end = self.sim.elapsed() + PATIENCE;
        while self.sim.elapsed() < end {
            self.sim.step().unwrap();
            if let Some(seen) = look(&self.world) {
                return seen;
            }
        }
        let failures = self.world.failures.lock().unwrap().clone();
        panic!("not within {PATIENCE:?}: {what}; {failures:#?} {:?}", statuses(&self.world));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.sim.step().unwrap();
        }
    }

    pub(crate) fn order(&self, name: &str, change: Change) {
        self.world.replicas[name].orders.lock().unwrap().push(change);
    }

    /// Cuts one machine off from all others, or lets it back.
    pub(crate) fn isolate(&self, name: &str, cut: bool) {
        for other in self.world.names().iter().filter(|other| *other != name) {
            if cut {
                self.sim.partition(name, other.as_str());
            } else {
                self.sim.repair(name, other.as_str());
            }
        }
    }
}

pub(crate) fn status(world: &World, name: &str) -> Option<Status> {
    world.replicas[name].group.lock().unwrap().as_ref().map(|group| group.status())
}

fn statuses(world: &World) -> Vec<(String, Option<Status>)> {
    world.names().into_iter().map(|name| (name.clone(), status(world, &name))).collect()
}

pub(crate) const FOUNDERS: [&str; 3] = ["n1", "n2", "n3"];

/// The leader of the founders, once all who can be asked know it; and the term.
pub(crate) fn leader(world: &World, among: &[&str]) -> Option<(String, u64)> {
    let known: Vec<Status> = among.iter().filter_map(|name| status(world, name)).collect();
    let lead = known.iter().find(|s| s.leadership.is_leader)?.leadership;
    let agreed = known.len() == among.len() && known.iter().all(|s| s.leadership.leader == lead.leader);
    agreed.then(|| (format!("n{}", lead.leader.unwrap_or(0)), lead.term))
}

pub(crate) fn others(name: &str) -> Vec<&'static str> {
    FOUNDERS.into_iter().filter(|other| *other != name).collect()
}

#[test]
fn a_replica_that_comes_back_does_not_depose_a_healthy_leader() {
    let _one = alone();
    let mut story = Story::begin(1, World::new(1));
    let before = story.until("a leader", |world| leader(world, &FOUNDERS));
    let lonely = others(&before.0)[0];
    story.isolate(lonely, true);
    // Many election timeouts: without pre-vote each raises its term.
    story.pass(Duration::from_secs(10));
    story.isolate(lonely, false);
    story.until("the replica has caught up", |world| {
        let (lonely, leader) = (status(world, lonely)?, status(world, &before.0)?);
        (lonely.leadership.leader.is_some() && lonely.applied == leader.applied).then_some(())
    });
    story.pass(Duration::from_secs(5));
    assert_eq!(leader(&story.world, &FOUNDERS), Some(before));
}

#[test]
fn a_half_done_change_is_finished_by_the_next_leader() {
    let _one = alone();
    let mut story = Story::begin(2, World::new(2));
    let (first, _) = story.until("a leader", |world| leader(world, &FOUNDERS));
    let newcomer = story.world.replicas["n4"].member();
    story.order(&first, Change::AddLearner(newcomer.clone()));
    story.until("the learner has caught up", |world| {
        let (learner, leader) = (status(world, "n4")?, status(world, &first)?);
        (leader.is_learner(4) && !leader.changing && learner.applied == leader.applied).then_some(())
    });
    story.order(&first, Change::Promote(newcomer.id));
    let rest = others(&first);
    story.until("every other replica is between the two halves", |world| {
        rest.iter().all(|name| status(world, name).is_some_and(|s| s.changing)).then_some(())
    });
    crash(&mut story.sim, &story.world, &first, 2);
    story.until("another leader has finished it", |world| {
        let status = status(world, rest[0])?;
        let led = status.leadership.leader.is_some_and(|id| format!("n{id}") != first);
        (led && !status.changing && status.voters == [1, 2, 3, 4]).then_some(())
    });
}

#[test]
fn two_clusters_never_take_each_others_members() {
    let _one = alone();
    let mut story = Story::begin(3, World::with_a_stranger(3));
    let before = story.until("a leader", |world| leader(world, &FOUNDERS));
    // The fourth machine needs the vote of the first, which belongs to others.
    story.pass(Duration::from_secs(20));
    assert_eq!(leader(&story.world, &FOUNDERS), Some(before));
    let stranger = status(&story.world, "n4").unwrap();
    assert_eq!((stranger.leadership.leader, stranger.applied), (None, 0), "{stranger:?}");
    assert_eq!(status(&story.world, "n1").unwrap().voters, [1, 2, 3]);
}
