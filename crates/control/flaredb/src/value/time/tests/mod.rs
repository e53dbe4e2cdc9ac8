//! Against what PostgreSQL 15 says.

use crate::base::error::SqlError;
use crate::base::settings::IntervalStyle;
use crate::base::types::Type;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use rusqlite::types::Value;

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

/// Modifiers as `pg_attribute` has them.
#[test]
fn intervals_have_the_fields_of_their_type() {
    for (typmod, text, expected) in [
        (327_679, "1 year 2 mons 3 days 04:05:06.789", "1 year"),
        (327_679, "13", "13 years"),
        (458_751, "1-2 3 4:5:6", "1 year 2 mons"),
        (196_607, "5", "5 mons"),
        (589_823, "3 04:05:06", "3 days"),
        (67_698_687, "5", "05:00:00"),
        (67_174_399, "04:05:06.789", "04:00:00"),
        (402_718_719, "04:05", "00:04:05"),
        (268_435_458, "4:5:6.78951", "04:05:06.79"),
        (134_283_263, "5", "00:05:00"),
        (2_147_418_115, "1.23456", "00:00:01.235"),
        (469_827_583, "30", "00:00:30"),
    ] {
        let interval = Interval::parse_as(text, typmod).unwrap();
        assert_eq!(interval.show(IntervalStyle::Postgres), expected, "{text}");
        let kept = Value::Text(interval.to_stored());
        assert_eq!(fit(Type::INTERVAL, typmod, kept.clone()).unwrap(), kept, "{text}");
    }
}

#[test]
fn times_have_the_digits_of_their_type() {
    let zone = TimeZone::UTC;
    let clock = Clock { now: 0, zone: &zone };
    for (digits, text, expected) in [
        (0, "2020-01-01 00:00:00.5", "2020-01-01 00:00:01"),
        (0, "1999-12-31 23:59:58.5", "1999-12-31 23:59:58"),
        (2, "1999-12-31 23:59:57.125", "1999-12-31 23:59:57.12"),
        (6, "1999-12-31 23:59:57.125", "1999-12-31 23:59:57.125"),
        (-1, "1999-12-31 23:59:57.125", "1999-12-31 23:59:57.125"),
        (3, "infinity", "infinity"),
    ] {
        let value = Value::Integer(timestamp_in(text, &clock).unwrap());
        let Value::Integer(fitted) = fit(Type::TIMESTAMP, digits, value).unwrap() else { panic!("{text}") };
        assert_eq!(timestamp_out(fitted), expected);
    }
    let value = Value::Integer(time_in("23:59:59.9999").unwrap());
    assert_eq!(fit(Type::TIME, 2, value).unwrap(), Value::Integer(86_400_000_000));
    assert_eq!(fit(Type::TIME, 2, Value::Null).unwrap(), Value::Null);
}

/// Pieces of texts that may be times.
const PIECES: &[&str] = &[
    "2020",
    "-",
    "01",
    "/",
    ".",
    ":",
    " ",
    "+",
    "T",
    "Z",
    "P",
    "1",
    "99999999999999999999",
    "BC",
    "am",
    "Jan",
    "now",
    "infinity",
    "J",
    "Europe/Berlin",
    "MSK",
    "DST",
    "day",
    "months",
    "ago",
    "1.5",
    "000000",
    "24:00:00",
    "é",
    "\t",
    "@",
    "at",
    "y",
    "century",
    "\u{0}",
    "epoch",
];

proptest! {
    #[test]
    fn no_text_is_too_much(places in prop::collection::vec(0..PIECES.len(), 0..12)) {
        let text: String = places.into_iter().map(|place| PIECES[place]).collect();
        let zone = TimeZone::get("America/New_York").unwrap();
        let clock = Clock { now: 1_700_000_000_000_000, zone: &zone };
        if let Ok(micros) = timestamptz_in(&text, &clock) {
            timestamptz_out(micros, &zone);
        }
        let _ = timestamp_in(&text, &clock).map(timestamp_out);
        let _ = date_in(&text, &clock).map(date_out);
        let _ = time_in(&text).map(time_out);
        let _ = Interval::parse(&text).map(|interval| interval.show(IntervalStyle::Iso8601));
        let _ = super::zone(&text);
        zone_name(&text);
    }

    #[test]
    fn what_is_shown_is_read(
        micros in -210_866_803_200_000_000..i64::MAX,
        months in any::<i32>(),
        days in any::<i32>(),
        time in any::<i64>(),
    ) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let clock = Clock { now: 0, zone: &zone };
        prop_assert_eq!(timestamp_in(&timestamp_out(micros), &clock).unwrap(), micros);
        let near = micros / 2;
        prop_assert_eq!(timestamptz_in(&timestamptz_out(near, &zone), &clock).unwrap(), near);
        let day = micros.div_euclid(86_400_000_000);
        prop_assert_eq!(date_in(&date_out(day), &clock).unwrap(), day);
        let interval = Interval { months, days: days / 2, micros: time / 2 };
        for style in [IntervalStyle::Postgres, IntervalStyle::PostgresVerbose, IntervalStyle::Iso8601] {
            let again = Interval::parse(&interval.show(style)).unwrap();
            prop_assert_eq!(again.to_stored(), interval.to_stored());
        }
    }
}
