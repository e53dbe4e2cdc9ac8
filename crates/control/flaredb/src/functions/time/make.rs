//! Times out of their parts, and questions about several times.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};

use super::io::{interval, kept};
use super::value::general;
use crate::functions::call::{Answer, Call, Scalar, float, int, pure, strict};
use crate::value::time::Interval;
use crate::value::time::civil::{DAY, Day, HOUR, MINUTE, day_in_range, is_infinite, joined, month_length};
use crate::value::time::clockwork::offset;
use crate::value::time::error::{Wrong, interval_range, timestamp_range};
use crate::value::time::zone::Place;

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    strict("fl_make_date", 3, |call| Ok(day(call)?.into())),
    strict("fl_make_time", 3, |call| Ok(time(call, 0)?.into())),
    strict("fl_make_timestamp", 6, |call| Ok(moment(call)?.into())),
    strict("fl_make_timestamptz", 7, |call| {
        let local = moment(call)?;
        Ok(sane_zone(call.text(6)?)?.moment(local)?.into())
    }),
    strict("fl_make_interval", -1, make_interval),
    strict("fl_date_bin", 3, bin),
    pure("fl_overlaps", 4, overlaps),
];

fn overflow(message: String) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// Years before our era are negative.
fn day(call: &Call<'_>) -> Result<i64, SqlError> {
    let (year, month, day) = (call.int(0)?, call.int(1)?, call.int(2)?);
    let wrong = || overflow(format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let full = if year < 0 { year + 1 } else { year };
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > month_length(full, month) {
        return Err(wrong());
    }
    day_in_range(Day { year: full, month, day }.days())
        .map_err(|_| overflow(format!("date out of range: {year}-{month:02}-{day:02}")))
}

/// The first six arguments, in microseconds.
fn moment(call: &Call<'_>) -> Result<i64, SqlError> {
    let (day, time) = (day(call)?, time(call, 3)?);
    joined(day, time).map_err(|_| match (call.int(0), call.int(1), call.int(2), clock(call, 3)) {
        (Ok(year), Ok(month), Ok(day), Ok(clock)) => {
            overflow(format!("timestamp out of range: {year}-{month:02}-{day:02} {clock}"))
        }
        _ => timestamp_range(),
    })
}

/// Three arguments as C would print them.
fn clock(call: &Call<'_>, from: usize) -> Result<String, SqlError> {
    let (hour, minute, second) = (call.int(from)?, call.int(from + 1)?, call.float(from + 2)?);
    Ok(format!("{hour}:{minute:02}:{:0>2}", general(second)))
}

fn time(call: &Call<'_>, from: usize) -> Result<i64, SqlError> {
    let (hour, minute, second) = (call.int(from)?, call.int(from + 1)?, call.float(from + 2)?);
    let in_day = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    let micros = (second * 1e6).round_ties_even() as i64;
    let sum = hour.saturating_mul(HOUR).saturating_add(minute.saturating_mul(MINUTE)).saturating_add(micros);
    if in_day && sum <= DAY {
        return Ok(sum);
    }
    Err(overflow(format!("time field value out of range: {}", clock(call, from)?)))
}

/// A zone as `make_timestamptz` takes it: offsets count to the east.
fn sane_zone(name: &str) -> Result<Place, SqlError> {
    let first = name.bytes().next().unwrap_or(0);
    if first.is_ascii_digit() {
        let message = format!("invalid input syntax for type numeric time zone: \"{name}\"");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    if !matches!(first, b'+' | b'-') {
        return Place::named(name);
    }
    offset(name).map(Place::Fixed).map_err(|wrong| match wrong {
        Wrong::Offset => SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("numeric time zone \"{name}\" out of range"),
        ),
        _ => crate::value::time::error::unknown_zone(name),
    })
}

/// Years, months, weeks, days, hours, minutes, seconds; the last ones may be missing.
fn make_interval(call: &Call<'_>) -> Answer {
    let part = |place| match call.value(place) {
        ValueRef::Null => Ok(0),
        value => int(value),
    };
    let seconds = if call.count() > 6 { float(call.value(6))? } else { 0.0 };
    let micros = (seconds * 1e6).round_ties_even();
    if !seconds.is_finite() || micros.abs() > 9.223e18 {
        return Err(interval_range());
    }
    let clock = i128::from(part(4)?) * i128::from(HOUR) + i128::from(part(5)?) * i128::from(MINUTE);
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    let micros = micros as i128;
    kept(Interval::of(part(0)? * 12 + part(1)?, part(2)? * 7 + part(3)?, clock + micros)?)
}

/// The start of the stride in which a time is, counted from an origin.
fn bin(call: &Call<'_>) -> Answer {
    let (stride, source, origin) = (interval(call, 0)?, call.int(1)?, call.int(2)?);
    if is_infinite(source) {
        return Ok(source.into());
    }
    if is_infinite(origin) {
        return Err(overflow("origin out of range".to_owned()));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let width = i128::from(stride.days) * i128::from(DAY) + i128::from(stride.micros);
    if width <= 0 {
        return Err(overflow("stride must be greater than zero".to_owned()));
    }
    let since = i128::from(source) - i128::from(origin);
    let start = i128::from(origin) + since.div_euclid(width) * width;
    let start = i64::try_from(start).map_err(|_| timestamp_range())?;
    Ok(crate::value::time::civil::in_range(start)?.into())
}

/// Whether two spans of time share a moment; the ends of a span are in either order, and one may be unknown.
fn overlaps(call: &Call<'_>) -> Answer {
    let at = |place| match call.value(place) {
        ValueRef::Null => Ok(None),
        value => int(value).map(Some),
    };
    let (Some(first), Some(second)) = (ends(at(0)?, at(1)?), ends(at(2)?, at(3)?)) else {
        return Ok(Value::Null);
    };
    let (early, late) = if first.0 <= second.0 { (first, second) } else { (second, first) };
    let shared = if early.0 == late.0 {
        // Both begin at once: they overlap, unless it is unknown whether there is more.
        if early.1.is_none() || late.1.is_none() { None } else { Some(true) }
    } else {
        match early.1 {
            Some(end) if late.0 < end => Some(true),
            Some(_) if late.1.is_some() => Some(false),
            _ => None,
        }
    };
    Ok(shared.map_or(Value::Null, |shared| i64::from(shared).into()))
}

/// The beginning, and the end if it is known. None: nothing is known.
fn ends(one: Option<i64>, other: Option<i64>) -> Option<(i64, Option<i64>)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.min(other), Some(one.max(other)))),
        (Some(known), None) | (None, Some(known)) => Some((known, None)),
        (None, None) => None,
    }
}
