//! Correlation, covariance and regression of pairs (y, x).

use crate::base::error::SqlError;
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call};
use crate::functions::number::float::{number, overflow};

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Pairs>] = &[
    Entry { name: "fl_regr_count", arity: 2, result: |p, _| Ok(Value::Integer(p.rows as i64)) },
    Entry { name: "fl_regr_avgx", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.x / p.rows)) },
    Entry { name: "fl_regr_avgy", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.y / p.rows)) },
    Entry { name: "fl_regr_sxx", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.xx)) },
    Entry { name: "fl_regr_syy", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.yy)) },
    Entry { name: "fl_regr_sxy", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.xy)) },
    Entry { name: "fl_covar_pop", arity: 2, result: |p, _| p.of(1.0, |p| Some(p.xy / p.rows)) },
    Entry { name: "fl_covar_samp", arity: 2, result: |p, _| p.of(2.0, |p| Some(p.xy / (p.rows - 1.0))) },
    Entry { name: "fl_corr", arity: 2, result: |p, _| p.of(1.0, Pairs::correlation) },
    Entry { name: "fl_regr_r2", arity: 2, result: |p, _| p.of(1.0, Pairs::determination) },
    Entry {
        name: "fl_regr_slope",
        arity: 2,
        result: |p, _| p.of(1.0, |p| (p.xx != 0.0).then(|| p.xy / p.xx)),
    },
    Entry { name: "fl_regr_intercept", arity: 2, result: |p, _| p.of(1.0, Pairs::intercept) },
];

/// Sums, and sums of products of distances from the means.
#[derive(Default)]
pub(crate) struct Pairs {
    rows: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Pairs {
    /// NULL of too few rows, and where nothing can be said.
    fn of(&self, least: f64, compute: fn(&Self) -> Option<f64>) -> Answer {
        if self.rows < least {
            return Ok(Value::Null);
        }
        Ok(compute(self).map(number).transpose()?.into())
    }

    fn correlation(&self) -> Option<f64> {
        (self.xx != 0.0 && self.yy != 0.0).then(|| self.xy / (self.xx * self.yy).sqrt())
    }

    fn determination(&self) -> Option<f64> {
        if self.xx == 0.0 {
            return None;
        }
        Some(if self.yy == 0.0 { 1.0 } else { (self.xy * self.xy) / (self.xx * self.yy) })
    }

    fn intercept(&self) -> Option<f64> {
        (self.xx != 0.0).then(|| (self.y - self.x * self.xy / self.xx) / self.rows)
    }
}

impl State for Pairs {
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let (y, x) = (call.float(0)?, call.float(1)?);
        let before = self.rows;
        self.rows += 1.0;
        self.x += x;
        self.y += y;
        if before > 0.0 {
            let (from_x, from_y) = (x * self.rows - self.x, y * self.rows - self.y);
            let scale = 1.0 / (self.rows * before);
            self.xx += from_x * from_x * scale;
            self.yy += from_y * from_y * scale;
            self.xy += from_x * from_y * scale;
        }
        let sums = [self.x, self.y, self.xx, self.yy, self.xy];
        if x.is_finite() && y.is_finite() && sums.iter().any(|sum| sum.is_infinite()) {
            return Err(overflow());
        }
        Ok(())
    }

    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError> {
        let (y, x) = (call.float(0)?, call.float(1)?);
        let before = self.rows;
        if before <= 1.0 {
            *self = Self::default();
            return Ok(());
        }
        let (from_x, from_y) = (x * before - self.x, y * before - self.y);
        self.rows -= 1.0;
        self.x -= x;
        self.y -= y;
        let scale = 1.0 / (before * self.rows);
        self.xx -= from_x * from_x * scale;
        self.yy -= from_y * from_y * scale;
        self.xy -= from_x * from_y * scale;
        Ok(())
    }
}
