//! One run: faults for a while, then peace, then the questions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sim::disk::Call;
use sim::schedule::{self, Event, draw};
use turmoil::Sim;

use crate::client;
use crate::model::Replay;
use crate::profile::Profile;
use crate::world::{self, Machine, World};
use crate::{check, leases, watches};

/// How long the cluster may take to agree once all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run showed.
pub(crate) struct Outcome {
    pub(crate) operations: u64,
    /// Requests that needed a second member.
    pub(crate) second_tries: u64,
    pub(crate) trace: String,
    pub(crate) failure: Option<String>,
}

pub(crate) fn simulate(seed: u64, profile: &Profile) -> Outcome {
    let world = World::new(seed, profile);
    let mut sim = sim::node::world(seed).build();
    for name in world.names() {
        let world = world.clone();
        sim.host(name.clone(), move || world::run(world.clone(), name.clone()));
    }
    let (clients, machine) = (world.clone(), sim::SimNode::new(seed, "clients"));
    sim.host("clients", move || client::run(clients.clone(), machine.context()));
    let failure = drive(&mut sim, &world).and_then(|()| question(&world)).err();
    let operations = world.records.lock().unwrap().len() as u64;
    let trace = trace(&world);
    // Before the simulation ends: what its hosts still hold must not outlive it.
    world.machines.values().for_each(|machine| drop(machine.live.lock().unwrap().take()));
    let second_tries = world.second_tries.load(Ordering::Relaxed);
    Outcome { operations, second_tries, trace, failure }
}

fn drive(sim: &mut Sim<'_>, world: &World) -> Result<(), String> {
    let (trouble, wanted) = (world.profile.trouble, world.profile.faults);
    let events = draw(world.seed, &world.names(), trouble).into_iter();
    let mut events = events.filter(|(_, event)| wanted(event)).peekable();
    while sim.elapsed() < trouble {
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= sim.elapsed()) {
            apply(sim, world, &event);
        }
        step(sim, world)?;
    }
    world.quiet.store(true, Ordering::Relaxed);
    schedule::heal(sim, &world.names());
    world.names().iter().for_each(|name| restart(sim, name));
    let end = sim.elapsed() + PATIENCE;
    while sim.elapsed() < end {
        step(sim, world)?;
        if sim.elapsed().as_millis().is_multiple_of(50) {
            retire(world);
            if is_settled(world) {
                return Ok(());
            }
        }
    }
    Err(format!("the members did not agree within {PATIENCE:?} after all faults ended:\n{}", standing(world)))
}

fn step(sim: &mut Sim<'_>, world: &World) -> Result<(), String> {
    revive(sim, world);
    sim.step().map_err(|e| format!("the simulation failed: {e}"))?;
    world.look(sim.elapsed())
}

fn apply(sim: &mut Sim<'_>, world: &World, event: &Event) {
    tracing::info!(at = ?sim.elapsed(), ?event, "fault");
    if event.on_network(sim) {
        return;
    }
    let node = |name: &str| &world.machines[name].node;
    let torn = world.seed ^ sim.elapsed().as_nanos() as u64;
    match event {
        Event::Crash(name) => crash(sim, world, name),
        Event::Restart(name) => restart(sim, name),
        Event::Skew(name, by) => node(name).set_skew(*by),
        // The power goes in the midst of some work on the disk, or a sync fails.
        Event::FailSync(name) if torn % 100 < world.profile.power_cuts => {
            node(name).disk().cut_power_at(1 + torn / 100 % 60);
        }
        Event::FailSync(name) => node(name).disk().fail_nth(Call::Sync, 1 + torn / 100 % 8),
        _ => {}
    }
}

fn crash(sim: &mut Sim<'_>, world: &World, name: &str) {
    if sim.is_host_running(name) {
        let torn = world.seed ^ sim.elapsed().as_nanos() as u64;
        world.machines[name].node.crash(sim, torn);
        world.machines[name].live.lock().unwrap().take();
    }
}

pub(crate) fn restart(sim: &mut Sim<'_>, name: &str) {
    if !sim.is_host_running(name) {
        sim.bounce(name);
    }
}

/// Starts again what ended by itself, and brings back removed members as new ones.
fn revive(sim: &mut Sim<'_>, world: &World) {
    for (name, machine) in &world.machines {
        if machine.removed.load(Ordering::Relaxed) {
            crash(sim, world, name);
            machine.replace();
            sim.bounce(name.as_str());
        } else if machine.ended.swap(false, Ordering::Relaxed) {
            crash(sim, world, name);
            sim.bounce(name.as_str());
        }
    }
}

/// A member that was removed may go on and not know it, as in etcd: its machine is taken away.
fn retire(world: &World) {
    let live = |m: &Machine| m.live.lock().unwrap().as_ref().map(|node| node.group().status());
    let statuses: Vec<_> = world.machines.values().filter_map(live).collect();
    let leader = statuses.iter().filter(|s| s.leadership.is_leader).max_by_key(|s| s.leadership.term);
    let Some(leader) = leader.filter(|s| !s.changing) else { return };
    for machine in world.machines.values() {
        let id = machine.member.load(Ordering::Relaxed);
        if id != 0 && leader.member(id).is_none() && leader.progress.values().any(|p| p.last_heard.is_some())
        {
            machine.removed.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether all members, as the leader knows them, have applied everything, no lease is left, every watcher
/// has heard everything, and the last look was taken.
fn is_settled(world: &World) -> bool {
    let live: Vec<_> = world.machines.values().filter_map(|m| m.live.lock().unwrap().clone()).collect();
    let statuses: Vec<_> = live.iter().map(|node| node.group().status()).collect();
    let Some(leader) = statuses.iter().find(|s| s.leadership.is_leader) else { return false };
    let member = |id: u64| statuses.iter().find(|s| s.id == id);
    let agree = !leader.changing
        && leader.applied == leader.last_index
        && leader.members.iter().all(|m| member(m.id).is_some_and(|s| s.applied == leader.applied));
    agree
        && live
            .iter()
            .filter(|n| leader.member(n.group().id()).is_some())
            .all(|n| n.store().leases().is_empty())
        && world.closed.load(Ordering::Relaxed)
        && watchers_are_served(world)
}

fn watchers_are_served(world: &World) -> bool {
    let Ok(replay) = Replay::new(&world.witness.lock().unwrap().events) else { return true };
    let watching = world.watching.lock().unwrap();
    watching.iter().all(|w| w.next > 0 && watches::expected(&replay, w, w.next).is_empty())
}

fn question(world: &World) -> Result<(), String> {
    let failures = world.failures.lock().unwrap();
    if !failures.is_empty() {
        return Err(format!("failed although nothing was broken:\n{}", failures.join("\n")));
    }
    let witness = world.witness.lock().unwrap();
    let replay = Replay::new(&witness.events)?;
    let records = world.records.lock().unwrap();
    let explained = check::explain(&replay, &records, &witness.seen)?;
    leases::check(&records, &explained, &witness.seen)?;
    world.watching.lock().unwrap().iter().try_for_each(|w| watches::check(&replay, &records, w))
}

/// How the members stand.
fn standing(world: &World) -> String {
    let mut lines = Vec::new();
    for (name, machine) in &world.machines {
        let node = machine.live.lock().unwrap().clone();
        let state = node.map(|n| (n.group().status(), n.store().view().head(), n.store().leases().len()));
        lines.push(format!("{name} member={:x} {state:?}", machine.member.load(Ordering::Relaxed)));
    }
    let watching = world.watching.lock().unwrap();
    lines.extend(watching.iter().map(|w| format!("watcher {:?} next={}", w.key, w.next)));
    lines.push(format!("closed={}", world.closed.load(Ordering::Relaxed)));
    lines.join("\n")
}

/// Everything that happened and how it ended; equal for equal seeds.
fn trace(world: &World) -> String {
    let mut lines: Vec<String> = world.records.lock().unwrap().iter().map(|r| format!("{r:?}")).collect();
    for watching in world.watching.lock().unwrap().iter() {
        lines.extend(watching.sessions.iter().map(|session| format!("{session:?}")));
    }
    lines.extend(world.witness.lock().unwrap().events.iter().map(|event| format!("{event:?}")));
    lines.push(standing(world));
    lines.join("\n")
}
