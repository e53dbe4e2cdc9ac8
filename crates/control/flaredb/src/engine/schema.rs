//! Rules of a table that is there already: SQLite has no words to change them, but they are nothing but the text of
//! its `CREATE TABLE`, as long as its columns are kept the same way
//! (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::EngineError;

/// A statement that begins so is none of SQLite's: the table's name in SQLite follows, a line's end, and the text
/// that takes the place of the one it was made with.
pub(crate) const REDEFINE: &str = "REDEFINE ";

/// Changes a table's rules. Whether its rows keep them, the caller has seen to.
pub(super) fn redefine(connection: &Connection, what: &str) -> Result<(), EngineError> {
    let (table, sql) = what
        .split_once('\n')
        .ok_or_else(|| EngineError::Malformed("a table is redefined as nothing".into()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
    let done = write(connection, table, sql);
    connection.pragma_update(None, "writable_schema", false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(done?)
}

fn write(connection: &Connection, table: &str, sql: &str) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    connection.pragma_update(None, "writable_schema", true)?;
    let update = "UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1";
    if connection.execute(update, params![table, sql])? != 1 {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    // Whoever has read the schema reads it again, this connection too.
    connection.pragma_update(None, "schema_version", version + 1)
}
