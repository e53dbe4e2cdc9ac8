//! What statements call, made to give the same everywhere: SQLite's own functions of chance are replaced.

use jiff::tz::TimeZone;
use rand::Rng as _;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::base::{Evaluation, SqlError, SqlState};

/// Stands before the state in a message, which is all that SQLite hands on of an error.
const MARK: char = '\u{1}';

/// Makes the functions known to a connection.
pub(crate) fn register(connection: &Connection, evaluation: &Evaluation) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    let evaluation = evaluation.clone();
    connection.create_scalar_function("random", 0, flags, move |_| {
        Ok(evaluation.with(|inner| inner.random.next_u64().cast_signed()))
    })
}

/// The time zone of a name; empty: UTC.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// An error, so that SQLite hands its state on.
pub(crate) fn failure(e: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("{MARK}{}{MARK}{}", e.state, e.message).into())
}

/// The error that a function has given.
pub(crate) fn error_of(e: &rusqlite::Error) -> Option<SqlError> {
    let rusqlite::Error::SqliteFailure(_, Some(text)) = e else { return None };
    let (state, message) = text.strip_prefix(MARK)?.split_once(MARK)?;
    Some(SqlError::new(SqlState(state.as_bytes().try_into().ok()?), message))
}
