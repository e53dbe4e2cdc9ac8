//! One run: faults for a while, then peace, then the questions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sim::disk::Call;
use sim::schedule::{self, Event, draw};
use turmoil::Sim;

use crate::client;
use crate::history::{Op, Record, violation};
use crate::world::{self, Replica, World};

/// How long faults and load go on, in simulated time.
const TROUBLE: Duration = Duration::from_secs(20);
/// How long the group may take to agree once all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run showed.
pub(crate) struct Outcome {
    pub(crate) operations: u64,
    pub(crate) trace: String,
    pub(crate) failure: Option<String>,
}

pub(crate) fn simulate(seed: u64) -> Outcome {
    simulate_in(World::new(seed), seed)
}

/// As [`simulate`], in a world of the caller's making.
pub(crate) fn simulate_in(world: World, seed: u64) -> Outcome {
    let mut sim = sim::node::world(seed).build();
    for name in world.names() {
        let world = world.clone();
        sim.host(name.clone(), move || world::run(world.clone(), name.clone()));
    }
    let failure = drive(&mut sim, &world, seed).err();
    let records = world.history.records();
    let failure = failure.or_else(|| violation(&records));
    Outcome { operations: records.len() as u64, trace: trace(&world), failure }
}

fn drive(sim: &mut Sim<'_>, world: &World, seed: u64) -> Result<(), String> {
    let mut events = draw(seed, &world.names(), TROUBLE).into_iter().peekable();
    while sim.elapsed() < TROUBLE {
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= sim.elapsed()) {
            apply(sim, world, seed, &event);
        }
        revive(sim, world, seed);
        sim.step().map_err(|e| format!("the simulation failed: {e}"))?;
    }
    world.quiet.store(true, Ordering::Relaxed);
    heal(sim, world);
    let end = sim.elapsed() + PATIENCE;
    while sim.elapsed() < end {
        revive(sim, world, seed);
        sim.step().map_err(|e| format!("the simulation failed: {e}"))?;
        if agree(world) {
            read_all(world, sim.elapsed());
            return Ok(());
        }
    }
    Err(format!("the replicas did not agree within {PATIENCE:?} after all faults ended:\n{}", trace(world)))
}

fn apply(sim: &mut Sim<'_>, world: &World, seed: u64, event: &Event) {
    tracing::info!(at = ?sim.elapsed(), ?event, "fault");
    if event.on_network(sim) {
        return;
    }
    let node = |name: &str| &world.replicas[name].node;
    match event {
        Event::Crash(name) => crash(sim, world, name, seed),
        Event::Restart(name) => restart(sim, name),
        Event::Skew(name, by) => node(name).set_skew(*by),
        Event::FailSync(name) => node(name).disk().fail_nth(Call::Sync, 1),
        _ => {}
    }
}

pub(crate) fn crash(sim: &mut Sim<'_>, world: &World, name: &str, seed: u64) {
    if sim.is_host_running(name) {
        let torn = seed ^ u64::try_from(sim.elapsed().as_nanos()).unwrap_or(u64::MAX);
        world.replicas[name].node.crash(sim, torn);
        world.replicas[name].group.lock().unwrap().take();
    }
}

fn restart(sim: &mut Sim<'_>, name: &str) {
    if !sim.is_host_running(name) {
        sim.bounce(name);
    }
}

/// Starts again what ended by itself, and brings back removed replicas as new ones.
fn revive(sim: &mut Sim<'_>, world: &World, seed: u64) {
    for (name, replica) in world.replicas.iter() {
        if replica.removed.load(Ordering::Relaxed) {
            crash(sim, world, name, seed);
            replica.replace();
            sim.bounce(name.as_str());
        } else if replica.ended.swap(false, Ordering::Relaxed) {
            crash(sim, world, name, seed);
            sim.bounce(name.as_str());
        }
    }
}

fn heal(sim: &mut Sim<'_>, world: &World) {
    let names = world.names();
    schedule::heal(sim, &names);
    for name in &names {
        restart(sim, name);
    }
}

/// Whether all members of the group, as its leader knows it, hold the same state, and nobody is busy.
fn agree(world: &World) -> bool {
    let statuses: Vec<_> =
        world.replicas.values().filter_map(|r| Some(r.group.lock().unwrap().as_ref()?.status())).collect();
    let Some(leader) = statuses.iter().find(|s| s.leadership.is_leader) else { return false };
    let settled = !leader.changing && leader.applied == leader.last_index;
    let members: Vec<_> = leader.members.iter().filter_map(|m| world.by_id(m.id)).collect();
    let same = members.windows(2).all(|pair| pair[0].registers() == pair[1].registers());
    let up_to_date =
        leader.members.iter().all(|m| statuses.iter().any(|s| s.id == m.id && s.applied == leader.applied));
    settled && same && up_to_date && members.len() == leader.members.len()
}

/// A last look at every register: what was acknowledged must be there.
fn read_all(world: &World, at: Duration) {
    let leads =
        |r: &&Replica| r.group.lock().unwrap().as_ref().is_some_and(|g| g.status().leadership.is_leader);
    let replica = world.replicas.values().find(leads).expect("a group that agrees has a leader");
    let registers = replica.registers();
    for key in 0..client::KEYS as u8 {
        let op = Op::Get { value: registers.values.get(&key).copied().unwrap_or(0) };
        world.history.observe(Record { client: u32::MAX, key, op, called: at, returned: Some(at) });
    }
}

/// Everything that happened and how it ended; equal for equal seeds.
fn trace(world: &World) -> String {
    let mut lines: Vec<String> = world.history.records().iter().map(|r| format!("{r:?}")).collect();
    for (name, replica) in world.replicas.iter() {
        let status = replica.group.lock().unwrap().as_ref().map(|g| g.status());
        lines.push(format!("{name} id={} {:?} {status:?}", replica.member().id, replica.registers()));
    }
    lines.join("\n")
}
