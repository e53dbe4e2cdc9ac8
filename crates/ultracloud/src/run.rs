//! `ultracloud run`: becomes one role.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{self, refuse};
use crate::role::{Configured, Role};

/// Runs one role until it is asked to stop.
#[derive(Args, Debug)]
#[command(
    after_help = "SIGTERM and SIGINT stop it in order, a second one at once; SIGHUP reads certificates again.

Example:
  ultracloud run chainfire --config /etc/ultracloud/chainfire.toml"
)]
pub(crate) struct Options {
    /// Which role.
    #[arg(value_enum)]
    role: Role,
    /// Its configuration; default: /etc/ultracloud/ROLE.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the effective configuration, defaults included, and ends.
    #[arg(long)]
    dump_config: bool,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    let file = options.config.clone();
    if options.dump_config {
        return config::run(&config::Verb::Dump(Configured { role: options.role, file }));
    }
    let file = file.unwrap_or_else(|| options.role.default_file());
    options.role.run(&file).unwrap_or_else(|e| refuse(&e))
}
