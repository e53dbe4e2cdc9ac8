//! The command line: `./cluster VERB`.

mod board;
mod console;
mod env;
mod lanes;
mod lifecycle;
mod logs;
mod ssh;
mod status;
mod suite;
mod work_root;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use self::lanes::{On, Which};
use crate::accel::Wanted;
use crate::paths::Paths;
use crate::supervisor;
use crate::topology::Topology;

/// What `./cluster --help` ends with.
const EXAMPLES: &str = "\
Examples:
  ./cluster fresh-smoke                 boot six nodes from nothing, prove them, leave evidence
  ./cluster start                       boot the nodes and leave them running
  eval \"$(./cluster env)\"; etcdctl endpoint status -w table
  ./cluster ssh node02 -- ss -tlnp      run a command on a node
  ./cluster chainfire-faults --rounds 5 a short round of faults on a fresh cluster
  ./cluster chainfire-live-membership-proof --times 10
                                        ten runs in a row, each on a fresh cluster
  ./cluster fresh-smoke --nodes vm      the same on six QEMU machines, with KVM or without
  ./cluster start --nodes vm; ./cluster console node04
                                        machines that stay; type at one of them
  ./cluster stop; ./cluster clean       end it; forget its data

Evidence of a lane is in work/<lane>/latest; a running cluster's state in work/test-cluster/state.";

/// The test cluster: six nodes on this machine, their faults, and the evidence that they work.
#[derive(Debug, Parser)]
#[command(name = "cluster", bin_name = "./cluster", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// What the nodes are made of.
    #[arg(long, global = true, value_enum, default_value_t = Nodes::Netns)]
    nodes: Nodes,
    /// What carries nodes that are machines.
    #[arg(long, global = true, value_enum, default_value_t)]
    accel: Wanted,
    /// Plain lines instead of one that changes, also on a terminal.
    #[arg(long, global = true)]
    plain: bool,
    /// Another topology than the canonical six.
    #[arg(long, global = true, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// Of all faults and loads; drawn at random if not given, and always in the evidence.
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Run the lane so often in a row; the first run that fails is the last.
    #[arg(long, global = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Boot machines that could be woken from where an earlier start has put them to sleep.
    #[arg(long, global = true)]
    cold: bool,
    /// Leave a lane's fresh cluster running, whatever came of it.
    #[arg(long, global = true)]
    keep: bool,
    /// On the cluster that runs, begin the lane at this check: to look into a failure. Never a proof.
    #[arg(long, global = true, value_name = "CHECK")]
    from: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Nodes {
    /// Network namespaces: starts in a second, needs no KVM.
    Netns,
    /// QEMU machines.
    Vm,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that everything a cluster needs has been built; with --nodes vm, make the images of its machines.
    Build,
    /// Boot the nodes and leave them running.
    Start,
    /// Stop the nodes; their data stays.
    Stop,
    /// Stop the nodes and forget their data and keys.
    Clean,
    /// Show nodes and services. Exits 1 when something is not up, 3 when nothing runs.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Print shell exports for foreign clients.
    Env {
        /// For programs: also every node's addresses and every role's ports, pid and log.
        #[arg(long)]
        json: bool,
    },
    /// A shell on a node, or a command there.
    Ssh {
        /// Its name.
        node: String,
        /// The command and its arguments.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// The serial console of a machine; Ctrl-] leaves it.
    Console {
        /// Its name.
        node: String,
    },
    /// What a node said: `console`, `journal` (of machines) or a service. Without one, where each is.
    Logs {
        /// Its name.
        node: String,
        /// Which log.
        which: Option<String>,
        /// So many of its last lines.
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: u32,
        /// And what comes, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
    },
    /// One write, one read and one failover per service, on the running cluster (booted if none runs).
    Smoke,
    /// As smoke, on a cluster booted from nothing and stopped afterwards.
    FreshSmoke,
    /// As smoke, on the cluster that runs already.
    Validate,
    /// ChainFire under partitions, pauses, kills, full and lying disks; on a fresh cluster.
    ChainfireFaults {
        /// How many rounds of kill -9, pause or partition under load, drawn by the seed.
        #[arg(long, default_value_t = 30)]
        rounds: u32,
    },
    /// ChainFire's membership changed under load; on a fresh cluster.
    ChainfireLiveMembershipProof,
    /// The control plane in an operator's hands: members replaced, plans refused, verified; on a fresh cluster.
    CoreControlPlaneOpsProof,
    /// Lose keys, a member and the whole cluster, and get them back: export, repair, backup and restore.
    DurabilityProof,
    /// Every lane that needs no KVM, in order, each on a fresh cluster.
    PortableControlPlaneRegressions {
        /// How many rounds of kill -9, pause or partition in chainfire-faults.
        #[arg(long, default_value_t = 30)]
        rounds: u32,
    },
    /// The lanes on machines whose evidence is worth publishing, in order, each on a fresh cluster. Refuses without
    /// working KVM; --accel tcg runs them all the same, and the result says so.
    RunPublishableKvmSuite {
        /// Where environment, evidence and result go.
        log_dir: PathBuf,
    },
    /// What the work root takes on disk.
    WorkRootBudget {
        #[command(subcommand)]
        what: Budget,
    },
    #[command(hide = true, about = "The first process of a netns node")]
    NodeInit {
        /// What to boot.
        spec: PathBuf,
    },
    #[command(hide = true, about = "The process that owns a cluster")]
    Supervise {
        /// The server binary.
        #[arg(long)]
        binary: Option<PathBuf>,
        /// What machines are made of.
        #[arg(long)]
        machines: Option<PathBuf>,
    },
    #[command(hide = true, about = "What answers the supervisor on a machine")]
    Agent,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Budget {
    /// Show sizes and budgets.
    Status,
    /// As status; exits 1 when something is over its soft budget.
    Enforce,
    /// Name the dated runs beyond the newest N of each lane; remove them with --yes.
    PruneProofLogs {
        /// How many runs of each lane stay.
        keep: usize,
        /// Remove them.
        #[arg(long)]
        yes: bool,
    },
}

/// What a verb works with.
#[derive(Clone, Debug)]
struct Setting {
    common: Common,
    paths: Paths,
}

impl Setting {
    fn topology(&self) -> Result<Topology> {
        Ok(match &self.common.topology {
            Some(file) => Topology::load(file)?,
            None => Topology::six()?,
        })
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("cluster: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { common, verb } = cli;
    match &verb {
        Verb::NodeInit { spec } => return crate::init::main(spec).map(|()| ExitCode::SUCCESS),
        Verb::Agent => return crate::machine::main().map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    log(matches!(verb, Verb::Supervise { .. }));
    let setting = Setting { common, paths: Paths::discover()? };
    match verb {
        Verb::WorkRootBudget { what } => return work_root::run(&setting, what),
        Verb::Supervise { binary, machines } => return supervise(setting, binary, machines),
        _ => {}
    }
    need_root()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(setting, verb))
}

async fn dispatch(setting: Setting, verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Build => lifecycle::build(&setting).await,
        Verb::Start => lifecycle::start(&setting).await,
        Verb::Stop => lifecycle::stop(&setting).await,
        Verb::Clean => lifecycle::clean(&setting).await,
        Verb::Status { json } => status::run(&setting, json).await,
        Verb::Env { json } => env::run(&setting, json).await,
        Verb::Ssh { node, command } => ssh::run(&setting, &node, &command).await,
        Verb::Console { node } => console::run(&setting, &node).await,
        Verb::Logs { node, which, lines, follow } => {
            logs::run(&setting, &node, which.as_deref(), lines, follow).await
        }
        Verb::RunPublishableKvmSuite { log_dir } => suite::run_all(setting, &log_dir).await,
        Verb::Smoke => lanes::one(&setting, Which::Smoke, On::RunningOrNew).await,
        Verb::Validate => lanes::one(&setting, Which::Smoke, On::Running).await,
        Verb::FreshSmoke => lanes::one(&setting, Which::Smoke, On::Fresh).await,
        Verb::ChainfireFaults { rounds } => {
            lanes::one(&setting, Which::ChainfireFaults { rounds }, On::Fresh).await
        }
        Verb::ChainfireLiveMembershipProof => {
            lanes::one(&setting, Which::ChainfireLiveMembership, On::Fresh).await
        }
        Verb::DurabilityProof => lanes::one(&setting, Which::Durability, On::Fresh).await,
        Verb::CoreControlPlaneOpsProof => lanes::one(&setting, Which::CoreControlPlaneOps, On::Fresh).await,
        Verb::PortableControlPlaneRegressions { rounds } => lanes::portable(&setting, rounds).await,
        Verb::WorkRootBudget { .. } | Verb::NodeInit { .. } | Verb::Supervise { .. } | Verb::Agent => {
            bail!("this verb needs no runtime")
        }
    }
}

fn supervise(setting: Setting, binary: Option<PathBuf>, machines: Option<PathBuf>) -> Result<ExitCode> {
    let topology = setting.topology()?;
    let machines = match machines {
        Some(file) => {
            let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            Some(serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))?)
        }
        None => None,
    };
    let options =
        supervisor::Options { paths: setting.paths, topology, seed: setting.common.seed, binary, machines };
    supervisor::run(options).map(|()| ExitCode::SUCCESS)
}

fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    bail!("a cluster is made of namespaces and mounts, which need root: run this with sudo")
}

/// The supervisor talks to its log; the command line says only what went wrong.
fn log(supervisor: bool) {
    let default = if supervisor { "info" } else { "error" };
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("ULTRACLOUD_LAB_LOG").unwrap_or_else(|_| default.into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_env_filter(filter).init();
}

/// The server binary beside this one, or where `ULTRACLOUD_BIN` says.
fn server_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ULTRACLOUD_BIN").filter(|p| !p.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let here = std::env::current_exe().context("cannot tell where lab itself is")?;
    Ok(here.with_file_name("ultracloud"))
}
