//! The server side of PostgreSQL's frontend/backend protocol, 3.0 and 3.2: one connection's loop over a byte
//! stream, in front of a session that knows SQL. Source of the rules: PostgreSQL's documentation, chapter 55.
//!
//! [`serve`] speaks to one client until one of both leaves. It asks its caller, a [`Host`], for TLS, for who may
//! come in and for a [`Session`]; the session answers through a [`Client`], and is told to stop by a [`Control`].
//!
//! It refuses: replication connections, function calls by OID (0A000), encryption by GSSAPI, passwords in clear
//! text or MD5, encodings but UTF-8, and any message that its own rules do not allow. It opens no socket, starts no
//! task, and knows neither SQL nor values: a row comes as fields that are encoded already.
//!
//! # Shape
//! - `io`: the two halves of the stream. The reading half cuts messages and holds back what nobody asked for yet;
//!   the writing half holds whole messages only.
//! - `message`: what is in them. Everything that a client says is decoded here, from exactly its own bytes.
//! - `startup`: from the first byte to the first `ReadyForQuery`.
//! - `connection`: the loop, and what each message does.
//! - [`client`]: what a session answers through: rows, completions, notices, COPY in both directions.
//! - [`prepared`]: names of statements and portals, bounded. The session owns them, since SQL names them, too.
//!
//! # Promises
//! - No input panics, or allocates more than about twice what has arrived. A length is checked against the
//!   kind of message and the state of the connection before anything is made of it.
//! - A result is never held: output is flushed whenever it is full, and the session waits for that.
//! - A panic of a session ends its connection (XX000) and nothing else.
//! - While a statement runs and waits, its client's leaving is noticed and cancels it.
//! - An error is PostgreSQL's: what is ERROR there is ERROR here, what is FATAL is FATAL. Beyond that, a message
//!   whose length cannot be is answered by a FATAL error, where PostgreSQL closes without a word.
//!
//! # Cost
//! Small queries cost one read and one write, and allocate nothing in here once buffers have grown.
//!
//! # Rejected
//! - The decoders of `pgwire`: they read past a message's end and trust counts. Its encoders: they want owned
//!   strings, and leave half a message behind when one is too long. Its SCRAM is used; tests use both codecs
//!   as a second opinion.
//! - Splitting results into a stream that the loop pulls: every row would be allocated, and moved twice.

pub(crate) mod client;
mod connection;
pub(crate) mod control;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub(crate) mod fuzzing;
pub(crate) mod host;
mod io;
mod message;
pub(crate) mod options;
pub(crate) mod prepared;
mod serve;
pub(crate) mod session;
mod startup;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, CopyEvent, Row};
pub(crate) use control::Control;
pub(crate) use host::{
    BoxStream, CancelRequest, ChannelBinding, Host, Login, Method, Opened, Security, Stream, Transport,
};
pub(crate) use message::{Field, Format, Formats, Parameter, Parameters, Severity, Tag};
pub(crate) use options::Options;
pub(crate) use prepared::Prepared;
pub(crate) use serve::{Ending, serve};
pub(crate) use session::{Binding, Completion, Description, Session, Status};
pub(crate) use startup::{ITERATIONS, Verifier};
