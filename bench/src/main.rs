//! `cargo run --release -p bench -- <what>`: runs one comparison and says whether its floors hold.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use bench::chainfire::{self, Plan, Scenario};
use bench::cluster::Cluster;
use bench::flaredb;
use bench::peer::etcd::Etcd;
use bench::peer::{self, Peer};
use bench::pki::Pki;
use bench::{machine, report};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Benchmarks beside peers: both systems in one run, alternating; one table; floors by exit status.
#[derive(Parser)]
#[command(after_help = "Examples:
  cargo run --release -p bench -- chainfire
  cargo run --release -p bench -- chainfire --write docs/benchmarks.md
  cargo run --release -p bench -- chainfire --quick --self-check
  cargo run --release -p bench -- chainfire --only gaps --rounds 3
  cargo run --release -p bench -- flaredb --only rates
  cargo run -p bench -- with etcd -- etcdctl endpoint status
  cargo run -p bench -- with launcher --plain -- etcdctl member list

Exit status: 0 all floors hold, 1 one does not or the run failed.")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// ChainFire beside etcd 3.5: three members each, mutual TLS on both.
    Chainfire(Chainfire),
    /// FlareDB beside PostgreSQL 15 with one synchronous standby, TLS on both.
    Flaredb(Flaredb),
    /// Runs a command with ETCDCTL_* pointing at a fresh cluster of three, then ends the cluster.
    With(With),
}

#[derive(Args)]
struct Programs {
    /// The etcd server; default: 3.5 of Debian trixie, by scripts/fetch-deb.
    #[arg(long, value_name = "FILE")]
    etcd: Option<PathBuf>,
    /// The server binary; default: built from this checkout in this program's own profile.
    #[arg(long, value_name = "FILE")]
    ultracloud: Option<PathBuf>,
}

#[derive(Args)]
struct Chainfire {
    #[command(flatten)]
    programs: Programs,
    /// Fewer operations and rounds: to see that it works, not to publish.
    #[arg(long)]
    quick: bool,
    /// How often each side is started and measured.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Only this scenario; may be given more than once.
    #[arg(long = "only", value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// etcd beside etcd: the ratios must be about 1, or the machine is too noisy to judge on.
    #[arg(long)]
    self_check: bool,
    /// Members and load share all cores. The default is a half for each where there are four or more.
    #[arg(long)]
    unpinned: bool,
    /// Writes every sample to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Replaces the table in this Markdown file, between its markers.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Args)]
struct Flaredb {
    /// The server binary; default: built from this checkout in this program's own profile.
    #[arg(long, value_name = "FILE")]
    ultracloud: Option<PathBuf>,
    /// Fewer operations and rounds: to see that it works, not to publish.
    #[arg(long)]
    quick: bool,
    /// How often each side is started and measured.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Only this scenario; may be given more than once.
    #[arg(long = "only", value_name = "SCENARIO")]
    only: Vec<flaredb::Scenario>,
    /// PostgreSQL beside PostgreSQL: the ratios must be about 1, or the machine is too noisy to judge on.
    #[arg(long)]
    self_check: bool,
    /// Servers and load share all cores. The default is a half for each where there are four or more.
    #[arg(long)]
    unpinned: bool,
    /// Writes every sample to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Replaces the table in this Markdown file, between its markers.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Args)]
struct With {
    /// Which system to start.
    system: System,
    /// Without TLS; only the launcher.
    #[arg(long)]
    plain: bool,
    /// How long a token lives unused, in seconds.
    #[arg(long, value_name = "SECONDS")]
    auth_token_ttl: Option<u32>,
    #[command(flatten)]
    programs: Programs,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum System {
    Chainfire,
    Etcd,
    /// ChainFire, started as etcd is, by a link of that name.
    Launcher,
}

impl Programs {
    fn etcd(&self) -> anyhow::Result<Etcd> {
        Etcd::find(self.etcd.clone())
    }

    fn chainfire(&self) -> anyhow::Result<peer::chainfire::Chainfire> {
        peer::chainfire::Chainfire::find(self.ultracloud.clone())
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let done = match Cli::parse().what {
        What::Chainfire(options) => compare(options).await,
        What::Flaredb(options) => compare_sql(options).await,
        What::With(options) => with(options).await,
    };
    match done {
        Ok(code) => code,
        Err(e) => {
            eprintln!("bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(options: Chainfire) -> anyhow::Result<ExitCode> {
    let theirs = options.programs.etcd()?;
    let ours: Box<dyn Peer> = if options.self_check {
        Box::new(options.programs.etcd()?)
    } else {
        Box::new(options.programs.chainfire()?)
    };
    let mut plan = if options.quick { Plan::quick() } else { Plan::full() };
    plan.rounds = options.rounds.unwrap_or(plan.rounds);
    ensure!(plan.rounds > 0, "--rounds 0 measures nothing: give at least 1");
    plan.self_check = options.self_check;
    let cores = std::thread::available_parallelism()?.get();
    plan.pinning = if options.unpinned { None } else { machine::Pinning::halves(cores) };
    if !options.only.is_empty() {
        plan.scenarios.clone_from(&options.only);
    }
    let report = chainfire::run(&plan, ours.as_ref(), &theirs).await?;
    tell(&report, "chainfire", options.json.as_deref(), options.write.as_deref())
}

async fn compare_sql(options: Flaredb) -> anyhow::Result<ExitCode> {
    let theirs = flaredb::Postgres::find()?;
    let ours: Box<dyn flaredb::System> = if options.self_check {
        Box::new(flaredb::Postgres::find()?)
    } else {
        Box::new(flaredb::Flaredb::find(options.ultracloud)?)
    };
    let mut plan = if options.quick { flaredb::Plan::quick() } else { flaredb::Plan::full() };
    plan.rounds = options.rounds.unwrap_or(plan.rounds);
    ensure!(plan.rounds > 0, "--rounds 0 measures nothing: give at least 1");
    plan.self_check = options.self_check;
    let cores = std::thread::available_parallelism()?.get();
    plan.pinning = if options.unpinned { None } else { machine::Pinning::halves(cores) };
    if !options.only.is_empty() {
        plan.scenarios.clone_from(&options.only);
    }
    let report = flaredb::run(&plan, ours.as_ref(), &theirs).await?;
    tell(&report, "flaredb", options.json.as_deref(), options.write.as_deref())
}

/// Shows a report, and writes it where it was asked for.
fn tell(
    report: &report::Report,
    section: &str,
    json: Option<&Path>,
    document: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    println!("{}", report.table());
    println!("{}", report.verdict());
    if let Some(file) = json {
        std::fs::write(file, report.to_json()?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = document {
        report::write_section(file, section, &report.section())?;
    }
    Ok(if report.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn with(options: With) -> anyhow::Result<ExitCode> {
    let (programs, scratch) = (&options.programs, machine::Scratch::new()?);
    let token_ttl = options.auth_token_ttl;
    let peer: Box<dyn Peer> = match options.system {
        System::Launcher => {
            let program = std::path::absolute(programs.chainfire()?.program())?;
            Box::new(Etcd::stand_in(&program, scratch.path(), !options.plain)?.with_token_ttl(token_ttl))
        }
        _ if options.plain => bail!("--plain is for the launcher alone: leave it out"),
        System::Etcd => Box::new(programs.etcd()?.with_token_ttl(token_ttl)),
        System::Chainfire => Box::new(programs.chainfire()?.with_token_ttl(token_ttl)),
    };
    let pki = Pki::make(scratch.path(), peer::MEMBERS)?;
    let cluster = Cluster::start(peer.as_ref(), &pki, scratch.path()).await?;
    let (program, arguments) = options.command.split_first().context("no command was given")?;
    let status = tokio::process::Command::new(program)
        .args(arguments)
        .envs(cluster.client_environment(&pki))
        .status()
        .await
        .with_context(|| format!("cannot run {program}"))?;
    cluster.stop().await?;
    scratch.remove()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
