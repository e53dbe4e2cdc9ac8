//! The roles that are linked in, and what is asked of each.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use kit::config::{self, ConfigError, RoleConfig};

/// A server role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The replicated key-value store (etcd v3).
    Chainfire,
    /// The replicated SQL database (PostgreSQL).
    Flaredb,
}

/// A role and the file that configures it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Configured {
    /// Which role.
    #[arg(value_enum)]
    pub(crate) role: Role,
    /// Its configuration; default: /etc/ultracloud/ROLE.toml.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Chainfire => chainfire::Config::ROLE,
            Self::Flaredb => flaredb::Config::ROLE,
        }
    }

    /// Where the configuration is when nothing is said.
    pub(crate) fn default_file(self) -> PathBuf {
        Path::new("/etc/ultracloud").join(self.name()).with_extension("toml")
    }

    /// Checks a configuration file; gives a sentence that says it is good.
    pub(crate) fn check(self, file: &Path) -> Result<String, ConfigError> {
        match self {
            Self::Chainfire => config::check::<chainfire::Config>(file),
            Self::Flaredb => config::check::<flaredb::Config>(file),
        }
    }

    /// The effective configuration, defaults included.
    pub(crate) fn dump(self, file: &Path) -> Result<String, ConfigError> {
        match self {
            Self::Chainfire => config::dump(&config::load::<chainfire::Config>(file)?),
            Self::Flaredb => config::dump(&config::load::<flaredb::Config>(file)?),
        }
    }

    /// Runs until the role is asked to stop or fails.
    pub(crate) fn run(self, file: &Path) -> Result<ExitCode, ConfigError> {
        match self {
            Self::Chainfire => {
                let config = config::load::<chainfire::Config>(file)?;
                let log = config.log.clone();
                Ok(kit::run::main(self.name(), &log, |process| chainfire::run(process, config)))
            }
            Self::Flaredb => {
                let config = config::load::<flaredb::Config>(file)?;
                let log = config.log.clone();
                Ok(kit::run::main(self.name(), &log, |process| flaredb::run(process, config)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_called_on_the_command_line_as_in_its_configuration() {
        for role in Role::value_variants() {
            let value = role.to_possible_value().expect("no role is hidden");
            assert_eq!(value.get_name(), role.name());
        }
    }
}
