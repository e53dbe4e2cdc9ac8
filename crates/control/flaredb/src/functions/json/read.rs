//! Parts of JSON values, by key, place or path. A part of a `jsonb` is written as it stands in the whole.

use crate::base::error::{SqlError, SqlState};
use crate::base::types::{ColumnType, Type};
use crate::functions::call::{Answer, Call, Scalar, strict};
use crate::value::array::{Array, Item};
use crate::value::json::{Kind, Node, parse};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_json_field", 2, |call| field(call, raw)),
    strict("fl_jsonb_field", 2, |call| field(call, raw)),
    strict("fl_json_field_text", 2, |call| field(call, plain)),
    strict("fl_jsonb_field_text", 2, |call| field(call, plain)),
    strict("fl_json_item", 2, |call| item(call, false, raw)),
    strict("fl_jsonb_item", 2, |call| item(call, true, raw)),
    strict("fl_json_item_text", 2, |call| item(call, false, plain)),
    strict("fl_jsonb_item_text", 2, |call| item(call, true, plain)),
    strict("fl_json_path", 2, |call| path(call, raw)),
    strict("fl_jsonb_path", 2, |call| path(call, raw)),
    strict("fl_json_path_text", 2, |call| path(call, plain)),
    strict("fl_jsonb_path_text", 2, |call| path(call, plain)),
    strict("fl_json_path_of", -1, |call| path_of(call, raw)),
    strict("fl_jsonb_path_of", -1, |call| path_of(call, raw)),
    strict("fl_json_path_text_of", -1, |call| path_of(call, plain)),
    strict("fl_jsonb_path_text_of", -1, |call| path_of(call, plain)),
    strict("fl_json_array_length", 1, length),
    strict("fl_json_typeof", 1, |call| Ok(parse(call.text(0)?)?.type_name().to_owned().into())),
    strict("fl_jsonb_bool", 1, truth),
    strict("fl_jsonb_numeric", 2, number),
];

type Show = fn(&Node<'_>) -> Value;

fn raw(node: &Node<'_>) -> Value {
    Value::Text(node.raw.to_owned())
}

fn plain(node: &Node<'_>) -> Value {
    node.text().map(str::to_owned).into()
}

fn shown(node: Option<&Node<'_>>, show: Show) -> Answer {
    Ok(node.map_or(Value::Null, show))
}

fn field(call: &Call<'_>, show: Show) -> Answer {
    shown(parse(call.text(0)?)?.field(call.text(1)?), show)
}

/// A `jsonb` that has no parts is the only one of itself, as PostgreSQL has it.
fn item(call: &Call<'_>, alone: bool, show: Show) -> Answer {
    let (node, place) = (parse(call.text(0)?)?, call.int(1)?);
    if alone && !node.is_container() {
        return shown((place == 0 || place == -1).then_some(&node), show);
    }
    shown(node.item(place), show)
}

/// The texts of an array; None for NULL among them.
pub(crate) fn texts(kept: &str) -> Result<Vec<Option<String>>, SqlError> {
    let items = Array::read(kept)?.items.into_iter();
    Ok(items.map(|item| if let Item::Text(text) = item { Some(text.into_owned()) } else { None }).collect())
}

fn path(call: &Call<'_>, show: Show) -> Answer {
    let steps = texts(call.text(1)?)?;
    along(call.text(0)?, steps.iter().map(Option::as_deref), show)
}

fn path_of(call: &Call<'_>, show: Show) -> Answer {
    let steps: Result<Vec<&str>, _> = (1..call.count()).map(|place| call.text(place)).collect();
    along(call.text(0)?, steps?.into_iter().map(Some), show)
}

fn along<'a>(json: &str, steps: impl Iterator<Item = Option<&'a str>>, show: Show) -> Answer {
    let node = parse(json)?;
    let mut at = Some(&node);
    for step in steps {
        at = match (at, step) {
            (Some(node), Some(step)) => match &node.kind {
                Kind::Array(_) => step.trim().parse().ok().and_then(|place| node.item(place)),
                _ => node.field(step),
            },
            _ => None,
        };
    }
    shown(at, show)
}

/// `22023`.
pub(crate) fn refused(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn length(call: &Call<'_>) -> Answer {
    match parse(call.text(0)?)?.kind {
        Kind::Array(items) => Ok((items.len() as i64).into()),
        Kind::Object(_) => Err(refused("cannot get array length of a non-array")),
        _ => Err(refused("cannot get array length of a scalar")),
    }
}

fn uncastable(node: &Node<'_>, to: Type) -> SqlError {
    let kind = match node.type_name() {
        "number" => "numeric",
        name => name,
    };
    let to = crate::value::format_type(ColumnType::from(to));
    refused(format!("cannot cast jsonb {kind} to type {to}"))
}

fn truth(call: &Call<'_>) -> Answer {
    let node = parse(call.text(0)?)?;
    match node.kind {
        Kind::Bool(value) => Ok(i64::from(value).into()),
        _ => Err(uncastable(&node, Type::BOOL)),
    }
}

/// A number, and the OID of the type that is told of if it is none.
fn number(call: &Call<'_>) -> Answer {
    let node = parse(call.text(0)?)?;
    match node.kind {
        Kind::Number => Ok(raw(&node)),
        _ => Err(uncastable(&node, call.ty(1)?)),
    }
}
