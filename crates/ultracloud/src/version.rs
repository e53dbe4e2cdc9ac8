//! `ultracloud version`: what this binary is, so that two nodes can be compared.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

/// Prints what this binary is and which formats it writes.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const COMMIT: &str = env!("ULTRACLOUD_COMMIT");
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

pub(crate) fn run(options: &Options) -> ExitCode {
    if options.json {
        let formats: Map<String, Value> = chainfire::FORMATS
            .iter()
            .map(|(name, version)| (format!("chainfire.{name}"), json!(version)))
            .collect();
        println!(
            "{:#}",
            json!({ "version": VERSION, "commit": COMMIT, "profile": PROFILE, "formats": formats })
        );
    } else {
        println!("ultracloud {VERSION} ({COMMIT}, {PROFILE})");
        for (name, version) in chainfire::FORMATS {
            println!("chainfire {name} format {version}");
        }
    }
    ExitCode::SUCCESS
}
