//! `DROP`, `TRUNCATE` and `COMMENT ON`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::super::roles;
use super::{ddl, refused, unsupported};
use crate::sql::names::Name;
use crate::sql::tree::{Commented, Ddl, Drop, Kind, Statement, Truncate};

/// After `DROP`.
pub(crate) fn drop(reader: &mut Reader) -> Result<Statement, SqlError> {
    if let Some(kind) = refused(reader) {
        return unsupported(reader, format!("DROP {kind}"));
    }
    if reader.accept_any(&["role", "user", "group"]).is_some() {
        return roles::drop(reader);
    }
    if reader.accept(&["database"]) {
        return roles::drop_database(reader);
    }
    let kind = kind(reader)?;
    if kind == Kind::Index {
        reader.accept(&["concurrently"]);
    }
    let if_exists = reader.accept(&["if", "exists"]);
    let names = reader.list(Reader::qualified)?;
    let cascade = reader.accept_any(&["cascade", "restrict"]) == Some("cascade");
    ddl(Ddl::Drop(Drop { kind, names, if_exists, cascade }))
}

fn kind(reader: &mut Reader) -> Result<Kind, SqlError> {
    match reader.accept_any(&["table", "view", "index", "sequence", "schema"]) {
        Some("table") => Ok(Kind::Table),
        Some("view") => Ok(Kind::View),
        Some("index") => Ok(Kind::Index),
        Some("sequence") => Ok(Kind::Sequence),
        Some(_) => Ok(Kind::Schema),
        None => Err(reader.unexpected()),
    }
}

/// After `TRUNCATE`.
pub(crate) fn truncate(reader: &mut Reader) -> Result<Statement, SqlError> {
    reader.accept(&["table"]);
    let tables = reader.list(|reader| {
        reader.accept(&["only"]);
        let name = reader.qualified()?;
        reader.accept_token(&Token::Mul);
        Ok(name)
    })?;
    let restart = reader.accept(&["restart", "identity"]);
    if !restart {
        reader.accept(&["continue", "identity"]);
    }
    let cascade = reader.accept_any(&["cascade", "restrict"]) == Some("cascade");
    ddl(Ddl::Truncate(Truncate { tables, restart, cascade }))
}

/// After `COMMENT`.
pub(crate) fn comment(reader: &mut Reader) -> Result<Statement, SqlError> {
    reader.expect(&["on"])?;
    let on = if reader.accept(&["column"]) {
        column(reader)?
    } else {
        match reader.accept_any(&["table", "view", "index", "sequence"]) {
            Some("table") => Commented::Relation(Kind::Table, reader.qualified()?),
            Some("view") => Commented::Relation(Kind::View, reader.qualified()?),
            Some("index") => Commented::Relation(Kind::Index, reader.qualified()?),
            Some(_) => Commented::Relation(Kind::Sequence, reader.qualified()?),
            None => {
                let what = reader.any_name()?.to_uppercase();
                return unsupported(reader, format!("COMMENT ON {what}"));
            }
        }
    };
    reader.expect(&["is"])?;
    let text = if reader.accept(&["null"]) { None } else { Some(reader.string()?) };
    ddl(Ddl::Comment { on, text })
}

/// `table.column` or `schema.table.column`.
fn column(reader: &mut Reader) -> Result<Commented, SqlError> {
    let at = reader.position();
    let mut parts = vec![reader.name()?];
    while reader.accept_token(&Token::Period) {
        parts.push(reader.any_name()?);
    }
    let column = parts.pop().unwrap_or_default();
    match parts.pop() {
        Some(name) => Ok(Commented::Column(Name { schema: parts.pop(), name, at }, column)),
        None => {
            Err(SqlError::new(crate::base::SqlState::SYNTAX_ERROR, "column name must be qualified").at(at))
        }
    }
}
