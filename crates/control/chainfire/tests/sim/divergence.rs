//! A replica whose state is not what the log says: the self-check finds it, and it alone.

use std::time::Duration;

use chainfire::Node;
use sim::schedule::Event;
use sim::seeds::alone;
use turmoil::Sim;

use crate::client;
use crate::history::{Answer, Call, Moment};
use crate::profile::Profile;
use crate::run::restart;
use crate::world::{self, World};

/// The known bug, and the machine that has it.
pub(crate) const BUG: &str = "diverge one replica's state";
pub(crate) const SICK: &str = "n1";

const LOAD: Duration = Duration::from_secs(12);

fn node(world: &World, name: &str) -> Option<Node> {
    world.machines[name].live.lock().unwrap().clone()
}

fn is_fenced(world: &World, name: &str) -> bool {
    node(world, name).is_some_and(|node| node.alarms().is_fenced())
}

/// Runs for a while. Gives the moment from which the sick one was fenced.
fn run(sim: &mut Sim<'_>, world: &World, until: Duration) -> Option<Moment> {
    let mut fenced = None;
    while sim.elapsed() < until {
        sim.step().unwrap();
        if fenced.is_none() && is_fenced(world, SICK) {
            fenced = Some(world.now(sim.elapsed()));
        }
        for healthy in world.names().iter().filter(|name| *name != SICK) {
            assert!(!is_fenced(world, healthy), "{healthy} fenced itself");
        }
    }
    fenced
}

/// What is left of it after a while: fenced, accused by name, without leadership.
fn check_standing(world: &World) {
    let sick = node(world, SICK).unwrap();
    assert!(sick.alarms().is_fenced());
    assert!(!sick.group().leadership().borrow().is_leader, "a diverged member leads");
    let expected = format!("memberID:{} alarm:CORRUPT ", sick.group().id());
    for name in world.names() {
        let alarms: Vec<String> =
            node(world, &name).unwrap().alarms().all().iter().map(ToString::to_string).collect();
        assert_eq!(alarms, [expected.as_str()], "{name}");
    }
}

fn diverge(seed: u64, founders: usize) {
    let (faults, changes, rewrites) = (|_: &Event| false, None, None);
    let pause = Duration::from_millis(40);
    let profile = Profile {
        founders,
        joiners: 0,
        bug: Some(BUG),
        faults,
        changes,
        rewrites,
        pause,
        ..Profile::default()
    };
    let world = World::new(seed, &profile);
    let mut sim = sim::node::world(seed).build();
    for name in world.names() {
        let world = world.clone();
        sim.host(name.clone(), move || world::run(world.clone(), name.clone()));
    }
    let (clients, machine) = (world.clone(), sim::SimNode::new(seed, "clients"));
    sim.host("clients", move || client::run(clients.clone(), machine.context()));
    let fenced = run(&mut sim, &world, LOAD).expect("the check found nothing");
    check_standing(&world);
    check_answers(&world, fenced);
    // Neither a crash nor a restart brings it back.
    world.machines[SICK].node.crash(&mut sim, seed);
    world.machines[SICK].live.lock().unwrap().take();
    restart(&mut sim, SICK);
    run(&mut sim, &world, LOAD + Duration::from_secs(4));
    check_standing(&world);
    check_answers(&world, fenced);
    world.machines.values().for_each(|machine| drop(machine.live.lock().unwrap().take()));
}

/// Whoever asked the sick one afterwards was refused; the others went on.
fn check_answers(world: &World, fenced: Moment) {
    let records = world.records.lock().unwrap();
    let later = || records.iter().filter(|record| record.called > fenced);
    let answered = |answer: &Answer| !matches!(answer, Answer::Refused(_) | Answer::Unknown(_));
    // A keep-alive is answered by the leader, whoever passes it on.
    let by_itself = later().filter(|r| r.asked == SICK && !matches!(r.call, Call::KeepAlive(_)));
    for record in by_itself {
        assert!(!record.answer().is_some_and(answered), "answered although it had diverged: {record:?}");
    }
    let corrupt = |answer: &Answer| matches!(answer, Answer::Unknown(why) if why == "DataLoss: etcdserver: corrupt cluster");
    assert!(later().any(|r| r.asked == SICK && r.answer().is_some_and(corrupt)), "nobody was told why");
    let puts = later().filter(|r| r.asked != SICK && matches!(r.answer(), Some(Answer::Put(_)))).count();
    assert!(puts > 20, "the others did not go on: {puts} puts");
}

#[test]
fn a_diverged_replica_fences_itself_and_no_other() {
    let _one = alone();
    // Among them one that leads and one that follows when it is found out.
    for seed in 1..=6 {
        diverge(seed, 3);
    }
    diverge(1, 5);
}
