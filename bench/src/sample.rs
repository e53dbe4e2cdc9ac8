//! Figures of one run, and the rows that they gather in.

use std::time::Duration;

use crate::load::Outcome;
use crate::table::{Band, Row, Side, Unit};

/// How far apart two starts of the same program may lie.
const SAME: Band = Band::ratio(0.75, Some(1.33));

/// One figure of one run.
#[derive(Debug)]
pub(crate) struct Sample {
    row: String,
    unit: Unit,
    value: f64,
    latency: Option<(f64, f64)>,
}

impl Sample {
    /// A rate with its latencies.
    pub(crate) fn rate(row: impl Into<String>, outcome: Outcome) -> Self {
        let latency = Some((milliseconds(outcome.p50), milliseconds(outcome.p99)));
        Self { row: row.into(), unit: Unit::PerSecond, value: outcome.rate, latency }
    }

    /// A figure without latencies.
    pub(crate) fn plain(row: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { row: row.into(), unit, value, latency: None }
    }

    /// A duration.
    pub(crate) fn time(row: impl Into<String>, duration: Duration) -> Self {
        Self::plain(row, Unit::Milliseconds, milliseconds(duration))
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The rows, in the order in which their names came first.
pub(crate) struct Ledger {
    rows: Vec<Row>,
    promise: Promise,
}

/// The floor and the aim of a row, by its name.
pub(crate) type Promise = fn(&str) -> (Option<Band>, Option<Band>);

impl Ledger {
    /// Empty.
    pub(crate) fn new(promise: Promise) -> Self {
        Self { rows: Vec::new(), promise }
    }

    pub(crate) fn add(&mut self, is_ours: bool, samples: Vec<Sample>) {
        for sample in samples {
            let row = self.row(&sample);
            let side = if is_ours { &mut row.ours } else { &mut row.theirs };
            side.samples.0.push(sample.value);
            if let Some((p50, p99)) = sample.latency {
                side.p50_ms.0.push(p50);
                side.p99_ms.0.push(p99);
            }
        }
    }

    fn row(&mut self, sample: &Sample) -> &mut Row {
        let at = self.rows.iter().position(|row| row.name == sample.row).unwrap_or_else(|| {
            let (floor, aim) = (self.promise)(&sample.row);
            let (ours, theirs) = (Side::default(), Side::default());
            self.rows.push(Row { name: sample.row.clone(), unit: sample.unit, ours, theirs, floor, aim });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// The rows; where both sides are the same program, only that they are is promised.
    pub(crate) fn into_rows(self, self_check: bool) -> Vec<Row> {
        let mut rows = self.rows;
        if self_check {
            for row in &mut rows {
                row.aim = None;
                row.floor = (row.unit == Unit::PerSecond).then_some(SAME);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_gather_by_name_and_side() {
        let mut ledger = Ledger::new(|_| (None, None));
        let sample = |row: &str, value| Sample::plain(row, Unit::Bytes, value);
        ledger.add(true, vec![sample("a", 1.0), sample("b", 2.0)]);
        ledger.add(false, vec![sample("a", 3.0)]);
        ledger.add(true, vec![sample("a", 5.0)]);
        let rows = ledger.into_rows(false);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(
            (rows[0].ours.samples.0.clone(), rows[0].theirs.samples.0.clone()),
            (vec![1.0, 5.0], vec![3.0])
        );
    }
}
