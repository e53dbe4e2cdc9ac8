//! Moments, dates and intervals: casts between them, and arithmetic.

use crate::base::{SqlError, SqlState};
use jiff::tz::TimeZone;
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call, Scalar, evaluated, evaluated_pure, strict};
use crate::value::time::{
    DATE_MAX, DATE_MIN, DAY, Interval, SECOND, checked, checked_date, civil, offset_at, to_utc, zone,
};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    evaluated_pure("fl_now", 0, |call| Ok(Value::Integer(call.evaluation().with(|inner| inner.now)))),
    strict("fl_date_timestamp", 1, |call| midnight(call.int(0)?).map(Value::Integer)),
    evaluated("fl_date_timestamptz", 1, |call| {
        let local = midnight(call.int(0)?)?;
        Ok(Value::Integer(moment_of(local, &own_zone(call))))
    }),
    evaluated("fl_timestamp_timestamptz", 1, |call| {
        Ok(Value::Integer(moment_of(call.int(0)?, &own_zone(call))))
    }),
    evaluated("fl_timestamptz_timestamp", 1, |call| {
        Ok(Value::Integer(local_of(call.int(0)?, &own_zone(call))))
    }),
    strict("fl_timestamp_date", 1, |call| {
        Ok(Value::Integer(match call.int(0)? {
            i64::MAX => DATE_MAX,
            i64::MIN => DATE_MIN,
            at => at.div_euclid(DAY),
        }))
    }),
    strict("fl_timestamp_time", 1, |call| match call.int(0)? {
        i64::MAX | i64::MIN => Ok(Value::Null),
        at => Ok(Value::Integer(at.rem_euclid(DAY))),
    }),
    strict("fl_interval_time", 1, |call| Ok(Value::Integer(interval(call, 0)?.micros.rem_euclid(DAY)))),
    strict("fl_date_time", 2, |call| {
        let midnight = midnight(call.int(0)?)?;
        if is_infinite(midnight) {
            Ok(Value::Integer(midnight))
        } else {
            Ok(Value::Integer(midnight + call.int(1)?))
        }
    }),
    strict("fl_date_add", 2, |call| shifted(call, 1)),
    strict("fl_date_sub", 2, |call| shifted(call, -1)),
    strict("fl_date_diff", 2, |call| {
        let (a, b) = (call.int(0)?, call.int(1)?);
        if [a, b].iter().any(|days| matches!(*days, DATE_MAX | DATE_MIN)) {
            let message = "cannot subtract infinite dates";
            return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
        }
        Ok(Value::Integer(a - b))
    }),
    strict("fl_time_add", 2, |call| {
        Ok(Value::Integer((call.int(0)? + interval(call, 1)?.micros % DAY).rem_euclid(DAY)))
    }),
    strict("fl_time_sub", 2, |call| {
        Ok(Value::Integer((call.int(0)? - interval(call, 1)?.micros % DAY).rem_euclid(DAY)))
    }),
    strict("fl_timestamp_add", 2, |call| moved(call.int(0)?, interval(call, 1)?, None)),
    strict("fl_timestamp_sub", 2, |call| moved(call.int(0)?, negated(interval(call, 1)?)?, None)),
    evaluated("fl_timestamptz_add", 2, |call| moved(call.int(0)?, interval(call, 1)?, Some(&own_zone(call)))),
    evaluated("fl_timestamptz_sub", 2, |call| {
        moved(call.int(0)?, negated(interval(call, 1)?)?, Some(&own_zone(call)))
    }),
    strict("fl_timestamp_diff", 2, |call| {
        let (a, b) = (call.int(0)?, call.int(1)?);
        if is_infinite(a) || is_infinite(b) {
            let message = "cannot subtract infinite timestamps";
            return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
        }
        let micros = a.checked_sub(b).ok_or_else(overflow)?;
        let days = i32::try_from(micros / DAY).map_err(|_| overflow())?;
        kept(Interval { months: 0, days, micros: micros % DAY })
    }),
    strict("fl_interval_add", 2, |call| added(interval(call, 0)?, interval(call, 1)?).and_then(kept)),
    strict("fl_interval_sub", 2, |call| {
        added(interval(call, 0)?, negated(interval(call, 1)?)?).and_then(kept)
    }),
    strict("fl_interval_neg", 1, |call| kept(negated(interval(call, 0)?)?)),
    strict("fl_interval_mul", 2, |call| kept(scaled(interval(call, 0)?, call.float(1)?)?)),
    strict("fl_interval_div", 2, |call| {
        let by = call.float(1)?;
        if by == 0.0 {
            return Err(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        kept(scaled(interval(call, 0)?, 1.0 / by)?)
    }),
    strict("fl_isfinite", 1, |call| Ok(Value::Integer(i64::from(!is_infinite(call.int(0)?))))),
    strict("fl_epoch_timestamptz", 1, |call| {
        let seconds = call.float(0)?;
        if seconds.is_infinite() {
            return Ok(Value::Integer(if seconds > 0.0 { i64::MAX } else { i64::MIN }));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked below")]
        let micros = (seconds * SECOND as f64).round() as i64;
        checked(Some(micros)).map(Value::Integer)
    }),
    strict("fl_zone_to_moment", 2, |call| Ok(Value::Integer(moment_of(call.int(1)?, &zone(call.text(0)?)?)))),
    strict("fl_zone_to_local", 2, |call| Ok(Value::Integer(local_of(call.int(1)?, &zone(call.text(0)?)?)))),
    strict("fl_offset_to_moment", 2, |call| {
        checked(call.int(1)?.checked_sub(interval(call, 0)?.micros)).map(Value::Integer)
    }),
    strict("fl_offset_to_local", 2, |call| {
        checked(call.int(1)?.checked_add(interval(call, 0)?.micros)).map(Value::Integer)
    }),
    strict("fl_make_date", 3, |call| {
        let (year, month, day) = (call.int(0)?, call.int(1)?, call.int(2)?);
        let year = if year < 0 { year + 1 } else { year };
        let month = u32::try_from(month).ok().filter(|month| (1..=12).contains(month));
        let valid = month.and_then(|month| {
            let day = u32::try_from(day).ok()?;
            (1..=civil::days_in_month(year, month)).contains(&day).then_some((month, day))
        });
        match valid {
            Some((month, day)) if call.int(0)? != 0 => {
                checked_date(civil::days_of(year, month, day)).map(Value::Integer)
            }
            _ => {
                let message = format!(
                    "date field value out of range: {}-{:02}-{:02}",
                    call.int(0)?,
                    call.int(1)?,
                    call.int(2)?
                );
                Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message))
            }
        }
    }),
];

fn overflow() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

fn is_infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

fn own_zone(call: &Call<'_>) -> TimeZone {
    call.evaluation().with(|inner| inner.zone.clone())
}

fn interval(call: &Call<'_>, place: usize) -> Result<Interval, SqlError> {
    Interval::from_stored(call.text(place)?)
}

fn kept(interval: Interval) -> Answer {
    Ok(Value::Text(interval.to_stored()))
}

/// A day's beginning, as a local time.
fn midnight(days: i64) -> Result<i64, SqlError> {
    match days {
        DATE_MAX => Ok(i64::MAX),
        DATE_MIN => Ok(i64::MIN),
        days => checked(days.checked_mul(DAY)),
    }
}

/// The moment of a local time.
pub(crate) fn moment_of(local: i64, zone: &TimeZone) -> i64 {
    if is_infinite(local) { local } else { to_utc(local, zone) }
}

/// The local time of a moment.
pub(crate) fn local_of(moment: i64, zone: &TimeZone) -> i64 {
    if is_infinite(moment) { moment } else { moment + offset_at(moment, zone) }
}

fn shifted(call: &Call<'_>, sign: i64) -> Answer {
    let (days, by) = (call.int(0)?, call.int(1)?);
    if matches!(days, DATE_MAX | DATE_MIN) {
        return Ok(Value::Integer(days));
    }
    checked_date(days + sign * by).map(Value::Integer)
}

/// A time moved by an interval: months first, which end with their month; then days; then time. With a zone, days
/// and months are those of local time.
pub(crate) fn moved(at: i64, by: Interval, zone: Option<&TimeZone>) -> Answer {
    if is_infinite(at) {
        return Ok(Value::Integer(at));
    }
    let mut at = at;
    if by.months != 0 || by.days != 0 {
        let local = zone.map_or(at, |zone| at + offset_at(at, zone));
        let (mut days, micros) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        if by.months != 0 {
            let (year, month, day) = civil::date_of(days);
            let months = year * 12 + i64::from(month) - 1 + i64::from(by.months);
            let (year, month) =
                (months.div_euclid(12), u32::try_from(months.rem_euclid(12) + 1).unwrap_or(1));
            days = civil::days_of(year, month, day.min(civil::days_in_month(year, month)));
        }
        days += i64::from(by.days);
        let local = checked(days.checked_mul(DAY).and_then(|day| day.checked_add(micros)))?;
        at = zone.map_or(local, |zone| to_utc(local, zone));
    }
    checked(at.checked_add(by.micros)).map(Value::Integer)
}

fn negated(interval: Interval) -> Result<Interval, SqlError> {
    Ok(Interval {
        months: interval.months.checked_neg().ok_or_else(overflow)?,
        days: interval.days.checked_neg().ok_or_else(overflow)?,
        micros: interval.micros.checked_neg().ok_or_else(overflow)?,
    })
}

/// Field by field.
pub(crate) fn added(a: Interval, b: Interval) -> Result<Interval, SqlError> {
    Ok(Interval {
        months: a.months.checked_add(b.months).ok_or_else(overflow)?,
        days: a.days.checked_add(b.days).ok_or_else(overflow)?,
        micros: a.micros.checked_add(b.micros).ok_or_else(overflow)?,
    })
}

/// So many times: what is left of months becomes days, what is left of days becomes time.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "ranges are checked")]
fn scaled(interval: Interval, by: f64) -> Result<Interval, SqlError> {
    let whole = |value: f64| {
        let fits = value.is_finite() && value.abs() < f64::from(i32::MAX);
        if fits { Ok(value.trunc() as i32) } else { Err(overflow()) }
    };
    let round = |value: f64| (value * SECOND as f64).round() / SECOND as f64;
    let months = f64::from(interval.months) * by;
    let days = f64::from(interval.days) * by;
    let (whole_months, whole_days) = (whole(months)?, whole(days)?);
    let spilled = round((months - f64::from(whole_months)) * 30.0);
    let rest = round((days - f64::from(whole_days)) + spilled - spilled.trunc());
    let micros = interval.micros as f64 * by + rest * DAY as f64;
    if !micros.is_finite() || micros.abs() > i64::MAX as f64 {
        return Err(overflow());
    }
    let days = whole_days.checked_add(whole(spilled)?).ok_or_else(overflow)?;
    Ok(Interval { months: whole_months, days, micros: micros.round() as i64 })
}
