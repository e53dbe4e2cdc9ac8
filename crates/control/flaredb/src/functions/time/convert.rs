//! Between the types of time, and between zones.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::Value;

use super::io::{interval, kept, now};
use super::value::general;
use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::value::time::Interval;
use crate::value::time::civil::{
    DAY, FIRST_DAY, LAST_DAY, MILLENNIUM, SECOND, in_range, is_infinite, joined,
};
use crate::value::time::error::timestamp_range;
use crate::value::time::zone::{Place, from_local, to_local};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    strict("fl_date_timestamp", 1, |call| Ok(of_day(call.int(0)?)?.into())),
    evaluated("fl_date_timestamptz", 1, |call| Ok(from_local(of_day(call.int(0)?)?, &now(call).1)?.into())),
    evaluated("fl_timestamp_timestamptz", 1, |call| Ok(from_local(call.int(0)?, &now(call).1)?.into())),
    evaluated("fl_timestamptz_timestamp", 1, |call| Ok(to_local(call.int(0)?, &now(call).1)?.into())),
    strict("fl_timestamp_date", 1, |call| Ok(day_of(call.int(0)?).into())),
    strict("fl_timestamp_time", 1, |call| {
        let micros = call.int(0)?;
        Ok(if is_infinite(micros) { Value::Null } else { Value::Integer(micros.rem_euclid(DAY)) })
    }),
    strict("fl_interval_time", 1, |call| Ok(interval(call, 0)?.micros.rem_euclid(DAY).into())),
    strict("fl_epoch_timestamptz", 1, |call| Ok(of_epoch(call.float(0)?)?.into())),
    strict("fl_isfinite", 1, |call| Ok(i64::from(!is_infinite(call.int(0)?)).into())),
    strict("fl_zone_to_moment", 2, |call| between(call, Place::moment)),
    strict("fl_zone_to_local", 2, |call| between(call, Place::local)),
    strict("fl_offset_to_moment", 2, |call| shifted(call, -1)),
    strict("fl_offset_to_local", 2, |call| shifted(call, 1)),
    strict("fl_justify_days", 1, |call| kept(interval(call, 0)?.justify_days()?)),
    strict("fl_justify_hours", 1, |call| kept(interval(call, 0)?.justify_hours()?)),
    strict("fl_justify_interval", 1, |call| kept(interval(call, 0)?.justify()?)),
];

/// Midnight of a day since 1970, in microseconds; infinities stay. Error: no moment is that far.
pub(super) fn of_day(days: i64) -> Result<i64, SqlError> {
    match days {
        LAST_DAY => Ok(i64::MAX),
        FIRST_DAY => Ok(i64::MIN),
        _ => joined(days, 0)
            .map_err(|_| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")),
    }
}

/// The day of a time; infinities stay.
pub(super) fn day_of(micros: i64) -> i64 {
    match micros {
        i64::MAX => LAST_DAY,
        i64::MIN => FIRST_DAY,
        _ => micros.div_euclid(DAY),
    }
}

/// Seconds since 1970 as a moment; counted from 2000 like in PostgreSQL, so that it rounds alike.
#[expect(clippy::cast_possible_truncation, reason = "checked")]
fn of_epoch(seconds: f64) -> Result<i64, SqlError> {
    let error = |text| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, text);
    if seconds.is_nan() {
        return Err(error("timestamp cannot be NaN".to_owned()));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    let far = || error(format!("timestamp out of range: \"{}\"", general(seconds)));
    let micros = ((seconds - 946_684_800.0) * 1e6).round_ties_even();
    if micros.abs() > 9.223e18 {
        return Err(far());
    }
    let moment = (micros as i64).checked_add(MILLENNIUM).ok_or_else(far)?;
    in_range(moment).map_err(|_| far())
}

/// `AT TIME ZONE 'name'`; an infinite time is the same everywhere. Error: there is no such zone.
fn between(call: &Call<'_>, by: fn(&Place, i64) -> Result<i64, SqlError>) -> Answer {
    let micros = call.int(1)?;
    if is_infinite(micros) {
        return Ok(micros.into());
    }
    Ok(by(&Place::named(call.text(0)?)?, micros)?.into())
}

/// `AT TIME ZONE interval '1 hour'`. Error: the interval has other parts, or the result is out of range.
fn shifted(call: &Call<'_>, sign: i64) -> Answer {
    let offset: Interval = interval(call, 0)?;
    let micros = call.int(1)?;
    if is_infinite(micros) {
        return Ok(micros.into());
    }
    if offset.months != 0 || offset.days != 0 {
        let text = offset.show(crate::base::settings::IntervalStyle::Postgres);
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("interval time zone \"{text}\" must not include months or days"),
        ));
    }
    let by = offset.micros / SECOND * SECOND * sign;
    Ok(in_range(micros.checked_add(by).ok_or_else(timestamp_range)?)?.into())
}
