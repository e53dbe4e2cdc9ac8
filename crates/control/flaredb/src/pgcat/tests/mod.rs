//! The rows and functions, asked by SQL. What is expected is what PostgreSQL 15 says of the same tables.

mod calls;
mod fixture;
mod standard;
mod system;

use rusqlite::Connection;
use rusqlite::types::Value;

/// Rows of a query: columns separated by `|`, NULL as nothing, as `psql -At` prints them.
fn ask(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells: Vec<String> = (0..columns).map(|at| shown(&row.get(at).unwrap())).collect();
        Ok(cells.join("|"))
    });
    rows.unwrap().map(|row| row.unwrap_or_else(|error| failure(&error))).collect()
}

fn failure(error: &rusqlite::Error) -> String {
    match crate::functions::error_of(error) {
        Some(error) => format!("{}: {}", error.state, error.message),
        None => error.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Blob(value) => format!("{value:?}"),
    }
}

/// Checks queries of one row against what is expected.
fn check(table: &[(&str, &str)]) {
    let connection = fixture::connection();
    for (sql, expected) in table {
        assert_eq!(ask(&connection, sql).join("\n"), *expected, "{sql}");
    }
}
