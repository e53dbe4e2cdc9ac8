//! The order of values as they are kept: SQLite's collations, `greatest` and `least`, elements of arrays.

use std::cmp::Ordering;

use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use crate::functions::call::{Answer, Call, Scalar, pure};
use crate::functions::compare::{
    BY_ARRAY, BY_INTERVAL, BY_INTERVALS, BY_JSONB, BY_JSONBS, BY_NUMERIC, BY_NUMERICS,
};
use crate::value::array::{Array, Item};
use crate::value::{json, numeric};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    pure("fl_greatest", -1, |call| extreme(call, Ordering::Greater)),
    pure("fl_least", -1, |call| extreme(call, Ordering::Less)),
];

/// A comparison of two texts.
type Comparison = fn(&str, &str) -> Ordering;

/// The collations by name.
const COLLATIONS: &[(&str, Comparison)] = &[
    (BY_NUMERIC, numeric::order::compare),
    (BY_INTERVAL, intervals),
    (BY_JSONB, json::order::compare),
    (BY_ARRAY, |left, right| arrays(left, right, None)),
    (BY_NUMERICS, |left, right| arrays(left, right, Some(numeric::order::compare))),
    (BY_INTERVALS, |left, right| arrays(left, right, Some(intervals))),
    (BY_JSONBS, |left, right| arrays(left, right, Some(json::order::compare))),
];

/// Gives a connection the collations.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    for (name, compare) in COLLATIONS {
        connection.create_collation(*name, *compare)?;
    }
    Ok(())
}

/// How long an interval is, in microseconds, where a month has 30 days.
fn length(kept: &str) -> Option<i128> {
    let mut parts = kept.split(' ').map(str::parse::<i128>);
    let (months, days, micros) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some((months * 30 + days) * 86_400_000_000 + micros)
}

fn intervals(left: &str, right: &str) -> Ordering {
    length(left).cmp(&length(right))
}

/// Element by element, then by how many there are, then by their shape.
fn arrays(left: &str, right: &str, texts: Option<Comparison>) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let (Ok(left), Ok(right)) = (Array::read(left), Array::read(right)) else { return left.cmp(right) };
    let each = left.items.iter().zip(&right.items).map(|(left, right)| items(left, right, texts));
    let first = each.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
    first
        .then_with(|| left.items.len().cmp(&right.items.len()))
        .then_with(|| left.dimensions.len().cmp(&right.dimensions.len()))
        .then_with(|| left.dimensions.cmp(&right.dimensions))
}

/// NULL is above all, and equal to itself.
fn items(left: &Item<'_>, right: &Item<'_>, texts: Option<Comparison>) -> Ordering {
    match (left, right) {
        (Item::Null, _) | (_, Item::Null) => left.is_null().cmp(&right.is_null()),
        (Item::Text(left), Item::Text(right)) => match texts {
            Some(compare) => compare(left, right),
            None => left.cmp(right),
        },
        (Item::Integer(left), Item::Integer(right)) => left.cmp(right),
        _ => float(left).total_cmp(&float(right)),
    }
}

/// Infinities are kept as texts in arrays.
fn float(item: &Item<'_>) -> f64 {
    match item {
        Item::Null => f64::NAN,
        Item::Integer(value) => *value as f64,
        // Both zeros are the same.
        Item::Real(value) => value + 0.0,
        Item::Text(text) => text.parse().unwrap_or(f64::NAN),
    }
}

/// How texts of a type compare, if not by their bytes.
fn comparison(element: Element) -> Option<Comparison> {
    match element {
        Element::Numeric => Some(numeric::order::compare),
        Element::Interval => Some(intervals),
        Element::Jsonb => Some(json::order::compare),
        _ => None,
    }
}

/// The order of two elements of a type, NULL above all.
pub(crate) fn elements(element: Element, left: &Item<'_>, right: &Item<'_>) -> Ordering {
    match (element, left, right) {
        (Element::Float4 | Element::Float8, left, right) if !left.is_null() && !right.is_null() => {
            float(left).total_cmp(&float(right))
        }
        _ => items(left, right, comparison(element)),
    }
}

/// The order of two values of a type that are not NULL.
fn values(ty: Type, left: ValueRef<'_>, right: ValueRef<'_>) -> Result<Ordering, SqlError> {
    let (left, right) = (Item::of(left)?, Item::of(right)?);
    Ok(match (ty, &left, &right) {
        (Type::Scalar(element), ..) => elements(element, &left, &right),
        (_, Item::Text(left), Item::Text(right)) => arrays(left, right, ty.element().and_then(comparison)),
        _ => items(&left, &right, None),
    })
}

/// The type's OID, then values; those that are NULL do not count.
fn extreme(call: &Call<'_>, wanted: Ordering) -> Answer {
    let ty = call.ty(0)?;
    let mut best = ValueRef::Null;
    for place in 1..call.count() {
        let value = call.value(place);
        if value == ValueRef::Null {
            continue;
        }
        if best == ValueRef::Null || values(ty, value, best)? == wanted {
            best = value;
        }
    }
    Ok(Value::try_from(best).unwrap_or(Value::Null))
}
