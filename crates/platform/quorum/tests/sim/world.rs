//! Replicas on simulated machines, and what the test can see and do of them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::Context;
use kit::client::ClientOptions;
use kit::disk::Disk;
use kit::server::Server;
use kit::task::Cause;
use quorum::wal::WalOptions;
use quorum::{Change, Group, GroupConfig, GroupOptions, Host, HostConfig, Member};
use sim::{SimDisk, SimNode};
use tonic::service::Routes;

use crate::client;
use crate::history::History;
use crate::machine::{Machine, Registers, Shared};

pub(crate) const GROUP: u64 = 7;
const CLUSTER: u64 = 99;
const OTHER_CLUSTER: u64 = 98;
const PORT: u16 = 2380;
const CLIENTS: u32 = 2;

/// What all parts of a run share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) history: History,
    /// Set when clients shall stop.
    pub(crate) quiet: Arc<AtomicBool>,
    pub(crate) values: Arc<AtomicU64>,
    pub(crate) clients: Arc<AtomicU64>,
    /// Ids that somebody has tried to remove: an id is never used again.
    pub(crate) leaving: Arc<Mutex<BTreeSet<u64>>>,
    /// Operations under way.
    pub(crate) busy: Arc<AtomicU64>,
    /// There are no faults and only planned changes: nothing may fail.
    pub(crate) planned: Arc<AtomicBool>,
    /// A known bug that every replica has.
    pub(crate) bug: Option<&'static str>,
    /// What failed all the same.
    pub(crate) failures: Arc<Mutex<Vec<String>>>,
    pub(crate) replicas: Arc<BTreeMap<String, Replica>>,
}

/// A machine and the replica on it.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) node: SimNode,
    pub(crate) registers: Shared,
    pub(crate) group: Arc<Mutex<Option<Group>>>,
    /// Changes of the group that this replica shall ask for, last one first.
    pub(crate) orders: Arc<Mutex<Vec<Change>>>,
    /// The cluster that it takes itself to belong to.
    pub(crate) cluster: u64,
    /// Its member id; changes when the replica was removed and comes back as another.
    pub(crate) id: Arc<AtomicU64>,
    /// Whether it belongs to the group from the start.
    pub(crate) founder: bool,
    /// Whether its process ended by itself, as after a failed fsync.
    pub(crate) ended: Arc<AtomicBool>,
    /// Whether its member was removed from the group for good.
    pub(crate) removed: Arc<AtomicBool>,
}

impl World {
    /// Three founders and one machine that may join.
    pub(crate) fn new(seed: u64) -> Self {
        let replica = |n: u64| {
            let name = format!("n{n}");
            let replica = Replica {
                node: SimNode::new(seed, &name),
                registers: Shared::default(),
                group: Arc::default(),
                orders: Arc::default(),
                cluster: CLUSTER,
                id: Arc::new(AtomicU64::new(n)),
                founder: n <= 3,
                ended: Arc::default(),
                removed: Arc::default(),
            };
            (name, replica)
        };
        Self {
            history: History::default(),
            quiet: Arc::default(),
            values: Arc::new(AtomicU64::new(1)),
            clients: Arc::default(),
            leaving: Arc::default(),
            busy: Arc::default(),
            planned: Arc::default(),
            bug: None,
            failures: Arc::default(),
            replicas: Arc::new((1..=4).map(replica).collect()),
        }
    }

    /// As [`World::new`], but the fourth machine founds another cluster and names the first as a member.
    pub(crate) fn with_a_stranger(seed: u64) -> Self {
        let mut world = Self::new(seed);
        let mut replicas = BTreeMap::clone(&world.replicas);
        replicas.get_mut("n4").unwrap().cluster = OTHER_CLUSTER;
        world.replicas = Arc::new(replicas);
        world
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.replicas.keys().cloned().collect()
    }

    /// The replica of a member id, if a machine runs it now.
    pub(crate) fn by_id(&self, id: u64) -> Option<&Replica> {
        self.replicas.values().find(|r| r.id.load(Ordering::Relaxed) == id)
    }

    fn founders(&self) -> Vec<Member> {
        self.replicas.values().filter(|r| r.founder).map(|r| r.first_member()).collect()
    }
}

impl Replica {
    /// As the group is founded: the id never changes for a founder that was not removed.
    fn first_member(&self) -> Member {
        let id = self.node.name()[1..].parse().expect("names are n1, n2, …");
        member(id, self.node.name())
    }

    /// The member that this machine runs now.
    pub(crate) fn member(&self) -> Member {
        member(self.id.load(Ordering::Relaxed), self.node.name())
    }

    pub(crate) fn registers(&self) -> Registers {
        self.registers.lock().unwrap().clone()
    }

    /// Gives the machine a new identity and an empty disk, as for a removed replica that comes back.
    pub(crate) fn replace(&self) {
        wipe(self.node.disk()).expect("the disk was just crashed and works");
        self.id.fetch_add(10, Ordering::Relaxed);
        self.removed.store(false, Ordering::Relaxed);
    }
}

fn wipe(disk: &SimDisk) -> io::Result<()> {
    for path in disk.files().keys() {
        disk.remove(path)?;
        path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))?;
    }
    Ok(())
}

fn member(id: u64, name: &str) -> Member {
    Member {
        id,
        name: name.to_owned(),
        peer_addresses: vec![format!("{name}:{PORT}")],
        client_addresses: vec![format!("client://{name}")],
    }
}

pub(crate) fn options() -> GroupOptions {
    GroupOptions {
        heartbeat: Duration::from_millis(100),
        election: Duration::from_millis(500),
        request_timeout: Duration::from_secs(3),
        entries_per_flush: 40,
        entries_kept: 10,
        ..GroupOptions::default()
    }
}

/// The whole life of one process on a machine.
pub(crate) async fn run(world: World, name: String) -> Result<(), Box<dyn Error>> {
    let replica = world.replicas[&name].clone();
    replica.ended.store(false, Ordering::Relaxed);
    let context = match world.bug {
        Some(bug) => replica.node.context().with_known_bug(bug),
        None => replica.node.context(),
    };
    let cause = match live(&world, &replica, &context).await {
        Ok(()) => context.tasks().wait(Duration::from_secs(1)).await.0,
        Err(e) => Cause::Failed(e.to_string()),
    };
    tracing::warn!(name, %cause, "process ended");
    replica.group.lock().unwrap().take();
    replica.ended.store(true, Ordering::Relaxed);
    // A real supervisor would start it again; here the test does.
    std::future::pending().await
}

async fn live(world: &World, replica: &Replica, context: &Context) -> Result<(), Box<dyn Error>> {
    let machine = Machine::open(context, PathBuf::from("/data/registers"), replica.registers.clone())?;
    let wal = WalOptions { segment_bytes: 64 << 10, ..WalOptions::default() };
    let client = ClientOptions {
        connect_timeout: Duration::from_millis(500),
        keepalive_interval: Duration::from_millis(200),
        keepalive_timeout: Duration::from_millis(300),
        ..ClientOptions::default()
    };
    let config = HostConfig {
        cluster: replica.cluster,
        known_as: replica.cluster,
        dir: PathBuf::from("/data"),
        wal,
        tls: None,
        client,
    };
    let host = Host::open(context, config).await?;
    serve(&host, context).await?;
    let member = replica.member();
    let is_first_life = replica.founder && member.id < 10;
    let bootstrap = match replica.cluster {
        CLUSTER if is_first_life => world.founders(),
        CLUSTER => Vec::new(),
        _ => vec![replica.member(), world.replicas["n1"].member()],
    };
    let config = GroupConfig { group: GROUP, member, bootstrap, options: options() };
    let group = host.open_group(config, machine).await?;
    *replica.group.lock().unwrap() = Some(group.clone());
    for _ in 0..CLIENTS {
        context.tasks().spawn(client::run(world.clone(), replica.clone(), group.clone(), context.clone()));
    }
    Ok(())
}

async fn serve(host: &Host, context: &Context) -> Result<(), Box<dyn Error>> {
    let listener = context.net().listen(([0, 0, 0, 0], PORT).into()).await?;
    let router = Routes::new(host.service().into_server()).into_axum_router();
    let server = Server::new("peer", listener, router);
    let owned = context.clone();
    context.tasks().spawn_critical("peer server", async move { server.run(&owned).await });
    Ok(())
}
