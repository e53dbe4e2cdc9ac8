//! A host and a session that know a few words instead of SQL.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{SqlError, SqlState};
use tokio::time::Instant;

use crate::wire::{
    Binding, BoxStream, CancelRequest, Client, Completion, Control, CopyEvent, Description, Field, Format,
    Formats, Host, Login, Method, Opened, Prepared, Security, Session, Severity, Status, Tag, Verifier,
};

/// What happened behind the connection, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// What was not taken yet.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `trusted` needs no password, `rejected` is told so, `panics` and `waits` do, all others need what is here.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) passwords: BTreeMap<String, Verifier>,
    pub(crate) log: Log,
    /// How long a client may say nothing.
    pub(crate) idle: Option<Duration>,
    /// What TLS would bring about.
    pub(crate) security: Security,
    pub(crate) handshake_fails: bool,
}

impl Host for FakeHost {
    type Session = FakeSession;

    async fn upgrade(&self, stream: BoxStream) -> io::Result<(BoxStream, Security)> {
        if self.handshake_fails {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((stream, self.security.clone()))
    }

    async fn authenticate(&self, login: &Login) -> Result<Method, SqlError> {
        match login.user.as_str() {
            "trusted" => Ok(Method::Trust),
            "rejected" => {
                let state = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
                Err(SqlError::new(state, "role \"rejected\" is not permitted to log in"))
            }
            "panics" => panic!("a host with a bug"),
            "waits" => std::future::pending().await,
            user => Ok(Method::Scram(self.passwords.get(user).cloned())),
        }
    }

    async fn connect(&self, login: Login, control: &Control) -> Result<Opened<FakeSession>, SqlError> {
        if login.database == "nope" {
            let message = "database \"nope\" does not exist";
            return Err(SqlError::new(SqlState::INVALID_CATALOG_NAME, message));
        }
        self.log.add(format!("connect {} {:?}", login.user, login.settings));
        let secret = vec![7; login.secret_length()];
        let session = FakeSession {
            prepared: Prepared::default(),
            status: Status::Idle,
            control: control.clone(),
            log: self.log.clone(),
            idle: self.idle,
        };
        let parameters = vec![("server_version".into(), "15.0".to_owned())];
        Ok(Opened { session, pid: 42, secret, parameters })
    }

    async fn cancel(&self, request: CancelRequest) {
        self.log.add(format!("cancel {} {:?}", request.pid, request.secret));
    }
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Empty,
    /// `rows 3 100`: so many rows of so many bytes.
    Rows(u64, usize),
    /// `$ $`: as many parameters as dollars, given back as a row.
    Echo(usize),
    /// A transaction's, with its tag and what it leads to.
    Transaction(&'static str, Status),
    CopyIn,
    /// `copyinfail`: at the first piece of data.
    CopyInFails,
    /// `copyout 3`: so many lines.
    CopyOut(u64),
    /// `copyoutfail 3`: an error after so many lines.
    CopyOutFails(u64),
    /// Until it is told to stop.
    Wait,
    Panic,
    /// An error in the middle of a row.
    HalfRow,
    /// An error that ends the connection.
    Fatal,
    Notice,
    Set,
}

/// Types of what comes out.
const TEXT: u32 = 25;
/// More would only take time.
const MOST: u64 = 5000;

fn verb(sql: &str) -> Result<Verb, SqlError> {
    let mut words = sql.split_ascii_whitespace();
    let word = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(1_u64).min(MOST);
    Ok(match word {
        "" => Verb::Empty,
        "rows" => {
            let count = number();
            Verb::Rows(count, usize::try_from(number()).unwrap_or(1))
        }
        "$" => Verb::Echo(sql.matches('$').count()),
        "begin" => Verb::Transaction("BEGIN", Status::InTransaction),
        "commit" => Verb::Transaction("COMMIT", Status::Idle),
        "rollback" => Verb::Transaction("ROLLBACK", Status::Idle),
        "copyin" => Verb::CopyIn,
        "copyinfail" => Verb::CopyInFails,
        "copyout" => Verb::CopyOut(number()),
        "copyoutfail" => Verb::CopyOutFails(number()),
        "wait" => Verb::Wait,
        "panic" if !cfg!(fuzzing) => Verb::Panic,
        "halfrow" => Verb::HalfRow,
        "fatal" => Verb::Fatal,
        "notice" => Verb::Notice,
        "set" => Verb::Set,
        _ => {
            let message = format!("syntax error at or near \"{word}\"");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(1));
        }
    })
}

fn fields(verb: Verb) -> Option<Vec<Field>> {
    let columns = match verb {
        Verb::Rows(..) | Verb::HalfRow | Verb::Wait => 1,
        Verb::Echo(parameters) => parameters,
        _ => return None,
    };
    let field = Field { name: "v".to_owned(), table: 0, column: 0, ty: TEXT, size: -1, modifier: -1 };
    Some(vec![field; columns])
}

#[derive(Debug)]
pub(crate) struct Statement {
    verb: Verb,
    parameters: Vec<u32>,
    fields: Option<Vec<Field>>,
}

#[derive(Debug)]
pub(crate) struct Portal {
    statement: Arc<Statement>,
    formats: Formats,
    values: Vec<Option<Vec<u8>>>,
    position: u64,
}

#[derive(Debug)]
pub(crate) struct FakeSession {
    prepared: Prepared<Statement, Portal>,
    status: Status,
    control: Control,
    log: Log,
    idle: Option<Duration>,
}

impl FakeSession {
    fn allowed(&self, verb: Verb) -> Result<(), SqlError> {
        if self.status != Status::Failed || matches!(verb, Verb::Transaction(_, Status::Idle)) {
            return Ok(());
        }
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        Err(SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message))
    }

    async fn run(
        &mut self,
        verb: Verb,
        values: &[Option<Vec<u8>>],
        (position, max): (&mut u64, u64),
        client: &mut Client,
    ) -> Result<Completion, SqlError> {
        self.allowed(verb)?;
        let tag = match verb {
            Verb::Empty => return Ok(Completion::Empty),
            Verb::Rows(count, size) => return rows(count, size, position, max, client).await,
            Verb::Echo(_) => {
                client
                    .row(|row| {
                        values.iter().try_for_each(|value| match value {
                            Some(value) => row.value(value),
                            None => {
                                row.null();
                                Ok(())
                            }
                        })
                    })
                    .await?;
                Tag::counted("SELECT", 1)
            }
            Verb::Transaction(words, status) => {
                self.status = status;
                Tag::of(words)
            }
            Verb::CopyIn | Verb::CopyInFails => {
                let bytes = self.copy_in(verb == Verb::CopyInFails, client).await?;
                Tag::counted("COPY", bytes)
            }
            Verb::CopyOut(lines) | Verb::CopyOutFails(lines) => {
                copy_out(lines, verb == Verb::CopyOutFails(lines), client).await?;
                Tag::counted("COPY", lines)
            }
            Verb::Wait => return Err(self.control.until_stopped().await),
            Verb::Panic => panic!("a session with a bug"),
            Verb::HalfRow => {
                client.row(|row| row.value(b"half").and_then(|()| Err(division()))).await?;
                Tag::counted("SELECT", 1)
            }
            Verb::Fatal => return Err(SqlError::new(SqlState(*b"57P04"), "database was dropped")),
            Verb::Notice => {
                let notice = SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, "take notice");
                client.notice(Severity::Warning, &notice);
                Tag::of("NOTICE")
            }
            Verb::Set => {
                client.parameter("application_name", "x");
                Tag::of("SET")
            }
        };
        Ok(Completion::Done(tag))
    }

    async fn copy_in(&mut self, fails: bool, client: &mut Client) -> Result<u64, SqlError> {
        client.copy_in(Format::Text, 1).await?;
        let mut bytes = 0;
        while let CopyEvent::Data(piece) = client.copy_next().await? {
            if fails {
                return Err(division());
            }
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }
}

async fn rows(
    count: u64,
    size: usize,
    position: &mut u64,
    max: u64,
    client: &mut Client,
) -> Result<Completion, SqlError> {
    let mut given = 0;
    while *position < count {
        if given == max {
            return Ok(Completion::Suspended);
        }
        if let Some(stop) = client.control().stopped() {
            return Err(stop);
        }
        *position += 1;
        given += 1;
        let value = if size == 1 { position.to_string() } else { "x".repeat(size) };
        client.row(|row| row.value(value.as_bytes())).await?;
    }
    // Whoever asked for just as many does not know that these were the last.
    Ok(if given == max { Completion::Suspended } else { Completion::Done(Tag::counted("SELECT", given)) })
}

async fn copy_out(lines: u64, fails: bool, client: &mut Client) -> Result<(), SqlError> {
    client.copy_out(Format::Text, 1)?;
    for line in 0..lines {
        client
            .copy_data(|out| {
                out.extend_from_slice(format!("{line}\n").as_bytes());
                Ok(())
            })
            .await?;
    }
    if fails {
        return Err(division());
    }
    client.copy_out_done();
    Ok(())
}

fn division() -> SqlError {
    SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

impl Session for FakeSession {
    type Statement = Statement;
    type Portal = Portal;

    fn prepared(&mut self) -> &mut Prepared<Statement, Portal> {
        &mut self.prepared
    }

    fn status(&self) -> Status {
        self.status
    }

    async fn simple(&mut self, sql: &str, client: &mut Client) -> Result<(), SqlError> {
        if sql.split(';').all(|sql| sql.trim().is_empty()) {
            client.empty();
            return Ok(());
        }
        for sql in sql.split(';').filter(|sql| !sql.trim().is_empty()) {
            let verb = verb(sql)?;
            self.allowed(verb)?;
            if let Some(fields) = fields(verb) {
                client.fields(&fields, &Formats::TEXT)?;
            }
            if let Completion::Done(tag) = self.run(verb, &[], (&mut 0, u64::MAX), client).await? {
                client.complete(tag);
            }
        }
        Ok(())
    }

    async fn parse(&mut self, sql: &str, types: &[u32], _: &mut Client) -> Result<Statement, SqlError> {
        let verb = verb(sql)?;
        self.allowed(verb)?;
        let count = if let Verb::Echo(count) = verb { count } else { 0 };
        let mut parameters = types.to_vec();
        parameters.resize(count, TEXT);
        Ok(Statement { verb, parameters, fields: fields(verb) })
    }

    fn describe<'a>(&'a self, statement: &'a Statement) -> Result<Description<'a>, SqlError> {
        Ok(Description { parameters: &statement.parameters, fields: statement.fields.as_deref() })
    }

    async fn bind(
        &mut self,
        statement: &Arc<Statement>,
        binding: Binding<'_>,
        _: &mut Client,
    ) -> Result<Portal, SqlError> {
        self.allowed(statement.verb)?;
        let values = binding.parameters.iter().map(|parameter| parameter.value.map(<[u8]>::to_vec)).collect();
        Ok(Portal { statement: statement.clone(), formats: binding.results, values, position: 0 })
    }

    fn describe_portal<'a>(
        &'a self,
        portal: &'a Portal,
    ) -> Result<Option<(&'a [Field], &'a Formats)>, SqlError> {
        Ok(portal.statement.fields.as_deref().map(|fields| (fields, &portal.formats)))
    }

    async fn execute(
        &mut self,
        portal: &mut Portal,
        max_rows: Option<u32>,
        client: &mut Client,
    ) -> Result<Completion, SqlError> {
        let max = max_rows.map_or(u64::MAX, u64::from);
        let Portal { statement, values, position, .. } = portal;
        self.run(statement.verb, values, (position, max), client).await
    }

    async fn sync(&mut self, _: &mut Client) -> Result<(), SqlError> {
        self.log.add("sync");
        Ok(())
    }

    async fn failed(&mut self) {
        self.log.add("failed");
        if self.status == Status::InTransaction {
            self.status = Status::Failed;
        }
    }

    fn idle_deadline(&self) -> Option<Instant> {
        self.idle.map(|idle| Instant::now() + idle)
    }

    async fn end(&mut self) {
        self.log.add("end");
    }
}
