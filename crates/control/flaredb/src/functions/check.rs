//! The tables against SQLite: every row compiles, gives what it declares, and knows NULL.

use crate::base::Evaluation;
use crate::base::rules::{Function, FunctionKind, Gives, Pattern};
use crate::base::types::{Element, Type};
use rusqlite::Connection;
use rusqlite::types::{Type as Storage, Value};

use crate::functions::{Aggregation, aggregate_call, casts, error_of, functions, operators, scalar_call};

/// Functions that look after NULL themselves, as in PostgreSQL.
const NOT_STRICT: &[&str] = &[
    "array_append",
    "array_cat",
    "array_fill",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_slice",
    "array_to_string",
    "concat",
    "concat_ws",
    "format",
    "greatest",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_set_lax",
    "least",
    "num_nonnulls",
    "num_nulls",
    "overlaps",
    "pg_typeof",
    "quote_nullable",
    "similar_to_escape",
    "string_to_array",
];

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let evaluation = Evaluation::default();
    evaluation.set(1_700_000_000_000_000, jiff::tz::TimeZone::UTC, 1);
    crate::functions::register(&connection, &evaluation).unwrap();
    connection
}

/// A value of a type, as it is kept, as SQLite's SQL.
fn sample(ty: Type) -> &'static str {
    let Type::Scalar(element) = ty else {
        return match ty.element() {
            Some(Element::Int2 | Element::Int4 | Element::Int8 | Element::Oid | Element::Bool) => "'[1,2,3]'",
            Some(Element::Numeric) => "'[\"1.5\",\"2\"]'",
            _ => "'[]'",
        };
    };
    match element {
        Element::Bool => "1",
        Element::Float4 | Element::Float8 => "0.5",
        Element::Numeric => "'2.50'",
        Element::Bytea => "x'0102ff'",
        Element::Uuid => "'00000000-0000-4000-8000-000000000000'",
        Element::Timestamptz | Element::Timestamp => "1600000000000000",
        Element::Date => "18000",
        Element::Time => "3600000000",
        Element::Interval => "'1 2 3000000'",
        Element::Json | Element::Jsonb => "'{\"a\": 1}'",
        Element::Int2 | Element::Int4 | Element::Int8 | Element::Oid | Element::Xid => "2",
        Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => "16",
        _ => "'abc'",
    }
}

fn storage(ty: Type) -> Storage {
    let Type::Scalar(element) = ty else { return Storage::Text };
    match element {
        Element::Bool
        | Element::Int2
        | Element::Int4
        | Element::Int8
        | Element::Timestamptz
        | Element::Timestamp
        | Element::Date
        | Element::Time
        | Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => Storage::Integer,
        Element::Float4 | Element::Float8 => Storage::Real,
        Element::Bytea => Storage::Blob,
        _ => Storage::Text,
    }
}

fn concrete(pattern: Pattern) -> Type {
    match pattern {
        Pattern::Exact(ty) => ty,
        Pattern::AnyElement => Type::INT4,
        Pattern::AnyArray => Type::Array(Element::Int4),
        Pattern::Any => Type::TEXT,
    }
}

fn given(gives: Gives) -> Type {
    match gives {
        Gives::Exact(ty) => ty,
        Gives::Element => Type::INT4,
        Gives::Array => Type::Array(Element::Int4),
    }
}

/// How what is still being written begins: functions of times. Nothing that is missing under another name passes.
const AWAITED: &str = "fl_age fl_date fl_epoch fl_extract fl_interval fl_isfinite fl_justify fl_make \
    fl_now fl_offset fl_overlaps fl_series_timestamp fl_time fl_to_char_interval \
    fl_to_char_timestamp fl_to_char_zone fl_to_date fl_to_timestamp fl_zone";

/// Whether SQLite lacks something that is awaited.
fn is_awaited(error: &rusqlite::Error) -> bool {
    let message = error.to_string();
    let lacking = message.split_once("no such function: ").or_else(|| message.split_once("no such table: "));
    lacking.is_some_and(|(_, name)| AWAITED.split(' ').any(|start| name.starts_with(start)))
}

/// Runs SQL that gives one value; an error of our own counts as NULL.
fn value(connection: &Connection, sql: &str) -> Result<Value, String> {
    match connection.query_row(sql, [], |row| row.get::<_, Value>(0)) {
        Ok(value) => Ok(value),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Value::Null),
        Err(error) => match error_of(&error) {
            Some(own) if own.state != crate::base::SqlState::INTERNAL_ERROR => Ok(Value::Null),
            None if is_awaited(&error) => Ok(Value::Null),
            _ => Err(format!("{sql}: {error}")),
        },
    }
}

fn expect(connection: &Connection, sql: &str, ty: Type, wrong: &mut Vec<String>) {
    match value(connection, sql) {
        Err(error) => wrong.push(error),
        Ok(Value::Null) => {}
        Ok(value) if value.data_type() == storage(ty) => {}
        Ok(value) => wrong.push(format!("{sql} gives {value:?}, not {}", ty.name())),
    }
}

fn expect_null(connection: &Connection, sql: &str, wrong: &mut Vec<String>) {
    match value(connection, sql) {
        Err(error) => wrong.push(error),
        Ok(Value::Null) => {}
        Ok(value) => wrong.push(format!("{sql} gives {value:?}, not NULL")),
    }
}

/// The arguments of a call, one of them NULL if asked for.
fn arguments(function: &Function, null: Option<usize>) -> Vec<(&'static str, Type)> {
    let extra = function.variadic.map(|pattern| [pattern; 2]);
    let patterns = function.arguments.iter().chain(extra.iter().flatten());
    let typed = patterns.map(|pattern| concrete(*pattern)).enumerate();
    typed.map(|(place, ty)| (if null == Some(place) { "NULL" } else { sample(ty) }, ty)).collect()
}

fn check_scalar(connection: &Connection, function: &Function, wrong: &mut Vec<String>) {
    let all = arguments(function, None);
    let sql = format!("SELECT {}", scalar_call(function, &all));
    expect(connection, &sql, given(function.result), wrong);
    if NOT_STRICT.contains(&function.name) || function.variadic.is_some() && function.arguments.is_empty() {
        return;
    }
    for place in 0..all.len() {
        let sql = format!("SELECT {}", scalar_call(function, &arguments(function, Some(place))));
        // Whether the argument is there makes no difference to what is told of a type alone.
        expect_null(connection, &sql, wrong);
    }
}

fn check_aggregate(connection: &Connection, function: &Function, wrong: &mut Vec<String>) {
    let all = arguments(function, None);
    let plain = Aggregation::default();
    let over = Aggregation { over: Some("(ORDER BY 1)"), ..plain };
    let sliding = Aggregation { over: Some("(ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"), ..plain };
    let kinds: &[Aggregation<'_>] =
        if function.kind == FunctionKind::Window { &[over] } else { &[plain, over, sliding] };
    for kind in kinds {
        let sql = format!("SELECT {} FROM (VALUES (1), (2), (3))", aggregate_call(function, &all, *kind));
        expect(connection, &sql, given(function.result), wrong);
    }
    if function.kind == FunctionKind::Aggregate && !all.is_empty() {
        let filter = Aggregation { distinct: true, filter: Some("column1 > 1"), ..plain };
        let sql = format!("SELECT {} FROM (VALUES (1), (2), (3))", aggregate_call(function, &all, filter));
        expect(connection, &sql, given(function.result), wrong);
        let sql = format!("SELECT {} FROM (VALUES (1)) WHERE 0", aggregate_call(function, &all, plain));
        if function.name != "count" && function.name != "regr_count" {
            expect_null(connection, &sql, wrong);
        }
    }
}

fn check_rows(connection: &Connection, function: &Function, wrong: &mut Vec<String>) {
    let call = scalar_call(function, &arguments(function, None));
    let columns = crate::functions::columns(function);
    if columns.is_empty() {
        expect(connection, &format!("SELECT value, ordinality FROM {call}"), given(function.result), wrong);
    }
    for (name, ty) in columns {
        expect(connection, &format!("SELECT {name}, ordinality FROM {call}"), *ty, wrong);
    }
    for place in 0..function.arguments.len() {
        let call = scalar_call(function, &arguments(function, Some(place)));
        if !matches!(function.name, "string_to_table") {
            expect_null(connection, &format!("SELECT max(1) FROM {call}"), wrong);
        }
    }
}

#[test]
fn every_function_compiles_and_gives_what_it_says() {
    let connection = connection();
    let mut wrong = Vec::new();
    for function in functions() {
        match function.kind {
            FunctionKind::Scalar => check_scalar(&connection, function, &mut wrong),
            FunctionKind::Aggregate | FunctionKind::Window => {
                check_aggregate(&connection, function, &mut wrong);
            }
            FunctionKind::SetReturning => check_rows(&connection, function, &mut wrong),
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_operator_compiles_and_gives_what_it_says() {
    let connection = connection();
    let mut wrong = Vec::new();
    for operator in operators() {
        let left = operator.left.map(concrete);
        let right = concrete(operator.right);
        let filled =
            |l: &str, r: &str| format!("SELECT {}", operator.emit.replace("{l}", l).replace("{r}", r));
        let l = left.map_or("", sample);
        expect(&connection, &filled(l, sample(right)), given(operator.result), &mut wrong);
        let array_grows = operator.symbol == "||" && matches!(given(operator.result), Type::Array(_));
        if !array_grows {
            expect_null(&connection, &filled(l, "NULL"), &mut wrong);
            if left.is_some() {
                expect_null(&connection, &filled("NULL", sample(right)), &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_cast_compiles_and_gives_what_it_says() {
    let connection = connection();
    let mut wrong = Vec::new();
    for cast in casts() {
        expect(
            &connection,
            &format!("SELECT {}", cast.emit.replace("{1}", sample(cast.from))),
            cast.to,
            &mut wrong,
        );
        expect_null(&connection, &format!("SELECT {}", cast.emit.replace("{1}", "NULL")), &mut wrong);
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_row_is_there_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for function in functions() {
        let key = format!("{} {:?} {:?}", function.name, function.arguments, function.variadic);
        assert!(seen.insert(key.clone()), "{key}");
    }
    for operator in operators() {
        let key = format!("{} {:?} {:?}", operator.symbol, operator.left, operator.right);
        assert!(seen.insert(key.clone()), "{key}");
    }
    for cast in casts() {
        let key = format!("{:?} {:?}", cast.from, cast.to);
        assert!(seen.insert(key.clone()), "{key}");
    }
}
