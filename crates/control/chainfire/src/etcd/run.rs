//! From a command line to a member that serves.

use std::process::ExitCode;
use std::sync::Arc;

use kit::Context;
use kit::run::{Failure, Process};
use kit::telemetry::{LogConfig, LogFormat};
use kit::tls::{Acceptor, ForeignConfig, ForeignTls};
use tokio::time::{Duration, interval};

use super::flags::{Flags, Stop, usage};
use super::settings::Settings;
use super::urls::Url;
use crate::node::{Door, Doors, Identity, Node, Observers, build_behind, hand_over};
use crate::version::ETCD_VERSION;

/// The command line was not understood: what Go's `flag` ends with.
const USAGE: u8 = 2;
/// How often a start looks whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a member until it is asked to stop; `arguments` without the program's name.
pub fn main(arguments: &[String], environment: impl IntoIterator<Item = (String, String)>) -> ExitCode {
    let flags = match Flags::parse(arguments, environment) {
        Ok(flags) => flags,
        Err(stop) => return stopped(stop),
    };
    match Settings::of(&flags, |dir| Identity::is_in(&Context::real(), dir)) {
        Ok(settings) => {
            let log = settings.config.log.clone();
            let code = kit::run::main("etcd", &log, |process| run(process, settings, flags.warnings));
            // etcd knows one code for all failures.
            if code == ExitCode::SUCCESS { code } else { ExitCode::FAILURE }
        }
        Err(why) => refused(&why),
    }
}

fn stopped(stop: Stop) -> ExitCode {
    match stop {
        Stop::Help => {
            print!("{}", usage());
            ExitCode::SUCCESS
        }
        Stop::Version => {
            println!("etcd Version: {ETCD_VERSION}");
            println!("ChainFire Version: {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Stop::Usage(why) => {
            eprintln!("{why}");
            eprintln!("{}", usage());
            ExitCode::from(USAGE)
        }
        Stop::Refused(why) => refused(&why),
    }
}

/// In etcd's form, as whoever reads its log expects.
fn refused(why: &str) -> ExitCode {
    let log = LogConfig { format: LogFormat::Zap, ..LogConfig::default() };
    match kit::telemetry::init(&log) {
        Ok(()) => tracing::warn!(error = why, "failed to verify flags"),
        Err(_) => eprintln!("failed to verify flags: {why}"),
    }
    ExitCode::FAILURE
}

async fn run(process: Process, settings: Settings, warnings: Vec<String>) -> Result<(), Failure> {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let Settings { config, clients, peers, metrics, client_tls, peer_tls, dials_tls } = settings;
    let client_tls = load(&process, client_tls.as_ref())?;
    let peer_tls = load(&process, peer_tls.as_ref())?;
    let doors = Doors {
        clients: doors(&clients, client_tls.as_ref())?,
        peers: doors(&peers, peer_tls.as_ref())?,
        figures: doors(&metrics, client_tls.as_ref())?,
        connector: peer_tls.filter(|_| dials_tls).map(|tls| tls.client()),
    };
    let observers = Observers {
        health: process.health.clone(),
        metrics: process.metrics.clone(),
        servers: process.servers.clone(),
    };
    let node = build_behind(&process.context, &config, &doors, observers).await?;
    process.before_stop(hand_over(node.group().clone()));
    serving(&node, &clients, &config.client.advertise).await;
    Ok(())
}

fn load(process: &Process, config: Option<&ForeignConfig>) -> Result<Option<Arc<ForeignTls>>, Failure> {
    let Some(config) = config else { return Ok(None) };
    let tls = ForeignTls::load(&process.context, config)?;
    let reloaded = tls.clone();
    process.on_reload(move || reloaded.reload_and_log());
    Ok(Some(tls))
}

fn doors(urls: &[Url], tls: Option<&Arc<ForeignTls>>) -> Result<Vec<Door>, Failure> {
    let acceptor: Option<Acceptor> = tls.map(|tls| tls.server());
    let door = |url: &Url| {
        let listen = url.to_bind().map_err(Failure::config)?;
        Ok(Door { listen, tls: acceptor.clone().filter(|_| url.tls), url_authorities: true })
    };
    urls.iter().map(door).collect()
}

/// etcd's last lines of a start, once the group knows where this member's clients go.
async fn serving(node: &Node, clients: &[Url], advertised: &[String]) {
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let status = node.group().status();
        let told = status.member(status.id).is_some_and(|own| own.client_addresses == advertised);
        if told && status.leadership.leader.is_some() {
            break;
        }
    }
    tracing::info!("ready to serve client requests");
    for (url, address) in clients.iter().zip(node.client_addresses()) {
        if url.tls {
            tracing::info!(traffic = "grpc+http", %address, "serving client traffic securely");
        } else {
            let words = "serving client traffic insecurely; this is strongly discouraged!";
            tracing::info!(traffic = "grpc+http", %address, "{words}");
        }
    }
}
