//! A cluster of one, in this process, over plain HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chainfire::config::{
    AuthConfig, ClientConfig, InitialMember, Limits, PeerConfig, RaftConfig, StoreConfig,
};
use chainfire::{Config, Node, Observers};
use etcd_client::{Client, MemberAddOptions};
use kit::Context;
use kit::admin::AdminConfig;
use kit::health::Health;
use kit::server::ServerMetrics;
use kit::telemetry::Metrics;
use kit::tls::{AllowList, Identity};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) metrics: Metrics,
    config: Config,
    context: Life,
    dir: TempDir,
}

/// Ends with the test, whatever became of it.
struct Life(Context);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.tasks().stop();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&dir);
        change(&mut config);
        Self::start(dir, config).await
    }

    /// A member that others can reach.
    pub(crate) async fn reachable() -> Self {
        Self::with(|config| {
            be_at(config, free_port());
            config.initial_members[0].peer = config.peer.advertise.clone();
        })
        .await
    }

    /// Another member, without a vote, which has caught up.
    pub(crate) async fn learner_of(first: &Self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&dir);
        be_at(&mut config, free_port());
        (config.name, config.join) = ("two".into(), true);
        config.initial_members = first.config.initial_members.clone();
        let learner = Some(MemberAddOptions::new().with_is_learner());
        let url = format!("http://{}", config.peer.advertise);
        first.client().await.member_add([url], learner).await.unwrap();
        let this = Self::open(dir, config).await;
        eventually("the learner has caught up", async || {
            let (own, leader) = (this.node.group().status(), first.node.group().status());
            own.is_learner(own.id)
                && own.leadership.leader == Some(leader.id)
                && own.applied >= leader.applied
        })
        .await;
        this
    }

    /// What it was started from.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Stops the member in order; gives the settings and a copy of the files it leaves behind: threads of its life
    /// may still hold on to the originals for a moment, which a process of its own could not.
    pub(crate) async fn stop(self) -> (TempDir, Config) {
        let Self { node, metrics, mut config, context, dir } = self;
        context.0.tasks().stop();
        let (_, left) = context.0.tasks().wait(SOON).await;
        assert_eq!(left, 0, "tasks that did not end");
        drop((node, metrics));
        let copy = tempfile::tempdir().unwrap();
        copy_files(dir.path(), copy.path());
        config.data_dir = copy.path().to_owned();
        (copy, config)
    }

    /// Settings of members that can reach each other, each with a directory of its own.
    pub(crate) fn founders<const N: usize>() -> [(TempDir, Config); N] {
        let ports = [(); N].map(|()| free_port());
        let names: Vec<String> = (0..N).map(|n| format!("m{n}")).collect();
        let all = names.iter().zip(ports);
        let all =
            all.map(|(name, port)| InitialMember { name: name.clone(), peer: format!("127.0.0.1:{port}") });
        let all: Vec<InitialMember> = all.collect();
        std::array::from_fn(|n| {
            let dir = tempfile::tempdir().unwrap();
            let mut config = config(&dir);
            be_at(&mut config, ports[n]);
            config.name.clone_from(&names[n]);
            config.initial_members.clone_from(&all);
            (dir, config)
        })
    }

    async fn start(dir: TempDir, config: Config) -> Self {
        let this = Self::open(dir, config).await;
        let mut leadership = this.node.group().leadership();
        if leadership.wait_for(|l| l.is_leader).await.is_err() {
            panic!("the member ended: {}", this.context.0.tasks().wait(SOON).await.0);
        }
        this
    }

    pub(crate) async fn open(dir: TempDir, config: Config) -> Self {
        // RUST_LOG=info shows what members say.
        let filter = std::env::var("RUST_LOG").unwrap_or("off".into());
        let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
        let context = Context::real();
        let metrics = Metrics::new();
        let observers = Observers {
            health: Health::new(&context),
            metrics: metrics.clone(),
            servers: ServerMetrics::default(),
        };
        let identity = config.tls.as_ref().map(|tls| Identity::load(&context, tls).unwrap());
        let node = chainfire::build(&context, &config, identity, observers).await.unwrap();
        Self { node, metrics, config, context: Life(context), dir }
    }

    /// Stops the member in order and starts it again.
    pub(crate) async fn restart(self) -> Self {
        let (dir, config) = self.stop().await;
        Self::start(dir, config).await
    }

    /// Where the member keeps its files.
    pub(crate) fn node_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.node.client_addresses()[0]
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect([format!("http://{}", self.address())], None).await.unwrap()
    }
}

/// Copies a directory. A draft that is renamed or removed meanwhile is not part of it.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_files(&entry.path(), &target);
        } else if let Err(e) = std::fs::copy(entry.path(), target) {
            assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{e}");
        }
    }
}

/// A port that was free a moment ago: peers must know it before it is opened.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn be_at(config: &mut Config, port: u16) {
    config.peer.listen = ([127, 0, 0, 1], port).into();
    config.peer.advertise = config.peer.listen.to_string();
}

fn config(dir: &TempDir) -> Config {
    let nobody = AllowList::default();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let peer = "127.0.0.1:1".to_owned();
    Config {
        name: "one".into(),
        data_dir: dir.path().to_owned(),
        cluster_token: "test".into(),
        join: false,
        initial_members: vec![InitialMember { name: "one".into(), peer: peer.clone() }],
        client: ClientConfig {
            listen: any,
            advertise: vec!["http://127.0.0.1:2379".into()],
            allow: nobody.clone(),
            limits: kit::server::Limits::default(),
        },
        peer: PeerConfig { listen: any, advertise: peer, allow: nobody.clone() },
        admin: AdminConfig { listen: any, allow: nobody },
        tls: None,
        raft: RaftConfig {
            heartbeat: Duration::from_millis(20),
            election: Duration::from_millis(100),
            ..RaftConfig::default()
        },
        limits: Limits::default(),
        store: StoreConfig::default(),
        auth: AuthConfig::default(),
        log: kit::telemetry::LogConfig::default(),
        any_cluster: false,
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Something that goes on beside the test; it ends with what this gives.
pub(crate) struct Beside<T>(JoinSet<T>);

impl<T: Send + 'static> Beside<T> {
    pub(crate) fn new(task: impl Future<Output = T> + Send + 'static) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        Self(tasks)
    }

    /// What came of it.
    pub(crate) async fn outcome(mut self, what: &str) -> T {
        let ended = timeout(SOON, self.0.join_next()).await;
        ended.unwrap_or_else(|_| panic!("in vain: {what}")).unwrap().unwrap()
    }
}

/// The code and text of a refusal.
pub(crate) fn refusal<T>(outcome: Result<T, etcd_client::Error>) -> (tonic::Code, String) {
    match outcome {
        Err(etcd_client::Error::GRpcStatus(status)) => (status.code(), status.message().to_owned()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}
