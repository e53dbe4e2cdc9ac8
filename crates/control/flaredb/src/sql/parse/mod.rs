//! From a query string to statements. Nothing is looked up here: a statement that parses may still name what is
//! not there.

mod copy;
mod ddl;
mod dialect;
mod limits;
mod prepared;
mod privileges;
mod reader;
mod roles;
mod setting;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod upkeep;

use std::mem;
use std::sync::Arc;

use crate::base::{SqlError, SqlState};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::{Token, TokenWithSpan};

pub(crate) use self::dialect::BETWEEN_SYMMETRIC;
pub(crate) use self::limits::{Limits, Stack, too_deep};
pub(crate) use self::tokens::{position, slice};

use self::dialect::{Postgres, is_word};
use self::reader::Reader;
use crate::sql::session::Session;
use crate::sql::tree::Statement;

/// A statement that has been parsed, and waits to be planned.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    /// The whole string it stands in: positions of errors count from its start.
    pub(crate) text: Arc<str>,
    /// The statement's own text.
    pub(crate) own: std::ops::Range<usize>,
    pub(crate) statement: Statement,
    /// The highest parameter.
    pub(crate) parameters: u32,
    pub(crate) stack: Stack,
}

impl Parsed {
    /// The statement as it was written.
    pub(crate) fn text(&self) -> &str {
        self.text.get(self.own.clone()).unwrap_or_default()
    }

    /// How many parameters it has: `$1` to `$n`.
    pub(crate) fn parameters(&self) -> u32 {
        self.parameters
    }

    /// Whether it is blank.
    pub(crate) fn is_empty(&self) -> bool {
        self.statement == Statement::Empty
    }

    /// Whether it ends a transaction, which is all that is allowed in one that has failed.
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(
            self.statement,
            Statement::Session(Session::Commit { .. } | Session::Rollback { .. } | Session::RollbackTo(_))
        )
    }

    /// Another statement that stands in the same text.
    pub(crate) fn with(&self, statement: Statement) -> Self {
        Self { statement, text: Arc::clone(&self.text), own: self.own.clone(), ..*self }
    }
}

impl Drop for Parsed {
    fn drop(&mut self) {
        // A chain of operators is a tree as deep as it is long.
        let statement = mem::replace(&mut self.statement, Statement::Empty);
        self.stack.run(|| drop(statement));
    }
}

/// The statements of a query string, each blank part one of them. Errors as PostgreSQL's of syntax (42601), and of
/// limits (54000, 54001).
pub(crate) fn parse(sql: &str) -> Result<Vec<Parsed>, SqlError> {
    parse_within(sql, &Limits::default())
}

/// The same, with limits of one's own.
pub(crate) fn parse_within(sql: &str, limits: &Limits) -> Result<Vec<Parsed>, SqlError> {
    if let Some(place) = sql.find('\0') {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        let position = sql[..place].chars().count() + 1;
        return Err(SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
            .at(u32::try_from(position).unwrap_or(u32::MAX)));
    }
    limits::check_text(sql, limits)?;
    let tokens = tokens::tokens(sql)?;
    let stack = limits::check_depth(&tokens, limits)?;
    let text: Arc<str> = sql.into();
    let mut statements = Vec::new();
    for part in tokens.split(|token| token.token == Token::SemiColon) {
        statements.push(one(&text, part, stack, limits)?);
    }
    // The part behind the last semicolon is a statement only if something stands there, or nothing does anywhere.
    if statements.len() > 1 && statements.last().is_some_and(Parsed::is_empty) {
        statements.pop();
    }
    Ok(statements)
}

fn one(text: &Arc<str>, tokens: &[TokenWithSpan], stack: Stack, limits: &Limits) -> Result<Parsed, SqlError> {
    let own = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => {
            first.span.start.line as usize - 1..(last.span.end.line as usize).saturating_sub(1)
        }
        _ => 0..0,
    };
    let bulk =
        tokens.first().is_some_and(|first| is_word(&first.token, "insert") || is_word(&first.token, "copy"));
    limits::check_length(own.len(), bulk, limits)?;
    let parameters = highest_parameter(tokens, limits)?;
    let statement = stack.run(|| {
        let dialect = Postgres::default();
        let mut reader = Reader::new(&dialect, text, tokens.to_vec());
        let statement = statement(&mut reader)?;
        reader.expect_end()?;
        Ok::<_, SqlError>(statement)
    })?;
    Ok(Parsed { text: Arc::clone(text), own, statement, parameters, stack })
}

/// An expression that stands alone, as the catalogue keeps them.
pub(crate) fn parse_expression(text: &str) -> Result<Expr, SqlError> {
    alone(text, |reader| reader.expr())
}

/// A type that stands alone.
pub(crate) fn parse_type(text: &str) -> Result<sqlparser::ast::DataType, SqlError> {
    alone(text, |reader| reader.data_type())
}

fn alone<T>(text: &str, read: impl FnOnce(&mut Reader<'_>) -> Result<T, SqlError>) -> Result<T, SqlError> {
    let limits = Limits::default();
    limits::check_text(text, &limits)?;
    let tokens = tokens::tokens(text)?;
    let stack = limits::check_depth(&tokens, &limits)?;
    stack.run(|| {
        let dialect = Postgres::default();
        let mut reader = Reader::new(&dialect, text, tokens);
        let read = read(&mut reader)?;
        reader.expect_end()?;
        Ok(read)
    })
}

fn highest_parameter(tokens: &[TokenWithSpan], limits: &Limits) -> Result<u32, SqlError> {
    let mut highest = 0;
    for token in tokens {
        let Token::Placeholder(name) = &token.token else { continue };
        let number: Option<u32> = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
        match number {
            Some(number) if (1..=limits.parameters).contains(&number) => highest = highest.max(number),
            _ => {
                let message = format!("there is no parameter {name}");
                return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, message).at(position(token.span)));
            }
        }
    }
    Ok(highest)
}

/// Whatever statement comes next.
fn statement(reader: &mut Reader) -> Result<Statement, SqlError> {
    if reader.at_end() {
        return Ok(Statement::Empty);
    }
    let starts = ["select", "values", "table", "with"];
    if reader.peek().token == Token::LParen || starts.iter().any(|word| reader.sees(word)) {
        return Ok(Statement::Query(reader.query()?));
    }
    if ["insert", "update", "delete", "merge"].iter().any(|word| reader.sees(word)) {
        return reader.through(|parser| parser.parse_statement()).map(Statement::from);
    }
    let Token::Word(word) = &reader.peek().token else { return Err(reader.unexpected()) };
    let word = word.value.to_ascii_lowercase();
    let first = reader.take();
    match session(reader, &word) {
        Some(session) => session.map(Statement::Session),
        None => other(reader, &word).unwrap_or_else(|| Err(syntax::near(reader.text(), Some(&first)))),
    }
}

/// Statements about the session, by their first word.
fn session(reader: &mut Reader, word: &str) -> Option<Result<Session, SqlError>> {
    Some(match word {
        "begin" => transaction::begin(reader, false),
        "start" => transaction::begin(reader, true),
        "commit" | "end" => transaction::end(reader, true),
        "rollback" | "abort" => transaction::end(reader, false),
        "savepoint" => reader.name().map(Session::Savepoint),
        "release" => {
            reader.accept(&["savepoint"]);
            reader.name().map(Session::Release)
        }
        "set" => setting::set(reader),
        "show" => setting::show(reader),
        "reset" => setting::reset(reader),
        "fetch" => upkeep::fetch(reader, false),
        "move" => upkeep::fetch(reader, true),
        "close" => upkeep::close(reader),
        "deallocate" => upkeep::deallocate(reader),
        "discard" => upkeep::discard(reader),
        "listen" => reader.name().map(Session::Listen),
        "unlisten" => upkeep::unlisten(reader),
        "notify" => upkeep::notify(reader),
        "vacuum" => upkeep::maintenance(reader, "VACUUM"),
        "analyze" | "analyse" => upkeep::maintenance(reader, "ANALYZE"),
        "checkpoint" => upkeep::maintenance(reader, "CHECKPOINT"),
        "cluster" => upkeep::maintenance(reader, "CLUSTER"),
        "reindex" => upkeep::maintenance(reader, "REINDEX"),
        _ => return None,
    })
}

/// Everything else, by its first word.
fn other(reader: &mut Reader, word: &str) -> Option<Result<Statement, SqlError>> {
    Some(match word {
        "explain" => prepared::explain(reader),
        "prepare" => prepared::prepare(reader),
        "execute" => prepared::execute(reader),
        "declare" => prepared::declare(reader),
        "copy" => copy::copy(reader),
        "lock" => prepared::lock(reader),
        "create" => ddl::create(reader),
        "alter" => ddl::alter(reader),
        "drop" => ddl::drop(reader),
        "truncate" => ddl::truncate(reader),
        "comment" => ddl::comment(reader),
        "grant" => privileges::grant(reader, true),
        "revoke" => privileges::grant(reader, false),
        "do" | "call" | "import" | "load" | "reassign" | "refresh" | "security" => {
            let name = match word {
                "import" => "IMPORT FOREIGN SCHEMA",
                "reassign" => "REASSIGN OWNED",
                "refresh" => "REFRESH MATERIALIZED VIEW",
                "security" => "SECURITY LABEL",
                _ => word,
            };
            reader.skip_rest();
            Ok(Statement::Unsupported(name.to_uppercase()))
        }
        _ => return None,
    })
}
