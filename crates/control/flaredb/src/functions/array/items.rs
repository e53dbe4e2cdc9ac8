//! Arrays as they are kept: looked into, put together, compared.

use crate::base::types::{Element, Type};
use crate::base::{Settings, SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};
use serde_json::Value as Json;

use crate::functions::call::{Answer, Call, Scalar, evaluated_pure, pure, strict};
use crate::value::{array, text_of};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_array_length", 2, |call| {
        let length = dimension(&items(call, 0)?, call.int(1)?);
        Ok(length.map_or(Value::Null, Value::Integer))
    }),
    strict("fl_array_lower", 2, |call| {
        let length = dimension(&items(call, 0)?, call.int(1)?);
        Ok(length.map_or(Value::Null, |_| Value::Integer(1)))
    }),
    strict("fl_array_ndims", 1, |call| {
        let shape = shape(&items(call, 0)?);
        Ok(if shape.is_empty() { Value::Null } else { number(shape.len()) })
    }),
    strict("fl_array_dims", 1, |call| {
        let shape = shape(&items(call, 0)?);
        let shown: String = shape.iter().map(|length| format!("[1:{length}]")).collect();
        Ok(if shape.is_empty() { Value::Null } else { Value::Text(shown) })
    }),
    strict("fl_cardinality", 1, |call| {
        Ok(number(
            shape(&items(call, 0)?).iter().product::<usize>() * usize::from(!items(call, 0)?.is_empty()),
        ))
    }),
    pure("fl_array_append", 2, |call| {
        let mut all = if call.is_null(0) { Vec::new() } else { items(call, 0)? };
        all.push(item(call, 1));
        kept(all)
    }),
    pure("fl_array_prepend", 2, |call| {
        let mut all = if call.is_null(1) { Vec::new() } else { items(call, 1)? };
        all.insert(0, item(call, 0));
        kept(all)
    }),
    pure("fl_array_cat", 2, |call| {
        if call.is_null(0) || call.is_null(1) {
            let other = if call.is_null(0) { call.value(1) } else { call.value(0) };
            return Ok(Value::try_from(other).unwrap_or(Value::Null));
        }
        let (mut left, right) = (items(call, 0)?, items(call, 1)?);
        left.extend(right);
        kept(left)
    }),
    strict("fl_array_get", -1, |call| {
        let mut found = Json::Array(items(call, 0)?);
        for place in 1..call.count() {
            let wanted = usize::try_from(call.int(place)? - 1).ok();
            let next = match &found {
                Json::Array(all) => wanted.and_then(|wanted| all.get(wanted)).cloned(),
                _ => None,
            };
            let Some(next) = next else { return Ok(Value::Null) };
            found = next;
        }
        match found {
            Json::Array(_) => Ok(Value::Null),
            other => array::element_value(Element::Text, &other),
        }
    }),
    pure("fl_array_slice", 3, |call| {
        if call.is_null(0) {
            return Ok(Value::Null);
        }
        let all = items(call, 0)?;
        let bound = |place: usize, open: i64| if call.is_null(place) { Ok(open) } else { call.int(place) };
        let (from, to) = (bound(1, 1)?.max(1), bound(2, i64::MAX)?);
        let picked =
            all.into_iter().zip(1..).filter(|(_, place)| (from..=to).contains(place)).map(|(item, _)| item);
        kept(picked.collect())
    }),
    pure("fl_array_position", 4, |call| {
        if call.is_null(1) {
            return Ok(Value::Null);
        }
        let (all, wanted, from) = (items(call, 1)?, item(call, 2), call.int(3)?);
        let place = all.iter().zip(1..).find(|(item, place)| *place >= from && same(call, item, &wanted));
        Ok(place.map_or(Value::Null, |(_, place)| Value::Integer(place)))
    }),
    pure("fl_array_positions", 3, |call| {
        if call.is_null(1) {
            return Ok(Value::Null);
        }
        let (all, wanted) = (items(call, 1)?, item(call, 2));
        let places = all.iter().zip(1_i64..).filter(|(item, _)| same(call, item, &wanted));
        kept(places.map(|(_, place)| Json::from(place)).collect())
    }),
    pure("fl_array_remove", 3, |call| {
        if call.is_null(1) {
            return Ok(Value::Null);
        }
        let (mut all, wanted) = (items(call, 1)?, item(call, 2));
        all.retain(|item| !same(call, item, &wanted));
        kept(all)
    }),
    pure("fl_array_replace", 4, |call| {
        if call.is_null(1) {
            return Ok(Value::Null);
        }
        let (mut all, from, to) = (items(call, 1)?, item(call, 2), item(call, 3));
        for item in &mut all {
            if same(call, item, &from) {
                *item = to.clone();
            }
        }
        kept(all)
    }),
    strict("fl_trim_array", 2, |call| {
        let mut all = items(call, 0)?;
        let count = usize::try_from(call.int(1)?).ok().filter(|count| *count <= all.len());
        let Some(count) = count else {
            let message = format!("number of elements to trim must be between 0 and {}", all.len());
            return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
        };
        all.truncate(all.len() - count);
        kept(all)
    }),
    evaluated_pure("fl_array_to_string", 4, |call| {
        if call.is_null(1) || call.is_null(2) {
            return Ok(Value::Null);
        }
        let element = crate::functions::cast::inout::element(call.ty(0)?)?;
        let zone = call.evaluation().with(|inner| inner.zone.clone());
        let settings = Settings { time_zone: zone, ..Settings::default() };
        let mut parts = Vec::new();
        for item in flat(&items(call, 1)?) {
            if item.is_null() {
                if !call.is_null(3) {
                    parts.push(call.text(3)?.to_owned());
                }
                continue;
            }
            let value = array::element_value(element, item)?;
            parts.push(text_of(Type::Scalar(element), ValueRef::from(&value), &settings)?.into_owned());
        }
        Ok(Value::Text(parts.join(call.text(2)?)))
    }),
    pure("fl_string_to_array", 3, |call| {
        if call.is_null(0) {
            return Ok(Value::Null);
        }
        let text = call.text(0)?;
        let parts: Vec<String> = if text.is_empty() {
            Vec::new()
        } else if call.is_null(1) {
            text.chars().map(String::from).collect()
        } else if call.text(1)?.is_empty() {
            vec![text.to_owned()]
        } else {
            text.split(call.text(1)?).map(str::to_owned).collect()
        };
        let null = if call.is_null(2) { None } else { Some(call.text(2)?) };
        let item = |part: String| if Some(part.as_str()) == null { Json::Null } else { Json::String(part) };
        kept(parts.into_iter().map(item).collect())
    }),
    strict("fl_array_contains", 3, |call| {
        let (outer, inner) = (items(call, 1)?, items(call, 2)?);
        let (outer, inner) = (flat(&outer), flat(&inner));
        let within = |wanted: &&Json| !wanted.is_null() && outer.iter().any(|item| same(call, item, wanted));
        Ok(Value::Integer(i64::from(inner.iter().all(within))))
    }),
    strict("fl_array_overlaps", 3, |call| {
        let (left, right) = (items(call, 1)?, items(call, 2)?);
        let (left, right) = (flat(&left), flat(&right));
        let shared = |item: &&Json| !item.is_null() && right.iter().any(|other| same(call, item, other));
        Ok(Value::Integer(i64::from(left.iter().any(shared))))
    }),
];

fn items(call: &Call<'_>, place: usize) -> Result<Vec<Json>, SqlError> {
    array::read(call.text(place)?)
}

fn item(call: &Call<'_>, place: usize) -> Json {
    array::element_json(&Value::try_from(call.value(place)).unwrap_or(Value::Null))
}

fn kept(items: Vec<Json>) -> Answer {
    if array::same_shape(&items).is_none() {
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays"));
    }
    Ok(Value::Text(Json::Array(items).to_string()))
}

/// Equal values of an array's type, told by the first argument.
fn same(call: &Call<'_>, a: &Json, b: &Json) -> bool {
    if a == b {
        return true;
    }
    match (call.ty(0).ok().and_then(Type::element), a, b) {
        (Some(Element::Numeric), Json::String(a), Json::String(b)) => {
            crate::value::numeric::compare(a, b) == std::cmp::Ordering::Equal
        }
        _ => false,
    }
}

fn shape(items: &[Json]) -> Vec<usize> {
    if items.is_empty() { Vec::new() } else { array::same_shape(items).unwrap_or_default() }
}

fn dimension(items: &[Json], which: i64) -> Option<i64> {
    let place = usize::try_from(which - 1).ok()?;
    shape(items).get(place).and_then(|length| i64::try_from(*length).ok())
}

fn number(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Every element of all dimensions.
pub(crate) fn flat(items: &[Json]) -> Vec<&Json> {
    let mut all = Vec::new();
    for item in items {
        match item {
            Json::Array(inner) => all.extend(flat(inner)),
            other => all.push(other),
        }
    }
    all
}
