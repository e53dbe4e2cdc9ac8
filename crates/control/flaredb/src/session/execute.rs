//! What each kind of plan does.

use std::sync::Arc;

use rusqlite::types::Value;

use super::read::{Query, Rows};
use super::statement::Portal;
use super::{Session, Work, permit};
use crate::base::{SqlError, SqlState};
use crate::engine::{Reader, STALE};
use crate::pgcat;
use crate::replica::Level;
use crate::sql::plan::{Command, Hidden, Kind, Plan};
use crate::sql::session;
use crate::wire::Tag;

/// As PostgreSQL's message has it.
const SESSION: &str = concat!("this", " session");
/// How often a statement is planned anew because the catalogue moves on under it.
const ATTEMPTS: usize = 8;

/// What came of a plan.
pub(super) struct Done {
    pub(super) rows: Option<Rows>,
    pub(super) tag: Tag,
}

impl Done {
    pub(super) fn of(words: &'static str) -> Option<Self> {
        Some(Self { rows: None, tag: Tag::of(words) })
    }
}

/// Whether it begins or ends a transaction itself.
pub(super) fn is_about_transactions(plan: &Plan) -> bool {
    use session::Session as S;
    matches!(&plan.kind, Kind::Session(S::Begin { .. } | S::Commit { .. } | S::Rollback { .. }))
}

impl Session {
    /// Carries out a portal's plan. None: there is nothing to carry out.
    pub(super) async fn execute_plan(
        &mut self,
        portal: &mut Portal,
        alone: bool,
    ) -> Result<Option<Done>, SqlError> {
        for _ in 0..ATTEMPTS {
            let catalog = self.catalog();
            permit::check(&portal.plan, &catalog, &self.settings.user)?;
            match self.attempt(portal, alone).await {
                Err(error) if error.state.as_str() == STALE => {
                    // The catalogue here may be behind the leader's.
                    self.replica.be_current(Level::Strict).await?;
                    let settings = (&self.settings, self.generation);
                    portal.plan = portal.statement.current(&self.catalog(), settings)?;
                }
                other => return other,
            }
        }
        let message = "the schema changes all the time; try again";
        Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message))
    }

    async fn attempt(&mut self, portal: &Portal, alone: bool) -> Result<Option<Done>, SqlError> {
        let plan = Arc::clone(&portal.plan);
        match &plan.kind {
            Kind::Empty => Ok(None),
            Kind::Query { sql } if plan.sequences => {
                let values = self.values(&plan, &portal.values)?;
                let rows = self.write_rows(&plan, sql, values, (true, None), alone).await?;
                Ok(Some(selected(rows.0)))
            }
            Kind::Query { sql } => {
                if plan.locks && self.block.is_some() {
                    self.begin_writing().await?;
                }
                let values = self.values(&plan, &portal.values)?;
                self.query(&plan, sql, values).await.map(|rows| Some(selected(rows)))
            }
            Kind::Write(write) => {
                let values = self.values(&plan, &portal.values)?;
                let what = (write.returning, Some(write.table));
                let (rows, affected) = self.write_rows(&plan, &write.sql, values, what, alone).await?;
                let words = match write.command {
                    Command::Insert => "INSERT 0",
                    Command::Update => "UPDATE",
                    Command::Delete => "DELETE",
                };
                let rows = write.returning.then_some(rows);
                let count = rows.as_ref().map_or(affected, |rows| rows.count);
                Ok(Some(Done { rows, tag: Tag::counted(words, count) }))
            }
            Kind::Ddl(ddl) => self.define(&plan, ddl, alone).await,
            Kind::Session(command) => self.command(command).await,
            Kind::Explain { plan, .. } => self.explain_plan(plan).await.map(Some),
            Kind::Lock { .. } => {
                if self.block.is_none() {
                    let message = "LOCK TABLE can only be used in transaction blocks";
                    return Err(SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
                }
                self.begin_writing().await?;
                Ok(Done::of("LOCK TABLE"))
            }
            Kind::Prepare { .. } | Kind::Execute { .. } => {
                Err(SqlError::unsupported("PREPARE as a statement"))
            }
            Kind::Declare { .. } => Err(SqlError::unsupported("DECLARE CURSOR")),
            Kind::CopyIn(_) | Kind::CopyOut { .. } => Err(SqlError::unsupported("COPY")),
            Kind::Database(_) => Err(SqlError::unsupported("CREATE DATABASE as a statement")),
        }
    }

    /// The values that are bound: the client's, and behind them what only the session knows.
    fn values(&self, plan: &Plan, given: &[Value]) -> Result<Vec<Value>, SqlError> {
        let mut values = given.to_vec();
        for hidden in &plan.hidden {
            values.push(match hidden {
                Hidden::BackendPid => Value::Integer(self.pid.into()),
                Hidden::Currval(oid) => match self.sequences.get(oid) {
                    Some(value) => Value::Integer(*value),
                    None => {
                        let catalog = self.catalog();
                        let name = catalog.relations.get(oid).map_or("", |relation| relation.name.as_str());
                        let message =
                            format!("currval of sequence \"{name}\" is not yet defined in {SESSION}");
                        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
                    }
                },
                Hidden::Lastval => match self.last_sequence.and_then(|oid| self.sequences.get(&oid)) {
                    Some(value) => Value::Integer(*value),
                    None => {
                        let message = format!("lastval is not yet defined in {SESSION}");
                        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
                    }
                },
                Hidden::Setting { name, missing_ok } => match self.parameters.show(name) {
                    Ok((_, value)) => Value::Text(value),
                    Err(_) if *missing_ok => Value::Null,
                    Err(error) => return Err(error),
                },
            });
        }
        Ok(values)
    }

    /// Rows on a snapshot, or at the leader if the block has written.
    async fn query(&mut self, plan: &Plan, sql: &str, values: Vec<Value>) -> Result<Rows, SqlError> {
        let writing = self.block.as_ref().is_some_and(|block| matches!(block.work, Work::Writing(_)));
        if writing && plan.systems.is_empty() {
            return self.write_rows(plan, sql, values, (true, None), false).await.map(|(rows, _)| rows);
        }
        let reader = self.snapshot(plan.catalog_version).await?;
        let query = self.query_of(plan, sql.to_owned(), values);
        self.on_snapshot(reader, move |reader| query.run(reader)).await
    }

    fn query_of(&self, plan: &Plan, sql: String, values: Vec<Value>) -> Query {
        let (mut databases, mut shown) = (Vec::new(), Vec::new());
        if !plan.systems.is_empty() {
            databases = self.known_databases();
            let all = self.parameters.all();
            shown = all
                .map(|(name, value)| pgcat::Setting {
                    name: name.to_owned(),
                    value,
                    ..pgcat::Setting::default()
                })
                .collect();
        }
        Query {
            sql,
            values,
            systems: plan.systems.clone(),
            catalog: self.catalog(),
            settings: self.settings.clone(),
            databases,
            sessions: Vec::new(),
            shown,
            now: self.statement_time(),
            seed: self.replica.context().entropy().next_u64(),
        }
    }

    fn known_databases(&self) -> Vec<pgcat::Database> {
        let names = self.databases.known_names();
        let of =
            |(place, (name, owner)): (u32, (String, String))| pgcat::Database { oid: 5 + place, name, owner };
        (0..).zip(names).map(of).collect()
    }

    /// The block's snapshot, or a new one; of this version of the catalogue, or the statement is planned anew.
    async fn snapshot(&mut self, version: u64) -> Result<Reader, SqlError> {
        if let Some(block) = &mut self.block
            && let Work::Reading(_) = block.work
            && let Work::Reading(reader) = std::mem::replace(&mut block.work, Work::Nothing)
        {
            return Ok(reader);
        }
        let level = self.read_level();
        self.replica.be_current(level).await?;
        let reader = self.replica.reader()?;
        match reader.pin() {
            Ok(found) if found == version || version == 0 => Ok(reader),
            Ok(_) => {
                self.replica.give_back(reader);
                Err(SqlError::new(SqlState(*b"UC001"), "planned for another catalogue"))
            }
            Err(e) => Err(SqlError::new(SqlState::IO_ERROR, format!("the database cannot be read: {e}"))),
        }
    }

    /// Runs it beside the other clients' work; the client may stop it. The snapshot stays with a block.
    async fn on_snapshot<T: Send + 'static>(
        &mut self,
        reader: Reader,
        run: impl FnOnce(&Reader) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let stopper = reader.budget.stopper();
        reader.budget.begin();
        let context = self.replica.context().clone();
        let work = context.blocking(move || {
            let done = run(&reader);
            (reader, done)
        });
        let mut work = std::pin::pin!(work);
        let limit = self.parameters.time("statement_timeout").unwrap_or(std::time::Duration::MAX / 4);
        let mut late = false;
        let finished = tokio::select! {
            biased;
            finished = &mut work => finished,
            _ = self.control.until_stopped() => {
                stopper.stop();
                work.await
            }
            () = tokio::time::sleep(limit.min(FOR_EVER)) => {
                late = true;
                stopper.stop();
                work.await
            }
        };
        let Some((reader, done)) = finished else {
            return Err(SqlError::new(
                SqlState::INTERNAL_ERROR,
                "the query failed in a way that nobody expected",
            ));
        };
        match &mut self.block {
            Some(block) if matches!(block.work, Work::Nothing) => block.work = Work::Reading(reader),
            _ => self.replica.give_back(reader),
        }
        done.map_err(|error| match error.state {
            SqlState::QUERY_CANCELED if late => {
                SqlError::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
            }
            _ => error,
        })
    }

    fn read_level(&self) -> Level {
        let told = self.parameters.get("flaredb.read_level");
        match told.split_once('(') {
            Some(("bounded", lag)) => {
                let lag = humantime(lag.trim_end_matches(')'));
                lag.map_or(Level::Strict, Level::Bounded)
            }
            _ if told == "local" => Level::Local,
            _ => Level::Strict,
        }
    }

    /// SQLite's own plan, a line each.
    async fn explain_plan(&mut self, plan: &Plan) -> Result<Done, SqlError> {
        let sql = match &plan.kind {
            Kind::Query { sql } => sql,
            Kind::Write(write) => &write.sql,
            _ => return Err(SqlError::unsupported("EXPLAIN of this statement")),
        };
        let reader = self.snapshot(plan.catalog_version).await?;
        let inner = self.query_of(plan, format!("EXPLAIN QUERY PLAN {sql}"), Vec::new());
        let rows = self.on_snapshot(reader, move |reader| inner.run(reader)).await?;
        let mut rest = &rows.bytes[..];
        let mut shown = Rows::default();
        let malformed = |_| SqlError::new(SqlState::INTERNAL_ERROR, "a row cannot be read");
        for _ in 0..rows.count {
            // Number, parent, unused, text.
            for _ in 0..3 {
                crate::engine::take(&mut rest).map_err(malformed)?;
            }
            crate::engine::put(&mut shown.bytes, crate::engine::take(&mut rest).map_err(malformed)?);
            shown.count += 1;
        }
        Ok(Done { rows: Some(shown), tag: Tag::of("EXPLAIN") })
    }
}

/// Longer than any statement is let run.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);

fn selected(rows: Rows) -> Done {
    let tag = Tag::counted("SELECT", rows.count);
    Done { rows: Some(rows), tag }
}

/// `500ms`, `2s`, `1min`.
fn humantime(text: &str) -> Option<std::time::Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().ok()?;
    match unit.trim() {
        "ms" => Some(std::time::Duration::from_millis(number)),
        "s" => Some(std::time::Duration::from_secs(number)),
        "min" => Some(std::time::Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}
