//! Log lines, on stderr unless told otherwise.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::util::TryInitError;

use super::zap::Zap;

/// How and how much a process logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level, or levels by module: `info`, `info,chainfire=debug`.
    pub filter: String,
    /// Where to. Only a drop-in writes anywhere but to stderr.
    #[serde(skip)]
    pub output: LogOutput,
}

/// Where log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogOutput {
    /// Where a supervisor keeps them.
    #[default]
    Stderr,
    /// Among the data.
    Stdout,
    /// To the end of a file.
    File(PathBuf),
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text per event, coloured on a terminal unless NO_COLOR is set.
    #[default]
    Human,
    /// One JSON object per event.
    Json,
    /// One JSON object per event, with zap's names: for what reads etcd's logs.
    Zap,
}

/// The consensus engine tells every step at `info`; its warnings are enough.
const QUIET: &str = "info,openraft=warn";

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: QUIET.into(), output: LogOutput::Stderr }
    }
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error(
        "log.filter {filter:?} does not parse: {source}; write a level such as \"info\", or \"info,chainfire=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The file cannot be written to.
    #[error("cannot log to {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else in this process set up logging.
    #[error("logging is set up already: {0}")]
    Twice(#[source] TryInitError),
}

impl LogConfig {
    /// The filter, or what is wrong with it; for a role's `validate`.
    pub fn parse_filter(&self) -> Result<EnvFilter, LogError> {
        EnvFilter::builder()
            .parse(&self.filter)
            .map_err(|source| LogError::Filter { filter: self.filter.clone(), source })
    }
}

impl LogOutput {
    fn writer(&self) -> Result<BoxMakeWriter, LogError> {
        match self {
            Self::Stderr => Ok(BoxMakeWriter::new(io::stderr)),
            Self::Stdout => Ok(BoxMakeWriter::new(io::stdout)),
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.map_err(|source| LogError::File { path: path.clone(), source })?;
                Ok(BoxMakeWriter::new(Arc::new(file)))
            }
        }
    }
}

/// Starts logging for the whole process. Once.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = config.parse_filter()?;
    let builder = tracing_subscriber::fmt().with_writer(config.output.writer()?).with_env_filter(filter);
    let colours = config.output == LogOutput::Stderr && colours();
    match config.format {
        LogFormat::Human => builder.with_ansi(colours).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).finish().try_init(),
        LogFormat::Zap => builder.with_ansi(false).event_format(Zap).finish().try_init(),
    }
    .map_err(LogError::Twice)
}

/// https://no-color.org: any value that is not empty switches colours off.
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
