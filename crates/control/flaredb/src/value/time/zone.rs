//! Time zones: their names as PostgreSQL takes them, and what a clock shows in them.

use crate::base::error::{SqlError, SqlState};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::abbreviation::{Abbreviation, abbreviation};
use super::civil::{DAY, Day, SECOND, in_range, is_infinite, split};
use super::error::{timestamp_range, unknown_zone};
use super::show::offset_out;

/// After so many years everything about the calendar repeats itself. Microseconds.
const CYCLE: i64 = 146_097 * DAY;
/// Up to here zones are asked as it is: 9000-01-01, in microseconds.
const ASKED: i64 = 2_567_699 * DAY;

/// A place with a time of its own.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Seconds east of UTC.
    Fixed(i64),
    /// An abbreviation, in lower case, and the zone in whose history it stands.
    Changing(String, TimeZone),
    Zone(TimeZone),
}

impl Place {
    /// As `AT TIME ZONE` takes it: an abbreviation first, then a zone. Error: there is none.
    pub(crate) fn named(name: &str) -> Result<Self, SqlError> {
        Self::found(name).ok_or_else(|| unknown_zone(name))
    }

    /// An abbreviation, or a zone.
    pub(crate) fn found(name: &str) -> Option<Self> {
        Self::short(&name.to_ascii_lowercase()).or_else(|| named(name).map(Self::Zone))
    }

    /// An abbreviation, in lower case.
    pub(crate) fn short(name: &str) -> Option<Self> {
        match abbreviation(name)? {
            Abbreviation::Fixed(seconds) => Some(Self::Fixed(seconds)),
            Abbreviation::Changing(zone) => Some(Self::Changing(name.to_owned(), named(zone)?)),
        }
    }

    /// Seconds east of UTC, when a clock there shows this. Microseconds.
    pub(crate) fn offset_of_local(&self, local: i64) -> i64 {
        match self {
            Self::Fixed(seconds) => *seconds,
            Self::Zone(zone) => offset_of_local(zone, local),
            Self::Changing(name, zone) => {
                meant(name, zone, local.saturating_sub(offset_of_local(zone, local) * SECOND))
            }
        }
    }

    /// Seconds east of UTC at a moment. Microseconds since 1970.
    pub(crate) fn offset_at(&self, moment: i64) -> i64 {
        match self {
            Self::Fixed(seconds) => *seconds,
            Self::Zone(zone) => offset_at(zone, moment),
            Self::Changing(name, zone) => meant(name, zone, moment),
        }
    }

    /// The moment at which a clock there shows this. Microseconds; infinities stay. Error: out of range.
    pub(crate) fn moment(&self, local: i64) -> Result<i64, SqlError> {
        moved(local, |local| -self.offset_of_local(local))
    }

    /// What a clock there shows at a moment. Microseconds; infinities stay. Error: out of range.
    pub(crate) fn local(&self, moment: i64) -> Result<i64, SqlError> {
        moved(moment, |moment| self.offset_at(moment))
    }
}

fn moved(micros: i64, by: impl FnOnce(i64) -> i64) -> Result<i64, SqlError> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    micros.checked_add(by(micros) * SECOND).ok_or_else(timestamp_range).and_then(in_range)
}

/// The moment at which a clock in the zone shows this. Microseconds; infinities stay.
pub(crate) fn from_local(local: i64, zone: &TimeZone) -> Result<i64, SqlError> {
    moved(local, |local| -offset_of_local(zone, local))
}

/// What a clock in the zone shows at a moment. Microseconds; infinities stay.
pub(crate) fn to_local(moment: i64, zone: &TimeZone) -> Result<i64, SqlError> {
    moved(moment, |moment| offset_at(zone, moment))
}

/// Of the same day of the week, the same day of the year and the same leap year, in years that can be asked.
fn asked(micros: i64) -> i64 {
    let beyond = micros.saturating_sub(ASKED).max(0);
    micros - (beyond / CYCLE + i64::from(beyond % CYCLE > 0)) * CYCLE
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_second(asked(micros).div_euclid(SECOND)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Seconds east of UTC at a moment. Microseconds since 1970.
pub(crate) fn offset_at(zone: &TimeZone, moment: i64) -> i64 {
    i64::from(zone.to_offset(timestamp(moment)).seconds())
}

/// The abbreviation of the time that is kept in a zone at a moment.
pub(crate) fn abbreviation_at(zone: &TimeZone, moment: i64) -> String {
    zone.to_offset_info(timestamp(moment)).abbreviation().to_owned()
}

/// Seconds east of UTC when a clock there shows this. What is shown twice is the later time, what is never shown
/// is counted on from before the gap.
pub(crate) fn offset_of_local(zone: &TimeZone, local: i64) -> i64 {
    let offset = match civil(asked(local)).map(|shown| zone.to_ambiguous_timestamp(shown).offset()) {
        Some(AmbiguousOffset::Unambiguous { offset }) => offset,
        Some(AmbiguousOffset::Gap { before, .. }) => before,
        Some(AmbiguousOffset::Fold { after, .. }) => after,
        None => return 0,
    };
    i64::from(offset.seconds())
}

fn civil(local: i64) -> Option<DateTime> {
    let (days, micros) = split(local);
    let Day { year, month, day } = Day::of(days);
    let seconds = micros / SECOND;
    let small = |value: i64| i8::try_from(value).ok();
    let (month, day) = (small(month)?, small(day)?);
    let (hour, minute, second) = (small(seconds / 3600)?, small(seconds / 60 % 60)?, small(seconds % 60)?);
    DateTime::new(i16::try_from(year).ok()?, month, day, hour, minute, second, 0).ok()
}

/// The offset that an abbreviation last had before a moment, or else had first. Without one in the zone's history:
/// the zone's own.
fn meant(name: &str, zone: &TimeZone, moment: i64) -> i64 {
    let at = timestamp(moment);
    let now = zone.to_offset_info(at);
    if now.abbreviation().eq_ignore_ascii_case(name) {
        return i64::from(now.offset().seconds());
    }
    // The rule for all the future has no last transition, and old zones have few: some are enough.
    let last = zone.preceding(at).take(500).find(|change| change.abbreviation().eq_ignore_ascii_case(name));
    let first =
        || zone.following(at).take(500).find(|change| change.abbreviation().eq_ignore_ascii_case(name));
    let offset = last.or_else(first).map_or_else(|| now.offset(), |change| change.offset());
    i64::from(offset.seconds())
}

/// A zone by its name in the time zone database, or as POSIX writes it (whose offsets count to the west).
fn named(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name.len() > 255 {
        return None;
    }
    if let Some(seconds) = bare_offset(name) {
        return fixed(-seconds);
    }
    if let Ok(zone) = TimeZone::get(name)
        && !zone.is_unknown()
    {
        return Some(zone);
    }
    TimeZone::posix(name).ok()
}

/// `+02:30`, `7`: seconds.
fn bare_offset(name: &str) -> Option<i64> {
    let (sign, rest) = match name.as_bytes().first()? {
        b'-' => (-1, name.get(1..)?),
        b'+' => (1, name.get(1..)?),
        _ => (1, name),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in rest.split(':') {
        if unit == 0 || part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i64>().ok().filter(|part| *part < 168)? * unit;
        unit /= 60;
    }
    Some(sign * seconds)
}

/// A zone that is always so many seconds east of UTC. None: PostgreSQL has none that far.
pub(crate) fn fixed(seconds: i64) -> Option<TimeZone> {
    let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
    (seconds.abs() < 16 * 3600).then(|| offset.to_time_zone())
}

/// Hours east of UTC, as `SET TIME ZONE 7` and `SET TIME ZONE '-5.5'` have them: seconds.
fn hours(name: &str) -> Option<i64> {
    let plain = name.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
    let hours: f64 = name.parse().ok().filter(|_| plain)?;
    #[expect(clippy::cast_possible_truncation, reason = "far beyond what a zone may have either way")]
    Some((hours * 3600.0) as i64)
}

/// A zone as `SET TIME ZONE` takes it: a name, hours east of UTC, or POSIX's words. Error: there is none, in the
/// words of a parameter's wrong value.
pub(crate) fn zone(name: &str) -> Result<TimeZone, SqlError> {
    let wrong = || {
        let message = format!("invalid value for parameter \"TimeZone\": \"{name}\"");
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    };
    match hours(name) {
        Some(seconds) => {
            fixed(seconds).ok_or_else(|| wrong().with_detail("UTC timezone offset is out of range."))
        }
        None => named(name).ok_or_else(wrong),
    }
}

/// How a zone that [`zone`] knows is shown: `Europe/Berlin`, `<+07>-07`, or as it was written.
pub(crate) fn zone_name(name: &str) -> String {
    if let Some(seconds) = hours(name) {
        return format!("<{}>{}", offset_out(seconds), offset_out(-seconds));
    }
    match named(name) {
        Some(zone) if bare_offset(name).is_none() => {
            zone.iana_name().map_or_else(|| name.to_uppercase(), str::to_owned)
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::time::{timestamp_out, timestamptz_out};

    /// 2020-01-01 12:00 in a clock at the place, as a moment.
    #[test]
    fn places_are_those_of_at_time_zone() {
        let noon = 1_577_880_000_000_000;
        for (name, there) in [
            ("+02", "2020-01-01 14:00:00+00"),
            ("+02:30", "2020-01-01 14:30:00+00"),
            ("MSK", "2020-01-01 09:00:00+00"),
            ("xxx3", "2020-01-01 15:00:00+00"),
            ("UTC-3", "2020-01-01 09:00:00+00"),
            ("7", "2020-01-01 19:00:00+00"),
            ("CEST", "2020-01-01 10:00:00+00"),
            ("europe/berlin", "2020-01-01 11:00:00+00"),
            ("America/New_York", "2020-01-01 17:00:00+00"),
        ] {
            let moment = Place::named(name).unwrap().moment(noon).unwrap();
            assert_eq!(timestamptz_out(moment, &TimeZone::UTC), there, "{name}");
        }
        for name in ["", "xx", "Mars/Base", "Etc/Unknown"] {
            let error = Place::named(name).unwrap_err();
            assert_eq!(error.to_string(), format!("time zone \"{name}\" not recognized"));
        }
    }

    #[test]
    fn zones_are_those_of_set() {
        for (name, shown, noon) in [
            ("7", "<+07>-07", "2020-01-01 19:00:00+07"),
            ("-5.5", "<-05:30>+05:30", "2020-01-01 06:30:00-05:30"),
            ("+02:30", "+02:30", "2020-01-01 09:30:00-02:30"),
            ("europe/berlin", "Europe/Berlin", "2020-01-01 13:00:00+01"),
            ("<+02>-02", "<+02>-02", "2020-01-01 14:00:00+02"),
            ("UTC+3", "UTC+3", "2020-01-01 09:00:00-03"),
            ("utc", "UTC", "2020-01-01 12:00:00+00"),
        ] {
            assert_eq!(zone_name(name), shown);
            assert_eq!(timestamptz_out(1_577_880_000_000_000, &zone(name).unwrap()), noon, "{name}");
        }
        for name in ["PST", "z", "", "200"] {
            let error = zone(name).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid value for parameter \"TimeZone\": \"{name}\""));
        }
    }

    #[test]
    fn far_years_have_the_rules_of_the_last() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let summer = Day { year: 250_000, month: 7, day: 1 }.days() * DAY;
        assert_eq!(timestamptz_out(summer, &zone), "250000-07-01 02:00:00+02");
        assert_eq!(timestamp_out(to_local(summer, &zone).unwrap()), "250000-07-01 02:00:00");
        assert_eq!(from_local(summer, &zone).unwrap(), summer - 7_200 * SECOND);
    }
}
