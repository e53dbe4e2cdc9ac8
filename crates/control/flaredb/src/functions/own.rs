//! SQLite's own functions that depend on a clock, on chance, on the connection or on the build: in their place
//! stand ones that depend on the evaluation alone, or on nothing.
//!
//! Nothing that is translated calls them; they are here so that nothing can.

use std::cell::RefCell;

use crate::base::Evaluation;
use crate::base::error::SqlError;
use jiff::Timestamp;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::functions::call::{Answer, Call, Scalar, evaluated_pure, internal, pure};
use crate::functions::register::failed;

/// What SQLite calls, but those of times with arguments.
pub(crate) const SCALARS: &[Scalar] = &[
    evaluated_pure("current_date", 0, |call| Ok(now(call.evaluation())?[..10].to_owned().into())),
    evaluated_pure("current_time", 0, |call| Ok(now(call.evaluation())?[11..19].to_owned().into())),
    evaluated_pure("current_timestamp", 0, |call| Ok(now(call.evaluation())?[..19].to_owned().into())),
    pure("sqlite_version", 0, |_| Ok("3".to_owned().into())),
    pure("sqlite_source_id", 0, |_| Ok(String::new().into())),
    pure("sqlite_compileoption_used", 1, |_| Ok(0.into())),
    pure("sqlite_compileoption_get", 1, |_| Ok(Value::Null)),
    pure("changes", 0, |_| Ok(0.into())),
    pure("total_changes", 0, |_| Ok(0.into())),
    pure("last_insert_rowid", 0, |_| Ok(0.into())),
    pure("sqlite_log", 2, refused),
    pure("load_extension", 1, refused),
    pure("load_extension", 2, refused),
];

/// Functions that read `now` where a time is left out or asked for: the name, and where the first time stands.
const TIMES: &[(&str, usize)] =
    &[("date", 0), ("time", 0), ("datetime", 0), ("julianday", 0), ("unixepoch", 0), ("strftime", 1)];

fn refused(_call: &Call<'_>) -> Answer {
    Err(SqlError::unsupported("this function of SQLite"))
}

/// `2026-01-02 03:04:05.678`, in UTC.
fn now(evaluation: &Evaluation) -> Result<String, SqlError> {
    let micros = evaluation.with(|inner| inner.now);
    let moment = Timestamp::from_microsecond(micros).map_err(|error| internal(error.to_string()))?;
    Ok(moment.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string())
}

/// Replaces the functions of times.
pub(crate) fn register(connection: &Connection, evaluation: &Evaluation) -> rusqlite::Result<()> {
    for (name, first) in TIMES {
        replace(connection, evaluation, name, -1, *first)?;
    }
    replace(connection, evaluation, "timediff", 2, 0)
}

/// The function itself is SQLite's, asked of a connection that has no other purpose.
fn replace(
    connection: &Connection,
    evaluation: &Evaluation,
    name: &'static str,
    arity: i32,
    first: usize,
) -> rusqlite::Result<()> {
    let evaluation = evaluation.clone();
    let beside = RefCell::new(None);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(name, arity, flags, move |context| {
        let arguments: Vec<ValueRef<'_>> = (0..context.len()).map(|place| context.get_raw(place)).collect();
        let arguments = fixed(name, arguments, first, &evaluation).map_err(failed)?;
        let mut beside = beside.borrow_mut();
        let beside = match &mut *beside {
            Some(open) => open,
            none => none.insert(Connection::open_in_memory()?),
        };
        let places = vec!["?"; arguments.len()].join(", ");
        let sql = format!("SELECT {name}({places})");
        beside.query_row(&sql, params_from_iter(arguments), |row| row.get::<_, Value>(0))
    })
}

/// The arguments with the evaluation's time for `now`. What depends on the machine's zone is refused.
fn fixed(
    name: &str,
    arguments: Vec<ValueRef<'_>>,
    first: usize,
    evaluation: &Evaluation,
) -> Result<Vec<Value>, SqlError> {
    let mut fixed = Vec::with_capacity(arguments.len() + 1);
    for argument in arguments {
        let word = argument.as_str().unwrap_or_default().trim().to_ascii_lowercase();
        if matches!(word.as_str(), "localtime" | "utc") {
            return Err(SqlError::unsupported(format_args!("{name} in the machine's time zone")));
        }
        fixed.push(if word == "now" {
            Value::Text(now(evaluation)?)
        } else {
            argument.try_into().unwrap_or(Value::Null)
        });
    }
    if fixed.len() == first {
        fixed.push(Value::Text(now(evaluation)?));
    }
    Ok(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(sql: &str) -> Result<Value, rusqlite::Error> {
        let connection = Connection::open_in_memory().unwrap();
        let evaluation = Evaluation::default();
        evaluation.set(1_700_000_000_123_456, jiff::tz::TimeZone::UTC, 7);
        crate::functions::register(&connection, &evaluation).unwrap();
        connection.query_row(sql, [], |row| row.get(0))
    }

    #[test]
    fn now_is_the_evaluations() {
        for (sql, expected) in [
            ("SELECT date()", "2023-11-14"),
            ("SELECT date('now')", "2023-11-14"),
            ("SELECT date('NOW', '+1 day')", "2023-11-15"),
            ("SELECT time('now')", "22:13:20"),
            ("SELECT datetime()", "2023-11-14 22:13:20"),
            ("SELECT strftime('%Y %f')", "2023 20.123"),
            ("SELECT strftime('%Y', 'now')", "2023"),
            ("SELECT CURRENT_TIMESTAMP", "2023-11-14 22:13:20"),
            ("SELECT CURRENT_DATE || CURRENT_TIME", "2023-11-1422:13:20"),
            ("SELECT timediff('now', '2023-11-14')", "+0000-00-00 22:13:20.123"),
            ("SELECT date('2020-02-28', '+2 days')", "2020-03-01"),
            ("SELECT sqlite_version()", "3"),
        ] {
            assert_eq!(ask(sql).unwrap(), Value::Text(expected.to_owned()), "{sql}");
        }
        assert_eq!(ask("SELECT unixepoch()").unwrap(), Value::Integer(1_700_000_000));
        assert_eq!(ask("SELECT unixepoch('2020-01-01')").unwrap(), Value::Integer(1_577_836_800));
    }

    #[test]
    fn a_default_reads_the_evaluation() {
        let sql = "SELECT 1";
        assert!(ask(sql).is_ok());
        let connection = Connection::open_in_memory().unwrap();
        let evaluation = Evaluation::default();
        crate::functions::register(&connection, &evaluation).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t(a INTEGER, b TEXT DEFAULT CURRENT_TIMESTAMP, c INTEGER DEFAULT (fl_now()),
                 d TEXT DEFAULT (fl_uuid_random())) STRICT;
                 INSERT INTO t(a) VALUES (1);",
            )
            .unwrap();
        let (b, c): (String, i64) =
            connection.query_row("SELECT b, c FROM t", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((b.as_str(), c), ("1970-01-01 00:00:00", 0));
    }

    #[test]
    fn the_machines_zone_and_extensions_are_refused() {
        for sql in [
            "SELECT datetime('now', 'localtime')",
            "SELECT date('2020-01-01', ' UTC ')",
            "SELECT load_extension('x')",
        ] {
            let error = crate::functions::error_of(&ask(sql).unwrap_err()).unwrap();
            assert_eq!(error.state, crate::base::SqlState::FEATURE_NOT_SUPPORTED, "{sql}");
        }
    }
}
