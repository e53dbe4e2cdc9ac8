//! Texts as dates and times.

use crate::base::error::{SqlError, SqlState};

use super::Clock;
use super::civil::{Day, FIRST_DAY, LAST_DAY, SECOND, day_in_range, in_range, joined};
use super::decode::{Parts, Said, decode};
use super::zone::offset_of_local;

fn beyond(what: &str, text: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{text}\""))
}

impl Parts {
    fn day(&self) -> i64 {
        Day { year: self.year, month: self.month, day: self.day }.days()
    }
}

/// Microseconds since 1970, in UTC; an infinity is an end of `i64`. A time without a zone is the clock's. Error: no
/// such time.
pub(crate) fn timestamptz_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    let said = decode(text, clock, false).map_err(|wrong| wrong.of(text, "timestamp with time zone"))?;
    let parts = match said {
        Said::Fixed(micros) => return Ok(micros),
        Said::Moment(parts) => parts,
    };
    let out = |_| beyond("timestamp", text);
    let local = local(&parts).map_err(out)?;
    let offset = match &parts.place {
        Some(place) => place.offset_of_local(local),
        None => offset_of_local(clock.zone, local),
    };
    let moment = local.checked_sub(offset * SECOND).ok_or_else(|| beyond("timestamp", text))?;
    in_range(moment).map_err(out)
}

/// Before the zone is known, a little more than the range will do.
fn local(parts: &Parts) -> Result<i64, SqlError> {
    let day = parts.day();
    let micros = i128::from(day) * 86_400_000_000 + i128::from(parts.time);
    i64::try_from(micros).map_err(|_| super::error::timestamp_range())
}

/// Microseconds since 1970, of a clock; an infinity is an end of `i64`. A zone in the text is passed over. Error: no
/// such time.
pub(crate) fn timestamp_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match decode(text, clock, false).map_err(|wrong| wrong.of(text, "timestamp"))? {
        Said::Fixed(micros) => Ok(micros),
        Said::Moment(parts) => joined(parts.day(), parts.time).map_err(|_| beyond("timestamp", text)),
    }
}

/// Days since 1970; an infinity is an end of `i32`. Error: no such day.
pub(crate) fn date_in(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match decode(text, clock, false).map_err(|wrong| wrong.of(text, "date"))? {
        Said::Fixed(i64::MAX) => Ok(LAST_DAY),
        Said::Fixed(i64::MIN) => Ok(FIRST_DAY),
        Said::Fixed(_) => Ok(0),
        Said::Moment(parts) => day_in_range(parts.day()).map_err(|_| beyond("date", text)),
    }
}

/// Microseconds since midnight; zones are passed over. Without a clock, `now` is none. Error: no such time.
pub(crate) fn time_in(text: &str) -> Result<i64, SqlError> {
    time_at(text, &Clock { now: i64::MAX, zone: &jiff::tz::TimeZone::UTC })
}

/// The same, with a clock for `now`.
pub(crate) fn time_at(text: &str, clock: &Clock<'_>) -> Result<i64, SqlError> {
    match decode(text, clock, true).map_err(|wrong| wrong.of(text, "time"))? {
        Said::Moment(parts) => Ok(parts.time),
        Said::Fixed(_) => Err(super::error::syntax("time", text)),
    }
}
