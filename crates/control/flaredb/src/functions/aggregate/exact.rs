//! `sum` and `avg` of integers and numerics, exactly; and `fl_only`, the value of a query that must give one row.

use crate::base::{SqlError, SqlState};
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call};
use crate::value::numeric::{self, Numeric};

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Exact>] = &[
    Entry { name: "fl_sum_int8", arity: 1, result: |sum, _| Ok(sum.sum()) },
    Entry { name: "fl_sum_numeric", arity: 1, result: |sum, _| Ok(sum.sum()) },
    Entry { name: "fl_avg_int8", arity: 1, result: |sum, _| sum.average() },
    Entry { name: "fl_avg_numeric", arity: 1, result: |sum, _| sum.average() },
];

/// What SQLite calls for the only value.
pub(crate) const ONLY: &[Entry<Only>] =
    &[Entry { name: "fl_only", arity: 1, result: |only, _| Ok(only.0.clone().unwrap_or(Value::Null)) }];

/// A sum so far.
pub(crate) struct Exact {
    total: Numeric,
    rows: i64,
}

impl Default for Exact {
    fn default() -> Self {
        Self { total: Numeric::Finite(0.into(), 0), rows: 0 }
    }
}

impl Exact {
    fn sum(&self) -> Value {
        if self.rows == 0 { Value::Null } else { Value::Text(self.total.to_string()) }
    }

    fn average(&self) -> Answer {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        let rows = Numeric::Finite(self.rows.into(), 0);
        Ok(Value::Text(numeric::divide(&self.total, &rows)?.to_string()))
    }

    fn value(call: &Call<'_>) -> Result<Numeric, SqlError> {
        match call.value(0) {
            rusqlite::types::ValueRef::Integer(value) => Ok(Numeric::Finite(value.into(), 0)),
            _ => Numeric::kept(call.text(0)?),
        }
    }
}

impl State for Exact {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.total = numeric::add(&self.total, &Self::value(call)?)?;
        self.rows += 1;
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.total = numeric::subtract(&self.total, &Self::value(call)?)?;
        self.rows -= 1;
        Ok(())
    }
}

/// The value of the only row.
#[derive(Default)]
pub(crate) struct Only(Option<Value>);

impl State for Only {
    const NULLS: bool = true;

    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let value = Value::try_from(call.value(0)).unwrap_or(Value::Null);
        if self.0.replace(value).is_some() {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(SqlError::new(SqlState::CARDINALITY_VIOLATION, message));
        }
        Ok(())
    }

    fn remove(&mut self, _call: &Call<'_>) -> Result<(), SqlError> {
        self.0 = None;
        Ok(())
    }
}
