//! QEMU's monitor: commands, their answers, and events, over a stream.
//!
//! The protocol is QMP (QEMU's `docs/interop/qmp-spec`): JSON objects, one a line; a greeting, capabilities, then
//! commands with an id and their answers, and events in between. QEMU carries commands out one after the other, so
//! a [`Monitor`] queues them ([`WAITING`] at most) and gives each a deadline of its own. Answers stay JSON: QEMU
//! adds fields and values with every release, and whoever asks knows which he needs.
//!
//! A command whose deadline passes may still be carried out: its late answer is dropped, and only a look at the
//! machine tells. Events are kept for a slow listener up to [`KEPT`]; one that missed some is told so. When the
//! stream ends, every command under way fails with [`Error::Gone`].
//!
//! Not here: what commands mean, starting QEMU, out-of-band execution. Rejected: `qapi`, whose types refuse what a
//! newer QEMU says.

mod message;
mod monitor;

use std::time::Duration;

use serde_json::Value;

pub use message::{Event, Version};
pub use monitor::Monitor;

/// Commands that may wait for their turn.
pub const WAITING: usize = 64;
/// Events that are kept for a slow listener.
pub const KEPT: usize = 256;
/// The longest line that is read, bytes: ten times the schema that QEMU 10 tells of itself.
pub const LONGEST: usize = 8 << 20;
/// How long a command may take unless its caller says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// QEMU would not.
    #[error("{command}: {text} ({class})")]
    Refused {
        /// The command.
        command: String,
        /// `GenericError`, `CommandNotFound`, `DeviceNotFound`, …
        class: String,
        /// QEMU's words.
        text: String,
    },
    /// It took too long; it may happen yet.
    #[error("{command}: no answer within {after:?}; whether it was carried out, only the machine tells")]
    Late {
        /// The command.
        command: String,
        /// Its deadline.
        after: Duration,
    },
    /// The monitor is gone, usually because QEMU is.
    #[error("the monitor is gone: {0}")]
    Gone(String),
    /// Too many commands wait already.
    #[error("{WAITING} commands wait for this machine already")]
    Busy,
    /// The answer is not what the caller expected.
    #[error("{command} was answered by something else: {why}")]
    Unexpected {
        /// The command.
        command: String,
        /// What is wrong with it.
        why: String,
    },
}

/// No arguments.
pub fn none() -> Value {
    Value::Null
}
