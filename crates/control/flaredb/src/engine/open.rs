//! Connections, with every switch of SQLite's that matters.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::EngineError;
use crate::base::Evaluation;

/// A value, a row, a statement: what is larger is refused, everywhere alike.
const MOST_BYTES: i32 = 64 << 20;
/// How deep an expression may be nested; the translator refuses what is deeper with better words.
const DEPTH: i32 = 2000;
/// PostgreSQL's limit of columns.
const COLUMNS: i32 = 1600;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;
/// Pages kept in memory: negative is KiB.
const CACHE_KIB: i64 = -4096;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The only one that changes anything.
    Write,
    /// A snapshot.
    Read,
    /// Checkpoints and copies.
    Upkeep,
}

/// Opens a database's file. `vfs`: the name of a file system that SQLite was told of; none: the machine's.
pub(crate) fn open(
    path: &Path,
    vfs: Option<&str>,
    purpose: Purpose,
    evaluation: &Evaluation,
) -> Result<Connection, EngineError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if purpose == Purpose::Write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = match vfs {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
    };
    configure(&connection, purpose)?;
    limit(&connection)?;
    crate::functions::register(&connection, evaluation)?;
    Ok(connection)
}

/// Opens a copy in the making, which nobody misses after a crash.
pub(crate) fn scratch(path: &Path, vfs: Option<&str>) -> Result<Connection, EngineError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
    };
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}

fn configure(connection: &Connection, purpose: Purpose) -> rusqlite::Result<()> {
    // Readers and the writer do not wait for each other, and a torn tail is cut to the last commit.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Synced at checkpoints: a tail that is lost comes back from the replicated log.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Upkeep does it, beside the writer.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    if purpose == Purpose::Read {
        connection.pragma_update(None, "query_only", true)?;
    }
    // A misspelt column is no string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // SQL cannot reach below tables.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A plan depends on the statement and the schema, never on the values: replicas take the same steps.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn limit(connection: &Connection) -> rusqlite::Result<()> {
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, MOST_BYTES),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, MOST_BYTES),
        (Limit::SQLITE_LIMIT_COLUMN, COLUMNS),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, DEPTH),
        // Nothing but the database itself is within reach.
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    Ok(())
}
