//! The bounds of a server.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// RFC 9113 §6.9.1: no flow-control window is larger.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// hyper refuses to work with less.
pub(super) const SMALLEST_HEADER_BUFFER: u32 = 8192;

/// How much of everything a server takes. Times are such as `"10s"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections; the next one is closed at once.
    pub connections: usize,
    /// Connections that have not yet proven who they are; beyond that, accepting pauses.
    pub handshakes: usize,
    /// A TLS handshake must be complete within this time.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// A request's head must be complete within this time; an idle HTTP/1.1 connection lives as long.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Size of a request's head.
    pub header_bytes: u32,
    /// HTTP/2 streams at a time on one connection.
    pub streams: u32,
    /// HTTP/2 streams that a peer may reset before we looked at them; more end the connection.
    pub pending_resets: usize,
    /// Unread data of one HTTP/2 stream.
    pub stream_window_bytes: u32,
    /// Unread data of one HTTP/2 connection.
    pub connection_window_bytes: u32,
    /// How often an HTTP/2 peer is pinged.
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// How long it may take to answer.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// How long requests in flight may take when the process stops.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshakes: 256,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            streams: 4096,
            pending_resets: 64,
            stream_window_bytes: 2 * 1024 * 1024,
            connection_window_bytes: 8 * 1024 * 1024,
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// What is wrong with these limits, in the table `section` of a configuration; for a role's `validate`.
    pub fn problems(&self, section: &str) -> Vec<String> {
        let zero = |key: &str| format!("{section}.{key} is zero, which would let nothing through: raise it");
        let counts = [
            ("connections", self.connections == 0),
            ("handshakes", self.handshakes == 0),
            ("handshake_timeout", self.handshake_timeout.is_zero()),
            ("header_timeout", self.header_timeout.is_zero()),
            ("streams", self.streams == 0),
            ("stream_window_bytes", self.stream_window_bytes == 0),
            ("connection_window_bytes", self.connection_window_bytes == 0),
            ("keepalive_interval", self.keepalive_interval.is_zero()),
            ("keepalive_timeout", self.keepalive_timeout.is_zero()),
        ];
        let mut problems: Vec<String> =
            counts.iter().filter(|(_, bad)| *bad).map(|(key, _)| zero(key)).collect();
        if self.header_bytes < SMALLEST_HEADER_BUFFER {
            problems.push(format!("{section}.header_bytes is below {SMALLEST_HEADER_BUFFER}: raise it"));
        }
        if self.stream_window_bytes.max(self.connection_window_bytes) > LARGEST_WINDOW {
            problems.push(format!(
                "{section}: a window of more than {LARGEST_WINDOW} bytes does not exist in HTTP/2: lower it"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_would_stop_everything_are_found() {
        assert!(Limits::default().problems("limits").is_empty());
        let limits =
            Limits { handshakes: 0, header_bytes: 100, stream_window_bytes: u32::MAX, ..Limits::default() };
        let problems = limits.problems("client.limits");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(
            problems[0],
            "client.limits.handshakes is zero, which would let nothing through: raise it"
        );
    }
}
