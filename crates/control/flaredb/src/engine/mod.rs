//! What a database's files are, and what is done to them: SQLite, made to do the same everywhere.
//!
//! - `open`: connections of one kind, with every switch that matters.
//! - `row`: values on their way through the log.
//! - `tables`: what is kept beside the users' tables.
//! - `digest`: a hash over everything that statements do to rows.
//! - `sequence`: counters; they count in memory and are written down with the batch.
//! - `session`: what a transaction has changed, for replicas that did not carry it out.
//! - `schema`: rules of tables that are there already.
//! - `writer`: the one connection that changes anything.
//! - `readers`: snapshots for everybody else.
//! - `files`: which file is the database, and how another takes its place.
//!
//! It knows no PostgreSQL: statements come as SQLite's SQL with values as they are kept.
//!
//! # Determinism
//! A statement sees its entry's clock, seed and zone, never the machine's. Its effort is counted in steps of
//! SQLite's machine, never in time. What a failed one has done is undone to its savepoint, whatever SQLite
//! thinks of the error. An error that another replica might not have (the disk, memory) is no outcome of a
//! statement: it ends the process, and the log is applied again.

mod budget;
mod digest;
mod error;
mod files;
mod open;
mod readers;
mod row;
mod schema;
mod sequence;
mod session;
mod tables;
mod transaction;
mod writer;

pub(crate) use budget::Stopper;
pub(crate) use error::EngineError;
pub(crate) use files::{Files, make_durable, receive};
pub(crate) use readers::{Reader, Readers};
pub(crate) use row::{put, take, values};
pub(crate) use schema::REDEFINE;
pub(crate) use tables::State;
pub(crate) use writer::{Checkpoint, Outcome, STALE, Writer, failed, parameters};
