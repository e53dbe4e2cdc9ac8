//! Why a process ends when nobody asked it to, and its exit code (sysexits.h where one fits).

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::telemetry::MetricsError;
use crate::tls::TlsError;

/// What ended a process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Something failed that a restart may cure: exit code 1.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self { code: 1, message: why.to_string() }
    }

    /// The configuration is wrong, and a restart will not help: exit code 78 (EX_CONFIG).
    pub fn config(why: impl fmt::Display) -> Self {
        Self { code: 78, message: why.to_string() }
    }

    /// The storage failed or is damaged: exit code 74 (EX_IOERR).
    pub fn storage(why: impl fmt::Display) -> Self {
        Self { code: 74, message: why.to_string() }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::config(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<MetricsError> for Failure {
    fn from(error: MetricsError) -> Self {
        Self::failed(error)
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::config(error)
    }
}
