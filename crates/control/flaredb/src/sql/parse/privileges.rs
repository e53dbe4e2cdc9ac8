//! `GRANT` and `REVOKE`.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::tree::{Ddl, Grant, GrantRole, GrantedOn, Statement};

/// After `GRANT` or `REVOKE`.
pub(crate) fn grant(reader: &mut Reader, grant: bool) -> Result<Statement, SqlError> {
    let mut option = !grant && reader.accept(&["grant", "option", "for"]);
    let admin = !grant && reader.accept(&["admin", "option", "for"]);
    let words = privileges(reader)?;
    let preposition = if grant { "to" } else { "from" };
    if admin || !reader.sees("on") {
        return roles(reader, words, grant, preposition);
    }
    reader.expect(&["on"])?;
    let on = granted_on(reader)?;
    reader.expect(&[preposition])?;
    let grantees = reader.list(grantee)?;
    option |= grant && reader.accept(&["with", "grant", "option"]);
    if reader.accept(&["granted", "by"]) {
        reader.any_name()?;
    }
    let cascade = reader.accept_any(&["cascade", "restrict"]) == Some("cascade");
    let privileges = if words.iter().any(|word| word == "all") { None } else { Some(words) };
    Ok(ddl(Ddl::Grant(Grant { grant, privileges, on, grantees, option, cascade })))
}

fn ddl(ddl: Ddl) -> Statement {
    Statement::Ddl(Box::new(ddl))
}

/// Privileges, or roles: which, is told by what follows.
fn privileges(reader: &mut Reader) -> Result<Vec<String>, SqlError> {
    if reader.accept(&["all"]) {
        reader.accept(&["privileges"]);
        if reader.peek().token == Token::LParen {
            return Err(SqlError::unsupported("a privilege on columns"));
        }
        return Ok(vec!["all".to_owned()]);
    }
    let privileges = reader.list(Reader::any_name)?;
    if reader.peek().token == Token::LParen {
        return Err(SqlError::unsupported("a privilege on columns")
            .with_hint("Grant it on the table, or make a view of the columns."));
    }
    Ok(privileges)
}

fn granted_on(reader: &mut Reader) -> Result<GrantedOn, SqlError> {
    if reader.accept(&["all"]) {
        let kind = reader.accept_any(&["tables", "sequences", "functions", "procedures", "routines"]);
        reader.expect(&["in", "schema"])?;
        let schemas = reader.list(Reader::name)?;
        return match kind {
            Some("tables") => Ok(GrantedOn::AllTables(schemas)),
            Some("sequences") => Ok(GrantedOn::AllSequences(schemas)),
            Some(_) => Err(SqlError::unsupported("a privilege on functions")),
            None => Err(reader.unexpected()),
        };
    }
    if reader.accept(&["schema"]) {
        return Ok(GrantedOn::Schemas(reader.list(Reader::name)?));
    }
    if reader.accept(&["database"]) {
        return Ok(GrantedOn::Databases(reader.list(Reader::name)?));
    }
    if reader.accept(&["sequence"]) {
        return Ok(GrantedOn::Sequences(reader.list(Reader::qualified)?));
    }
    let others =
        ["function", "procedure", "routine", "domain", "type", "language", "tablespace", "large", "foreign"];
    if let Some(other) = others.iter().find(|word| reader.sees(word) && *reader.peek_nth(1) != Token::Comma) {
        if matches!(reader.peek_nth(1), Token::Word(word) if !word.value.eq_ignore_ascii_case("to")) {
            return Err(SqlError::unsupported(format!("a privilege on a {other}")));
        }
    }
    reader.accept(&["table"]);
    Ok(GrantedOn::Tables(reader.list(Reader::qualified)?))
}

/// `PUBLIC` is told by its name.
fn grantee(reader: &mut Reader) -> Result<String, SqlError> {
    if reader.sees("group") && matches!(reader.peek_nth(1), Token::Word(_)) {
        reader.take();
    }
    super::roles::role_name(reader)
}

fn roles(
    reader: &mut Reader,
    roles: Vec<String>,
    grant: bool,
    preposition: &str,
) -> Result<Statement, SqlError> {
    reader.expect(&[preposition])?;
    let to = reader.list(grantee)?;
    if grant {
        reader.accept(&["with", "admin", "option"]);
    }
    if reader.accept(&["granted", "by"]) {
        reader.any_name()?;
    }
    reader.accept_any(&["cascade", "restrict"]);
    Ok(ddl(Ddl::GrantRole(GrantRole { grant, roles, to })))
}
