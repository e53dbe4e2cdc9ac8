//! Times and intervals added and subtracted.

use crate::base::error::{SqlError, SqlState};
use jiff::tz::TimeZone;

use super::io::{interval, kept, now};
use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::value::time::Interval;
use crate::value::time::civil::{
    DAY, Day, day_in_range, in_range, is_infinite, is_infinite_day, joined, split,
};
use crate::value::time::error::{date_range, interval_range, timestamp_range};
use crate::value::time::zone::{from_local, to_local};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    strict("fl_date_add", 2, |call| date_plus(call.int(0)?, call.int(1)?)),
    strict("fl_date_sub", 2, |call| date_plus(call.int(0)?, -call.int(1)?)),
    strict("fl_date_diff", 2, date_diff),
    strict("fl_date_time", 2, |call| {
        let start = super::convert::of_day(call.int(0)?)?;
        if is_infinite(start) { Ok(start.into()) } else { Ok(joined(call.int(0)?, call.int(1)?)?.into()) }
    }),
    strict("fl_time_add", 2, |call| time_plus(call, 1)),
    strict("fl_time_sub", 2, |call| time_plus(call, -1)),
    strict("fl_timestamp_add", 2, |call| Ok(plus(call.int(0)?, interval(call, 1)?)?.into())),
    strict("fl_timestamp_sub", 2, |call| Ok(plus(call.int(0)?, interval(call, 1)?.minus()?)?.into())),
    evaluated("fl_timestamptz_add", 2, |call| {
        Ok(plus_in(call.int(0)?, interval(call, 1)?, &now(call).1)?.into())
    }),
    evaluated("fl_timestamptz_sub", 2, |call| {
        Ok(plus_in(call.int(0)?, interval(call, 1)?.minus()?, &now(call).1)?.into())
    }),
    strict("fl_timestamp_diff", 2, |call| kept(diff(call.int(0)?, call.int(1)?)?)),
    strict("fl_interval_add", 2, |call| kept(interval(call, 0)?.plus(interval(call, 1)?)?)),
    strict("fl_interval_sub", 2, |call| kept(interval(call, 0)?.plus(interval(call, 1)?.minus()?)?)),
    strict("fl_interval_neg", 1, |call| kept(interval(call, 0)?.minus()?)),
    strict("fl_interval_mul", 2, |call| kept(interval(call, 0)?.times(call.float(1)?)?)),
    strict("fl_interval_div", 2, |call| match call.float(1)? {
        0.0 => Err(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")),
        divisor => kept(interval(call, 0)?.over(divisor)?),
    }),
    strict("fl_age", 2, |call| kept(age(call.int(0)?, call.int(1)?)?)),
    evaluated("fl_age_now", 1, |call| {
        let (now, zone) = now(call);
        let today = joined(split(to_local(now, &zone)?).0, 0)?;
        kept(age(today, call.int(0)?)?)
    }),
];

fn overflow(message: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

fn date_plus(date: i64, days: i64) -> Answer {
    if is_infinite_day(date) {
        return Ok(date.into());
    }
    Ok(day_in_range(date.checked_add(days).ok_or_else(date_range)?)?.into())
}

fn date_diff(call: &Call<'_>) -> Answer {
    let (left, right) = (call.int(0)?, call.int(1)?);
    if is_infinite_day(left) || is_infinite_day(right) {
        return Err(overflow("cannot subtract infinite dates"));
    }
    Ok((left - right).into())
}

/// Only the time of the interval counts.
fn time_plus(call: &Call<'_>, sign: i64) -> Answer {
    let micros = interval(call, 1)?.micros % DAY;
    Ok((call.int(0)? + sign * micros).rem_euclid(DAY).into())
}

/// Months first, then days, then the rest. Microseconds of a clock. Error: out of range.
pub(super) fn plus(micros: i64, interval: Interval) -> Result<i64, SqlError> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let mut micros = micros;
    if interval.months != 0 {
        micros = plus_months(micros, interval.months)?;
    }
    if interval.days != 0 {
        micros = plus_days(micros, interval.days)?;
    }
    micros.checked_add(interval.micros).ok_or_else(timestamp_range).and_then(in_range)
}

/// The same for a moment: months and days are those of the zone.
pub(super) fn plus_in(moment: i64, interval: Interval, zone: &TimeZone) -> Result<i64, SqlError> {
    if is_infinite(moment) {
        return Ok(moment);
    }
    let mut moment = moment;
    if interval.months != 0 {
        moment = from_local(plus_months(to_local(moment, zone)?, interval.months)?, zone)?;
    }
    if interval.days != 0 {
        moment = from_local(plus_days(to_local(moment, zone)?, interval.days)?, zone)?;
    }
    moment.checked_add(interval.micros).ok_or_else(timestamp_range).and_then(in_range)
}

fn plus_months(micros: i64, months: i32) -> Result<i64, SqlError> {
    let (days, of_day) = split(micros);
    joined(Day::of(days).plus_months(i64::from(months)).days(), of_day)
}

fn plus_days(micros: i64, days: i32) -> Result<i64, SqlError> {
    let (start, of_day) = split(micros);
    joined(start + i64::from(days), of_day)
}

/// Days and a time. Error: one of them is infinite.
fn diff(left: i64, right: i64) -> Result<Interval, SqlError> {
    if is_infinite(left) || is_infinite(right) {
        return Err(overflow("cannot subtract infinite timestamps"));
    }
    let micros = left.checked_sub(right).ok_or_else(interval_range)?;
    Interval { months: 0, days: 0, micros }.justify_hours()
}

/// Years, months and days as people count them. Error: one of them is infinite.
fn age(left: i64, right: i64) -> Result<Interval, SqlError> {
    if is_infinite(left) || is_infinite(right) {
        return Err(timestamp_range());
    }
    let (early, late, sign) = if left < right { (left, right, -1) } else { (right, left, 1) };
    let ((early_days, early_time), (late_days, late_time)) = (split(early), split(late));
    let (from, to) = (Day::of(early_days), Day::of(late_days));
    let mut micros = late_time - early_time;
    let mut days = to.day - from.day;
    let mut months = (to.year - from.year) * 12 + to.month - from.month;
    if micros < 0 {
        (micros, days) = (micros + DAY, days - 1);
    }
    while days < 0 {
        // The length of the month in which the earlier one is.
        days += crate::value::time::civil::month_length(from.year, from.month);
        months -= 1;
    }
    Interval::of(sign * months, sign * days, i128::from(sign * micros))
}
