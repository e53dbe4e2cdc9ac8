//! The one server binary: every role is linked in, a process runs one of them.
//!
//! It parses the command line, loads a configuration and hands over to the role. It refuses to hold
//! anything that only one role needs.

mod chainfire;
mod config;
mod etcd;
mod role;
mod run;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Threads that allocate at the same time, and buffers that others free: glibc's allocator took a seventh of the
/// processor time under load, and a fifth more memory (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command line was not understood (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// The configuration is wrong, and starting again will not help (EX_CONFIG).
const CONFIG: u8 = 78;

/// The server side of UltraCloud.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  ultracloud run chainfire --config /etc/ultracloud/chainfire.toml
  ultracloud config check chainfire ./chainfire.toml
  ultracloud chainfire restore backup.image --config /etc/ultracloud/chainfire.toml
  ultracloud etcd --name a --data-dir /var/lib/a.etcd
  ultracloud version --json

Exit status: 0 done or asked to stop, 1 failed, 64 the command line is wrong, 74 the storage failed,
78 the configuration is wrong. `ultracloud etcd` has etcd's: 0, 1, and 2 when its flags are wrong."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Run(run::Options),
    #[command(subcommand)]
    Config(config::Verb),
    #[command(subcommand)]
    Chainfire(chainfire::Verb),
    Etcd(etcd::Options),
    Version(version::Options),
}

fn main() -> ExitCode {
    if let Some(code) = etcd::by_name() {
        return code;
    }
    match Cli::try_parse() {
        Ok(Cli { verb: Verb::Run(options) }) => run::run(&options),
        Ok(Cli { verb: Verb::Config(verb) }) => config::run(&verb),
        Ok(Cli { verb: Verb::Chainfire(verb) }) => chainfire::run(&verb),
        Ok(Cli { verb: Verb::Etcd(options) }) => etcd::run(&options),
        Ok(Cli { verb: Verb::Version(options) }) => version::run(&options),
        Err(e) => explain(&e),
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
