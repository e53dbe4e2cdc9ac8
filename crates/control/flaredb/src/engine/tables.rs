//! What is kept in a database beside its users' tables: where the log has been applied to, the catalogue, counters,
//! and the outcomes of writes that somebody may repeat.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::EngineError;
use crate::base::catalog::{Catalog, CatalogChange, FIRST_OID, Relation, Role, Schema};

/// Raised when a version that reads it would misread what is here.
pub(crate) const FORMAT: i64 = 1;

/// Tables of ours begin so; no user's can.
const PREFIX: &str = "uc_";
/// Tables of keys and values begin so; they have no row ids.
pub(crate) const KEYED: &str = "kv:";

/// One row in `uc_state`, written with every batch.
const CREATE: &str = "
CREATE TABLE uc_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    position BLOB,
    origin INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    catalog INTEGER NOT NULL,
    next_oid INTEGER NOT NULL
) STRICT;
CREATE TABLE uc_object (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE uc_sequence (
    oid INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
CREATE TABLE uc_outcome (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    outcome BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uc_outcome_at ON uc_outcome (at);
";

/// Whether a table is no user's.
pub(crate) fn is_ours(table: &str) -> bool {
    table.starts_with(PREFIX)
}

/// Where a database stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The last applied entry, as quorum wants it kept.
    pub(crate) position: Option<Bytes>,
    /// Which chain of hashes this is; 0: none yet.
    pub(crate) origin: u64,
    /// The hash over everything done since its beginning.
    pub(crate) hash: u64,
    /// The entry that changed anything last.
    pub(crate) changed: u64,
}

/// Makes what is missing in a new database; refuses one of a later format.
pub(crate) fn prepare(connection: &Connection) -> Result<(), EngineError> {
    let there: bool =
        connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'uc_state'", [], |r| r.get(0))?;
    if !there {
        let first = i64::from(FIRST_OID);
        connection.execute_batch(&format!(
            "BEGIN; {CREATE} INSERT INTO uc_state VALUES (1, {FORMAT}, NULL, 0, 0, 0, 0, {first}); COMMIT"
        ))?;
        return Ok(());
    }
    match connection.query_row("SELECT format FROM uc_state", [], |row| row.get(0))? {
        FORMAT => Ok(()),
        other => Err(EngineError::Malformed(format!(
            "the database has format {other}, this version reads {FORMAT}: run the version that wrote it"
        ))),
    }
}

/// Where the database stands.
pub(crate) fn state(connection: &Connection) -> Result<State, EngineError> {
    let mut query = connection.prepare_cached("SELECT position, origin, hash, changed FROM uc_state")?;
    Ok(query.query_row([], |row| {
        Ok(State {
            position: row.get::<_, Option<Vec<u8>>>(0)?.map(Bytes::from),
            origin: row.get::<_, i64>(1)?.cast_unsigned(),
            hash: row.get::<_, i64>(2)?.cast_unsigned(),
            changed: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?)
}

/// Writes down where the database stands, in the transaction that took it there.
pub(crate) fn put_state(connection: &Connection, state: &State) -> rusqlite::Result<()> {
    let mut update = connection
        .prepare_cached("UPDATE uc_state SET position = ?1, origin = ?2, hash = ?3, changed = ?4")?;
    let signed = u64::cast_signed;
    let position = state.position.as_deref();
    update.execute(params![position, signed(state.origin), signed(state.hash), signed(state.changed)])?;
    Ok(())
}

/// The catalogue.
pub(crate) fn catalog(connection: &Connection) -> Result<Catalog, EngineError> {
    let mut catalog = connection.query_row("SELECT catalog, next_oid FROM uc_state", [], |row| {
        let version = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Catalog { version, next_oid: row.get(1)?, ..Catalog::default() })
    })?;
    let mut query = connection.prepare("SELECT kind, json FROM uc_object")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, json): (String, String) = (row.get(0)?, row.get(1)?);
        catalog.take(object(&kind, &json)?);
    }
    Ok(catalog)
}

fn object(kind: &str, json: &str) -> Result<CatalogChange, EngineError> {
    let malformed =
        |e| EngineError::Malformed(format!("the catalogue has a {kind} that cannot be read: {e}"));
    match kind {
        "schema" => serde_json::from_str::<Schema>(json).map(CatalogChange::PutSchema).map_err(malformed),
        "relation" => {
            serde_json::from_str::<Relation>(json).map(CatalogChange::PutRelation).map_err(malformed)
        }
        "role" => serde_json::from_str::<Role>(json).map(CatalogChange::PutRole).map_err(malformed),
        other => {
            Err(EngineError::Malformed(format!("the catalogue has a {other:?}, which is nothing known")))
        }
    }
}

/// Writes changes of the catalogue down.
pub(crate) fn put_catalog(
    connection: &Connection,
    changes: &[CatalogChange],
    after: &Catalog,
) -> rusqlite::Result<()> {
    let json = |e| rusqlite::Error::ToSqlConversionFailure(Box::new(e));
    for change in changes {
        match change {
            CatalogChange::PutSchema(it) => {
                put(connection, "schema", &it.name, &serde_json::to_string(it).map_err(json)?)?;
            }
            CatalogChange::PutRelation(it) => {
                put(connection, "relation", &it.oid.to_string(), &serde_json::to_string(it).map_err(json)?)?;
            }
            CatalogChange::PutRole(it) => {
                put(connection, "role", &it.name, &serde_json::to_string(it).map_err(json)?)?;
            }
            CatalogChange::DropSchema(name) => drop_object(connection, "schema", name)?,
            CatalogChange::DropRelation(oid) => {
                drop_object(connection, "relation", &oid.to_string())?;
                connection.execute("DELETE FROM uc_sequence WHERE oid = ?1", [oid])?;
            }
            CatalogChange::DropRole(name) => drop_object(connection, "role", name)?,
        }
    }
    let (version, next_oid) = (after.version.cast_signed(), after.next_oid);
    connection.execute("UPDATE uc_state SET catalog = ?1, next_oid = ?2", params![version, next_oid])?;
    Ok(())
}

fn put(connection: &Connection, kind: &str, key: &str, json: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT OR REPLACE INTO uc_object VALUES (?1, ?2, ?3)", params![kind, key, json])?;
    Ok(())
}

fn drop_object(connection: &Connection, kind: &str, key: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM uc_object WHERE kind = ?1 AND key = ?2", params![kind, key])?;
    Ok(())
}

/// The outcome of the write that bore this key.
pub(crate) fn outcome(connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut query = connection.prepare_cached("SELECT outcome FROM uc_outcome WHERE key = ?1")?;
    query.query_row([key], |row| row.get(0)).optional()
}

/// Keeps the outcome of the write that bore a key, and lets go of those from before `since`.
pub(crate) fn put_outcome(
    connection: &Connection,
    (key, outcome): (&str, &[u8]),
    (now, since): (i64, i64),
) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM uc_outcome WHERE at < ?1")?.execute([since])?;
    let mut insert = connection.prepare_cached("INSERT INTO uc_outcome VALUES (?1, ?2, ?3)")?;
    insert.execute(params![key, now, outcome])?;
    Ok(())
}
