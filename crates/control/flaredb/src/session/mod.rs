//! What one client has: its settings, its statements, its transaction.
//!
//! - `statement`: statements that are planned, and portals of them.
//! - `bind`: values that come, rows that go.
//! - `block`: the transaction.
//! - `execute`: what each kind of plan does.
//! - `read`: queries on a snapshot. `write`: what goes through the log.
//! - `command`: statements about the session itself.
//! - `permit`: who may do what.
//! - `explain`: SQLite's errors in PostgreSQL's words.
//! - `host`: who is let in.

mod bind;
mod block;
mod command;
mod execute;
mod explain;
mod host;
mod permit;
mod read;
pub(crate) mod settings;
mod statement;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::types::Value;

pub(crate) use self::host::Clients;
pub(crate) use self::statement::{Portal, Statement};

use self::block::{Block, Work};
use self::execute::Done;
use self::settings::Parameters;
use crate::base::{Catalog, Settings, SqlError, SqlState, Type};
use crate::node::Databases;
use crate::replica::Replica;
use crate::sql::Parsed;
use crate::value::time::Clock;
use crate::wire::{
    self, Binding, Client, Completion, Control, Description, Field, Formats, Prepared, Severity, Status,
};

/// How long a transaction waits for its turn to write if `lock_timeout` says nothing.
const TURN: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Session {
    replica: Replica,
    databases: Databases,
    parameters: Parameters,
    /// Those of the parameters that planning and values need.
    settings: Settings,
    /// Rises when they change: plans were made for one.
    generation: u64,
    prepared: Prepared<Statement, Portal>,
    control: Control,
    block: Option<Block>,
    /// The last value that each sequence gave, and which gave one last.
    sequences: BTreeMap<u32, i64>,
    last_sequence: Option<u32>,
    /// What the client is to be told of its settings.
    told: Vec<settings::Told>,
    notices: Vec<SqlError>,
    pid: i32,
}

impl Session {
    /// The catalogue that statements are planned for.
    fn catalog(&self) -> Arc<Catalog> {
        match self.block.as_ref().and_then(|block| block.catalog.clone()) {
            Some(catalog) => catalog,
            None => self.replica.catalog(),
        }
    }

    /// Microseconds since 1970.
    fn now(&self) -> i64 {
        let now = self.replica.context().clock().now();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    /// The time of a statement: its transaction's.
    fn statement_time(&self) -> i64 {
        self.block.as_ref().map_or_else(|| self.now(), |block| block.now)
    }

    fn plan(&self, parsed: Parsed, declared: Vec<Option<Type>>) -> Result<Statement, SqlError> {
        self.must_not_have_failed(&parsed)?;
        Statement::new(Arc::new(parsed), declared, &self.catalog(), (&self.settings, self.generation))
    }

    /// In a block that has failed, only its end is heard.
    fn must_not_have_failed(&self, parsed: &Parsed) -> Result<(), SqlError> {
        if self.block.as_ref().is_some_and(|block| block.failed)
            && !parsed.ends_transaction()
            && !parsed.is_empty()
        {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message));
        }
        Ok(())
    }

    fn portal(
        &self,
        statement: &Arc<Statement>,
        values: Vec<Value>,
        formats: Formats,
    ) -> Result<Portal, SqlError> {
        let plan = statement.current(&self.catalog(), (&self.settings, self.generation))?;
        let fields = statement::gives_rows(&plan).then(|| plan.columns.iter().map(bind::field).collect());
        Ok(Portal { statement: Arc::clone(statement), plan, values, formats, fields, fetched: None })
    }

    /// Tells what has been put by.
    fn report(&mut self, client: &mut Client) {
        for (name, value) in std::mem::take(&mut self.told) {
            client.parameter(name, &value);
        }
        for notice in std::mem::take(&mut self.notices) {
            client.notice(Severity::Notice, &notice);
        }
    }

    /// The client is to be told of these settings.
    fn tell(&mut self, told: Vec<settings::Told>) {
        self.told.extend(told);
        self.settings_changed();
    }

    /// Whether what comes next ends the batch, so that a statement may be a transaction by itself.
    fn stands_alone(&self, client: &Client) -> bool {
        self.block.is_none() && client.next_is_sync()
    }

    /// A statement outside a block, with others behind it: they belong together.
    fn open_implicit(&mut self) {
        if self.block.is_none() {
            let now = self.now();
            self.block = Some(Block::new(false, false, now));
        }
    }

    /// A statement of a simple query, to its end.
    async fn run(&mut self, parsed: Parsed, alone: bool, client: &mut Client) -> Result<(), SqlError> {
        if parsed.is_empty() {
            client.empty();
            return Ok(());
        }
        let statement = Arc::new(self.plan(parsed, Vec::new())?);
        if !statement.parameters.is_empty() {
            return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        let mut portal = self.portal(&statement, Vec::new(), Formats::TEXT)?;
        if !alone && !execute::is_about_transactions(&portal.plan) {
            self.open_implicit();
        }
        let done = self.execute_plan(&mut portal, alone).await?;
        if let Some(fields) = &portal.fields {
            client.fields(fields, &portal.formats)?;
        }
        let completion = self.give(&mut portal, done, None, client).await?;
        self.report(client);
        if let Completion::Done(tag) = completion {
            client.complete(tag);
        }
        Ok(())
    }

    /// Gives rows on, as many as were asked for.
    async fn give(
        &mut self,
        portal: &mut Portal,
        done: Option<Done>,
        most: Option<u32>,
        client: &mut Client,
    ) -> Result<Completion, SqlError> {
        if let Some(done) = done {
            let Some(rows) = done.rows else { return Ok(Completion::Done(done.tag)) };
            portal.fetched = Some(statement::Fetched { rows, offset: 0, given: 0, tag: done.tag });
        }
        let Some(fetched) = &mut portal.fetched else { return Ok(Completion::Empty) };
        let mut left = most.filter(|most| *most > 0).map(u64::from);
        while fetched.given < fetched.rows.count {
            if left == Some(0) {
                return Ok(Completion::Suspended);
            }
            let mut rest = &fetched.rows.bytes[fetched.offset..];
            let (columns, settings) = (&portal.plan.columns, &self.settings);
            let malformed = |_| SqlError::new(SqlState::INTERNAL_ERROR, "a row cannot be read");
            client
                .row(|row| {
                    bind::write(row, columns, &portal.formats, settings, |_| {
                        crate::engine::take(&mut rest).map_err(malformed)
                    })
                })
                .await?;
            fetched.offset = fetched.rows.bytes.len() - rest.len();
            fetched.given += 1;
            left = left.map(|left| left - 1);
            if let Some(stopped) = self.control.stopped() {
                return Err(stopped);
            }
        }
        Ok(Completion::Done(fetched.tag))
    }
}

impl wire::Session for Session {
    type Statement = Statement;
    type Portal = Portal;

    fn prepared(&mut self) -> &mut Prepared<Statement, Portal> {
        &mut self.prepared
    }

    fn status(&self) -> Status {
        self.block_status()
    }

    async fn simple(&mut self, sql: &str, client: &mut Client) -> Result<(), SqlError> {
        let statements = crate::sql::parse(sql)?;
        let only = statements.len() == 1;
        for parsed in statements {
            self.must_not_have_failed(&parsed)?;
            let alone = only && self.block.is_none();
            self.run(parsed, alone, client).await?;
        }
        if self.block.as_ref().is_some_and(|block| !block.explicit) {
            self.commit().await?;
            self.report(client);
        }
        Ok(())
    }

    async fn parse(&mut self, sql: &str, types: &[u32], _client: &mut Client) -> Result<Statement, SqlError> {
        let mut statements = crate::sql::parse(sql)?;
        let (Some(parsed), true) = (statements.pop(), statements.is_empty()) else {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        };
        let declared = types.iter().map(|oid| declared(*oid)).collect::<Result<Vec<_>, _>>()?;
        self.plan(parsed, declared)
    }

    fn describe<'a>(&'a self, statement: &'a Statement) -> Result<Description<'a>, SqlError> {
        Ok(Description { parameters: &statement.parameters, fields: statement.fields.as_deref() })
    }

    async fn bind(
        &mut self,
        statement: &Arc<Statement>,
        binding: Binding<'_>,
        _client: &mut Client,
    ) -> Result<Portal, SqlError> {
        self.must_not_have_failed(&statement.parsed)?;
        let clock = Clock { now: self.statement_time(), zone: &self.settings.time_zone };
        let values = bind::values(&binding.parameters, &statement.plan.parameters, &clock)?;
        self.portal(statement, values, binding.results)
    }

    fn describe_portal<'a>(
        &'a self,
        portal: &'a Portal,
    ) -> Result<Option<(&'a [Field], &'a Formats)>, SqlError> {
        Ok(portal.fields.as_deref().map(|fields| (fields, &portal.formats)))
    }

    async fn execute(
        &mut self,
        portal: &mut Portal,
        max_rows: Option<u32>,
        client: &mut Client,
    ) -> Result<Completion, SqlError> {
        if portal.statement.parsed.is_empty() {
            return Ok(Completion::Empty);
        }
        let mut done = None;
        if portal.fetched.is_none() {
            self.must_not_have_failed(&portal.statement.parsed)?;
            let alone = self.stands_alone(client) || execute::is_about_transactions(&portal.plan);
            if !alone {
                self.open_implicit();
            }
            done = self.execute_plan(portal, alone && self.block.is_none()).await?;
        }
        let completion = self.give(portal, done, max_rows, client).await?;
        self.report(client);
        Ok(completion)
    }

    async fn sync(&mut self, client: &mut Client) -> Result<(), SqlError> {
        if self.block.as_ref().is_some_and(|block| !block.explicit) {
            self.commit().await?;
        }
        self.report(client);
        Ok(())
    }

    async fn failed(&mut self) {
        match &mut self.block {
            Some(block) if block.explicit => block.failed = true,
            Some(_) => self.roll_back().await,
            None => {}
        }
    }

    async fn end(&mut self) {
        self.roll_back().await;
    }
}

/// A type that a client says a parameter has. Errors: 42704.
fn declared(oid: u32) -> Result<Option<Type>, SqlError> {
    if oid == 0 {
        return Ok(None);
    }
    Type::from_oid(oid).map(Some).ok_or_else(|| {
        SqlError::new(SqlState::UNDEFINED_OBJECT, format!("type with OID {oid} does not exist"))
    })
}
