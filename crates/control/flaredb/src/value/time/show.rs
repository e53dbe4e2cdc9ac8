//! Dates and times as text, in PostgreSQL's style `ISO`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::civil::{Day, FIRST_DAY, HOUR, LAST_DAY, MINUTE, SECOND, split};
use super::zone::offset_at;

/// `2020-01-02 03:04:05.6+01`.
pub(crate) fn timestamptz_out(micros: i64, zone: &TimeZone) -> String {
    if let Some(word) = infinity(micros) {
        return word.to_owned();
    }
    let offset = offset_at(zone, micros);
    let (seconds, rest) = (micros.div_euclid(SECOND) + offset, micros.rem_euclid(SECOND));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    moment(days, of_day * SECOND + rest, Some(offset))
}

/// `2020-01-02 03:04:05.6`.
pub(crate) fn timestamp_out(micros: i64) -> String {
    if let Some(word) = infinity(micros) {
        return word.to_owned();
    }
    let (days, of_day) = split(micros);
    moment(days, of_day, None)
}

/// `2020-01-02`.
pub(crate) fn date_out(days: i64) -> String {
    match days {
        LAST_DAY => "infinity".to_owned(),
        FIRST_DAY => "-infinity".to_owned(),
        _ => {
            let (text, before) = date(days);
            text + before
        }
    }
}

/// `03:04:05.6`.
pub(crate) fn time_out(micros: i64) -> String {
    let mut text = format!("{:02}:{:02}:", micros / HOUR, micros / MINUTE % 60);
    seconds(&mut text, micros % MINUTE, true);
    text
}

fn infinity(micros: i64) -> Option<&'static str> {
    match micros {
        i64::MAX => Some("infinity"),
        i64::MIN => Some("-infinity"),
        _ => None,
    }
}

/// The date and what stands behind it all.
fn date(days: i64) -> (String, &'static str) {
    let Day { year, month, day } = Day::of(days);
    let (year, before) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), before)
}

fn moment(days: i64, of_day: i64, offset: Option<i64>) -> String {
    let (mut text, before) = date(days);
    text.push(' ');
    text.push_str(&time_out(of_day));
    if let Some(offset) = offset {
        text.push_str(&offset_out(offset));
    }
    text + before
}

/// `+01`, `-03:30`, `+00:53:28`; seconds east of UTC.
pub(crate) fn offset_out(offset: i64) -> String {
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if seconds % 3600 != 0 {
        let _ = write!(text, ":{:02}", seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        let _ = write!(text, ":{:02}", seconds % 60);
    }
    text
}

/// Seconds and as much of their fraction as there is; microseconds, not negative.
pub(crate) fn seconds(text: &mut String, micros: i64, two_digits: bool) {
    let whole = micros / SECOND;
    let _ = if two_digits { write!(text, "{whole:02}") } else { write!(text, "{whole}") };
    if micros % SECOND != 0 {
        let fraction = format!("{:06}", micros % SECOND);
        let _ = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_look_as_in_postgresql() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (micros, utc, there) in [
            (0, "1970-01-01 00:00:00", "1970-01-01 01:00:00+01"),
            (1_600_000_000_123_450, "2020-09-13 12:26:40.12345", "2020-09-13 14:26:40.12345+02"),
            (-2_840_140_800_000_000, "1880-01-01 00:00:00", "1880-01-01 00:53:28+00:53:28"),
            (-62_135_596_800_000_001, "0001-12-31 23:59:59.999999 BC", "0001-01-01 00:53:27.999999+00:53:28"),
            (-210_866_803_200_000_000, "4714-11-24 00:00:00 BC", "4714-11-24 00:53:28+00:53:28 BC"),
            (i64::MAX, "infinity", "infinity"),
            (i64::MIN, "-infinity", "-infinity"),
        ] {
            assert_eq!(timestamp_out(micros), utc);
            assert_eq!(timestamptz_out(micros, &berlin), there);
        }
        assert_eq!(date_out(18_321), "2020-02-29");
        assert_eq!(date_out(-2_440_588), "4714-11-24 BC");
        assert_eq!(date_out(2_145_042_905), "5874897-12-31");
        assert_eq!(date_out(LAST_DAY), "infinity");
        assert_eq!(time_out(86_400_000_000), "24:00:00");
        assert_eq!(time_out(1), "00:00:00.000001");
    }
}
