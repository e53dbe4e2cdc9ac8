//! `sum` and `avg` of intervals, as they are kept: months, days and microseconds, each by itself.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::Value;

use super::state::{Entry, State};
use crate::functions::call::{Answer, Call, internal};

/// What SQLite calls.
pub(crate) const ENTRIES: &[Entry<Intervals>] = &[
    Entry { name: "fl_sum_interval", arity: 1, result: |sums, _| sums.sum() },
    Entry { name: "fl_avg_interval", arity: 1, result: |sums, _| sums.average() },
];

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Count and sums.
#[derive(Default)]
pub(crate) struct Intervals {
    rows: i64,
    months: i64,
    days: i64,
    micros: i128,
}

fn out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// As an interval is kept. Errors: 22008.
fn kept(months: i64, days: i64, micros: i128) -> Answer {
    let small = |part: i64| i32::try_from(part).map_err(|_| out_of_range());
    let micros = i64::try_from(micros).map_err(|_| out_of_range())?;
    Ok(format!("{} {} {micros}", small(months)?, small(days)?).into())
}

/// To the microsecond, as PostgreSQL rounds seconds on the way.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

impl Intervals {
    fn count(&mut self, call: &Call<'_>, by: i64) -> Result<(), SqlError> {
        let damaged = || internal("an interval is damaged");
        let mut parts = call.text(0)?.split(' ').map(|part| part.parse::<i64>().map_err(|_| damaged()));
        let mut next = || parts.next().unwrap_or_else(|| Err(damaged()));
        let (months, days, micros) = (next()?, next()?, next()?);
        self.rows += by;
        self.months += months * by;
        self.days += days * by;
        self.micros += i128::from(micros) * i128::from(by);
        Ok(())
    }

    fn sum(&self) -> Answer {
        if self.rows == 0 { Ok(Value::Null) } else { kept(self.months, self.days, self.micros) }
    }

    /// What does not go into whole months becomes days, and what does not go into whole days, time.
    fn average(&self) -> Answer {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        // The sum itself has to be an interval.
        self.sum()?;
        let rows = self.rows as f64;
        let (months, days) = (self.months as f64 / rows, self.days as f64 / rows);
        let rest_days = rounded((months - months.trunc()) * 30.0);
        let mut seconds = rounded((days - days.trunc() + rest_days - rest_days.trunc()) * DAY);
        let mut whole_days = days.trunc() + rest_days.trunc();
        if seconds.abs() >= DAY {
            let more = (seconds / DAY).trunc();
            whole_days += more;
            seconds -= more * DAY;
        }
        let micros = (self.micros as f64 / rows + seconds * 1e6).round_ties_even();
        kept(months.trunc() as i64, whole_days as i64, micros as i128)
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

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn what_is_left_of_a_month_is_days() {
        check(&[
            ("fl_sum_interval(column1) FROM (VALUES ('1 2 3000000'), ('0 5 1'))", "1 7 3000001"),
            ("fl_avg_interval(column1) FROM (VALUES ('1 2 3000000'), ('0 5 1'))", "0 18 43201500000"),
            ("fl_sum_interval(column1) FROM (VALUES ('1 0 0'), ('2 0 0'))", "3 0 0"),
            ("fl_avg_interval(column1) FROM (VALUES ('1 0 0'), ('2 0 0'))", "1 15 0"),
            (
                "fl_sum_interval(column1) FROM (VALUES ('1 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'))",
                "1 0 0",
            ),
            (
                "fl_avg_interval(column1) FROM (VALUES ('1 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'), ('0 0 0'))",
                "0 4 24685689600",
            ),
            (
                "fl_sum_interval(column1) FROM (VALUES ('13 -4 5000000'), ('0 1 -7'), ('7 31 86400000001'))",
                "20 28 86404999994",
            ),
            (
                "fl_avg_interval(column1) FROM (VALUES ('13 -4 5000000'), ('0 1 -7'), ('7 31 86400000001'))",
                "6 29 57601666665",
            ),
            (
                "fl_sum_interval(column1) FROM (VALUES ('2147483647 0 0'), ('1 0 0'))",
                "22008: interval out of range",
            ),
            (
                "fl_avg_interval(column1) FROM (VALUES ('2147483647 0 0'), ('1 0 0'))",
                "22008: interval out of range",
            ),
            ("fl_sum_interval(column1) FROM (VALUES ('0 1 0'), ('0 0 0'), ('0 0 0'))", "0 1 0"),
            ("fl_avg_interval(column1) FROM (VALUES ('0 1 0'), ('0 0 0'), ('0 0 0'))", "0 0 28800000000"),
            ("fl_sum_interval(column1) FROM (VALUES ('-5 7 -1234567'), ('0 0 1'))", "-5 7 -1234566"),
            ("fl_avg_interval(column1) FROM (VALUES ('-5 7 -1234567'), ('0 0 1'))", "-2 -12 43199382717"),
            (
                "fl_sum_interval(column1) FROM (VALUES ('5 11 77777777'), ('0 3 1'), ('1 1 1'), ('2 2 2'), ('0 0 7'), ('11 30 1'), ('0 0 0'))",
                "19 47 77777789",
            ),
            (
                "fl_avg_interval(column1) FROM (VALUES ('5 11 77777777'), ('0 3 1'), ('1 1 1'), ('2 2 2'), ('0 0 7'), ('11 30 1'), ('0 0 0'))",
                "2 28 12353931227",
            ),
        ]);
    }
}
