//! A member: opens what is on disk, takes part in the group, lets clients in.

mod compactor;
mod doors;
mod etcd_metrics;
mod housekeeping;
mod metrics;
mod pages;
mod standing;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use kit::admin::AdminServer;
use kit::client::ClientOptions;
use kit::health::{Health, Kind};
use kit::run::{Failure, Process};
use kit::server::{Limits, ServerMetrics};
use kit::telemetry::{Metrics, MetricsError};
use kit::tls;
use prometheus_client::metrics::counter::Counter;
use quorum::identity::{Service, cluster_id};
use quorum::wal::WalOptions;
use quorum::{Figures, Group, GroupConfig, GroupOptions, Host, HostConfig, Member, OpenError};
use tonic::service::Routes;

use self::etcd_metrics::EtcdCollector;
use self::metrics::StoreCollector;
use self::pages::{Late, pages};
use crate::api::{Api, ApiConfig, ApiMetrics, Quota};
use crate::auth::{Authority, Jwt, JwtError, Passwords, SchemeError};
use crate::check::{self, Checker};
use crate::config::{Config, InitialMember};
use crate::lessor::{self, Keeper, Lessor};
use crate::machine::{Alarms, Machine};
use crate::store::{Store, StoreError};
use crate::watch::{self, Hub};
pub(crate) use quorum::identity::{Identity, Origin};

pub use doors::{Door, Doors};
pub use quorum::identity::IdentityError;
pub(crate) use standing::hand_over;

/// How members are told apart, and what is said of them.
pub(crate) const SERVICE: Service =
    Service { name: "chainfire", add: "etcdctl member add", finish: "ultracloud chainfire restore, repair" };
/// The only group of a member.
pub(crate) const GROUP: u64 = 1;
/// What a command has around the request in it.
const ENVELOPE: usize = 64 << 10;
/// Elections that a watch which requires a leader goes without one: etcd's patience.
const LEADERLESS_ELECTIONS: u32 = 3;

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log or the engine.
    #[error(transparent)]
    Replication(#[from] OpenError),
    /// Whose directory it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// A port to listen on.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// The keys that tokens are signed with.
    #[error("auth.token")]
    Keys(#[from] JwtError),
    /// What says how tokens are made.
    #[error("auth.token")]
    Scheme(#[from] SchemeError),
    /// Two figures of one name.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A founder that is not among the founders.
    #[error("initial_members does not name this member; add it, or set join = true")]
    NotAFounder,
    /// A thread of the store panicked; the log says where.
    #[error("the store could not be opened: a thread panicked")]
    Panicked,
}

impl From<StartError> for Failure {
    fn from(e: StartError) -> Self {
        match e {
            StartError::Store(_) | StartError::Replication(_) => Self::storage(e),
            StartError::Tls(_)
            | StartError::Identity(_)
            | StartError::NotAFounder
            | StartError::Keys(_)
            | StartError::Scheme(_) => Self::config(e),
            _ => Self::failed(e),
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
    clients: Vec<SocketAddr>,
    group: Group,
    store: Arc<Store>,
    hub: Arc<Hub>,
    alarms: Arc<Alarms>,
}

impl Node {
    /// Where clients are let in, with the ports that were picked.
    pub fn client_addresses(&self) -> &[SocketAddr] {
        &self.clients
    }

    /// Its replica.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The alarms that it knows of.
    pub fn alarms(&self) -> &Arc<Alarms> {
        &self.alarms
    }

    /// Its store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
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
    process.before_stop(hand_over(node.group.clone()));
    // Set once, here.
    let _ = late.set(node);
    Ok(())
}

/// Builds a member and starts it, behind the doors that its configuration names.
pub async fn build(
    context: &Context,
    config: &Config,
    identity: Option<Arc<tls::Identity>>,
    observers: Observers,
) -> Result<Node, StartError> {
    build_behind(context, config, &Doors::of(config, identity.as_ref()), observers).await
}

/// Builds a member and starts it, behind other doors.
pub async fn build_behind(
    context: &Context,
    config: &Config,
    doors: &Doors,
    observers: Observers,
) -> Result<Node, StartError> {
    // First of all: a removed member touches nothing and talks to nobody.
    let known = Identity::read(&SERVICE, context, &config.data_dir, config.expected_cluster())?;
    let store = open_store(context, config).await?;
    let host = Host::open(context, host_config(config, known, doors.connector.clone())).await?;
    // Peers are let in before the group is open: with all members starting, each waits for the others.
    let peers = Routes::new(host.service().into_server()).into_axum_router();
    doors::open(context, "peer", &doors.peers, (peers, &Limits::default(), &observers.servers)).await?;
    let own = match known {
        Some(known) => known,
        None => who_am_i(context, config, &host).await?,
    };
    let Identity { cluster, member, .. } = own;
    let lessor = Arc::new(Lessor::default());
    let authority = Authority::open(&store.view(), context.clock().unix(), config.auth.token_ttl)?;
    let alarms = Alarms::open(&store.view(), member)?;
    let machine = Machine::new(store.clone(), lessor.clone(), authority.clone(), alarms.clone());
    let findings = machine.findings();
    let group = host.open_group(group_config(config, own), machine).await?;
    if known.is_some() {
        standing::check(context, config, own, &group).await?;
    }
    let leave = standing::leave_when_removed(context.clone(), config.clone(), own, group.clone());
    context.tasks().spawn(leave);
    tracing::info!(
        name = config.name,
        cluster = format_args!("{cluster:x}"),
        member = format_args!("{member:x}"),
        "member"
    );
    let hub = Hub::new(&store);
    let keeper = Keeper::new(context, lessor, store.clone(), alarms.clone(), &group, config.raft.election);
    start_tasks(context, &store, &hub, keeper);
    report(&observers, (&store, &hub, &alarms), &group, &host)?;
    context.tasks().spawn(etcd_metrics::count_leaders(group.leadership(), leader_changes(&observers)?));
    let (parts, shown) = ((&store, &authority, &alarms, &hub), (cluster, doors.connector.is_some()));
    let api = api(context, config, shown, parts, &group, &observers)?;
    context.tasks().spawn(api.quota.clone().watch());
    if let Some(policy) = config.store.auto_compaction {
        context.tasks().spawn(compactor::run(context.clone(), policy, api.clone()));
    }
    let checker = Checker {
        context: context.clone(),
        store: store.clone(),
        alarms: alarms.clone(),
        group: group.clone(),
        findings,
        interval: config.store.check_interval,
        entries: config.store.check_entries,
    };
    context.tasks().spawn(check::run(checker));
    let clients = serve_clients(context, config, doors, &api, &observers).await?;
    Ok(Node { clients, group, store, hub, alarms })
}

async fn open_store(context: &Context, config: &Config) -> Result<Arc<Store>, StartError> {
    let (dir, options, owned) = (config.data_dir.clone(), (&config.store).into(), context.clone());
    let opened = context.blocking(move || Store::open_in(&owned, &dir, options)).await;
    Ok(opened.ok_or(StartError::Panicked)??)
}

pub(crate) fn wal_options(config: &Config) -> WalOptions {
    WalOptions {
        cache_bytes: config.raft.cache_bytes,
        segment_bytes: config.segment_bytes(),
        ..WalOptions::default()
    }
}

fn host_config(config: &Config, known: Option<Identity>, tls: Option<tls::TlsConnector>) -> HostConfig {
    let by_token = || cluster_id(&SERVICE, &config.cluster_token);
    let (cluster, known_as) = known
        .map_or_else(|| (by_token(), by_token()), |Identity { cluster, known_as, .. }| (cluster, known_as));
    // A dead peer should be noticed within an election.
    let client = ClientOptions {
        connect_timeout: config.raft.election,
        keepalive_interval: config.raft.election,
        keepalive_timeout: config.raft.election,
        ..ClientOptions::default()
    };
    HostConfig { cluster, known_as, dir: config.raft_dir(), wal: wal_options(config), tls, client }
}

/// Who this member is, at its first start.
async fn who_am_i(context: &Context, config: &Config, host: &Host) -> Result<Identity, StartError> {
    let identity = if config.join {
        let others: Vec<String> = config.initial_members.iter().map(|m| m.peer.clone()).collect();
        let (name, own) = (&config.name, &config.peer.advertise);
        let add = format!("{} {name} --peer-urls=https://{own}", SERVICE.add);
        let member = quorum::find_self(context, host, GROUP, (own, &others), &add).await;
        let (cluster, known_as) = (host.cluster(), cluster_id(&SERVICE, &config.cluster_token));
        Identity { cluster, member, known_as, origin: None }
    } else {
        let founder = config.as_founder().ok_or(StartError::NotAFounder)?;
        Identity::founder(&SERVICE, &config.cluster_token, founder, None)
    };
    identity.write(context, &config.data_dir)?;
    Ok(identity)
}

/// The first members, which found the group together; nobody, for a member that came later, and for a restored one,
/// whose log names them already.
fn founders(config: &Config, own: Identity) -> Vec<Member> {
    let named = config.initial_members.iter();
    let founders: Vec<Member> = named.map(|m| as_member(m, &config.cluster_token, None)).collect();
    if founders.iter().any(|member| member.id == own.member) { founders } else { Vec::new() }
}

/// A founder, as the group knows it before it has told more.
pub(crate) fn as_member(founder: &InitialMember, token: &str, origin: Option<Origin>) -> Member {
    Member {
        id: Identity::founder(&SERVICE, token, founder, origin).member,
        name: founder.name.clone(),
        peer_addresses: vec![founder.peer.clone()],
        client_addresses: Vec::new(),
    }
}

fn group_config(config: &Config, own: Identity) -> GroupConfig {
    let (id, bootstrap) = (own.member, founders(config, own));
    let member = Member {
        id,
        name: config.name.clone(),
        peer_addresses: Some(config.peer.advertise.clone()).filter(|a| !a.is_empty()).into_iter().collect(),
        client_addresses: config.client.advertise.clone(),
    };
    let options = GroupOptions {
        heartbeat: config.raft.heartbeat,
        election: config.raft.election,
        // etcd's: long enough for a change of leaders in between.
        request_timeout: Duration::from_secs(5) + config.raft.election * 2,
        max_proposal_bytes: config.limits.request_bytes + ENVELOPE,
        max_inflight: config.limits.requests,
        // What is slow for who forwarded it is less so for its leader.
        slow_proposal: config.limits.slow_request / 2,
        entries_per_flush: config.raft.entries_per_flush,
        entries_kept: config.raft.entries_kept,
        ..GroupOptions::default()
    };
    GroupConfig { group: GROUP, member, bootstrap, options }
}

fn start_tasks(context: &Context, store: &Arc<Store>, hub: &Arc<Hub>, keeper: Arc<Keeper>) {
    context.tasks().spawn(lessor::run(keeper));
    let tasks = context.tasks();
    spawn_storage(context, watch::run(context.clone(), hub.clone(), store.clone()));
    spawn_storage(context, housekeeping::run(context.clone(), store.clone()));
    tasks.spawn_draining(housekeeping::flush_at_the_end(context.clone(), store.clone()));
}

/// Spawns a task whose failure is the disk's.
fn spawn_storage(context: &Context, task: impl Future<Output = Result<(), StoreError>> + Send + 'static) {
    let tasks = context.tasks().clone();
    context.tasks().spawn(async move {
        if let Err(e) = task.await {
            tasks.fail_storage(e.to_string());
        }
    });
}

fn leader_changes(observers: &Observers) -> Result<Counter, MetricsError> {
    observers.metrics.counter("etcd_server_leader_changes_seen", "Leaders that this member has seen")
}

fn report(
    observers: &Observers,
    (store, hub, alarms): (&Arc<Store>, &Arc<Hub>, &Arc<Alarms>),
    group: &Group,
    host: &Host,
) -> Result<(), StartError> {
    observers.metrics.register(
        "etcd_disk_backend_commit_duration_seconds",
        "How long durable commits of the store take",
        store.tally().commits().clone(),
    )?;
    observers.metrics.collect(EtcdCollector {
        store: store.clone(),
        hub: hub.clone(),
        group: group.clone(),
        host: host.clone(),
    });
    observers.metrics.collect(StoreCollector { store: store.clone(), alarms: alarms.clone() });
    observers.metrics.collect(Figures { prefix: "chainfire", group: group.clone(), host: host.clone() });
    let leadership = group.leadership();
    observers.health.probe("leader", Kind::Ready, move || match leadership.borrow().leader {
        Some(_) => Ok(()),
        None => Err("no leader is known; fewer than a quorum of members may be up".into()),
    });
    let fence = alarms.clone();
    observers.health.probe("state", Kind::Ready, move || match fence.is_fenced() {
        false => Ok(()),
        true => Err("the state has diverged from the other members': remove this one and add it anew".into()),
    });
    let wal = host.wal().clone();
    observers.health.probe("log", Kind::Live, move || {
        wal.failure().map_or(Ok(()), |why| Err(format!("the log failed: {why}")))
    });
    Ok(())
}

fn api(
    context: &Context,
    config: &Config,
    (cluster, tls): (u64, bool),
    (store, authority, alarms, hub): (&Arc<Store>, &Arc<Authority>, &Arc<Alarms>, &Arc<Hub>),
    group: &Group,
    observers: &Observers,
) -> Result<Api, StartError> {
    let election = config.raft.election;
    Ok(Api::new(ApiConfig {
        context: context.clone(),
        store: store.clone(),
        hub: hub.clone(),
        group: group.clone(),
        cluster,
        limits: config.limits.clone(),
        // etcd's: one and a half elections, in whole seconds.
        shortest_lease: i64::try_from((election * 3 / 2).as_millis().div_ceil(1000)).unwrap_or(i64::MAX),
        leaderless: election * LEADERLESS_ELECTIONS,
        tls,
        spool: config.data_dir.join("spool"),
        metrics: ApiMetrics::register(&observers.metrics)?,
        registry: observers.metrics.clone(),
        authority: authority.clone(),
        alarms: alarms.clone(),
        quota: Arc::new(Quota::new(context, store, alarms, group, config.store.quota_bytes)),
        passwords: Passwords::new(context, config.auth.bcrypt_cost),
        jwt: Jwt::open(&config.auth.scheme()?)?,
        certificate_users: config.auth.certificate_users,
    }))
}

async fn serve_clients(
    context: &Context,
    config: &Config,
    doors: &Doors,
    api: &Api,
    observers: &Observers,
) -> Result<Vec<SocketAddr>, StartError> {
    let (limits, metrics) = (&config.client.limits, &observers.servers);
    doors::open(context, "metrics", &doors.figures, (crate::api::figures(api), limits, metrics)).await?;
    doors::open(context, "client", &doors.clients, (crate::api::router(api), limits, metrics)).await
}
