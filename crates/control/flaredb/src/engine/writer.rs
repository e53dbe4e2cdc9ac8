//! The one connection that changes anything: statements from the log, each in a savepoint of its own, all of a batch
//! and their place in the log in one transaction.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use prost::Message as _;
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::budget::{Budget, Stopper};
use super::digest::Digest;
use super::error::is_of_the_statement;
use super::open::{Purpose, open};
use super::schema::{self, REDEFINE};
use super::sequence::{Sequences, Standing};
use super::tables::{self, State};
use super::transaction::Open;
use super::{EngineError, row, session};
use crate::base::catalog::{Catalog, CatalogChange};
use crate::base::{Evaluation, SqlError, SqlState};
use crate::proto::log::{Ddl, Done, Failure, SequencePosition, Statement, Write};

/// What comes back of one statement, at most.
const MOST_RESULT: usize = 64 << 20;

/// How long the outcome of a write that may be repeated is kept: a day, in microseconds.
const OUTCOMES_KEPT: i64 = 86_400_000_000;

/// The state of a failure that only says that the statement is to be planned again. Never told to a client.
pub(crate) const STALE: &str = "UC001";

/// What came of a statement: done, or why not. An [`EngineError`] is neither.
pub(crate) type Outcome = Result<Done, Failure>;

/// A database's writer.
pub(crate) struct Writer {
    pub(super) connection: Connection,
    pub(super) evaluation: Evaluation,
    pub(super) budget: Budget,
    pub(super) digest: Digest,
    pub(super) sequences: Sequences,
    pub(super) state: State,
    pub(super) catalog: Arc<Catalog>,
    pub(super) open: Option<Open>,
    zone: (String, TimeZone),
}

/// How a writer stood.
pub(crate) struct Checkpoint {
    state: State,
    catalog: Arc<Catalog>,
    sequences: Standing,
    hash: u64,
}

impl Writer {
    /// Opens the database, and makes it if it is not there.
    pub(crate) fn open(path: &Path, vfs: Option<&str>) -> Result<Self, EngineError> {
        let evaluation = Evaluation::default();
        let mut connection = open(path, vfs, Purpose::Write, &evaluation)?;
        tables::prepare(&connection)?;
        let (budget, digest, sequences) = (Budget::default(), Digest::default(), Sequences::default());
        budget.watch(&mut connection)?;
        digest.watch(&mut connection)?;
        sequences.register(&connection)?;
        sequences.load(&connection)?;
        let state = tables::state(&connection)?;
        let catalog = Arc::new(tables::catalog(&connection)?);
        sequences.adopt(&catalog);
        digest.set(state.hash);
        let zone = (String::new(), TimeZone::UTC);
        Ok(Self { connection, evaluation, budget, digest, sequences, state, catalog, open: None, zone })
    }

    /// Where the database stands.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// What it holds.
    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The hash over everything that the log has done.
    pub(crate) fn hash(&self) -> u64 {
        self.open.as_ref().map_or_else(|| self.digest.get(), Open::hash)
    }

    /// The hash begins anew.
    pub(crate) fn set_hash(&mut self, hash: u64) {
        self.digest.set(hash);
    }

    /// Remembers where the database stands without writing it down: nothing was changed on the way.
    pub(crate) fn set_aside(&mut self, state: State) {
        if self.open.is_none() {
            self.digest.set(state.hash);
        }
        self.state = state;
    }

    /// Copies what is left of SQLite's log and begins it anew, unless a transaction or a reader is in the way.
    pub(crate) fn restart_log(&self) -> Result<(), EngineError> {
        if self.open.is_none() {
            self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Stops what runs.
    pub(crate) fn stopper(&self) -> Stopper {
        self.budget.stopper()
    }

    /// How everything stands, to begin a batch again from.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let (state, catalog) = (self.state.clone(), self.catalog.clone());
        Checkpoint { state, catalog, sequences: self.sequences.standing(), hash: self.digest.get() }
    }

    /// Back to how everything stood before a batch that SQLite has undone.
    pub(crate) fn go_back(&mut self, to: &Checkpoint) {
        self.state = to.state.clone();
        self.digest.set(to.hash);
        self.adopt(to.catalog.clone());
        self.sequences.restore(to.sequences.clone());
    }

    /// Begins a batch of the log.
    pub(crate) fn begin(&mut self) -> Result<(), EngineError> {
        self.budget.allow_all();
        self.budget.begin();
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Ends a batch: what it did and where the log has been applied to become visible together.
    pub(crate) fn commit(&mut self, state: State) -> Result<(), EngineError> {
        self.budget.allow_all();
        let state = State { hash: self.digest.get(), ..state };
        self.sequences.save(&self.connection)?;
        tables::put_state(&self.connection, &state)?;
        self.connection.execute_batch("COMMIT")?;
        self.state = state;
        Ok(())
    }

    /// Carries out one statement of a batch; what a failed one has done is undone.
    pub(crate) fn write(&mut self, write: &Write) -> Result<Outcome, EngineError> {
        use crate::proto::log::write::Body;
        if let Some(failure) = self.is_stale(write) {
            return Ok(Err(failure));
        }
        if let Some(done) = self.repeated(&write.key)? {
            return Ok(Ok(done));
        }
        self.evaluate_with(write)?;
        self.budget.allow(write.budget);
        let outcome = self.contained(|writer| {
            let done = match &write.body {
                Some(Body::Statement(statement)) => writer.statement(statement),
                Some(Body::Ddl(ddl)) => writer.ddl(ddl),
                None => Err(Trouble::Failure(failed(SqlState::INTERNAL_ERROR, "an empty write"))),
            }?;
            if session::dangling(&writer.connection)? {
                return Err(Trouble::Failure(foreign_key()));
            }
            Ok(done)
        })?;
        self.budget.allow_all();
        if let Ok(done) = &outcome {
            let now = write.evaluation.as_ref().map_or(0, |evaluation| evaluation.now);
            self.keep(&write.key, now, done)?;
        }
        Ok(outcome)
    }

    /// Planned for a catalogue that is no more, or not yet: whoever planned it plans it again.
    pub(super) fn is_stale(&self, write: &Write) -> Option<Failure> {
        let version = self.catalog.version;
        (write.catalog != 0 && write.catalog != version).then(|| Failure {
            state: STALE.to_owned(),
            message: format!("planned for version {} of the catalogue, which has {version}", write.catalog),
            ..Failure::default()
        })
    }

    /// What came of the write or transaction of this key before.
    pub(crate) fn repeated(&self, key: &str) -> Result<Option<Done>, EngineError> {
        if key.is_empty() {
            return Ok(None);
        }
        let kept = tables::outcome(&self.connection, key)?;
        let done = kept.map(|kept| Done::decode(&kept[..])).transpose();
        done.map_err(|e| EngineError::Malformed(e.to_string()))
    }

    /// Keeps what came of what may be repeated.
    pub(super) fn keep(&self, key: &str, now: i64, done: &Done) -> Result<(), EngineError> {
        if !key.is_empty() {
            let kept = done.encode_to_vec();
            tables::put_outcome(&self.connection, (key, &kept), (now, now - OUTCOMES_KEPT))?;
        }
        Ok(())
    }

    pub(super) fn evaluate_with(&mut self, write: &Write) -> Result<(), EngineError> {
        let evaluation = write.evaluation.clone().unwrap_or_default();
        if evaluation.zone != self.zone.0 {
            let zone = zone(&evaluation.zone)
                .ok_or_else(|| EngineError::Malformed(format!("the time zone {:?}", evaluation.zone)))?;
            self.zone = (evaluation.zone, zone);
        }
        self.evaluation.set(evaluation.now, self.zone.1.clone(), evaluation.seed);
        Ok(())
    }

    /// In a savepoint, which a failure undoes; a catalogue that it has changed, too.
    pub(super) fn contained(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Done, Trouble>,
    ) -> Result<Outcome, EngineError> {
        let (hash, catalog) = (self.digest.get(), self.catalog.clone());
        self.run("SAVEPOINT contained")?;
        let outcome = match work(self) {
            Ok(done) => Ok(done),
            Err(Trouble::Failure(failure)) => Err(failure),
            Err(Trouble::Sqlite(e)) if is_of_the_statement(&e) => Err(self.failure(&e)),
            Err(Trouble::Sqlite(e)) => return Err(e.into()),
            Err(Trouble::Engine(e)) => return Err(e),
        };
        if let Err(failure) = &outcome {
            self.budget.allow_all();
            self.digest.set(hash);
            if !Arc::ptr_eq(&catalog, &self.catalog) {
                self.adopt(catalog);
            }
            if self.connection.is_autocommit() {
                return Err(EngineError::Undone(Box::new(failure.clone())));
            }
            self.run("ROLLBACK TO contained")?;
        }
        self.run("RELEASE contained")?;
        Ok(outcome)
    }

    pub(super) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.raw_execute()?;
        Ok(())
    }

    /// Carries out a statement once for each row of its parameters.
    pub(super) fn statement(&self, statement: &Statement) -> Result<Done, Trouble> {
        let mut prepared = self.connection.prepare_cached(&statement.sql)?;
        let (parameters, columns) = (prepared.parameter_count(), prepared.column_count());
        let mut values = &statement.rows[..];
        let mut done = Done::default();
        let mut rows = Vec::new();
        for _ in 0..statement.count {
            for place in 1..=parameters {
                let value = row::take(&mut values).map_err(EngineError::from)?;
                prepared.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
            }
            if statement.returning {
                let mut found = prepared.raw_query();
                while let Some(row) = found.next()? {
                    done.count += 1;
                    (0..columns).try_for_each(|place| row.get_ref(place).map(|v| row::put(&mut rows, v)))?;
                    if rows.len() > MOST_RESULT {
                        return Err(Trouble::Failure(too_much()));
                    }
                }
                drop(found);
                done.affected += self.connection.changes();
            } else {
                done.affected += prepared.raw_execute()? as u64;
            }
        }
        done.rows = rows.into();
        let given = self.sequences.take_given().into_iter();
        done.sequences = given.map(|(sequence, last)| SequencePosition { sequence, last }).collect();
        Ok(done)
    }

    /// Changes the schema and the catalogue that tells of it.
    pub(super) fn ddl(&mut self, ddl: &Ddl) -> Result<Done, Trouble> {
        for guard in &ddl.guards {
            if self.connection.prepare(&guard.sql)?.exists([])? {
                return Err(Trouble::Failure(guard.refusal.clone().unwrap_or_default()));
            }
        }
        let mut done = Done::default();
        for statement in &ddl.statements {
            self.digest.mix(statement.as_bytes());
            if let Some(redefined) = statement.strip_prefix(REDEFINE) {
                schema::redefine(&self.connection, redefined)?;
                continue;
            }
            let mut prepared = self.connection.prepare(statement)?;
            if prepared.column_count() > 0 {
                let mut rows = prepared.raw_query();
                while rows.next()?.is_some() {}
                continue;
            }
            // Only what copies rows says how many.
            done.affected = prepared.raw_execute()? as u64;
        }
        let changes = ddl.changes.iter().map(|json| serde_json::from_str::<CatalogChange>(json));
        let changes: Vec<CatalogChange> =
            changes.collect::<Result<_, _>>().map_err(|e| EngineError::Malformed(e.to_string()))?;
        let after = self.catalog.after(&changes, ddl.next_oid);
        tables::put_catalog(&self.connection, &changes, &after)?;
        ddl.changes.iter().for_each(|change| self.digest.mix(change.as_bytes()));
        self.adopt(Arc::new(after));
        Ok(done)
    }

    pub(super) fn adopt(&mut self, catalog: Arc<Catalog>) {
        self.sequences.adopt(&catalog);
        self.catalog = catalog;
    }

    /// What a client is told of SQLite's error.
    fn failure(&self, e: &rusqlite::Error) -> Failure {
        if let Some(SqlError { state, message, detail, hint, .. }) = crate::functions::error_of(e) {
            let state = state.to_string();
            let (detail, hint) = (detail.unwrap_or_default(), hint.unwrap_or_default());
            return Failure { state, message, detail, hint, sqlite: 0 };
        }
        if let rusqlite::Error::SqliteFailure(inner, _) = e
            && inner.code == rusqlite::ErrorCode::OperationInterrupted
        {
            let why = match self.budget.is_stopped() {
                true => "canceling statement due to user request",
                false => "canceling statement due to statement timeout",
            };
            return failed(SqlState::QUERY_CANCELED, why);
        }
        let (sqlite, message) = match e {
            rusqlite::Error::SqliteFailure(inner, message) => (inner.extended_code, message.clone()),
            rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, Some(msg.clone())),
            other => (rusqlite::ffi::SQLITE_ERROR, Some(other.to_string())),
        };
        Failure { sqlite, message: message.unwrap_or_else(|| e.to_string()), ..Failure::default() }
    }

    /// Changes something behind the log's back.
    #[cfg(test)]
    pub(crate) fn tamper(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }
}

/// Why a statement was not carried out.
pub(super) enum Trouble {
    /// It is told to the client as it is.
    Failure(Failure),
    /// SQLite says so: the statement's fault or the machine's.
    Sqlite(rusqlite::Error),
    /// The machine's fault.
    Engine(EngineError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

impl From<EngineError> for Trouble {
    fn from(e: EngineError) -> Self {
        Self::Engine(e)
    }
}

/// A failure with nothing but a message.
pub(crate) fn failed(state: SqlState, message: &str) -> Failure {
    Failure { state: state.to_string(), message: message.to_owned(), ..Failure::default() }
}

fn too_much() -> Failure {
    failed(SqlState::PROGRAM_LIMIT_EXCEEDED, "the rows that RETURNING gives are over 64 MiB: give back fewer")
}

pub(super) fn foreign_key() -> Failure {
    Failure {
        sqlite: rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
        message: "FOREIGN KEY constraint failed".to_owned(),
        ..Failure::default()
    }
}

/// The time zone of a name; empty: UTC.
fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// Parameters, as they stand in the log.
pub(crate) fn parameters<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    values.into_iter().for_each(|value| row::put(&mut out, value));
    out
}
