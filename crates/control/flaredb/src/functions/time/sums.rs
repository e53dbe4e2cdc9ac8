//! Sums and averages of intervals.

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::types::Value;

use crate::functions::aggregate::state::{Entry, State};
use crate::functions::call::{Answer, Call};
use crate::value::time::Interval;

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Intervals>] = &[
    Entry { name: "fl_sum_interval", arity: 1, result: sum },
    Entry { name: "fl_avg_interval", arity: 1, result: average },
];

/// The parts apart, wide enough for any number of rows.
#[derive(Default)]
pub(crate) struct Intervals {
    rows: i64,
    months: i64,
    days: i64,
    micros: i128,
}

impl Intervals {
    fn count(&mut self, call: &Call<'_>, sign: i64) -> Result<(), SqlError> {
        let interval = Interval::from_stored(call.text(0)?)?;
        self.rows += sign;
        self.months += sign * i64::from(interval.months);
        self.days += sign * i64::from(interval.days);
        self.micros += i128::from(sign) * i128::from(interval.micros);
        Ok(())
    }

    fn total(&self) -> Result<Interval, SqlError> {
        Interval::of(self.months, self.days, self.micros)
    }
}

impl State for Intervals {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(call, 1)
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(call, -1)
    }
}

fn sum(state: &Intervals, _evaluation: &Evaluation) -> Answer {
    if state.rows == 0 {
        return Ok(Value::Null);
    }
    Ok(state.total()?.to_stored().into())
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer rows than that")]
fn average(state: &Intervals, _evaluation: &Evaluation) -> Answer {
    if state.rows == 0 {
        return Ok(Value::Null);
    }
    Ok(state.total()?.over(state.rows as f64)?.to_stored().into())
}
