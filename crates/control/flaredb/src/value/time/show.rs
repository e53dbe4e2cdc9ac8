//! Texts of dates and times, in the ISO style.

use jiff::tz::TimeZone;

use super::civil::date_of;
use super::{DATE_MAX, DATE_MIN, DAY, SECOND, offset_at};

/// `2024-02-29 12:00:00.5+02`.
pub(crate) fn timestamptz_out(micros: i64, zone: &TimeZone) -> String {
    if let Some(infinite) = infinite(micros) {
        return infinite.to_owned();
    }
    let offset = offset_at(micros, zone);
    let (text, era) = moment(micros + offset);
    let seconds = offset / SECOND;
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
    let mut shown = format!("{text}{sign}{hours:02}");
    if minutes != 0 || rest != 0 {
        shown.push_str(&format!(":{minutes:02}"));
    }
    if rest != 0 {
        shown.push_str(&format!(":{rest:02}"));
    }
    shown.push_str(era);
    shown
}

/// `2024-02-29 12:00:00.5`.
pub(crate) fn timestamp_out(micros: i64) -> String {
    match infinite(micros) {
        Some(infinite) => infinite.to_owned(),
        None => {
            let (text, era) = moment(micros);
            format!("{text}{era}")
        }
    }
}

/// `2024-02-29`.
pub(crate) fn date_out(days: i64) -> String {
    match days {
        DATE_MAX => "infinity".to_owned(),
        DATE_MIN => "-infinity".to_owned(),
        days => {
            let (text, era) = date(days);
            format!("{text}{era}")
        }
    }
}

/// `04:05:06.789`.
pub(crate) fn time_out(micros: i64) -> String {
    let (hours, minutes) = (micros / (3600 * SECOND), micros / (60 * SECOND) % 60);
    format!("{hours:02}:{minutes:02}:{}", seconds(micros % (60 * SECOND)))
}

/// Seconds with their fraction, as short as can be.
pub(super) fn seconds(micros: i64) -> String {
    let (whole, fraction) = (micros / SECOND, micros % SECOND);
    if fraction == 0 {
        return format!("{whole:02}");
    }
    let digits = format!("{fraction:06}");
    format!("{whole:02}.{}", digits.trim_end_matches('0'))
}

fn infinite(micros: i64) -> Option<&'static str> {
    match micros {
        i64::MAX => Some("infinity"),
        i64::MIN => Some("-infinity"),
        _ => None,
    }
}

fn moment(micros: i64) -> (String, &'static str) {
    let (date, era) = date(micros.div_euclid(DAY));
    (format!("{date} {}", time_out(micros.rem_euclid(DAY))), era)
}

fn date(days: i64) -> (String, &'static str) {
    let (year, month, day) = date_of(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}
