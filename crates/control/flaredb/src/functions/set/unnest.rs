//! `unnest` and `generate_subscripts`.

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};

use super::table::{Rows, Source};
use crate::functions::array::items::flat;
use crate::functions::call::{int, internal, text};
use crate::value::array;

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] = &[
    Source { name: "fl_unnest", columns: &["value"], arguments: 2, run: elements },
    Source { name: "fl_subscripts", columns: &["value"], arguments: 3, run: subscripts },
];

fn elements(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let oid = u32::try_from(int(arguments[0])?).unwrap_or(0);
    let element = crate::base::Type::from_oid(oid)
        .and_then(crate::base::Type::element)
        .ok_or_else(|| internal("unnest is told no array"))?;
    let items = array::read(text(arguments[1])?)?;
    let values: Vec<Value> =
        flat(&items).into_iter().map(|item| array::element_value(element, item)).collect::<Result<_, _>>()?;
    Ok(Box::new(values.into_iter().map(|value| Ok(vec![value]))))
}

fn subscripts(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let items = array::read(text(arguments[0])?)?;
    let shape = if items.is_empty() { Vec::new() } else { array::same_shape(&items).unwrap_or_default() };
    let place = usize::try_from(int(arguments[1])? - 1).ok();
    let length =
        place.and_then(|place| shape.get(place)).map_or(0, |length| i64::try_from(*length).unwrap_or(0));
    let values: Vec<i64> =
        if int(arguments[2])? != 0 { (1..=length).rev().collect() } else { (1..=length).collect() };
    Ok(Box::new(values.into_iter().map(|value| Ok(vec![Value::Integer(value)]))))
}
