//! FlareDB: replicated SQL that PostgreSQL's drivers use without noticing.
//!
//! Each database is one group of [`quorum`] replicas with SQLite inside.
//!
//! # Shape
//! - `base`: the words that all parts share: types, errors, the catalogue.
//! - `engine`: SQLite, made to do the same on every replica.
//! - `sql`: from PostgreSQL's SQL to SQLite's.
//! - `functions`: what PostgreSQL's expressions need from SQLite, being written.
//! - `value`: values from text and binary to how they are kept, and back.
//! - `pgcat`: `pg_catalog` and `information_schema`.
//! - `wire`: PostgreSQL's protocol, one connection's loop.
//! - `machine`: what each entry of the log does to a database.
//! - `replica`: what sessions ask of a database, wherever its leader is.
//! - `directory`: which databases there are, and who holds them.
//! - `session`: what one client has.
//! - `node`: identity, ports, figures.
//!
//! # Under concurrency
//! One thread applies the log. A statement by itself is replicated as SQL with its parameters, clock and seed; many of
//! them share an entry. A transaction holds the database's write slot and is replicated as what it has changed.
//! Readers take snapshots and wait for nobody.

#![recursion_limit = "256"]
#![expect(dead_code, unused_imports, reason = "it is still being written")]

mod base;
pub mod config;
mod directory;
mod engine;
#[allow(clippy::approx_constant, clippy::excessive_precision, reason = "it is still being written")]
mod functions;
mod machine;
mod node;
mod pgcat;
mod proto;
mod refusal;
mod replica;
mod session;
#[cfg(test)]
mod sim;
#[allow(
    clippy::collapsible_if,
    clippy::large_enum_variant,
    clippy::semicolon_if_nothing_returned,
    reason = "it is still being written"
)]
mod sql;
mod value;
mod wire;

pub use config::Config;
pub use node::{Node, Observers, StartError, build, run};
