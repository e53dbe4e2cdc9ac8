//! `unnest`, `generate_subscripts`, and `generate_series` of numeric values.

use std::cmp::Ordering;

use crate::base::Evaluation;
use crate::base::error::{SqlError, SqlState};
use crate::base::types::Type;
use rusqlite::types::{Value, ValueRef};

use super::series::no_step;
use super::table::{Rows, Source};
use crate::functions::call::{int, internal, text};
use crate::value::array::Array;
use crate::value::numeric::Numeric;

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] = &[
    Source { name: "fl_unnest", columns: &["value"], arguments: 2, run: unnest },
    Source { name: "fl_subscripts", columns: &["value"], arguments: 3, run: subscripts },
    Source { name: "fl_series_numeric", columns: &["value"], arguments: 3, run: numerics },
];

/// The OID of the array's type, and the array.
fn unnest(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let ty = u32::try_from(int(arguments[0])?).ok().and_then(Type::from_oid);
    let element = ty.and_then(Type::element).ok_or_else(|| internal("an argument's type is no array"))?;
    let array = Array::read(text(arguments[1])?)?;
    let items: Vec<_> = array.items.into_iter().map(|item| item.into_owned()).collect();
    Ok(Box::new(items.into_iter().map(move |item| Ok(vec![item.into_value(element)?]))))
}

/// An array, a dimension, and whether to count backwards.
fn subscripts(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let array = Array::read(text(arguments[0])?)?;
    let dimension = usize::try_from(int(arguments[1])? - 1).ok();
    let length = dimension.and_then(|dimension| array.dimensions.get(dimension)).copied().unwrap_or(0);
    let (length, backwards) = (i64::try_from(length).unwrap_or(i64::MAX), int(arguments[2])? != 0);
    let place = move |at: i64| if backwards { length + 1 - at } else { at };
    Ok(Box::new((1..=length).map(move |at| Ok(vec![Value::Integer(place(at))]))))
}

fn numerics(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let read = |place: usize, name: &str| {
        let value = Numeric::from_kept(text(arguments[place])?)?;
        let what = match &value {
            Numeric::Finite(_) => return Ok(value),
            Numeric::NaN => "NaN",
            _ => "infinity",
        };
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("{name} cannot be {what}")))
    };
    let (start, stop, step) = (read(0, "start value")?, read(1, "stop value")?, read(2, "step size")?);
    let beyond = match step.signum() {
        0 => return Err(no_step()),
        1 => Ordering::Greater,
        _ => Ordering::Less,
    };
    let mut next = start;
    let mut first = true;
    Ok(Box::new(std::iter::from_fn(move || {
        if !std::mem::take(&mut first) {
            match next.add(&step) {
                Ok(value) => next = value,
                Err(error) => return Some(Err(error)),
            }
        }
        (next.compare(&stop) != beyond).then(|| Ok(vec![next.kept()]))
    })))
}
