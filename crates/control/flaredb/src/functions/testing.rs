//! For tests: SQL in, text or error out.

use crate::base::Evaluation;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use rusqlite::types::Value;

/// A connection with all that is registered, at a fixed time in Berlin.
pub(crate) fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let evaluation = Evaluation::default();
    evaluation.set(1_700_000_000_000_000, TimeZone::get("Europe/Berlin").unwrap(), 42);
    crate::functions::register(&connection, &evaluation).unwrap();
    connection
}

/// What an expression gives: a value as SQLite would print it, `NULL`, or `SQLSTATE: message`.
pub(crate) fn ask(connection: &Connection, expression: &str) -> String {
    match connection.query_row(&format!("SELECT {expression}"), [], |row| row.get::<_, Value>(0)) {
        Ok(Value::Null) => "NULL".to_owned(),
        Ok(Value::Integer(value)) => value.to_string(),
        Ok(Value::Real(value)) => format!("{value:?}"),
        Ok(Value::Text(value)) => value,
        Ok(Value::Blob(bytes)) => format!("x'{}'", crate::functions::text::bytes::hex(&bytes)),
        Err(error) => match crate::functions::error_of(&error) {
            Some(error) => format!("{}: {}", error.state, error.message),
            None => format!("{error}"),
        },
    }
}

/// Checks expressions against what PostgreSQL says.
pub(crate) fn check(table: &[(&str, &str)]) {
    let connection = connection();
    for (expression, expected) in table {
        assert_eq!(ask(&connection, expression), *expected, "{expression}");
    }
}
