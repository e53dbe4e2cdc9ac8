//! Intervals as text, in each of PostgreSQL's styles.

use std::fmt::Write as _;

use crate::base::settings::IntervalStyle;

use super::civil::{HOUR, MINUTE};
use super::interval::Interval;
use super::show::seconds;

impl Interval {
    /// As `IntervalStyle` wants it.
    pub(crate) fn show(self, style: IntervalStyle) -> String {
        match style {
            IntervalStyle::Postgres => self.postgres(),
            IntervalStyle::PostgresVerbose => self.verbose(),
            IntervalStyle::SqlStandard => self.sql_standard(),
            IntervalStyle::Iso8601 => self.iso(),
        }
    }

    fn is_zero(self) -> bool {
        self.months == 0 && self.days == 0 && self.micros == 0
    }

    /// `1 year 2 mons 3 days 04:05:06`; a sign is repeated where it changes.
    fn postgres(self) -> String {
        let mut text = String::new();
        let mut negative = false;
        for (value, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value == 0 {
                continue;
            }
            let space = if text.is_empty() { "" } else { " " };
            let plus = if negative && value > 0 { "+" } else { "" };
            let s = if value == 1 { "" } else { "s" };
            let _ = write!(text, "{space}{plus}{value} {unit}{s}");
            negative = value < 0;
        }
        if self.micros != 0 || text.is_empty() {
            let space = if text.is_empty() { "" } else { " " };
            let sign = match self.micros {
                ..0 => "-",
                _ if negative => "+",
                _ => "",
            };
            let _ = write!(text, "{space}{sign}{}", self.clock(2));
        }
        text
    }

    /// Hours, minutes and seconds without a sign; hours of so many digits.
    fn clock(self, digits: usize) -> String {
        let micros = Wide::of(self.micros);
        let mut text = format!("{:0digits$}:{:02}:", micros.hours, micros.minutes);
        seconds(&mut text, micros.rest, true);
        text
    }

    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs ago`.
    fn verbose(self) -> String {
        if self.is_zero() {
            return "@ 0".to_owned();
        }
        let time = Wide::of(self.micros);
        let sign = if self.micros < 0 { -1 } else { 1 };
        let mut text = "@".to_owned();
        let mut ago = None;
        let (hours, minutes) = (time.hours * sign, time.minutes * sign);
        for (value, unit) in [
            (i64::from(self.months / 12), "year"),
            (i64::from(self.months % 12), "mon"),
            (i64::from(self.days), "day"),
            (hours, "hour"),
            (minutes, "min"),
        ] {
            if value == 0 {
                continue;
            }
            let before = *ago.get_or_insert(value < 0);
            let value = if before { -value } else { value };
            let _ = write!(text, " {value} {unit}{}", if value == 1 { "" } else { "s" });
        }
        if time.rest != 0 {
            let before = *ago.get_or_insert(self.micros < 0);
            text.push_str(if before == (self.micros < 0) { " " } else { " -" });
            seconds(&mut text, time.rest, false);
            let one = time.rest == 1_000_000 && before == (self.micros < 0);
            text.push_str(if one { " sec" } else { " secs" });
        }
        text.push_str(if ago == Some(true) { " ago" } else { "" });
        text
    }

    /// `1-2 3 4:05:06`; with mixed signs every part has its own.
    fn sql_standard(self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let parts = [i64::from(self.months), i64::from(self.days), self.micros];
        let mixed = parts.iter().any(|part| *part < 0) && parts.iter().any(|part| *part > 0);
        let (years, months) = (self.months.unsigned_abs() / 12, self.months.unsigned_abs() % 12);
        let sign = |part: i64| if part < 0 { "-" } else { "+" };
        let days = self.days.unsigned_abs();
        let (has_months, has_days, has_time) = (self.months != 0, self.days != 0, self.micros != 0);
        if mixed || has_months && (has_days || has_time) {
            let (month, day, micro) = (sign(parts[0]), sign(parts[1]), sign(self.micros));
            return format!("{month}{years}-{months} {day}{days} {micro}{}", self.clock(1));
        }
        let minus = if parts.iter().any(|part| *part < 0) { "-" } else { "" };
        if has_months {
            format!("{minus}{years}-{months}")
        } else if has_days {
            format!("{minus}{days} {}", self.clock(1))
        } else {
            format!("{minus}{}", self.clock(1))
        }
    }

    /// `P1Y2M3DT4H5M6S`.
    fn iso(self) -> String {
        if self.is_zero() {
            return "PT0S".to_owned();
        }
        let mut text = "P".to_owned();
        let put = |text: &mut String, value: i64, unit: char| {
            if value != 0 {
                let _ = write!(text, "{value}{unit}");
            }
        };
        put(&mut text, i64::from(self.months / 12), 'Y');
        put(&mut text, i64::from(self.months % 12), 'M');
        put(&mut text, i64::from(self.days), 'D');
        if self.micros != 0 {
            text.push('T');
            let (time, sign) = (Wide::of(self.micros), self.micros.signum());
            put(&mut text, time.hours * sign, 'H');
            put(&mut text, time.minutes * sign, 'M');
            if time.rest != 0 {
                text.push_str(if sign < 0 { "-" } else { "" });
                seconds(&mut text, time.rest, false);
                text.push('S');
            }
        }
        text
    }
}

/// A time without its sign.
struct Wide {
    hours: i64,
    minutes: i64,
    /// Microseconds.
    rest: i64,
}

impl Wide {
    fn of(micros: i64) -> Self {
        let hours = (micros / HOUR).abs();
        Self { hours, minutes: (micros / MINUTE % 60).abs(), rest: (micros % MINUTE).abs() }
    }
}
