//! What the caller decides about every connection.

use std::time::Duration;

/// Limits, times and policies. All sizes are bytes.
#[derive(Clone)]
pub(crate) struct Options {
    /// Whether an SSLRequest is answered by a handshake ([`crate::wire::Host::upgrade`]) or by a no.
    pub(crate) tls: bool,
    /// Nothing but a TLS handshake or a cancel request is taken in plain text.
    pub(crate) require_tls: bool,
    /// From the first byte to the first `ReadyForQuery`, TLS and authentication included.
    pub(crate) startup_limit: Duration,
    /// How long a client may take none of what is written to it. None: for ever.
    pub(crate) write_limit: Option<Duration>,
    /// Of a message that may be long: a query, a parse, a bind, a piece of COPY. At most a gibibyte.
    pub(crate) max_message: usize,
    /// Output is flushed when it holds so much, if nothing flushes it before.
    pub(crate) flush_at: usize,
    /// Makes salts for users that there are not. Secret, the same on all nodes, and for long: salts that change, or
    /// that somebody else can compute, tell who is unknown.
    pub(crate) mock_key: [u8; 32],
    /// Rounds of such a salt: those that verifiers of real users have.
    pub(crate) mock_iterations: u32,
}

impl Options {
    /// Plain text as it comes, and limits that suit most.
    pub(crate) fn new(mock_key: [u8; 32]) -> Self {
        Self {
            tls: false,
            require_tls: false,
            startup_limit: Duration::from_secs(60),
            write_limit: None,
            max_message: 64 << 20,
            flush_at: 32 << 10,
            mock_key,
            mock_iterations: crate::wire::startup::ITERATIONS,
        }
    }
}
