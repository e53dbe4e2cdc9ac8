//! Time zones: by name, by abbreviation, by offset.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::base::{SqlError, SqlState};

use super::SECOND;

/// Abbreviations that PostgreSQL knows by default, in hours and minutes east.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("zulu", 0),
    ("ut", 0),
    ("wet", 0),
    ("cet", 60),
    ("cest", 120),
    ("eet", 120),
    ("eest", 180),
    ("bst", 60),
    ("msk", 180),
    ("jst", 540),
    ("kst", 540),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("hst", -600),
];

/// A zone as SET TIME ZONE and AT TIME ZONE take it. Signs of bare offsets are POSIX's: west is positive.
/// Errors: 22023.
pub(crate) fn zone(name: &str) -> Result<TimeZone, SqlError> {
    let trimmed = name.trim();
    if let Some(zone) = known(trimmed) {
        return Ok(zone);
    }
    let posix = trimmed.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if let Some(seconds) = offset(posix) {
        return Ok(fixed(-seconds));
    }
    let message = format!("time zone \"{name}\" not recognized");
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// A zone by its name or abbreviation.
pub(super) fn known(name: &str) -> Option<TimeZone> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, minutes)) = ABBREVIATIONS.iter().find(|(known, _)| *known == lower) {
        return Some(if *minutes == 0 { TimeZone::UTC } else { fixed(minutes * 60) });
    }
    // Names of the tz database only: no paths, no POSIX rules.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// `+05`, `-05:30`, `+0530`, `+05:30:15`: seconds east.
pub(super) fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let mut parts: Vec<i32> = Vec::new();
    if digits.contains(':') {
        for part in digits.split(':') {
            parts.push(number(part)?);
        }
    } else {
        match digits.len() {
            1 | 2 => parts.push(number(digits)?),
            3 => parts.extend([number(&digits[..1])?, number(&digits[1..])?]),
            4 => parts.extend([number(&digits[..2])?, number(&digits[2..])?]),
            6 => parts.extend([number(&digits[..2])?, number(&digits[2..4])?, number(&digits[4..])?]),
            _ => return None,
        }
    }
    let part = |place: usize| parts.get(place).copied().unwrap_or(0);
    if parts.len() > 3 || part(0) > 15 || part(1) > 59 || part(2) > 59 {
        return None;
    }
    Some(sign * (part(0) * 3600 + part(1) * 60 + part(2)))
}

fn number(digits: &str) -> Option<i32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

pub(super) fn fixed(seconds: i32) -> TimeZone {
    Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed)
}

/// How far a zone is east of UTC at a moment, in microseconds. Beyond what is known of it: as at the end of that.
pub(crate) fn offset_at(micros: i64, zone: &TimeZone) -> i64 {
    let least = Timestamp::MIN.as_microsecond() + super::DAY;
    let most = Timestamp::MAX.as_microsecond() - super::DAY;
    match Timestamp::from_microsecond(micros.clamp(least, most)) {
        Ok(moment) => i64::from(zone.to_offset(moment).seconds()) * SECOND,
        Err(_) => 0,
    }
}

/// The moment of a local time. In a gap: as the time before it would be read; twice: the first.
pub(crate) fn to_utc(local: i64, zone: &TimeZone) -> i64 {
    let before = offset_at(local - super::DAY, zone);
    let after = offset_at(local + super::DAY, zone);
    if before == after {
        let direct = offset_at(local - before, zone);
        return local - direct;
    }
    let first = local - before;
    if offset_at(first, zone) == before {
        return first;
    }
    let second = local - after;
    // Neither offset gives this time: it was skipped.
    if offset_at(second, zone) == after { second } else { first }
}
