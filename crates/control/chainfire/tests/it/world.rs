//! A cluster of one, in this process, over plain HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chainfire::config::{
    AuthConfig, ClientConfig, InitialMember, Limits, PeerConfig, RaftConfig, StoreConfig,
};
use chainfire::{Config, Node, Observers};
use etcd_client::Client;
use kit::Context;
use kit::admin::AdminConfig;
use kit::health::Health;
use kit::server::ServerMetrics;
use kit::telemetry::Metrics;
use kit::tls::{AllowList, Identity};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

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

    async fn start(dir: TempDir, config: Config) -> Self {
        let context = Context::real();
        let metrics = Metrics::new();
        let observers = Observers {
            health: Health::new(&context),
            metrics: metrics.clone(),
            servers: ServerMetrics::default(),
        };
        let identity = config.tls.as_ref().map(|tls| Identity::load(&context, tls).unwrap());
        let node = chainfire::build(&context, &config, identity, observers).await.unwrap();
        let mut leadership = node.group().leadership();
        if leadership.wait_for(|l| l.is_leader).await.is_err() {
            panic!("the member ended: {}", context.tasks().wait(SOON).await.0);
        }
        Self { node, metrics, config, context: Life(context), dir }
    }

    /// Stops the member in order and starts it again, on a copy of its files: threads of the first life may
    /// still hold on to the originals for a moment, which a process of its own could not.
    pub(crate) async fn restart(self) -> Self {
        let Self { node, metrics, mut config, context, dir } = self;
        context.0.tasks().stop();
        let (_, left) = context.0.tasks().wait(SOON).await;
        assert_eq!(left, 0, "tasks that did not end");
        drop((node, metrics));
        let copy = tempfile::tempdir().unwrap();
        copy_files(dir.path(), copy.path());
        config.data_dir = copy.path().to_owned();
        Self::start(copy, config).await
    }

    /// Where the member keeps its files.
    pub(crate) fn node_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.node.client_address()
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

/// The code and text of a refusal.
pub(crate) fn refusal<T>(outcome: Result<T, etcd_client::Error>) -> (tonic::Code, String) {
    match outcome {
        Err(etcd_client::Error::GRpcStatus(status)) => (status.code(), status.message().to_owned()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}
