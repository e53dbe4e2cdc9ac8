//! `array_agg`, `json_agg`, `json_object_agg` and their like: the values one behind the other.

use std::collections::VecDeque;

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call, bounded, text};
use crate::value::array::{Array, Item};
use crate::value::json::{canonical, quoted};

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Collected<1>>] = &[
    Entry { name: "fl_array_agg", arity: 1, result: |rows, _| rows.array() },
    Entry { name: "fl_json_agg", arity: 1, result: |rows, _| rows.json() },
    Entry { name: "fl_jsonb_agg", arity: 1, result: |rows, _| rows.jsonb() },
];

/// What SQLite calls.
pub(crate) const OBJECTS: &[Entry<Collected<2>>] = &[
    Entry {
        name: "fl_json_object_agg",
        arity: 2,
        result: |rows, _| rows.object().map(|object| object.map_or(Value::Null, Value::Text)),
    },
    Entry { name: "fl_jsonb_object_agg", arity: 2, result: |rows, _| rows.canonical_object() },
];

/// The arguments of each row.
pub(crate) struct Collected<const WIDTH: usize> {
    rows: VecDeque<[Value; WIDTH]>,
    bytes: usize,
}

impl<const WIDTH: usize> Default for Collected<WIDTH> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), bytes: 0 }
    }
}

/// The text of a value; `null` for NULL.
fn json_of(value: &Value) -> Result<&str, SqlError> {
    if *value == Value::Null { Ok("null") } else { text(ValueRef::from(value)) }
}

impl Collected<1> {
    fn array(&self) -> Answer {
        if self.rows.is_empty() {
            return Ok(Value::Null);
        }
        let items = self.rows.iter().map(|[value]| Item::of(value.into()));
        Ok(Array::flat(items.collect::<Result<_, _>>()?).value())
    }

    /// Arrays come with a line of their own, but for the first.
    fn json(&self) -> Answer {
        if self.rows.is_empty() {
            return Ok(Value::Null);
        }
        let mut out = String::from("[");
        for (place, [value]) in self.rows.iter().enumerate() {
            let value = json_of(value)?;
            if place > 0 {
                out.push_str(", ");
                out.push_str(value);
            } else {
                out.push_str(value.trim_start_matches("\n "));
            }
        }
        out.push(']');
        Ok(out.into())
    }

    fn jsonb(&self) -> Answer {
        if self.rows.is_empty() {
            return Ok(Value::Null);
        }
        let parts: Result<Vec<&str>, _> = self.rows.iter().map(|[value]| json_of(value)).collect();
        Ok(format!("[{}]", parts?.join(", ")).into())
    }
}

impl Collected<2> {
    fn object(&self) -> Result<Option<String>, SqlError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut out = String::from("{ ");
        for (place, [key, value]) in self.rows.iter().enumerate() {
            if *key == Value::Null {
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "field name must not be null"));
            }
            if place > 0 {
                out.push_str(", ");
            }
            quoted(text(key.into())?, &mut out);
            out.push_str(" : ");
            out.push_str(json_of(value)?);
        }
        out.push_str(" }");
        Ok(Some(out))
    }

    fn canonical_object(&self) -> Answer {
        match self.object()? {
            Some(object) => Ok(canonical(&object)?.into()),
            None => Ok(Value::Null),
        }
    }
}

/// Roughly how many bytes a value takes.
fn size(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() + size_of::<Value>(),
        _ => size_of::<Value>(),
    }
}

impl<const WIDTH: usize> State for Collected<WIDTH> {
    /// NULL is a value like others.
    const NULLS: bool = true;

    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let values: [ValueRef<'_>; WIDTH] = std::array::from_fn(|place| call.value(place));
        self.bytes = bounded(self.bytes + values.iter().map(|value| size(*value)).sum::<usize>())?;
        self.rows.push_back(values.map(|value| Value::try_from(value).unwrap_or(Value::Null)));
        Ok(())
    }

    fn remove(&mut self, _call: &Call<'_>) -> Result<(), SqlError> {
        if let Some(values) = self.rows.pop_front() {
            self.bytes -= values.iter().map(|value| size(value.into())).sum::<usize>();
        }
        Ok(())
    }
}
