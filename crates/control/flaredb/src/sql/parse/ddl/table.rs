//! `CREATE TABLE` and `CREATE TABLE AS`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::column::{column, table_constraint};
use super::{ddl, storage, unsupported};
use crate::sql::names::Name;
use crate::sql::tree::{ColumnDef, ConstraintDef, CreateTable, CreateTableAs, Ddl, Like, Statement};

/// After `CREATE TABLE`.
pub(crate) fn create(reader: &mut Reader) -> Result<Statement, SqlError> {
    let if_not_exists = reader.accept(&["if", "not", "exists"]);
    let name = reader.qualified()?;
    if let Some(refused) = refused(reader) {
        return unsupported(reader, refused);
    }
    if is_query(reader) {
        return create_as(reader, name, if_not_exists);
    }
    let mut table =
        CreateTable { name, if_not_exists, columns: Vec::new(), constraints: Vec::new(), like: Vec::new() };
    reader.expect_token(&Token::LParen)?;
    if !reader.accept_token(&Token::RParen) {
        loop {
            element(reader, &mut table)?;
            if !reader.accept_token(&Token::Comma) {
                break;
            }
        }
        reader.expect_token(&Token::RParen)?;
    }
    if let Some(refused) = refused(reader) {
        return unsupported(reader, refused);
    }
    options(reader)?;
    ddl(Ddl::CreateTable(table))
}

fn refused(reader: &Reader) -> Option<&'static str> {
    [
        (&["partition", "of"][..], "a partition"),
        (&["partition", "by"], "a partitioned table"),
        (&["inherits"], "INHERITS"),
        (&["of"], "a typed table"),
        (&["on", "commit"], "ON COMMIT"),
    ]
    .into_iter()
    .find(|(words, _)| reader.sees_all(words))
    .map(|(_, name)| name)
}

/// Whether it is `CREATE TABLE … AS`, with or without names of columns.
fn is_query(reader: &Reader) -> bool {
    if reader.sees("as") || reader.sees("with") || reader.sees("using") {
        return true;
    }
    // `(a, b) AS`: a name, then a comma or the end.
    reader.peek().token == Token::LParen && matches!(reader.peek_nth(2), Token::Comma | Token::RParen)
}

fn options(reader: &mut Reader) -> Result<(), SqlError> {
    if reader.accept(&["using"]) {
        reader.name()?;
    }
    if reader.accept(&["with"]) {
        storage(reader)?;
    } else {
        reader.accept(&["without", "oids"]);
    }
    if reader.accept(&["tablespace"]) {
        reader.name()?;
    }
    Ok(())
}

fn create_as(reader: &mut Reader, name: Name, if_not_exists: bool) -> Result<Statement, SqlError> {
    let columns =
        if reader.peek().token == Token::LParen { reader.in_parentheses(Reader::name)? } else { Vec::new() };
    options(reader)?;
    reader.expect(&["as"])?;
    if reader.sees("execute") {
        return unsupported(reader, "CREATE TABLE AS EXECUTE");
    }
    let query = reader.query()?;
    let with_data = !reader.accept(&["with", "no", "data"]);
    reader.accept(&["with", "data"]);
    ddl(Ddl::CreateTableAs(CreateTableAs { name, if_not_exists, columns, query, with_data }))
}

fn element(reader: &mut Reader, table: &mut CreateTable) -> Result<(), SqlError> {
    if reader.accept(&["like"]) {
        let like = like(reader, table.columns.len())?;
        table.like.push(like);
        return Ok(());
    }
    match table_constraint(reader)? {
        Some(constraint) => table.constraints.push(constraint),
        None => table.columns.push(column(reader)?),
    }
    Ok(())
}

fn like(reader: &mut Reader, after: usize) -> Result<Like, SqlError> {
    let mut like = Like {
        table: reader.qualified()?,
        after,
        defaults: false,
        constraints: false,
        indexes: false,
        generated: false,
        identity: false,
        comments: false,
    };
    while let Some(which) = reader.accept_any(&["including", "excluding"]) {
        let on = which == "including";
        match reader.any_name()?.as_str() {
            "all" => {
                for flag in [&mut like.defaults, &mut like.constraints, &mut like.indexes] {
                    *flag = on;
                }
                for flag in [&mut like.generated, &mut like.identity, &mut like.comments] {
                    *flag = on;
                }
            }
            "defaults" => like.defaults = on,
            "constraints" => like.constraints = on,
            "indexes" => like.indexes = on,
            "generated" => like.generated = on,
            "identity" => like.identity = on,
            "comments" => like.comments = on,
            "storage" | "statistics" | "compression" => {}
            _ => return Err(reader.unexpected()),
        }
    }
    Ok(like)
}

/// What `ALTER TABLE … ADD` adds.
pub(crate) enum Added {
    Column(ColumnDef),
    Constraint(ConstraintDef),
}
