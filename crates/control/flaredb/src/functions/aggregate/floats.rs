//! Sums, averages and variances of floating-point numbers.
//!
//! As long as no row leaves, numbers are added in the order in which they come, to the same last digit as in
//! PostgreSQL. A window that moves on subtracts, with a second number for what the first cannot hold.

use crate::base::error::SqlError;
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call};
use crate::functions::number::float::{number, overflow, single};

/// What SQLite calls.
pub(crate) const SUMS: &[Entry<Sum>] = &[
    Entry { name: "fl_sum_float8", arity: 1, result: |sum, _| sum.of(Ok) },
    Entry { name: "fl_sum_float4", arity: 1, result: |sum, _| sum.of(single) },
];

/// What SQLite calls.
pub(crate) const SPREADS: &[Entry<Spread>] = &[
    Entry { name: "fl_avg_float8", arity: 1, result: |spread, _| spread.average() },
    Entry { name: "fl_var_pop_float8", arity: 1, result: |spread, _| spread.variance(0.0, |x| x) },
    Entry { name: "fl_var_samp_float8", arity: 1, result: |spread, _| spread.variance(1.0, |x| x) },
    Entry { name: "fl_stddev_pop_float8", arity: 1, result: |spread, _| spread.variance(0.0, f64::sqrt) },
    Entry { name: "fl_stddev_samp_float8", arity: 1, result: |spread, _| spread.variance(1.0, f64::sqrt) },
];

/// A sum that rows can leave.
#[derive(Default)]
pub(crate) struct Sum {
    rows: i64,
    /// In the order in which they came, while none has left.
    plain: f64,
    left: bool,
    /// The finite ones, and what is too small for that number.
    total: f64,
    rest: f64,
    /// How many there are of each infinity.
    above: i64,
    below: i64,
}

impl Sum {
    fn count(&mut self, value: f64, by: i64) {
        self.rows += by;
        if value == f64::INFINITY {
            self.above += by;
        } else if value == f64::NEG_INFINITY {
            self.below += by;
        } else {
            let value = if by < 0 { -value } else { value };
            let total = self.total + value;
            let share = total - self.total;
            self.rest += (self.total - (total - share)) + (value - share);
            self.total = total;
        }
    }

    fn of(&self, narrow: fn(f64) -> Result<f64, SqlError>) -> Answer {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        let infinite = self.above > 0 || self.below > 0;
        let sum = match (self.left, self.above > 0, self.below > 0) {
            (false, ..) => self.plain,
            (true, true, true) => f64::NAN,
            (true, true, false) => f64::INFINITY,
            (true, false, true) => f64::NEG_INFINITY,
            (true, false, false) => self.total + self.rest,
        };
        if sum.is_infinite() && !infinite {
            return Err(overflow());
        }
        Ok(number(narrow(sum)?)?.into())
    }
}

impl State for Sum {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let value = call.float(0)?;
        self.plain += value;
        self.count(value, 1);
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.left = true;
        self.count(call.float(0)?, -1);
        Ok(())
    }
}

/// Count, sum and squared distances from the mean, kept up to date row by row (Youngs and Cramer).
#[derive(Default)]
pub(crate) struct Spread {
    rows: f64,
    sum: f64,
    squares: f64,
}

impl Spread {
    fn average(&self) -> Answer {
        if self.rows == 0.0 {
            return Ok(Value::Null);
        }
        Ok(number(self.sum / self.rows)?.into())
    }

    /// NULL of too few rows.
    fn variance(&self, less: f64, finish: fn(f64) -> f64) -> Answer {
        if self.rows <= less {
            return Ok(Value::Null);
        }
        Ok(number(finish(self.squares / (self.rows - less)))?.into())
    }
}

impl State for Spread {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let value = call.float(0)?;
        let (before, sum) = (self.rows, self.sum);
        self.rows += 1.0;
        self.sum += value;
        if before > 0.0 {
            let distance = value * self.rows - self.sum;
            self.squares += distance * distance / (self.rows * before);
        }
        if self.sum.is_infinite() || self.squares.is_infinite() {
            if sum.is_finite() && value.is_finite() {
                return Err(overflow());
            }
            self.squares = f64::NAN;
        }
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let value = call.float(0)?;
        let before = self.rows;
        if before <= 1.0 {
            *self = Self::default();
            return Ok(());
        }
        let distance = value * before - self.sum;
        self.rows -= 1.0;
        self.sum -= value;
        self.squares = (self.squares - distance * distance / (before * self.rows)).max(0.0);
        Ok(())
    }
}
