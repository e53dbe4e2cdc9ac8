//! A member: opens what is on disk, takes part in the groups, lets clients in.

mod clients;
mod databases;
mod metrics;
mod pages;
mod standing;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use kit::admin::AdminServer;
use kit::client::ClientOptions;
use kit::health::{Health, Kind};
use kit::run::{Failure, Process};
use kit::server::{Limits, Server, ServerMetrics};
use kit::telemetry::{Metrics, MetricsError};
use kit::tls;
use quorum::identity::{Identity, IdentityError, Service, cluster_id};
use quorum::wal::WalOptions;
use quorum::{Figures, GroupConfig, GroupOptions, Host, HostConfig, Member, OpenError};
use tonic::service::Routes;

pub(crate) use self::databases::Databases;
use self::metrics::DatabaseCollector;
use self::pages::{Late, pages};
use crate::config::Config;
use crate::directory::Directory;
use crate::engine::EngineError;
use crate::replica::{Replica, ReplicaError, ReplicaOptions, SUPERUSER};

/// How members are told apart, and what is said of them.
const SERVICE: Service =
    Service { name: "flaredb", add: "uc flaredb member add", finish: "ultracloud flaredb restore" };
/// The group of the database that is always there.
pub(crate) const FIRST_GROUP: u64 = 1;
/// What an entry of the log has around what it changes.
const ENVELOPE: usize = 1 << 20;

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log or the engine of replication.
    #[error(transparent)]
    Replication(#[from] OpenError),
    /// A database.
    #[error("the database cannot be opened: {0}")]
    Database(String),
    /// Whose directory it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// A port to listen on.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// Two figures of one name.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A founder that is not among the founders.
    #[error("initial_members does not name this member; add it, or set join = true")]
    NotAFounder,
}

impl From<StartError> for Failure {
    fn from(e: StartError) -> Self {
        match e {
            StartError::Replication(_) | StartError::Database(_) => Self::storage(e),
            StartError::Tls(_) | StartError::Identity(_) | StartError::NotAFounder => Self::config(e),
            _ => Self::failed(e),
        }
    }
}

impl From<ReplicaError> for StartError {
    fn from(e: ReplicaError) -> Self {
        match e {
            ReplicaError::Replication(e) => Self::Replication(e),
            ReplicaError::Engine(EngineError::Malformed(why)) => Self::Database(why),
            other => Self::Database(other.to_string()),
        }
    }
}

/// Where a member reports.
#[derive(Clone)]
pub struct Observers {
    /// Its checks.
    pub health: Health,
    /// Its figures.
    pub metrics: Metrics,
    /// Its servers' figures.
    pub servers: ServerMetrics,
}

/// A running member. It runs until its context's tasks are stopped.
#[derive(Clone)]
pub struct Node {
    databases: Databases,
}

/// Runs the role: the member and its admin port.
pub async fn run(process: Process, config: Config) -> Result<(), Failure> {
    let context = &process.context;
    let identity = config.tls.as_ref().map(|tls| tls::Identity::load(context, tls)).transpose()?;
    if let Some(identity) = identity.clone() {
        process.on_reload(move || identity.reload_and_log());
    }
    let observers = Observers {
        health: process.health.clone(),
        metrics: process.metrics.clone(),
        servers: process.servers.clone(),
    };
    // Before the member: whoever waits for it wants to see why it is not ready.
    let admin = AdminServer {
        health: observers.health.clone(),
        metrics: observers.metrics.clone(),
        counters: observers.servers.clone(),
    };
    let late = Late::default();
    let pages = pages(late.clone());
    admin.start_with(context, &config.admin, identity.as_ref(), pages).await.map_err(Failure::failed)?;
    let node = build(context, &config, identity, observers).await?;
    process.before_stop(standing::hand_over(node.databases.clone()));
    // Set once, here.
    let _ = late.set(node);
    Ok(())
}

/// Builds a member and starts it.
pub async fn build(
    context: &Context,
    config: &Config,
    identity: Option<Arc<tls::Identity>>,
    observers: Observers,
) -> Result<Node, StartError> {
    // First of all: a removed member touches nothing and talks to nobody.
    let expected = Some(cluster_id(&SERVICE, &config.cluster_token));
    let known = Identity::read(&SERVICE, context, &config.data_dir, expected)?;
    let connector = identity.as_ref().map(|identity| identity.client(config.peer.allow.clone()));
    let host = Host::open(context, host_config(config, known, connector)).await?;
    // Peers are let in before the group is open: with all members starting, each waits for the others.
    serve_peers(context, config, &host, identity.as_ref(), &observers.servers).await?;
    let own = match known {
        Some(known) => known,
        None => who_am_i(context, config, &host).await?,
    };
    let (place, group) = (config.database_dir(FIRST_GROUP), group_config(config, own));
    let first = Replica::open_in(context, &host, place, group, replica_options(config)).await?;
    if known.is_some() {
        standing::check(context, config, own, first.group()).await?;
    }
    let leave = standing::leave_when_removed(context.clone(), config.clone(), own, first.group().clone());
    context.tasks().spawn(leave);
    tracing::info!(
        name = config.name,
        cluster = format_args!("{:x}", own.cluster),
        member = format_args!("{:x}", own.member),
        "member"
    );
    context.tasks().spawn(first.clone().found(SUPERUSER.to_owned()));
    report(&observers, &first, &host);
    let directory = config.directory.as_ref().map(|named| {
        let tls = identity.as_ref().map(|identity| identity.client(named.allow.clone()));
        Directory::new(context, named.endpoints.clone(), tls)
    });
    let databases = Databases::new(context, config, &host, directory, first);
    databases.open_kept().await?;
    context.tasks().spawn(databases.clone().run());
    context.tasks().spawn(databases.clone().balance());
    clients::listen(context, config, databases.clone(), identity).await?;
    Ok(Node { databases })
}

fn host_config(config: &Config, known: Option<Identity>, tls: Option<tls::TlsConnector>) -> HostConfig {
    let by_token = cluster_id(&SERVICE, &config.cluster_token);
    let (cluster, known_as) =
        known.map_or((by_token, by_token), |Identity { cluster, known_as, .. }| (cluster, known_as));
    // A dead peer should be noticed within an election.
    let client = ClientOptions {
        connect_timeout: config.raft.election,
        keepalive_interval: config.raft.election,
        keepalive_timeout: config.raft.election,
        ..ClientOptions::default()
    };
    let wal = WalOptions {
        cache_bytes: config.raft.cache_bytes,
        segment_bytes: config.segment_bytes(),
        ..WalOptions::default()
    };
    HostConfig { cluster, known_as, dir: config.raft_dir(), wal, tls, client }
}

async fn serve_peers(
    context: &Context,
    config: &Config,
    host: &Host,
    identity: Option<&Arc<tls::Identity>>,
    metrics: &ServerMetrics,
) -> Result<(), StartError> {
    let listener = context.net().listen(config.peer.listen).await?;
    let router = Routes::new(host.service().into_server()).into_axum_router();
    let mut server = Server::new("peer", listener, router);
    server.acceptor = identity.map(|identity| identity.server(config.peer.allow.clone()));
    server.limits = Limits::default();
    server.metrics = metrics.clone();
    let owned = context.clone();
    context.tasks().spawn_critical("the peer server", async move { server.run(&owned).await });
    Ok(())
}

/// Who this member is, at its first start.
async fn who_am_i(context: &Context, config: &Config, host: &Host) -> Result<Identity, StartError> {
    let members = &config.initial_members;
    let identity = if config.join {
        let others: Vec<String> = members.iter().map(|member| member.peer.clone()).collect();
        let own = config.peer.advertise.as_str();
        let add = format!("{} {} {own}", SERVICE.add, config.name);
        let member = quorum::find_self(context, host, FIRST_GROUP, (own, &others), &add).await;
        let known_as = cluster_id(&SERVICE, &config.cluster_token);
        Identity { cluster: host.cluster(), member, known_as, origin: None }
    } else {
        let own = members.iter().find(|member| member.name == config.name).ok_or(StartError::NotAFounder)?;
        Identity::founder(&SERVICE, &config.cluster_token, own, None)
    };
    identity.write(context, &config.data_dir)?;
    Ok(identity)
}

/// The first members, which found the group together; nobody, for a member that came later.
fn founders(config: &Config, own: Identity) -> Vec<Member> {
    let as_member = |named: &crate::config::InitialMember| Member {
        id: Identity::founder(&SERVICE, &config.cluster_token, named, None).member,
        name: named.name.clone(),
        peer_addresses: vec![named.peer.clone()],
        client_addresses: Vec::new(),
    };
    let founders: Vec<Member> = config.initial_members.iter().map(as_member).collect();
    if founders.iter().any(|member| member.id == own.member) { founders } else { Vec::new() }
}

fn group_config(config: &Config, own: Identity) -> GroupConfig {
    let member = Member {
        id: own.member,
        name: config.name.clone(),
        peer_addresses: vec![config.peer.advertise.clone()],
        client_addresses: vec![format!("postgresql://{}", config.client.advertise)],
    };
    let options = group_options(config);
    GroupConfig { group: FIRST_GROUP, member, bootstrap: founders(config, own), options }
}

fn replica_options(config: &Config) -> ReplicaOptions {
    ReplicaOptions { waiting: config.limits.waiting, ..ReplicaOptions::default() }
}

fn group_options(config: &Config) -> GroupOptions {
    GroupOptions {
        heartbeat: config.raft.heartbeat,
        election: config.raft.election,
        request_timeout: Duration::from_secs(5) + config.raft.election * 2,
        max_proposal_bytes: config.limits.change_bytes + ENVELOPE,
        max_inflight: config.limits.waiting + 64,
        entries_per_flush: config.raft.entries_per_flush,
        entries_kept: config.raft.entries_kept,
        ..GroupOptions::default()
    }
}

fn report(observers: &Observers, first: &Replica, host: &Host) {
    observers.metrics.collect(DatabaseCollector { database: first.clone() });
    let (group, host_too) = (first.group().clone(), host.clone());
    observers.metrics.collect(Figures { prefix: "flaredb", group, host: host_too });
    let leadership = first.group().leadership();
    observers.health.probe("leader", Kind::Ready, move || match leadership.borrow().leader {
        Some(_) => Ok(()),
        None => Err("no leader is known; fewer than a quorum of members may be up".into()),
    });
    let replica = first.clone();
    observers.health.probe("state", Kind::Ready, move || match replica.is_fenced() {
        false => Ok(()),
        true => Err("the state has diverged from the other members': remove this one and add it anew".into()),
    });
    let wal = host.wal().clone();
    observers.health.probe("log", Kind::Live, move || {
        wal.failure().map_or(Ok(()), |why| Err(format!("the log failed: {why}")))
    });
}
