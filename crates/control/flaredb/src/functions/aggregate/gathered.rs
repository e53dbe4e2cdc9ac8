//! `array_agg`: values as an array.

use std::collections::VecDeque;

use crate::base::SqlError;
use rusqlite::types::Value;
use serde_json::Value as Json;

use super::state::{Entry, State};
use crate::functions::call::{Call, bounded};
use crate::value::array;

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Gathered>] = &[Entry {
    name: "fl_array_agg",
    arity: 1,
    result: |gathered, _| {
        if gathered.items.is_empty() {
            return Ok(Value::Null);
        }
        Ok(Value::Text(serde_json::to_string(&gathered.items).unwrap_or_default()))
    },
}];

/// All values, NULLs too.
#[derive(Default)]
pub(crate) struct Gathered {
    items: VecDeque<Json>,
    bytes: usize,
}

impl State for Gathered {
    const NULLS: bool = true;

    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let value = Value::try_from(call.value(0)).unwrap_or(Value::Null);
        self.bytes += match &value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 8,
        };
        bounded(self.bytes)?;
        self.items.push_back(array::element_json(&value));
        Ok(())
    }

    fn remove(&mut self, _call: &Call<'_>) -> Result<(), SqlError> {
        self.items.pop_front();
        Ok(())
    }
}
