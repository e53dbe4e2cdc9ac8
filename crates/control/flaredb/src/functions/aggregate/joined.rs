//! `string_agg`: values one behind the other, with a delimiter before all but the first.

use std::collections::VecDeque;

use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};

use super::state::{Entry, State};
use crate::functions::call::{Call, bounded};

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Joined>] =
    &[Entry { name: "fl_string_agg", arity: 2, result: |joined, _| Ok(joined.whole()) }];

/// All that was added, one behind the other.
#[derive(Default)]
pub(crate) struct Joined {
    bytes: VecDeque<u8>,
    /// How long the delimiter and the value of each row are.
    rows: VecDeque<(usize, usize)>,
    is_bytea: bool,
}

impl Joined {
    fn whole(&self) -> Value {
        let Some((delimiter, _)) = self.rows.front() else { return Value::Null };
        let bytes: Vec<u8> = self.bytes.iter().skip(*delimiter).copied().collect();
        if self.is_bytea {
            Value::Blob(bytes)
        } else {
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
    }

    fn push(&mut self, value: ValueRef<'_>, delimiter: ValueRef<'_>) -> Result<(), SqlError> {
        let (value, delimiter) = (self.raw(value)?, self.raw(delimiter)?);
        bounded(self.bytes.len() + value.len() + delimiter.len())?;
        self.bytes.extend(delimiter);
        self.bytes.extend(value);
        self.rows.push_back((delimiter.len(), value.len()));
        Ok(())
    }

    fn raw<'a>(&mut self, value: ValueRef<'a>) -> Result<&'a [u8], SqlError> {
        match value {
            ValueRef::Null => Ok(b""),
            ValueRef::Blob(bytes) => {
                self.is_bytea = true;
                Ok(bytes)
            }
            other => Ok(crate::functions::call::text(other)?.as_bytes()),
        }
    }
}

impl State for Joined {
    /// A NULL delimiter is none; a NULL value is no row.
    const NULLS: bool = true;

    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        if call.is_null(0) { Ok(()) } else { self.push(call.value(0), call.value(1)) }
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        if let (false, Some((delimiter, value))) = (call.is_null(0), self.rows.pop_front()) {
            self.bytes.drain(..delimiter + value);
        }
        Ok(())
    }
}
