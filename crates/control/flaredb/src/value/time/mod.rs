//! Dates, times and intervals: texts to how they are kept, and back. Years are those of the proleptic Gregorian
//! calendar, in PostgreSQL's range: 4713 BC to 294276 AD.

pub(crate) mod civil;
mod fit;
mod interval;
mod read;
mod show;
mod zone;

use jiff::tz::TimeZone;

use crate::base::{SqlError, SqlState};

pub(crate) use self::fit::fit;
pub(crate) use self::interval::Interval;
pub(crate) use self::show::{date_out, time_out, timestamp_out, timestamptz_out};
pub(crate) use self::zone::{offset_at, to_utc, zone};

use self::read::Read;

/// Microseconds of a day and of a second.
pub(crate) const DAY: i64 = 86_400_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
/// Infinite dates.
pub(crate) const DATE_MAX: i64 = i32::MAX as i64;
pub(crate) const DATE_MIN: i64 = i32::MIN as i64;
/// 4714-11-24 BC, and 294277-01-01, in days since 1970.
const FIRST_DAY: i64 = -2_451_545 + 10_957;
const END_DAY: i64 = 106_751_983 + 1 + 8;
/// 5874898-01-01: where dates end.
const END_DATE: i64 = 2_145_042_541 + 1;

/// What a text like `now` or `12:00` depends on.
pub(crate) struct Clock<'a> {
    /// Microseconds since 1970.
    pub(crate) now: i64,
    pub(crate) zone: &'a TimeZone,
}

/// A moment within PostgreSQL's range, in microseconds since 1970. Errors: 22008.
pub(crate) fn checked(micros: Option<i64>) -> Result<i64, SqlError> {
    micros
        .filter(|micros| (FIRST_DAY..END_DAY).contains(&micros.div_euclid(DAY)))
        .ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
}

/// A date within PostgreSQL's range, in days since 1970. Errors: 22008.
pub(crate) fn checked_date(days: i64) -> Result<i64, SqlError> {
    if (FIRST_DAY..END_DATE).contains(&days) {
        return Ok(days);
    }
    Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range"))
}

/// Microseconds since 1970; `infinity` is i64's end. Errors: 22007, 22008, 22023 for a zone.
pub(crate) fn timestamptz_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match read::read(text, "timestamp with time zone", clock)? {
        Read::Infinity => Ok(i64::MAX),
        Read::NegativeInfinity => Ok(i64::MIN),
        Read::Moment(micros) => Ok(micros),
        Read::Local { days, micros, zone } => {
            let local = days.checked_mul(DAY).and_then(|day| day.checked_add(micros));
            let local = checked(local)?;
            checked(Some(match zone {
                Some(zone) => to_utc(local, &zone),
                None => to_utc(local, clock.zone),
            }))
        }
    }
}

/// Microseconds since 1970, of a local time: a zone in the text says nothing. Errors: 22007, 22008.
pub(crate) fn timestamp_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match read::read(text, "timestamp", clock)? {
        Read::Infinity => Ok(i64::MAX),
        Read::NegativeInfinity => Ok(i64::MIN),
        Read::Moment(micros) => checked(Some(micros + offset_at(micros, clock.zone))),
        Read::Local { days, micros, .. } => {
            checked(days.checked_mul(DAY).and_then(|day| day.checked_add(micros)))
        }
    }
}

/// Days since 1970; `infinity` is i32's end. Errors: 22007, 22008.
pub(crate) fn date_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match read::read(text, "date", clock)? {
        Read::Infinity => Ok(DATE_MAX),
        Read::NegativeInfinity => Ok(DATE_MIN),
        Read::Moment(micros) => Ok((micros + offset_at(micros, clock.zone)).div_euclid(DAY)),
        Read::Local { days, .. } => checked_date(days),
    }
}

/// Microseconds since midnight. Errors: 22007, 22008.
pub(crate) fn time_in(text: &str) -> Result<i64, SqlError> {
    read::time_of_day(text)
}
