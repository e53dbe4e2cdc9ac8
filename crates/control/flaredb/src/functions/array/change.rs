//! Arrays out of arrays: appended, joined, searched, replaced.

use std::cmp::Ordering;

use super::shape::{element, read};
use crate::base::error::{SqlError, SqlState};
use crate::base::types::Element;
use crate::functions::call::{Answer, Call, Scalar, bounded, pure, strict};
use crate::functions::order::elements;
use crate::value::array::{Array, Item};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    // Of its arguments: SQLite's own takes bytes for JSON.
    pure("fl_array_of", -1, |call| {
        let items = (0..call.count()).map(|place| Item::of(call.value(place)));
        Ok(Array::flat(items.collect::<Result<_, _>>()?).value())
    }),
    pure("fl_array_append", 2, |call| grown(call, 0, 1, false)),
    pure("fl_array_prepend", 2, |call| grown(call, 1, 0, true)),
    pure("fl_array_cat", 2, joined),
    pure("fl_array_position", 4, position),
    pure("fl_array_positions", 3, positions),
    pure("fl_array_remove", 3, remove),
    pure("fl_array_replace", 4, replace),
    strict("fl_array_contains", 3, |call| contains(call, false)),
    strict("fl_array_overlaps", 3, |call| contains(call, true)),
    strict("fl_array_width_bucket", 3, width_bucket),
];

/// One element more. What is no array is an empty one.
fn grown(call: &Call<'_>, array: usize, one: usize, front: bool) -> Answer {
    let mut array = if call.is_null(array) { Array::default() } else { read(call, array)? };
    if array.dimensions.len() > 1 {
        return Err(SqlError::new(SqlState(*b"22000"), "argument must be empty or one-dimensional array"));
    }
    let item = Item::of(call.value(one))?;
    let place = if front { 0 } else { array.items.len() };
    array.items.insert(place, item);
    bounded(array.items.len().saturating_mul(2))?;
    Ok(Array::flat(array.items).value())
}

fn incompatible(detail: String) -> SqlError {
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays")
        .with_detail(detail)
}

/// One array behind the other, along the first dimension.
fn joined(call: &Call<'_>) -> Answer {
    if call.is_null(0) || call.is_null(1) {
        let there = if call.is_null(0) { call.value(1) } else { call.value(0) };
        return Ok(Value::try_from(there).unwrap_or(Value::Null));
    }
    let (left, right) = (read(call, 0)?, read(call, 1)?);
    if left.items.is_empty() {
        return Ok(right.value());
    }
    if right.items.is_empty() {
        return Ok(left.value());
    }
    let (left_depth, right_depth) = (left.dimensions.len(), right.dimensions.len());
    // A smaller one is a part of the larger one's first dimension.
    let outer = |dimensions: &[usize]| {
        (dimensions.first().copied().unwrap_or(0), dimensions.get(1..).unwrap_or_default().to_vec())
    };
    let ((left_count, left_inner), (right_count, right_inner)) = match left_depth as i64 - right_depth as i64
    {
        0 => (outer(&left.dimensions), outer(&right.dimensions)),
        1 => (outer(&left.dimensions), (1, right.dimensions.clone())),
        -1 => ((1, left.dimensions.clone()), outer(&right.dimensions)),
        _ => {
            let detail = format!(
                "Arrays of {left_depth} and {right_depth} dimensions are not compatible for concatenation."
            );
            return Err(incompatible(detail));
        }
    };
    if left_inner != right_inner {
        let which = if left_depth == right_depth { "element " } else { "" };
        return Err(incompatible(format!(
            "Arrays with differing {which}dimensions are not compatible for concatenation."
        )));
    }
    let mut dimensions = vec![left_count + right_count];
    dimensions.extend(left_inner);
    let items = left.items.into_iter().chain(right.items).collect();
    Ok(Array { dimensions, items }.value())
}

/// NULL is equal to NULL here.
fn same(element: Element, left: &Item<'_>, right: &Item<'_>) -> bool {
    elements(element, left, right) == Ordering::Equal
}

/// An array of one dimension at most.
fn line<'a>(call: &Call<'a>, doing: &str) -> Result<Array<'a>, SqlError> {
    let array = read(call, 1)?;
    if array.dimensions.len() > 1 {
        let message = format!("{doing} multidimensional arrays is not supported");
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(array)
}

const SEARCHING: &str = "searching for elements in";

/// The OID of the array's type, the array, an element, and where to begin.
fn position(call: &Call<'_>) -> Answer {
    if call.is_null(1) {
        return Ok(Value::Null);
    }
    if call.is_null(3) {
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
    }
    let (element, array, wanted) = (element(call, 0)?, line(call, SEARCHING)?, Item::of(call.value(2))?);
    let from = usize::try_from(call.int(3)? - 1).unwrap_or(0);
    let found = array.items.iter().skip(from).position(|item| same(element, item, &wanted));
    Ok(found.map(|place| (from + place + 1) as i64).into())
}

fn positions(call: &Call<'_>) -> Answer {
    if call.is_null(1) {
        return Ok(Value::Null);
    }
    let (element, array, wanted) = (element(call, 0)?, line(call, SEARCHING)?, Item::of(call.value(2))?);
    let found = array.items.iter().zip(1..).filter(|(item, _)| same(element, item, &wanted));
    Ok(Array::flat(found.map(|(_, place)| Item::Integer(place)).collect()).value())
}

fn remove(call: &Call<'_>) -> Answer {
    if call.is_null(1) {
        return Ok(Value::Null);
    }
    let (element, array) = (element(call, 0)?, line(call, "removing elements from")?);
    let gone = Item::of(call.value(2))?;
    Ok(Array::flat(array.items.into_iter().filter(|item| !same(element, item, &gone)).collect()).value())
}

fn replace(call: &Call<'_>) -> Answer {
    if call.is_null(1) {
        return Ok(Value::Null);
    }
    let (element, mut array) = (element(call, 0)?, read(call, 1)?);
    let (old, new) = (Item::of(call.value(2))?, Item::of(call.value(3))?);
    for item in array.items.iter_mut().filter(|item| same(element, item, &old)) {
        *item = new.clone();
    }
    Ok(array.value())
}

/// Whether all of the second's elements are in the first, or any of them.
fn contains(call: &Call<'_>, any: bool) -> Answer {
    let (element, left, right) = (element(call, 0)?, read(call, 1)?, read(call, 2)?);
    let mut sorted: Vec<&Item<'_>> = left.items.iter().filter(|item| !item.is_null()).collect();
    sorted.sort_by(|left, right| elements(element, left, right));
    let has = |wanted: &Item<'_>| {
        !wanted.is_null() && sorted.binary_search_by(|item| elements(element, item, wanted)).is_ok()
    };
    let answer = if any { right.items.iter().any(has) } else { right.items.iter().all(has) };
    Ok(i64::from(answer).into())
}

/// How many of the thresholds a value reaches. The type is the value's.
fn width_bucket(call: &Call<'_>) -> Answer {
    let ty = call.ty(0)?;
    let crate::base::types::Type::Scalar(element) = ty else { return Ok(Value::Null) };
    let (value, array) = (Item::of(call.value(1))?, read(call, 2)?);
    if array.dimensions.len() > 1 {
        return Err(SqlError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "thresholds must be one-dimensional array",
        ));
    }
    if array.items.iter().any(Item::is_null) {
        return Err(SqlError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "thresholds array must not contain NULLs",
        ));
    }
    let reached =
        array.items.partition_point(|threshold| elements(element, threshold, &value) != Ordering::Greater);
    Ok((reached as i64).into())
}
