//! `ultracloud etcd`, and this binary under the name `etcd`: a ChainFire member by etcd's flags.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::USAGE;

/// Starts a ChainFire member the way etcd 3.5 is started.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// etcd's flags, by one dash or two; --help lists them.
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<String>,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    chainfire::etcd::main(&options.flags, environment())
}

/// Runs as etcd if this process was called so: whatever starts `etcd` may find a link of that name.
pub(crate) fn by_name() -> Option<ExitCode> {
    let mut arguments = env::args_os();
    let name = arguments.next()?;
    if Path::new(&name).file_name()? != "etcd" {
        return None;
    }
    Some(match arguments.map(OsString::into_string).collect::<Result<Vec<_>, _>>() {
        Ok(flags) => chainfire::etcd::main(&flags, environment()),
        Err(flag) => {
            eprintln!("etcd: {} is not UTF-8", flag.display());
            ExitCode::from(USAGE)
        }
    })
}

/// What is not text is none of etcd's variables.
fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
