//! `bit_and`, `bit_or`, `bit_xor`: each bit counted, so that rows can leave.

use crate::base::error::SqlError;
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::Call;

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Bits>] = &[
    Entry {
        name: "fl_bit_and",
        arity: 1,
        result: |bits, _| Ok(bits.where_count(|count, rows| count == rows)),
    },
    Entry { name: "fl_bit_or", arity: 1, result: |bits, _| Ok(bits.where_count(|count, _| count > 0)) },
    Entry { name: "fl_bit_xor", arity: 1, result: |bits, _| Ok(bits.where_count(|count, _| count % 2 == 1)) },
];

/// How many rows have each bit.
pub(crate) struct Bits {
    rows: i64,
    counts: [i64; 64],
}

impl Default for Bits {
    fn default() -> Self {
        Self { rows: 0, counts: [0; 64] }
    }
}

impl Bits {
    fn count(&mut self, value: i64, by: i64) {
        self.rows += by;
        for (bit, count) in self.counts.iter_mut().enumerate() {
            *count += (value >> bit & 1) * by;
        }
    }

    fn where_count(&self, is_set: fn(i64, i64) -> bool) -> Value {
        if self.rows == 0 {
            return Value::Null;
        }
        let set = self.counts.iter().enumerate().filter(|(_, count)| is_set(**count, self.rows));
        Value::Integer(set.fold(0, |value, (bit, _)| value | 1 << bit))
    }
}

impl State for Bits {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(call.int(0)?, 1);
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(call.int(0)?, -1);
        Ok(())
    }
}
