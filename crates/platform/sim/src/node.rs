//! A simulated machine: what survives the crash of its process, and the context of each process on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kit::Context;
use kit::clock::Clock;
use kit::entropy::Entropy;

use crate::disk::SimDisk;
use crate::net::SimNet;

/// Where simulated wall time begins: 2026-01-01T00:00:00Z.
pub const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A machine with a disk and a clock, under the name of its turmoil host. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct SimNode {
    name: Arc<str>,
    seed: u64,
    disk: SimDisk,
    /// How far its wall clock is off, in milliseconds.
    skew: Arc<AtomicI64>,
    starts: Arc<AtomicU64>,
}

/// A turmoil world with this seed: one tick a millisecond, messages take 1 to 10 ms.
pub fn world(seed: u64) -> turmoil::Builder {
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(seed)
        .epoch(UNIX_EPOCH + EPOCH)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10))
        .simulation_duration(Duration::from_secs(3600));
    builder
}

impl SimNode {
    /// The machine `name` in the run `seed`, with an empty disk and a right clock.
    pub fn new(seed: u64, name: &str) -> Self {
        let seed = seed ^ hash(name);
        let disk = SimDisk::new(seed);
        Self { name: name.into(), seed, disk, skew: Arc::default(), starts: Arc::default() }
    }

    /// Its host's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its disk.
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Sets its wall clock `milliseconds` ahead of (or behind) simulated time. Takes effect at once.
    pub fn set_skew(&self, milliseconds: i64) {
        self.skew.store(milliseconds, Ordering::Relaxed);
    }

    /// The context of a process on this machine. Call it inside the host's closure, once per start: each
    /// start draws other random numbers, as a real one would.
    pub fn context(&self) -> Context {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let entropy = Entropy::seeded(self.seed ^ start.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Context::simulated(self.clock(), entropy, Arc::new(self.disk.clone()), Arc::new(SimNet))
    }

    /// Kills the host without warning, and with it what its disk had not synced. `seed` decides what of
    /// that survives. Restart it by [`turmoil::Sim::bounce`].
    pub fn crash(&self, world: &mut turmoil::Sim<'_>, seed: u64) {
        // The disk first: what the process does while it is torn down (a database closes its file) must not
        // reach the platter any more.
        self.disk.crash(seed);
        world.crash(&*self.name);
    }

    fn clock(&self) -> Clock {
        let skew = self.skew.clone();
        Clock::from_fn(move || wall(skew.load(Ordering::Relaxed)))
    }
}

fn wall(skew: i64) -> SystemTime {
    let now = UNIX_EPOCH + EPOCH + turmoil::sim_elapsed().unwrap_or_default();
    let off = Duration::from_millis(skew.unsigned_abs());
    if skew < 0 { now - off } else { now + off }
}

/// FNV-1a: the same on every machine and version, which the standard hasher does not promise.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
