//! `ultracloud config`: looks at a configuration without running anything.

use std::process::ExitCode;

use clap::Subcommand;
use kit::config::ConfigError;

use crate::CONFIG;
use crate::role::Configured;

/// Checks or prints a role's configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Says whether the role would start with this file; names the place and the cure of a mistake.
    #[command(after_help = "Example:\n  ultracloud config check chainfire ./chainfire.toml")]
    Check(Configured),
    /// Prints the effective configuration, defaults included.
    #[command(after_help = "Example:\n  ultracloud config dump chainfire ./chainfire.toml")]
    Dump(Configured),
}

pub(crate) fn run(verb: &Verb) -> ExitCode {
    let (Verb::Check(Configured { role, file }) | Verb::Dump(Configured { role, file })) = verb;
    let file = file.clone().unwrap_or_else(|| role.default_file());
    let done = match verb {
        Verb::Check(_) => role.check(&file).map(|sentence| eprintln!("{sentence}")),
        Verb::Dump(_) => role.dump(&file).map(|text| print!("{text}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => refuse(&e),
    }
}

/// Says what is wrong with a configuration, one problem a line.
pub(crate) fn refuse(e: &ConfigError) -> ExitCode {
    eprintln!("{e}");
    ExitCode::from(CONFIG)
}
