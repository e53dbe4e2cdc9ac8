//! The life of a role's process, from `main` to the exit code.
//!
//! The body builds the role: it opens what it needs, spawns its tasks and returns. Then the process is
//! ready (systemd and the lab's supervisor are told) and lives until it is asked to stop or a critical
//! task fails. SIGTERM and SIGINT stop it in order; a second one stops it at once. SIGHUP reloads.
//!
//! A panic anywhere ends the process by SIGABRT, after a log line with a backtrace: a node with a dead
//! part is worse than a dead node. Refuses to restart anything itself: that is the supervisor's part.

mod failure;
mod service;
mod signals;

use std::backtrace::Backtrace;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::PanicHookInfo;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::info::Info;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::admin::{AdminConfig, AdminServer};
use crate::context::Context;
use crate::health::Health;
use crate::server::ServerMetrics;
use crate::task::Cause;
use crate::telemetry::{self, LogConfig, Metrics, ProcessCollector};
use crate::tls::Identity;

pub use failure::Failure;

/// How long the preparations of a stop may take together.
const DEPARTURE: Duration = Duration::from_secs(5);
/// How long tasks may take to end: longer than a server's drain, shorter than a supervisor's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a role's body is handed.
#[derive(Clone)]
pub struct Process {
    /// Clock, randomness, disk, network, tasks.
    pub context: Context,
    /// The registry behind `/metrics`.
    pub metrics: Metrics,
    /// Counters for every server of the process.
    pub servers: ServerMetrics,
    /// The checks behind `/livez`, `/readyz` and `/health`.
    pub health: Health,
    reloads: Arc<Mutex<Vec<Reload>>>,
    departures: Arc<Mutex<Vec<Departure>>>,
}

type Reload = Arc<dyn Fn() + Send + Sync>;
type Departure = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Process {
    fn new(role: &'static str) -> Result<Self, Failure> {
        let context = Context::real();
        let metrics = Metrics::new();
        let servers = ServerMetrics::register(&metrics)?;
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION")), ("role", role)]);
        metrics.register("ultracloud_build", "What runs here", build)?;
        metrics.collect(ProcessCollector);
        let health = Health::new(&context);
        let (reloads, departures) = (Arc::default(), Arc::default());
        Ok(Self { context, metrics, servers, health, reloads, departures })
    }

    /// Runs `reload` on every SIGHUP, where blocking is fine, e.g. `Identity::reload_and_log`.
    pub fn on_reload(&self, reload: impl Fn() + Send + Sync + 'static) {
        self.reloads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(reload));
    }

    /// Runs `prepare` when a signal asks the process to stop, before anything is stopped: what must still be
    /// handed over while all is well. It may take some seconds; a second signal does not wait for it.
    pub fn before_stop(&self, prepare: impl Future<Output = ()> + Send + 'static) {
        self.departures.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(prepare));
    }

    async fn prepare_to_stop(&self) {
        let departures = std::mem::take(&mut *self.departures.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            for departure in departures {
                departure.await;
            }
        };
        if tokio::time::timeout(DEPARTURE, all).await.is_err() {
            tracing::warn!("what should be done before a stop was not done within {DEPARTURE:?}");
        }
    }

    /// Opens the admin port of this process; gives its address.
    pub async fn serve_admin(
        &self,
        config: &AdminConfig,
        identity: Option<&Arc<Identity>>,
    ) -> io::Result<SocketAddr> {
        let (health, metrics, counters) = (self.health.clone(), self.metrics.clone(), self.servers.clone());
        AdminServer { health, metrics, counters }.start(&self.context, config, identity).await
    }

    fn reload(&self) {
        let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        reloads.iter().for_each(|reload| reload());
    }
}

/// Runs a role until it ends; gives the exit code: 0 it was asked to end, 1 a part of it failed, 78 its
/// configuration is wrong, 74 its storage failed.
pub fn main<F, B>(role: &'static str, log: &LogConfig, body: B) -> ExitCode
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    match life(role, log, body) {
        Ok(()) => {
            tracing::info!(role, "stopped");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tracing::error!(role, "{failure}");
            failure.exit_code()
        }
    }
}

fn life<F, B>(role: &'static str, log: &LogConfig, body: B) -> Result<(), Failure>
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    telemetry::init(log).map_err(|e| {
        // Without a log this is the only way to be heard.
        eprintln!("{role}: {e}");
        Failure::config(e)
    })?;
    std::panic::set_hook(Box::new(end_on_panic));
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name(role)
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let ended = runtime.block_on(async {
        let process = Process::new(role)?;
        live(role, process, body).await
    });
    // Blocking calls that hang (a dead disk) must not keep a finished process.
    runtime.shutdown_background();
    ended
}

async fn live<F, B>(role: &'static str, process: Process, body: B) -> Result<(), Failure>
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    let tasks = process.context.tasks().clone();
    signals::listen(&process)?;
    tracing::info!(role, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
    let stopping = tasks.stopping();
    let started = tokio::select! {
        biased;
        () = stopping.cancelled() => Ok(()),
        started = body(process.clone()) => started,
    };
    if let Err(failure) = started {
        tasks.fail("start-up failed");
        tasks.wait(PATIENCE).await;
        return Err(failure);
    }
    if !stopping.is_cancelled() {
        tracing::info!(role, "ready");
        service::ready();
        service::watch(&process);
    }
    stopping.cancelled().await;
    service::stopping();
    tracing::info!(role, "stopping");
    let (cause, left) = tasks.wait(PATIENCE).await;
    if left > 0 {
        tracing::warn!(role, left, "tasks did not end within {PATIENCE:?} and are abandoned");
    }
    match cause {
        Cause::Requested => Ok(()),
        Cause::Failed(why) => Err(Failure::failed(why)),
        Cause::Storage(why) => Err(Failure::storage(why)),
    }
}

/// Logs the panic and ends the process at once, leaving a core if the system keeps them.
fn end_on_panic(info: &PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or("a panic without a message");
    let place = info.location().map_or_else(String::new, ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let backtrace = Backtrace::force_capture();
    tracing::error!(%place, thread, "panic: {what}; this process ends\n{backtrace}");
    std::process::abort();
}

/// Service managers start processes with 1024 files for the sake of select(2), which nothing here uses.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(e) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(error = %e, ?limit, "cannot raise the limit of open files");
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("context", &self.context).finish_non_exhaustive()
    }
}
