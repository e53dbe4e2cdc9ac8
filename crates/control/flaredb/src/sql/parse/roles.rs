//! Roles and databases.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::tree::{Database, Ddl, RoleChange, RoleOption, Statement};

fn ddl(ddl: Ddl) -> Statement {
    Statement::Ddl(Box::new(ddl))
}

/// A role's name; `CURRENT_USER` and its like stand for themselves, to be resolved later.
pub(crate) fn role_name(reader: &mut Reader) -> Result<String, SqlError> {
    match reader.accept_any(&["current_user", "current_role", "session_user"]) {
        Some("session_user") => Ok(SESSION_USER.to_owned()),
        Some(_) => Ok(CURRENT_USER.to_owned()),
        None => reader.name(),
    }
}

/// Stands for the role that asks: no role can be called so.
pub(crate) const CURRENT_USER: &str = "\0current_user";
/// Stands for the role that logged in.
pub(crate) const SESSION_USER: &str = "\0session_user";

/// After `CREATE ROLE`, `CREATE USER` (which may log in), `CREATE GROUP`.
pub(crate) fn create(reader: &mut Reader, user: bool) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    reader.accept(&["with"]);
    let mut options = Vec::new();
    if user {
        options.push(RoleOption::Login(true));
    }
    while !reader.at_end() {
        options.push(option(reader)?);
    }
    Ok(ddl(Ddl::CreateRole(RoleChange { name, options })))
}

/// After `ALTER ROLE` or `ALTER USER`.
pub(crate) fn alter(reader: &mut Reader) -> Result<Statement, SqlError> {
    if reader.sees("all") {
        return Err(SqlError::unsupported("ALTER ROLE ALL"));
    }
    let name = role_name(reader)?;
    if reader.accept(&["rename", "to"]) {
        return Ok(ddl(Ddl::RenameRole { name, to: reader.name()? }));
    }
    if reader.sees("set") || reader.sees("reset") || reader.sees_all(&["in", "database"]) {
        return Err(SqlError::unsupported("ALTER ROLE … SET").with_hint("SET it in the session."));
    }
    reader.accept(&["with"]);
    let mut options = Vec::new();
    while !reader.at_end() {
        options.push(option(reader)?);
    }
    Ok(ddl(Ddl::AlterRole(RoleChange { name, options })))
}

fn option(reader: &mut Reader) -> Result<RoleOption, SqlError> {
    type Make = fn(bool) -> RoleOption;
    let flags: [(&str, &str, Make); 7] = [
        ("superuser", "nosuperuser", RoleOption::Superuser),
        ("createdb", "nocreatedb", RoleOption::CreateDb),
        ("createrole", "nocreaterole", RoleOption::CreateRole),
        ("inherit", "noinherit", RoleOption::Inherit),
        ("login", "nologin", RoleOption::Login),
        ("replication", "noreplication", |_| RoleOption::Nothing),
        ("bypassrls", "nobypassrls", |_| RoleOption::Nothing),
    ];
    for (yes, no, make) in flags {
        if let Some(word) = reader.accept_any(&[yes, no]) {
            return Ok(make(word == yes));
        }
    }
    if reader.accept(&["encrypted", "password"]) || reader.accept(&["password"]) {
        let none = reader.accept(&["null"]);
        return Ok(RoleOption::Password(if none { None } else { Some(reader.string()?) }));
    }
    if reader.accept(&["connection", "limit"]) {
        let limit = i32::try_from(reader.integer()?).map_err(|_| reader.unexpected())?;
        return Ok(RoleOption::ConnectionLimit(limit));
    }
    if reader.accept(&["valid", "until"]) {
        return Ok(RoleOption::ValidUntil(reader.string()?));
    }
    if reader.accept(&["sysid"]) {
        reader.integer()?;
        return Ok(RoleOption::Nothing);
    }
    if reader.accept(&["in", "role"]) || reader.accept(&["in", "group"]) {
        return Ok(RoleOption::InRole(reader.list(role_name)?));
    }
    if reader.accept_any(&["role", "user", "admin"]).is_some() {
        return Ok(RoleOption::Members(reader.list(role_name)?));
    }
    Err(reader.unexpected())
}

/// After `DROP ROLE`, `DROP USER` or `DROP GROUP`.
pub(crate) fn drop(reader: &mut Reader) -> Result<Statement, SqlError> {
    let if_exists = reader.accept(&["if", "exists"]);
    Ok(ddl(Ddl::DropRole { names: reader.list(role_name)?, if_exists }))
}

/// After `CREATE DATABASE`.
pub(crate) fn create_database(reader: &mut Reader) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    reader.accept(&["with"]);
    let (mut owner, mut options) = (None, Vec::new());
    while !reader.at_end() {
        let mut option = reader.any_name()?;
        if option == "connection" && reader.accept(&["limit"]) {
            option.push_str(" limit");
        }
        reader.accept_token(&Token::Eq);
        let value = match &reader.peek().token {
            Token::Word(_) => reader.any_name()?,
            Token::SingleQuotedString(_) => reader.string()?,
            _ => reader.integer()?.to_string(),
        };
        if option == "owner" {
            owner = Some(value);
        } else {
            options.push((option, value));
        }
    }
    Ok(ddl(Ddl::Database(Database::Create { name, owner, options })))
}

/// After `DROP DATABASE`.
pub(crate) fn drop_database(reader: &mut Reader) -> Result<Statement, SqlError> {
    let if_exists = reader.accept(&["if", "exists"]);
    let name = reader.name()?;
    reader.accept(&["with"]);
    let force = reader.peek().token == Token::LParen;
    if force {
        reader.in_parentheses(|reader| reader.expect(&["force"]))?;
    }
    Ok(ddl(Ddl::Database(Database::Drop { name, if_exists, force })))
}

/// After `ALTER DATABASE`.
pub(crate) fn alter_database(reader: &mut Reader) -> Result<Statement, SqlError> {
    let name = reader.name()?;
    if reader.accept(&["rename", "to"]) {
        return Ok(ddl(Ddl::Database(Database::Rename { name, to: reader.name()? })));
    }
    if reader.accept(&["owner", "to"]) {
        return Ok(ddl(Ddl::Database(Database::Owner { name, to: role_name(reader)? })));
    }
    if reader.sees("set") || reader.sees("reset") || reader.sees("with") || reader.sees("connection") {
        return Err(SqlError::unsupported("ALTER DATABASE … SET").with_hint("SET it in the session."));
    }
    Err(reader.unexpected())
}
