//! `uc`: the operator's command line. Thin: it asks services in their own protocols and prints.
//!
//! stdout is data, stderr is talk. It keeps no state and refuses to guess: what it needs comes from
//! flags or from the environment that `./cluster env` prints.

mod chainfire;
mod connect;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::connect::Target;
use crate::output::Format;

/// The command line was not understood (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;

/// Looks at an UltraCloud cluster.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  eval \"$(./cluster env)\"
  uc chainfire status
  uc chainfire members -o json

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
    Chainfire(Chainfire),
}

#[derive(Subcommand)]
enum Chainfire {
    /// What each endpoint says of itself: version, leader, term, index, size.
    Status,
    /// The members of the cluster, learners too.
    Members,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return explain(&e),
    };
    let done = match cli.service {
        Service::Chainfire(Chainfire::Status) => Box::pin(chainfire::status(&cli.target)).await,
        Service::Chainfire(Chainfire::Members) => Box::pin(chainfire::members(&cli.target)).await,
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

/// Help and version go to stdout and are no error.
fn explain(e: &clap::Error) -> ExitCode {
    // A closed pipe is the reader's business.
    let _ = e.print();
    if e.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
