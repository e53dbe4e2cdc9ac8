//! Times of day and offsets from UTC, as text.

use super::civil::{DAY, HOUR, MINUTE, SECOND};
use super::error::Wrong;
use super::number::integer;

/// `04:05`, `04:05:06.789`: microseconds of the day.
pub(crate) fn time(text: &str) -> Result<i64, Wrong> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next().unwrap_or_default(), parts.next().ok_or(Wrong::Format)?);
    let third = parts.next();
    if parts.next().is_some() {
        return Err(Wrong::Format);
    }
    let (hour, minute, seconds) = match (third, minute.split_once('.')) {
        (None, None) => (integer(hour)?, integer(minute)?, "0"),
        // Minutes and seconds, as the fraction says.
        (None, Some(_)) => (0, integer(hour)?, minute),
        (Some(seconds), None) => (integer(hour)?, integer(minute)?, seconds),
        (Some(_), Some(_)) => return Err(Wrong::Format),
    };
    let (second, micros) = split_seconds(seconds)?;
    of_day(hour, minute, second, micros)
}

/// Whole seconds and microseconds.
pub(crate) fn split_seconds(text: &str) -> Result<(i64, i64), Wrong> {
    match text.split_once('.') {
        None => Ok((integer(text)?, 0)),
        Some((whole, digits)) => Ok((integer(whole)?, fraction(digits, SECOND)?)),
    }
}

/// Digits behind a point, of so many microseconds, rounded.
pub(crate) fn fraction(digits: &str, of: i64) -> Result<i64, Wrong> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    let fraction: f64 = format!("0.{digits}0").parse().map_err(|_| Wrong::Format)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "below a day, in microseconds"
    )]
    Ok((fraction * of as f64).round_ties_even() as i64)
}

/// Microseconds of the day. Error: there is no such time.
pub(crate) fn of_day(hour: i64, minute: i64, second: i64, micros: i64) -> Result<i64, Wrong> {
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return Err(Wrong::Field);
    }
    let sum = hour * HOUR + minute * MINUTE + second * SECOND + micros;
    if sum > DAY || micros < 0 { Err(Wrong::Field) } else { Ok(sum) }
}

/// A time with `am` (false) or `pm` (true).
pub(crate) fn half(time: i64, afternoon: Option<bool>) -> Result<i64, Wrong> {
    let hour = time / HOUR;
    match afternoon {
        None => Ok(time),
        Some(_) if hour > 12 => Err(Wrong::Field),
        Some(true) if hour != 12 => Ok(time + 12 * HOUR),
        Some(false) if hour == 12 => Ok(time - 12 * HOUR),
        Some(_) => Ok(time),
    }
}

/// `+02`, `-0330`, `+01:00:30`: seconds east of UTC.
pub(crate) fn offset(text: &str) -> Result<i64, Wrong> {
    let (east, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(Wrong::Format),
    };
    let mut parts = rest.split(':');
    let first = integer(parts.next().unwrap_or_default())?;
    let (hour, minute, second) = match (parts.next(), parts.next()) {
        (Some(minute), second) => (first, integer(minute)?, second.map_or(Ok(0), integer)?),
        (None, _) if rest.len() > 2 => (first / 100, first % 100, 0),
        (None, _) => (first, 0, 0),
    };
    if parts.next().is_some() {
        return Err(Wrong::Format);
    }
    if !(0..16).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Wrong::Offset);
    }
    Ok(east * (hour * 3600 + minute * 60 + second))
}
