//! Against what PostgreSQL 15 says.

use crate::base::error::SqlError;
use crate::base::settings::IntervalStyle;
use jiff::tz::TimeZone;

use super::*;

mod dates;
mod intervals;
mod local;
mod moments;
mod times;

/// Checks a table of texts; what is wrong is told at once.
fn check(rows: &[(&str, &str)], read: impl Fn(&str, &Clock<'_>) -> Result<String, SqlError>) {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let clock = Clock { now: 1_700_000_000_000_000, zone: &zone };
    let mut wrong = Vec::new();
    for (text, expected) in rows {
        let got = read(text, &clock).unwrap_or_else(|error| format!("{}: {}", error.state, error.message));
        if got != *expected {
            wrong.push(format!("{text}: {got}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn texts_are_moments() {
    check(moments::ROWS, |text, clock| Ok(timestamptz_out(timestamptz_in(text, clock)?, clock.zone)));
}

#[test]
fn texts_are_local_times() {
    check(local::ROWS, |text, clock| Ok(timestamp_out(timestamp_in(text, clock)?)));
}

#[test]
fn texts_are_dates() {
    check(dates::ROWS, |text, clock| Ok(date_out(date_in(text, clock)?)));
}

#[test]
fn texts_are_times() {
    check(times::ROWS, |text, _| Ok(time_out(time_in(text)?)));
}

#[test]
fn texts_are_intervals() {
    use IntervalStyle::{Iso8601, Postgres, PostgresVerbose, SqlStandard};
    for (place, style) in [Postgres, PostgresVerbose, SqlStandard, Iso8601].into_iter().enumerate() {
        let rows: Vec<_> = intervals::ROWS.iter().map(|(text, shown)| (*text, shown[place])).collect();
        check(&rows, |text, _| {
            let interval = Interval::parse(text)?;
            let kept = Interval::from_stored(&interval.to_stored())?;
            Ok(kept.show(style))
        });
    }
}
