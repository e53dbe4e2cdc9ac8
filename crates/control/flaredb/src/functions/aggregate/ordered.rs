//! Aggregates with WITHIN GROUP: `percentile_cont`, `percentile_disc`, `mode`.
//!
//! What is ordered by comes as the last argument, and the rows come in its order: it stands in the call's own
//! ORDER BY too. They are no window functions.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call, bounded, float};
use crate::functions::number::float::number;

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Ordered>] = &[
    Entry { name: "fl_percentile_cont", arity: 2, result: |ordered, _| ordered.between() },
    Entry { name: "fl_percentile_disc", arity: 2, result: |ordered, _| ordered.reached() },
    Entry { name: "fl_mode", arity: 1, result: |ordered, _| Ok(ordered.most_frequent()) },
];

/// The values in order, and the fraction if there is one.
#[derive(Default)]
pub(crate) struct Ordered {
    fraction: f64,
    values: Vec<Value>,
}

impl Ordered {
    /// The value at a fraction of the way, between two values if need be.
    fn between(&self) -> Answer {
        let Some(last) = self.values.len().checked_sub(1) else { return Ok(Value::Null) };
        let place = self.fraction * last as f64;
        let at = |place: f64| float((&self.values[(place as usize).min(last)]).into());
        let (low, high) = (at(place.floor())?, at(place.ceil())?);
        let between = if low == high { low } else { low + place.fract() * (high - low) };
        Ok(number(between)?.into())
    }

    /// The first value that a fraction of all values does not exceed.
    fn reached(&self) -> Answer {
        let place = (self.fraction * self.values.len() as f64).ceil() as usize;
        Ok(self.values.get(place.saturating_sub(1)).cloned().unwrap_or(Value::Null))
    }

    /// The first of those that are there most often.
    fn most_frequent(&self) -> Value {
        let runs = self.values.chunk_by(|a, b| a == b);
        // The last of the longest is the first when they come from the end.
        let longest = runs.rev().max_by_key(|run| run.len());
        longest.and_then(|run| run.first()).cloned().unwrap_or(Value::Null)
    }
}

impl State for Ordered {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        if call.count() > 1 {
            self.fraction = call.float(0)?;
            if !(0.0..=1.0).contains(&self.fraction) {
                let message = format!("percentile value {} is not between 0 and 1", self.fraction);
                return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
            }
        }
        bounded((self.values.len() + 1).saturating_mul(size_of::<Value>()))?;
        self.values.push(call.value(call.count() - 1).try_into().unwrap_or(Value::Null));
        Ok(())
    }

    fn remove(&mut self, _call: &Call<'_>) -> Result<(), SqlError> {
        Err(SqlError::unsupported("OVER with an ordered-set aggregate"))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn places_among_ordered_values_are_found() {
        check(&[
            (
                "fl_percentile_cont(0.5, column1 ORDER BY column1) FROM (VALUES (1.0), (4.0), (2.0), (NULL))",
                "2.0",
            ),
            (
                "fl_percentile_cont(0.25, column1 ORDER BY column1) FROM (VALUES (1.0), (2.0), (4.0), (8.0))",
                "1.75",
            ),
            (
                "fl_percentile_disc(0.5, column1 ORDER BY column1) FROM (VALUES ('a'), ('c'), ('b'), ('d'))",
                "b",
            ),
            ("fl_percentile_disc(0.0, column1 ORDER BY column1) FROM (VALUES (3), (1))", "1"),
            ("fl_mode(column1 ORDER BY column1) FROM (VALUES (2), (1), (3), (3), (1))", "1"),
            ("fl_mode(column1 ORDER BY column1 DESC) FROM (VALUES (2), (1), (3), (3), (1))", "3"),
            ("fl_mode(column1) FROM (VALUES (1)) WHERE 0", "NULL"),
            (
                "fl_percentile_cont(1.5, column1) FROM (VALUES (1.0))",
                "22003: percentile value 1.5 is not between 0 and 1",
            ),
        ]);
    }
}
