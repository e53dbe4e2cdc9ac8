//! The parts of JSON values as rows.

use crate::base::Evaluation;
use crate::base::error::{SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};

use super::table::{Row, Rows, Source};
use crate::functions::call::text;
use crate::value::json::{Kind, Node, parse};

const PAIR: &[&str] = &["key", "value"];
const ONE: &[&str] = &["value"];

const fn source(
    name: &'static str,
    columns: &'static [&'static str],
    run: fn(&[ValueRef<'_>], &Evaluation) -> Result<Rows, SqlError>,
) -> Source {
    Source { name, columns, arguments: 1, run }
}

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] = &[
    source("fl_json_elements", ONE, |of, _| elements(of, "json_array_elements", raw)),
    source("fl_json_elements_text", ONE, |of, _| elements(of, "json_array_elements_text", plain)),
    source("fl_jsonb_elements", ONE, |of, _| elements(of, "", raw)),
    source("fl_jsonb_elements_text", ONE, |of, _| elements(of, "", plain)),
    source("fl_json_keys", ONE, |of, _| keys(of, "json_object_keys")),
    source("fl_jsonb_keys", ONE, |of, _| keys(of, "jsonb_object_keys")),
    source("fl_json_each", PAIR, |of, _| each(of, "", raw)),
    source("fl_json_each_text", PAIR, |of, _| each(of, "", plain)),
    source("fl_jsonb_each", PAIR, |of, _| each(of, "jsonb_each", raw)),
    source("fl_jsonb_each_text", PAIR, |of, _| each(of, "jsonb_each_text", plain)),
];

fn raw(node: &Node<'_>) -> Value {
    Value::Text(node.raw.to_owned())
}

fn plain(node: &Node<'_>) -> Value {
    node.text().map(str::to_owned).into()
}

fn refused(message: String) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn all(rows: Vec<Row>) -> Rows {
    Box::new(rows.into_iter().map(Ok))
}

/// The elements of an array. `name` is the function's, where its errors tell it.
fn elements(of: &[ValueRef<'_>], name: &str, show: fn(&Node<'_>) -> Value) -> Result<Rows, SqlError> {
    let node = parse(text(of[0])?)?;
    match &node.kind {
        Kind::Array(items) => Ok(all(items.iter().map(|item| vec![show(item)]).collect())),
        Kind::Object(_) if name.is_empty() => {
            Err(refused("cannot extract elements from an object".to_owned()))
        }
        _ if name.is_empty() => Err(refused("cannot extract elements from a scalar".to_owned())),
        Kind::Object(_) => Err(refused(format!("cannot call {name} on a non-array"))),
        _ => Err(refused(format!("cannot call {name} on a scalar"))),
    }
}

fn keys(of: &[ValueRef<'_>], name: &str) -> Result<Rows, SqlError> {
    let node = parse(text(of[0])?)?;
    match &node.kind {
        Kind::Object(fields) => {
            Ok(all(fields.iter().map(|(key, _)| vec![Value::Text(key.to_string())]).collect()))
        }
        Kind::Array(_) => Err(refused(format!("cannot call {name} on an array"))),
        _ => Err(refused(format!("cannot call {name} on a scalar"))),
    }
}

/// The fields of an object.
fn each(of: &[ValueRef<'_>], name: &str, show: fn(&Node<'_>) -> Value) -> Result<Rows, SqlError> {
    let node = parse(text(of[0])?)?;
    match &node.kind {
        Kind::Object(fields) => Ok(all(fields
            .iter()
            .map(|(key, value)| vec![Value::Text(key.to_string()), show(value)])
            .collect())),
        Kind::Array(_) if name.is_empty() => {
            Err(refused("cannot deconstruct an array as an object".to_owned()))
        }
        _ if name.is_empty() => Err(refused("cannot deconstruct a scalar".to_owned())),
        _ => Err(refused(format!("cannot call {name} on a non-object"))),
    }
}
