//! Typed configuration from a TOML file: every mistake is found at the start, with its place and its cure.
//!
//! A role's configuration is one plain struct with `#[serde(deny_unknown_fields)]`, because a key that
//! nobody reads is a setting that somebody believes in. Refuses environment variables and layered files:
//! what a process runs with is one file and `dump` of it. Secrets are given by path only.

mod mistake;
mod nearest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use mistake::Mistake;

/// The configuration of one role.
pub trait RoleConfig: Serialize + DeserializeOwned {
    /// The role's name, as in `ultracloud run <role>`.
    const ROLE: &'static str;

    /// What no type can say, such as one timeout being longer than another. Every problem at once, each a
    /// sentence that names the key and the cure.
    fn validate(&self) -> Result<(), Vec<String>>;
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML, or not of this role's shape.
    #[error("{path}:{mistake}", path = path.display())]
    Mistake {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        mistake: Mistake,
    },
    /// The values do not go together.
    #[error("{}", each(path, problems))]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Each problem, with its cure.
        problems: Vec<String>,
    },
    /// A value has no form in TOML, such as a number above 2⁶³.
    #[error("this configuration cannot be written as TOML: {0}")]
    Dump(#[source] toml::ser::Error),
}

/// One line for each problem.
fn each(path: &Path, problems: &[String]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("{}: {problem}", path.display())).collect();
    lines.join("\n")
}

/// Reads and checks a configuration file.
pub fn load<T: RoleConfig>(path: &Path) -> Result<T, ConfigError> {
    let text =
        fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Checks the text of a configuration; `path` is for messages only.
pub fn parse<T: RoleConfig>(path: &Path, text: &str) -> Result<T, ConfigError> {
    let config: T = toml::from_str(text)
        .map_err(|e| ConfigError::Mistake { path: path.to_owned(), mistake: Mistake::new(text, &e) })?;
    match config.validate() {
        Ok(()) => Ok(config),
        Err(problems) => Err(ConfigError::Invalid { path: path.to_owned(), problems }),
    }
}

/// Checks a file for the command line, and says in a sentence that it is good.
pub fn check<T: RoleConfig>(path: &Path) -> Result<String, ConfigError> {
    load::<T>(path)?;
    Ok(format!("{} is a valid configuration of {}", path.display(), T::ROLE))
}

/// The effective configuration, defaults included, as TOML that [`parse`] takes.
pub fn dump<T: RoleConfig>(config: &T) -> Result<String, ConfigError> {
    toml::to_string_pretty(config).map_err(ConfigError::Dump)
}
