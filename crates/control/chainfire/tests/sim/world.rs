//! Members on simulated machines, and what the test sees of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chainfire::config::{ClientConfig, InitialMember, Limits, PeerConfig, RaftConfig, StoreConfig};
use chainfire::{Config, IdentityError, Node, Observers, StartError};
use kit::Context;
use kit::admin::AdminConfig;
use kit::disk::Disk;
use kit::health::Health;
use kit::server::ServerMetrics;
use kit::task::Cause;
use kit::telemetry::{LogConfig, Metrics};
use kit::tls::AllowList;
use sim::SimNode;

use crate::divergence;
use crate::history::{Answer, Call, Moment, Record, Watching};
use crate::profile::Profile;
use crate::witness::Witness;

pub(crate) const PEER: u16 = 2380;
pub(crate) const CLIENT: u16 = 2379;

/// What all parts of a run share.
#[derive(Clone)]
pub(crate) struct World(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) profile: Profile,
    pub(crate) machines: BTreeMap<String, Machine>,
    pub(crate) records: Mutex<Vec<Record>>,
    pub(crate) watching: Mutex<Vec<Watching>>,
    pub(crate) witness: Mutex<Witness>,
    /// The highest revision that a client was told of.
    pub(crate) known: AtomicU64,
    /// What failed at two members, one after the other.
    pub(crate) failures: Mutex<Vec<String>>,
    /// Requests that a second member answered.
    pub(crate) second_tries: AtomicU64,
    /// Clients shall stop.
    pub(crate) quiet: AtomicBool,
    /// The last look at every member was taken.
    pub(crate) closed: AtomicBool,
    order: AtomicU64,
    unique: AtomicU64,
}

/// A machine and the member on it.
pub(crate) struct Machine {
    pub(crate) node: SimNode,
    pub(crate) founder: bool,
    /// Its disk is new since it was removed: it must be added.
    pub(crate) joins: AtomicBool,
    pub(crate) live: Mutex<Option<Node>>,
    /// Its process ended by itself, as after a failed sync.
    pub(crate) ended: AtomicBool,
    /// Its member was removed.
    pub(crate) removed: AtomicBool,
    /// The member that it last was; 0: none yet.
    pub(crate) member: AtomicU64,
}

impl std::ops::Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl World {
    pub(crate) fn new(seed: u64, profile: &Profile) -> Self {
        let machine = |n: usize| {
            let name = format!("n{n}");
            let founder = n <= profile.founders;
            let machine = Machine {
                node: SimNode::new(seed, &name),
                founder,
                joins: AtomicBool::new(!founder),
                live: Mutex::default(),
                ended: AtomicBool::new(false),
                removed: AtomicBool::new(false),
                member: AtomicU64::new(0),
            };
            (name, machine)
        };
        Self(Arc::new(Shared {
            seed,
            profile: profile.clone(),
            machines: (1..=profile.founders + profile.joiners).map(machine).collect(),
            records: Mutex::default(),
            watching: Mutex::default(),
            witness: Mutex::default(),
            known: AtomicU64::new(1),
            failures: Mutex::default(),
            second_tries: AtomicU64::new(0),
            quiet: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            order: AtomicU64::new(0),
            unique: AtomicU64::new(0),
        }))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.machines.keys().cloned().collect()
    }

    pub(crate) fn now(&self, at: Duration) -> Moment {
        Moment { order: self.order.fetch_add(1, Ordering::Relaxed), at }
    }

    pub(crate) fn unique(&self) -> u64 {
        self.unique.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn begin(&self, client: usize, asked: &str, call: Call) -> usize {
        let called = self.now(elapsed());
        let mut records = self.records.lock().unwrap();
        records.push(Record { client, asked: asked.to_owned(), called, call, returned: None });
        records.len() - 1
    }

    pub(crate) fn complete(&self, id: usize, answer: Answer) {
        let now = self.now(elapsed());
        if let Some(revision) = crate::check::revision_of(&answer) {
            self.known.fetch_max(revision.unsigned_abs(), Ordering::Relaxed);
        }
        self.records.lock().unwrap()[id].returned = Some((now, answer));
    }

    /// Looks at every replica.
    pub(crate) fn look(&self, at: Duration) -> Result<(), String> {
        for (name, machine) in &self.machines {
            if let Some(node) = &*machine.live.lock().unwrap() {
                let now = self.now(at);
                self.witness.lock().unwrap().look(name, node.store(), now)?;
                if let Some(alarm) = node.alarms().all().iter().next() {
                    return Err(format!("{name} has an alarm, and nothing is wrong: {alarm}"));
                }
            }
        }
        Ok(())
    }
}

/// Simulated time, inside a host.
pub(crate) fn elapsed() -> Duration {
    turmoil::sim_elapsed().expect("clients live in the simulation")
}

impl Machine {
    /// Some bugs are one replica's alone.
    fn has(&self, bug: &str) -> bool {
        bug != divergence::BUG || self.node.name() == divergence::SICK
    }

    /// Gives the machine an empty disk, as for a removed member that comes back as another.
    pub(crate) fn replace(&self) {
        let disk = self.node.disk();
        for path in disk.files().keys() {
            disk.remove(path).unwrap();
            disk.sync_dir(path.parent().unwrap()).unwrap();
        }
        self.member.store(0, Ordering::Relaxed);
        self.joins.store(true, Ordering::Relaxed);
        self.removed.store(false, Ordering::Relaxed);
    }
}

fn config(world: &World, machine: &Machine) -> Config {
    let nobody = AllowList::default();
    let name = machine.node.name();
    let founders = world.machines.values().filter(|m| m.founder).map(|m| m.node.name());
    let member = |name: &str| InitialMember { name: name.into(), peer: format!("{name}:{PEER}") };
    let any = |port| ([0, 0, 0, 0], port).into();
    Config {
        name: name.into(),
        data_dir: PathBuf::from("/data"),
        cluster_token: "simulated".into(),
        join: machine.joins.load(Ordering::Relaxed),
        initial_members: founders.map(member).collect(),
        client: ClientConfig {
            listen: any(CLIENT),
            advertise: vec![format!("http://{name}:{CLIENT}")],
            allow: nobody.clone(),
            limits: kit::server::Limits::default(),
        },
        peer: PeerConfig { listen: any(PEER), advertise: format!("{name}:{PEER}"), allow: nobody.clone() },
        admin: AdminConfig { listen: any(2381), allow: nobody },
        tls: None,
        raft: RaftConfig {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_millis(500),
            cache_bytes: 1 << 20,
            segment_bytes: 64 << 10,
            entries_per_flush: 40,
            entries_kept: world.profile.entries_kept,
            dir: None,
        },
        limits: Limits {
            request_bytes: 16 << 10,
            // A watcher soon falls behind.
            watch_buffer_bytes: 600,
            watch_progress: Duration::from_millis(700),
            ..Limits::default()
        },
        auth: chainfire::config::AuthConfig::default(),
        store: StoreConfig {
            cache_bytes: 1 << 20,
            flush_bytes: 4 << 10,
            check_interval: Duration::from_millis(700),
            check_entries: 40,
            ..StoreConfig::default()
        },
        log: LogConfig::default(),
        any_cluster: false,
    }
}

/// The whole life of one process on a machine.
pub(crate) async fn run(world: World, name: String) -> Result<(), Box<dyn Error>> {
    let machine = &world.machines[&name];
    machine.ended.store(false, Ordering::Relaxed);
    world.witness.lock().unwrap().restarted(&name);
    let context = match world.profile.bug {
        Some(bug) if machine.has(bug) => machine.node.context().with_known_bug(bug),
        _ => machine.node.context(),
    };
    let cause = match live(&world, machine, &context).await {
        Ok(()) => context.tasks().wait(Duration::from_secs(1)).await.0,
        Err(e) => {
            let removed = matches!(
                e.downcast_ref::<StartError>(),
                Some(StartError::Identity(IdentityError::Removed { .. }))
            );
            machine.removed.fetch_or(removed, Ordering::Relaxed);
            Cause::Failed(e.to_string())
        }
    };
    tracing::warn!(name, %cause, "process ended");
    machine.live.lock().unwrap().take();
    machine.ended.store(true, Ordering::Relaxed);
    // A real supervisor would start it again; here the test does.
    std::future::pending().await
}

async fn live(world: &World, machine: &Machine, context: &Context) -> Result<(), Box<dyn Error>> {
    let observers = Observers {
        health: Health::new(context),
        metrics: Metrics::new(),
        servers: ServerMetrics::default(),
    };
    let config = config(world, machine);
    let stopping = context.tasks().stopping();
    let node = tokio::select! {
        biased;
        () = stopping.cancelled() => return Ok(()),
        built = chainfire::build(context, &config, None, observers) => built?,
    };
    machine.member.store(node.group().id(), Ordering::Relaxed);
    *machine.live.lock().unwrap() = Some(node);
    Ok(())
}
