//! Cursors that are open, prepared statements that are there, notifications, upkeep: what names no more than names.

use crate::base::SqlError;
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::names::Name;
use crate::sql::session::{Direction, Discard, Session};

/// After `FETCH` or `MOVE`.
pub(crate) fn fetch(reader: &mut Reader, only_move: bool) -> Result<Session, SqlError> {
    let direction = direction(reader)?;
    reader.accept_any(&["from", "in"]);
    Ok(Session::Fetch { cursor: reader.name()?, direction, only_move })
}

fn direction(reader: &mut Reader) -> Result<Direction, SqlError> {
    if let Some(count) = reader.accept_integer()? {
        return Ok(Direction::Forward(count));
    }
    let words = ["next", "prior", "first", "last", "absolute", "relative", "all", "forward", "backward"];
    // A cursor may have such a name: then nothing follows it.
    let Some(word) = words.into_iter().find(|word| reader.sees(word) && *reader.peek_nth(1) != Token::EOF)
    else {
        return Ok(Direction::Forward(1));
    };
    reader.take();
    Ok(match word {
        "prior" => Direction::Forward(-1),
        "first" => Direction::Absolute(1),
        "last" => Direction::Absolute(-1),
        "absolute" => Direction::Absolute(reader.integer()?),
        "relative" => Direction::Relative(reader.integer()?),
        "all" => Direction::ForwardAll,
        "forward" if reader.accept(&["all"]) => Direction::ForwardAll,
        "backward" if reader.accept(&["all"]) => Direction::BackwardAll,
        "forward" => Direction::Forward(reader.accept_integer()?.unwrap_or(1)),
        "backward" => Direction::Forward(reader.accept_integer()?.unwrap_or(1).saturating_neg()),
        _ => Direction::Forward(1),
    })
}

/// After `CLOSE`.
pub(crate) fn close(reader: &mut Reader) -> Result<Session, SqlError> {
    if reader.accept(&["all"]) { Ok(Session::Close(None)) } else { Ok(Session::Close(Some(reader.name()?))) }
}

/// After `DEALLOCATE`.
pub(crate) fn deallocate(reader: &mut Reader) -> Result<Session, SqlError> {
    if *reader.peek_nth(1) != Token::EOF {
        reader.accept(&["prepare"]);
    }
    if reader.accept(&["all"]) {
        return Ok(Session::Deallocate(None));
    }
    Ok(Session::Deallocate(Some(reader.name()?)))
}

/// After `DISCARD`.
pub(crate) fn discard(reader: &mut Reader) -> Result<Session, SqlError> {
    let what = reader.accept_any(&["all", "plans", "sequences", "temp", "temporary"]);
    Ok(Session::Discard(match what {
        Some("all") => Discard::All,
        Some("plans") => Discard::Plans,
        Some("sequences") => Discard::Sequences,
        Some(_) => Discard::Temp,
        None => return Err(reader.unexpected()),
    }))
}

/// After `NOTIFY`.
pub(crate) fn notify(reader: &mut Reader) -> Result<Session, SqlError> {
    let channel = reader.name()?;
    let payload = if reader.accept_token(&Token::Comma) { reader.string()? } else { String::new() };
    Ok(Session::Notify { channel, payload })
}

/// After `UNLISTEN`.
pub(crate) fn unlisten(reader: &mut Reader) -> Result<Session, SqlError> {
    if reader.accept_token(&Token::Mul) {
        return Ok(Session::Unlisten(None));
    }
    Ok(Session::Unlisten(Some(reader.name()?)))
}

/// After `VACUUM`, `ANALYZE`, `CLUSTER`, `REINDEX` or `CHECKPOINT`.
pub(crate) fn maintenance(reader: &mut Reader, command: &'static str) -> Result<Session, SqlError> {
    options(reader)?;
    let words = ["full", "freeze", "verbose", "analyze", "analyse", "concurrently"];
    while reader.accept_any(&words).is_some() {}
    if command == "REINDEX" {
        let kinds = ["index", "table", "schema", "database", "system"];
        if reader.accept_any(&kinds).is_none() {
            return Err(reader.unexpected());
        }
        reader.accept(&["concurrently"]);
    }
    let relations = if reader.at_end() { Vec::new() } else { reader.list(maintained)? };
    if command == "CLUSTER" && reader.accept(&["using"]) {
        reader.name()?;
    }
    Ok(Session::Maintenance { command, relations })
}

/// A table, and perhaps columns of it.
fn maintained(reader: &mut Reader) -> Result<Name, SqlError> {
    let name = reader.qualified()?;
    if reader.peek().token == Token::LParen {
        reader.in_parentheses(Reader::name)?;
    }
    Ok(name)
}

/// `(FULL, VERBOSE false, …)`.
fn options(reader: &mut Reader) -> Result<(), SqlError> {
    if reader.peek().token != Token::LParen {
        return Ok(());
    }
    reader.in_parentheses(|reader| {
        reader.any_name()?;
        if !matches!(reader.peek().token, Token::Comma | Token::RParen) {
            reader.take();
        }
        Ok(())
    })?;
    Ok(())
}
