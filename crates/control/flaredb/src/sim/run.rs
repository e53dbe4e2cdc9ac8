//! One run: faults for a while, then peace, then the questions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sim::disk::Call;
use sim::schedule::{self, Event, draw};
use turmoil::Sim;

use super::append::{Fate, violation};
use super::client;
use super::world::{self, World};

/// How long faults and load go on, in simulated time.
const TROUBLE: Duration = Duration::from_secs(20);
/// How long the replicas may take to agree once all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run showed.
pub(super) struct Outcome {
    pub(super) transactions: u64,
    pub(super) certain: u64,
    pub(super) failure: Option<String>,
}

pub(super) fn simulate(seed: u64) -> Outcome {
    let world = World::new(seed);
    let mut sim = sim::node::world(seed).build();
    for name in world.names() {
        let world = world.clone();
        sim.host(name.clone(), move || world::run(world.clone(), name.clone()));
    }
    let driven = drive(&mut sim, &world, seed);
    let mut all = world.transactions.lock().unwrap().clone();
    let failure = match driven {
        Err(why) => Some(why),
        Ok(last) => {
            all.extend(last);
            world.failures.lock().unwrap().first().cloned().or_else(|| violation(&all))
        }
    };
    let certain = all.iter().filter(|transaction| transaction.fate == Fate::Committed).count();
    Outcome { transactions: all.len() as u64, certain: certain as u64, failure }
}

/// Gives the last look at all lists.
fn drive(sim: &mut Sim<'_>, world: &World, seed: u64) -> Result<Vec<super::append::Transaction>, String> {
    let mut events = draw(seed, &world.names(), TROUBLE).into_iter().peekable();
    while sim.elapsed() < TROUBLE {
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= sim.elapsed()) {
            apply(sim, world, seed, &event);
        }
        revive(sim, world, seed);
        sim.step().map_err(|e| format!("the simulation failed: {e}"))?;
    }
    world.quiet.store(true, Ordering::Relaxed);
    let names = world.names();
    schedule::heal(sim, &names);
    names.iter().for_each(|name| restart(sim, name));
    let end = sim.elapsed() + PATIENCE;
    while sim.elapsed() < end {
        revive(sim, world, seed);
        sim.step().map_err(|e| format!("the simulation failed: {e}"))?;
        if agree(world) {
            let replica = world.replicas().into_iter().next().ok_or("no replica runs")?;
            return Ok(client::last_look(&replica, sim.elapsed()));
        }
    }
    let seen: Vec<String> = world
        .replicas()
        .iter()
        .map(|replica| format!("{:?} {:x} {}", replica.group().status(), replica.hash(), replica.is_fenced()))
        .collect();
    Err(format!(
        "the replicas did not agree within {PATIENCE:?} after all faults ended:\n{}",
        seen.join("\n")
    ))
}

fn apply(sim: &mut Sim<'_>, world: &World, seed: u64, event: &Event) {
    tracing::info!(at = ?sim.elapsed(), ?event, "fault");
    if event.on_network(sim) {
        return;
    }
    match event {
        Event::Crash(name) => crash(sim, world, name, seed),
        Event::Restart(name) => restart(sim, name),
        Event::Skew(name, by) => world.machines[name].node.set_skew(*by),
        Event::FailSync(name) => world.machines[name].node.disk().fail_nth(Call::Sync, 1),
        _ => {}
    }
}

fn crash(sim: &mut Sim<'_>, world: &World, name: &str, seed: u64) {
    if sim.is_host_running(name) {
        let torn = seed ^ u64::try_from(sim.elapsed().as_nanos()).unwrap_or(u64::MAX);
        world.machines[name].replica.lock().unwrap().take();
        world.machines[name].node.crash(sim, torn);
    }
}

fn restart(sim: &mut Sim<'_>, name: &str) {
    if !sim.is_host_running(name) {
        sim.bounce(name);
    }
}

/// Starts again what ended by itself.
fn revive(sim: &mut Sim<'_>, world: &World, seed: u64) {
    for (name, machine) in world.machines.iter() {
        if machine.ended.swap(false, Ordering::Relaxed) {
            crash(sim, world, name, seed);
            sim.bounce(name.as_str());
        }
    }
}

/// Whether all replicas run, have applied the same, and hold the same.
fn agree(world: &World) -> bool {
    let replicas = world.replicas();
    let statuses: Vec<_> = replicas.iter().map(|replica| replica.group().status()).collect();
    let Some(leader) = statuses.iter().find(|status| status.leadership.is_leader) else { return false };
    let up_to_date = statuses.iter().all(|status| status.applied == leader.last_index);
    let same = replicas.windows(2).all(|pair| pair[0].hash() == pair[1].hash());
    replicas.len() == world.machines.len() && up_to_date && same && !replicas.iter().any(|r| r.is_fenced())
}
