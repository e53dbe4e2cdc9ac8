//! What is known of an array's shape, and parts of it.

use crate::base::error::{SqlError, SqlState};
use crate::base::types::Element;
use crate::functions::call::{Answer, Call, Scalar, bounded, internal, pure, strict};
use crate::value::array::{Array, Item, MOST_DIMENSIONS};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_array_length", 2, |call| Ok(dimension(call)?.map(|length| length as i64).into())),
    strict("fl_array_lower", 2, |call| Ok(dimension(call)?.map(|_| 1_i64).into())),
    strict("fl_array_ndims", 1, |call| {
        let count = read(call, 0)?.dimensions.len() as i64;
        Ok(if count == 0 { Value::Null } else { count.into() })
    }),
    strict("fl_array_dims", 1, dims),
    strict("fl_cardinality", 1, |call| Ok((read(call, 0)?.items.len() as i64).into())),
    strict("fl_array_get", -1, get),
    pure("fl_array_slice", 3, slice),
    strict("fl_trim_array", 2, trim),
    pure("fl_array_fill", 2, fill),
];

/// An argument that is an array.
pub(crate) fn read<'a>(call: &Call<'a>, place: usize) -> Result<Array<'a>, SqlError> {
    Array::read(call.text(place)?)
}

/// What the array of a type's OID holds.
pub(crate) fn element(call: &Call<'_>, place: usize) -> Result<Element, SqlError> {
    call.ty(place)?.element().ok_or_else(|| internal("an argument's type is no array"))
}

fn dimension(call: &Call<'_>) -> Result<Option<usize>, SqlError> {
    let place = usize::try_from(call.int(1)?).ok().and_then(|place| place.checked_sub(1));
    let array = read(call, 0)?;
    Ok(place.and_then(|place| array.dimensions.get(place).copied()))
}

fn dims(call: &Call<'_>) -> Answer {
    let array = read(call, 0)?;
    if array.dimensions.is_empty() {
        return Ok(Value::Null);
    }
    Ok(array.dimensions.iter().map(|length| format!("[1:{length}]")).collect::<String>().into())
}

/// The OID of the array's type, the array, and a subscript for each dimension. NULL outside, and of a part.
fn get(call: &Call<'_>) -> Answer {
    let (element, array) = (element(call, 0)?, read(call, 1)?);
    if array.dimensions.len() + 2 != call.count() {
        return Ok(Value::Null);
    }
    let mut place = 0;
    for (at, length) in array.dimensions.iter().enumerate() {
        match usize::try_from(call.int(at + 2)?) {
            Ok(subscript) if (1..=*length).contains(&subscript) => place = place * length + subscript - 1,
            _ => return Ok(Value::Null),
        }
    }
    array.items.into_iter().nth(place).map_or(Ok(Value::Null), |item| item.into_value(element))
}

/// Parts of the first dimension, from one to another; NULL for an open end.
pub(crate) fn part<'a>(array: Array<'a>, from: usize, behind: usize) -> Array<'a> {
    let Some(length) = array.dimensions.first().copied() else { return array };
    let behind = behind.min(length);
    if from >= behind {
        return Array::default();
    }
    let each = array.items.len() / length.max(1);
    let mut dimensions = array.dimensions;
    if let Some(first) = dimensions.first_mut() {
        *first = behind - from;
    }
    let items = array.items.into_iter().skip(from * each).take((behind - from) * each).collect();
    Array { dimensions, items }
}

fn slice(call: &Call<'_>) -> Answer {
    if call.is_null(0) {
        return Ok(Value::Null);
    }
    let from = if call.is_null(1) { 1 } else { call.int(1)?.max(1) };
    let to = if call.is_null(2) { i64::MAX } else { call.int(2)?.max(0) };
    let bound = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
    Ok(part(read(call, 0)?, bound(from - 1), bound(to)).value())
}

/// Without so many at the end.
fn trim(call: &Call<'_>) -> Answer {
    let array = read(call, 0)?;
    let length = array.dimensions.first().copied().unwrap_or(0);
    let Some(left) = usize::try_from(call.int(1)?).ok().and_then(|count| length.checked_sub(count)) else {
        let message = format!("number of elements to trim must be between 0 and {length}");
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    };
    Ok(part(array, 0, left).value())
}

fn null_not_allowed(message: &str) -> SqlError {
    SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
}

/// A value in every place of an array of these dimensions.
fn fill(call: &Call<'_>) -> Answer {
    if call.is_null(1) {
        return Err(null_not_allowed("dimension array or low bound array cannot be null"));
    }
    let wanted = read(call, 1)?;
    if wanted.dimensions.len() > 1 {
        let error = SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
        return Err(error.with_detail("Dimension array must be one dimensional."));
    }
    let mut dimensions = Vec::new();
    for item in wanted.items {
        match item {
            Item::Integer(length) => dimensions.push(usize::try_from(length).map_err(|_| too_many())?),
            _ => return Err(null_not_allowed("dimension values cannot be null")),
        }
    }
    if dimensions.len() > MOST_DIMENSIONS {
        let message =
            format!("number of array dimensions ({}) exceeds the maximum allowed (6)", dimensions.len());
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let total =
        dimensions.iter().try_fold(1_usize, |all, length| all.checked_mul(*length)).ok_or_else(too_many)?;
    if dimensions.is_empty() || total == 0 {
        return Ok(Array::default().value());
    }
    let item = Item::of(call.value(0))?;
    let mut one = String::new();
    item.write(&mut one);
    bounded(total.saturating_mul(one.len().max(size_of::<Item<'_>>()))).map_err(|_| too_many())?;
    Ok(Array { dimensions, items: vec![item; total] }.value())
}

fn too_many() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (134217727)")
}
