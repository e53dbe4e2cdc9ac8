//! Queries on a snapshot.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value};

use crate::base::{Catalog, Settings, SqlError, SqlState};
use crate::engine::{Reader, put};
use crate::pgcat;
use crate::sql::systems;

/// Bytes of rows that one answer may take.
const MOST: usize = 256 << 20;

/// What a query needs beside a snapshot.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    /// Tables of the system that it reads.
    pub(super) systems: Vec<String>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) settings: Settings,
    pub(super) databases: Vec<pgcat::Database>,
    pub(super) sessions: Vec<pgcat::Backend>,
    pub(super) shown: Vec<pgcat::Setting>,
    /// The statement's time and seed.
    pub(super) now: i64,
    pub(super) seed: u64,
}

/// Rows as they are kept, one value behind the other.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u64,
}

impl Query {
    /// Runs it. The reader's snapshot stays as it is.
    pub(super) fn run(&self, reader: &Reader) -> Result<Rows, SqlError> {
        reader.evaluation.set(self.now, self.settings.time_zone.clone(), self.seed);
        reader.budget.allow_all();
        reader.sight.set(Arc::clone(&self.catalog), self.settings.clone());
        if !self.systems.is_empty() {
            self.show_systems(reader).map_err(|e| failed(reader, &e))?;
        }
        self.rows(reader)
    }

    fn rows(&self, reader: &Reader) -> Result<Rows, SqlError> {
        let sqlite = |e: rusqlite::Error| failed(reader, &e);
        let mut prepared = reader.connection.prepare_cached(&self.sql).map_err(sqlite)?;
        for (place, value) in self.values.iter().enumerate() {
            prepared.raw_bind_parameter(place + 1, ToSqlOutput::Borrowed(value.into())).map_err(sqlite)?;
        }
        let columns = prepared.column_count();
        let mut rows = Rows::default();
        let mut found = prepared.raw_query();
        while let Some(row) = found.next().map_err(sqlite)? {
            rows.count += 1;
            for place in 0..columns {
                put(&mut rows.bytes, row.get_ref(place).map_err(sqlite)?);
            }
            if rows.bytes.len() > MOST {
                let message = format!("the answer takes more than {} MiB", MOST >> 20);
                return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                    .with_hint("Ask for less at a time: LIMIT, or a condition on a key."));
            }
        }
        Ok(rows)
    }

    /// Makes the tables of the system that are asked for, as they are at this moment.
    fn show_systems(&self, reader: &Reader) -> rusqlite::Result<()> {
        reader.connection.pragma_update(None, "query_only", false)?;
        let made = self.systems.iter().try_for_each(|name| self.show_system(reader, name));
        reader.connection.pragma_update(None, "query_only", true)?;
        made
    }

    fn show_system(&self, reader: &Reader, name: &str) -> rusqlite::Result<()> {
        let found = name.split_once('.').and_then(|(schema, table)| pgcat::find(Some(schema), table));
        let Some(system) = found else { return Ok(()) };
        let stored = systems::stored_as(system).replace('"', "\"\"");
        let columns: Vec<String> = system
            .columns
            .iter()
            .map(|(name, ty)| {
                let collation = crate::functions::collation(*ty);
                collation.map_or_else(|| format!("\"{name}\""), |by| format!("\"{name}\" COLLATE {by}"))
            })
            .collect();
        reader.connection.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.\"{stored}\"; CREATE TEMP TABLE \"{stored}\" ({})",
            columns.join(", ")
        ))?;
        let world = pgcat::World {
            catalog: &self.catalog,
            settings: &self.settings,
            databases: &self.databases,
            sessions: &self.sessions,
            shown: &self.shown,
        };
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert =
            reader.connection.prepare(&format!("INSERT INTO temp.\"{stored}\" VALUES ({places})"))?;
        for row in pgcat::rows(system, &world) {
            insert.execute(rusqlite::params_from_iter(row))?;
        }
        Ok(())
    }
}

/// What a client is told of a query that failed.
fn failed(reader: &Reader, e: &rusqlite::Error) -> SqlError {
    if let Some(error) = crate::functions::error_of(e) {
        return error;
    }
    if let rusqlite::Error::SqliteFailure(inner, _) = e {
        match inner.code {
            rusqlite::ErrorCode::OperationInterrupted if reader.budget.is_stopped() => {
                return SqlError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
            }
            rusqlite::ErrorCode::TooBig => {
                return SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a value or a row is too long");
            }
            _ => {}
        }
    }
    SqlError::new(SqlState::INTERNAL_ERROR, format!("the query cannot be carried out: {e}"))
}
