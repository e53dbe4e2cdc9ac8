//! `uc`: the operator's command line. Thin: it asks services in their own protocols and prints.
//!
//! stdout is data, stderr is talk. It keeps no state and refuses to guess: what it needs comes from
//! flags or from the environment that `./cluster env` prints.

mod chainfire;
mod connect;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::chainfire::{archive, member, verify};
use crate::connect::Target;
use crate::output::{Format, Report};

/// The command line was not understood (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;

/// Looks at an UltraCloud cluster, and changes it.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  eval \"$(./cluster env)\"
  uc chainfire status
  uc chainfire member list -o json
  uc chainfire member plan --file members.toml
  uc chainfire verify --duration 60s
  uc chainfire backup chainfire.image
  source <(uc completion bash)

Exit status: 0 done, 1 something failed or is unhealthy, 64 the command line is wrong."
)]
struct Cli {
    #[command(subcommand)]
    service: Service,
    #[command(flatten)]
    target: Target,
    /// How to print.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
}

#[derive(Subcommand)]
enum Service {
    /// The replicated key-value store.
    #[command(subcommand)]
    Chainfire(Box<Chainfire>),
    /// Print the completions of a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum Chainfire {
    /// What each endpoint says of itself: version, leader, term, index, size.
    Status,
    /// The members of the cluster, learners too.
    Members,
    /// Who belongs to the cluster, and how to change that without losing it.
    #[command(subcommand)]
    Member(member::Verb),
    /// Check that what the cluster answers is right, under load.
    Verify(verify::Verify),
    Backup(archive::Backup),
    Export(archive::Export),
    Import(archive::Import),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return explain(&e),
    };
    let done = match &cli.service {
        Service::Completion { shell } => return complete(*shell),
        Service::Chainfire(verb) => chainfire(&cli.target, verb).await,
    };
    match done {
        Ok(report) => {
            print!("{}", report.render(cli.output));
            report.complaints.iter().for_each(|complaint| eprintln!("uc: {complaint}"));
            if report.complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(e) => {
            eprintln!("uc: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Boxed: each holds the state of all its calls.
async fn chainfire(target: &Target, verb: &Chainfire) -> anyhow::Result<Report> {
    match verb {
        Chainfire::Status => Box::pin(chainfire::status(target)).await,
        Chainfire::Members => Box::pin(chainfire::members(target)).await,
        Chainfire::Member(verb) => Box::pin(member::run(target, verb)).await,
        Chainfire::Verify(options) => Box::pin(verify::run(target, options)).await,
        Chainfire::Backup(options) => Box::pin(archive::backup(target, options)).await,
        Chainfire::Export(options) => Box::pin(archive::export(target, options)).await,
        Chainfire::Import(options) => Box::pin(archive::import(target, options)).await,
    }
}

fn complete(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "uc", &mut std::io::stdout());
    ExitCode::SUCCESS
}

/// Help and version go to stdout and are no error.
fn explain(e: &clap::Error) -> ExitCode {
    // A closed pipe is the reader's business.
    let _ = e.print();
    if e.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
