//! Sums, averages and variances of exact numbers: whatever was added can be taken out again without loss.

use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call};
use crate::value::numeric::{Decimal, Numeric};
use num_bigint::BigInt;

/// What SQLite calls.
pub(crate) const SUMS: &[Entry<Sums<false>>] = &[
    Entry { name: "fl_sum_int8", arity: 1, result: |sums, _| sums.sum() },
    Entry { name: "fl_sum_numeric", arity: 1, result: |sums, _| sums.sum() },
    Entry { name: "fl_avg_int8", arity: 1, result: |sums, _| sums.average() },
    Entry { name: "fl_avg_numeric", arity: 1, result: |sums, _| sums.average() },
];

/// What SQLite calls.
pub(crate) const SPREADS: &[Entry<Sums<true>>] = &[
    Entry { name: "fl_var_pop", arity: 1, result: |sums, _| sums.spread(false, false) },
    Entry { name: "fl_var_samp", arity: 1, result: |sums, _| sums.spread(true, false) },
    Entry { name: "fl_stddev_pop", arity: 1, result: |sums, _| sums.spread(false, true) },
    Entry { name: "fl_stddev_samp", arity: 1, result: |sums, _| sums.spread(true, true) },
];

/// Count and sum, and the sum of squares where it is wanted.
#[derive(Default)]
pub(crate) struct Sums<const SQUARES: bool> {
    rows: i64,
    /// At the largest scale so far.
    sum: BigInt,
    /// At twice that scale.
    squares: BigInt,
    scale: i64,
    /// How many values there are of each scale; it shrinks again when its values leave.
    scales: Vec<i64>,
    nans: i64,
    above: i64,
    below: i64,
}

impl<const SQUARES: bool> Sums<SQUARES> {
    fn count(&mut self, value: &Numeric, by: i64) {
        self.rows += by;
        let value = match value {
            Numeric::NaN => return self.nans += by,
            Numeric::Infinity => return self.above += by,
            Numeric::NegativeInfinity => return self.below += by,
            Numeric::Finite(value) => value,
        };
        let place = usize::try_from(value.scale).unwrap_or(0);
        if self.scales.len() <= place {
            self.scales.resize(place + 1, 0);
        }
        if let Some(count) = self.scales.get_mut(place) {
            *count += by;
        }
        if value.scale > self.scale {
            self.sum = Decimal::new(std::mem::take(&mut self.sum), self.scale).at_scale(value.scale);
            self.squares =
                Decimal::new(std::mem::take(&mut self.squares), self.scale * 2).at_scale(value.scale * 2);
            self.scale = value.scale;
        }
        let digits = value.at_scale(self.scale);
        if SQUARES {
            self.squares += &digits * &digits * by;
        }
        self.sum += digits * by;
    }

    /// The largest scale among those that are there.
    fn shown(&self) -> i64 {
        self.scales.iter().rposition(|count| *count > 0).unwrap_or(0) as i64
    }

    fn special(&self) -> Option<Numeric> {
        match (self.nans > 0, self.above > 0, self.below > 0) {
            (false, false, false) => None,
            (false, true, false) => Some(Numeric::Infinity),
            (false, false, true) => Some(Numeric::NegativeInfinity),
            _ => Some(Numeric::NaN),
        }
    }

    fn total(&self) -> Result<Numeric, SqlError> {
        match self.special() {
            Some(special) => Ok(special),
            None => {
                Ok(Numeric::Finite(Decimal::new(self.sum.clone(), self.scale).cut(self.shown()).checked()?))
            }
        }
    }

    fn sum(&self) -> Answer {
        if self.rows == 0 { Ok(Value::Null) } else { Ok(self.total()?.kept()) }
    }

    fn average(&self) -> Answer {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        Ok(self.total()?.div(&Numeric::finite(self.rows, 0))?.kept())
    }

    /// The variance, or its root; of a sample, NULL of a single row.
    fn spread(&self, sample: bool, root: bool) -> Answer {
        if self.rows <= i64::from(sample) {
            return Ok(Value::Null);
        }
        if self.special().is_some() {
            return Ok(Numeric::NaN.kept());
        }
        let scale = self.shown();
        let sum = Decimal::new(self.sum.clone(), self.scale).at_scale(scale);
        let squares = Decimal::new(self.squares.clone(), self.scale * 2).at_scale(scale * 2);
        let distances = squares * self.rows - &sum * &sum;
        if distances.bits() == 0 {
            return Ok(Numeric::zero().kept());
        }
        let pairs = BigInt::from(self.rows) * (self.rows - i64::from(sample));
        let variance = Numeric::finite(distances, scale * 2).div(&Numeric::finite(pairs, 0))?;
        Ok(if root { variance.sqrt()? } else { variance }.kept())
    }
}

impl<const SQUARES: bool> State for Sums<SQUARES> {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(&exact(call)?, 1);
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        self.count(&exact(call)?, -1);
        Ok(())
    }
}

/// A numeric, or an integer as one.
fn exact(call: &Call<'_>) -> Result<Numeric, SqlError> {
    match call.value(0) {
        ValueRef::Integer(value) => Ok(Numeric::finite(value, 0)),
        _ => crate::functions::number::numeric::argument(call, 0),
    }
}
