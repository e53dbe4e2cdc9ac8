//! `CREATE`, `ALTER`, `DROP` and their like, by PostgreSQL's grammar. What exists in PostgreSQL and not here is
//! known by name, so that it is refused by name.

mod alter;
mod column;
mod create;
mod drop;
mod sequence;
mod table;

pub(crate) use self::alter::alter;
pub(crate) use self::create::create;
pub(crate) use self::drop::{comment, drop, truncate};

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::tree::{Ddl, Statement, Written};

fn ddl(ddl: Ddl) -> Result<Statement, SqlError> {
    Ok(Statement::Ddl(Box::new(ddl)))
}

/// Skips the rest of what is refused by name.
fn unsupported(reader: &mut Reader, name: impl Into<String>) -> Result<Statement, SqlError> {
    reader.skip_rest();
    Ok(Statement::Unsupported(name.into()))
}

/// An expression in parentheses, with its text.
fn parenthesized(reader: &mut Reader) -> Result<Written, SqlError> {
    reader.expect_token(&Token::LParen)?;
    let written = written(reader)?;
    reader.expect_token(&Token::RParen)?;
    Ok(written)
}

/// An expression with its text.
fn written(reader: &mut Reader) -> Result<Written, SqlError> {
    let from = reader.byte();
    let expr = reader.expr()?;
    Ok(Written { expr, text: reader.text_from(from).to_owned() })
}

/// `(a = 1, b)` after `WITH` or `SET`: of SQLite's concern, and ignored.
fn storage(reader: &mut Reader) -> Result<(), SqlError> {
    reader.in_parentheses(|reader| {
        reader.any_name()?;
        while reader.accept_token(&Token::Period) {
            reader.any_name()?;
        }
        if reader.accept_token(&Token::Eq) {
            reader.accept_token(&Token::Minus);
            reader.take();
        }
        Ok(())
    })?;
    Ok(())
}

/// Kinds of objects that are known by name only, with the words they are made by.
const REFUSED: &[(&[&str], &str)] = &[
    (&["function"], "FUNCTION"),
    (&["procedure"], "PROCEDURE"),
    (&["routine"], "ROUTINE"),
    (&["aggregate"], "AGGREGATE"),
    (&["constraint", "trigger"], "CONSTRAINT TRIGGER"),
    (&["event", "trigger"], "EVENT TRIGGER"),
    (&["trigger"], "TRIGGER"),
    (&["rule"], "RULE"),
    (&["extension"], "EXTENSION"),
    (&["type"], "TYPE"),
    (&["domain"], "DOMAIN"),
    (&["materialized", "view"], "MATERIALIZED VIEW"),
    (&["foreign", "table"], "FOREIGN TABLE"),
    (&["foreign", "data", "wrapper"], "FOREIGN DATA WRAPPER"),
    (&["server"], "SERVER"),
    (&["user", "mapping"], "USER MAPPING"),
    (&["policy"], "POLICY"),
    (&["publication"], "PUBLICATION"),
    (&["subscription"], "SUBSCRIPTION"),
    (&["tablespace"], "TABLESPACE"),
    (&["collation"], "COLLATION"),
    (&["conversion"], "CONVERSION"),
    (&["cast"], "CAST"),
    (&["operator"], "OPERATOR"),
    (&["language"], "LANGUAGE"),
    (&["trusted"], "LANGUAGE"),
    (&["statistics"], "STATISTICS"),
    (&["access", "method"], "ACCESS METHOD"),
    (&["text", "search"], "TEXT SEARCH"),
    (&["transform"], "TRANSFORM"),
    (&["default", "privileges"], "DEFAULT PRIVILEGES"),
    (&["large", "object"], "LARGE OBJECT"),
    (&["system"], "SYSTEM"),
    (&["owned"], "OWNED"),
];

fn refused(reader: &Reader) -> Option<&'static str> {
    REFUSED.iter().find(|(words, _)| reader.sees_all(words)).map(|(_, name)| *name)
}
