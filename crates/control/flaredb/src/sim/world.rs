//! Three machines with a replica each, and what the test can see and do of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::Context;
use kit::client::ClientOptions;
use kit::disk::RealDisk;
use kit::server::Server;
use kit::task::Cause;
use quorum::wal::WalOptions;
use quorum::{GroupConfig, GroupOptions, Host, HostConfig, Member};
use sim::SimNode;
use tonic::service::Routes;

use super::append::Transaction;
use super::client;
use crate::machine::Machine;
use crate::replica::{Replica, ReplicaOptions};

const PORT: u16 = 5433;
const GROUP: u64 = 7;
const CLIENTS: u64 = 2;

/// What all parts of a run share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) machines: Arc<BTreeMap<String, Box<Simulated>>>,
    pub(super) transactions: Arc<Mutex<Vec<Transaction>>>,
    /// What clients have seen that must not be.
    pub(super) failures: Arc<Mutex<Vec<String>>>,
    /// Set when clients shall stop.
    pub(super) quiet: Arc<AtomicBool>,
    pub(super) values: Arc<AtomicI64>,
}

/// A machine and the replica on it.
pub(super) struct Simulated {
    pub(super) node: SimNode,
    id: u64,
    dir: tempfile::TempDir,
    pub(super) replica: Mutex<Option<Replica>>,
    /// Whether its process ended by itself, as after a failed fsync.
    pub(super) ended: AtomicBool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let machine = |id: u64| {
            let name = format!("n{id}");
            let simulated = Simulated {
                node: SimNode::new(seed, &name),
                id,
                dir: tempfile::tempdir().unwrap(),
                replica: Mutex::default(),
                ended: AtomicBool::default(),
            };
            (name, Box::new(simulated))
        };
        Self {
            machines: Arc::new((1..=3).map(machine).collect()),
            transactions: Arc::default(),
            failures: Arc::default(),
            quiet: Arc::default(),
            values: Arc::new(AtomicI64::new(1)),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.machines.keys().cloned().collect()
    }

    /// The replicas that run.
    pub(super) fn replicas(&self) -> Vec<Replica> {
        self.machines.values().filter_map(|machine| machine.replica.lock().unwrap().clone()).collect()
    }

    fn members(&self) -> Vec<Member> {
        self.machines.values().map(|machine| member(machine.id, machine.node.name())).collect()
    }
}

fn member(id: u64, name: &str) -> Member {
    let peer_addresses = vec![format!("{name}:{PORT}")];
    Member { id, name: name.to_owned(), peer_addresses, client_addresses: Vec::new() }
}

/// The whole life of one process on a machine.
pub(super) async fn run(world: World, name: String) -> Result<(), Box<dyn Error>> {
    let machine = &world.machines[&name];
    machine.ended.store(false, Ordering::Relaxed);
    let context = machine.node.context();
    let cause = match live(&world, machine, &context).await {
        Ok(()) => context.tasks().wait(Duration::from_secs(1)).await.0,
        Err(e) => Cause::Failed(e.to_string()),
    };
    tracing::warn!(name, %cause, "process ended");
    machine.replica.lock().unwrap().take();
    machine.ended.store(true, Ordering::Relaxed);
    // A real supervisor would start it again; here the test does.
    std::future::pending().await
}

async fn live(world: &World, machine: &Simulated, context: &Context) -> Result<(), Box<dyn Error>> {
    let client = ClientOptions {
        connect_timeout: Duration::from_millis(500),
        keepalive_interval: Duration::from_millis(200),
        keepalive_timeout: Duration::from_millis(300),
        ..ClientOptions::default()
    };
    let wal = WalOptions { segment_bytes: 256 << 10, ..WalOptions::default() };
    let dir = PathBuf::from("/data");
    let host = HostConfig { cluster: 1, known_as: 1, dir, wal, tls: None, client };
    let host = Host::open(context, host).await?;
    let listener = context.net().listen(([0, 0, 0, 0], PORT).into()).await?;
    let server = Server::new("peer", listener, Routes::new(host.service().into_server()).into_axum_router());
    let owned = context.clone();
    context.tasks().spawn_critical("peer server", async move { server.run(&owned).await });
    let files = Context::simulated(
        context.clock().clone(),
        context.entropy().clone(),
        Arc::new(RealDisk),
        context.net().clone(),
    );
    let state = Machine::open(&files, &machine.dir.path().join("db"), None, machine.id)?;
    let options = GroupOptions {
        election: Duration::from_millis(500),
        request_timeout: Duration::from_secs(3),
        entries_per_flush: 40,
        entries_kept: 10,
        ..GroupOptions::default()
    };
    let own = member(machine.id, machine.node.name());
    let group = GroupConfig { group: GROUP, member: own, bootstrap: world.members(), options };
    let options = ReplicaOptions {
        patience: Duration::from_secs(8),
        check_interval: Duration::from_secs(1),
        ..ReplicaOptions::default()
    };
    let replica = Replica::open(&host, state, group, options).await?;
    *machine.replica.lock().unwrap() = Some(replica.clone());
    for _ in 0..CLIENTS {
        context.tasks().spawn(client::run(world.clone(), replica.clone(), context.clone()));
    }
    Ok(())
}
