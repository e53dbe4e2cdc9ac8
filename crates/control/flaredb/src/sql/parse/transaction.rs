//! Transactions and their modes.

use crate::base::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::sql::session::{Isolation, Modes, Session};

/// After `BEGIN` or `START`.
pub(crate) fn begin(reader: &mut Reader, start: bool) -> Result<Session, SqlError> {
    if start {
        reader.expect(&["transaction"])?;
    } else {
        reader.accept_any(&["work", "transaction"]);
    }
    Ok(Session::Begin { modes: modes(reader)?, start })
}

/// Modes, with or without commas.
pub(crate) fn modes(reader: &mut Reader) -> Result<Modes, SqlError> {
    let mut modes = Modes::default();
    while !reader.at_end() {
        mode(reader, &mut modes)?;
        if reader.accept_token(&Token::Comma) && reader.at_end() {
            return Err(reader.unexpected());
        }
    }
    Ok(modes)
}

fn mode(reader: &mut Reader, modes: &mut Modes) -> Result<(), SqlError> {
    if reader.accept(&["isolation", "level"]) {
        modes.isolation = Some(isolation(reader)?);
    } else if reader.accept(&["read", "only"]) {
        modes.read_only = Some(true);
    } else if reader.accept(&["read", "write"]) {
        modes.read_only = Some(false);
    } else if reader.accept(&["deferrable"]) {
        modes.deferrable = Some(true);
    } else if reader.accept(&["not", "deferrable"]) {
        modes.deferrable = Some(false);
    } else {
        return Err(reader.unexpected());
    }
    Ok(())
}

fn isolation(reader: &mut Reader) -> Result<Isolation, SqlError> {
    for (words, level) in [
        (&["read", "uncommitted"][..], Isolation::ReadUncommitted),
        (&["read", "committed"], Isolation::ReadCommitted),
        (&["repeatable", "read"], Isolation::RepeatableRead),
        (&["serializable"], Isolation::Serializable),
    ] {
        if reader.accept(words) {
            return Ok(level);
        }
    }
    Err(reader.unexpected())
}

/// After `COMMIT`, `END`, `ROLLBACK` or `ABORT`.
pub(crate) fn end(reader: &mut Reader, commit: bool) -> Result<Session, SqlError> {
    if reader.sees("prepared") {
        return Err(SqlError::unsupported("PREPARE TRANSACTION"));
    }
    reader.accept_any(&["work", "transaction"]);
    if !commit && reader.accept(&["to"]) {
        reader.accept(&["savepoint"]);
        return Ok(Session::RollbackTo(reader.name()?));
    }
    let no = reader.accept(&["and", "no", "chain"]);
    let chain = !no && reader.accept(&["and", "chain"]);
    Ok(if commit { Session::Commit { chain } } else { Session::Rollback { chain } })
}

/// After `PREPARE TRANSACTION`.
pub(crate) fn prepared() -> SqlError {
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, "PREPARE TRANSACTION is not supported")
        .with_hint("A transaction is committed by one COMMIT.")
}
