//! Intervals: months, days and microseconds, each for itself.

use crate::base::settings::IntervalStyle;
use crate::base::{SqlError, SqlState};

use super::fit::rounded;
use super::read::{clock_time, fraction_micros, invalid};
use super::show::seconds;
use super::{DAY, SECOND};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

fn overflow() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

impl Interval {
    /// As it is kept: `months days microseconds`.
    pub(crate) fn to_stored(self) -> String {
        format!("{} {} {}", self.months, self.days, self.micros)
    }

    /// From how it is kept.
    pub(crate) fn from_stored(text: &str) -> Result<Self, SqlError> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().and_then(|part| part.parse::<i64>().ok());
        match (next(), next(), next()) {
            (Some(months), Some(days), Some(micros)) => Ok(Self {
                months: i32::try_from(months).map_err(|_| overflow())?,
                days: i32::try_from(days).map_err(|_| overflow())?,
                micros,
            }),
            _ => Err(super::super::misplaced("interval")),
        }
    }

    /// Its place in the order: a month is 30 days, a day 24 hours.
    pub(crate) fn span(self) -> i128 {
        i128::from(self.months) * 30 * i128::from(DAY)
            + i128::from(self.days) * i128::from(DAY)
            + i128::from(self.micros)
    }

    /// A text as PostgreSQL reads it: `1 day 02:03:04`, `1-2`, `P1Y2M3DT4H`, `@ 1 hour ago`. Errors: 22007, 22008.
    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        let trimmed = text.trim();
        let parsed = if trimmed.starts_with(['P', 'p']) { iso(trimmed) } else { words(trimmed) };
        match parsed {
            Some(total) => total.finish(),
            None => Err(invalid("interval", text)),
        }
    }

    /// As a style shows it.
    pub(crate) fn show(self, style: IntervalStyle) -> String {
        match style {
            IntervalStyle::Postgres => self.postgres(),
            IntervalStyle::PostgresVerbose => self.verbose(),
            IntervalStyle::SqlStandard => self.standard(),
            IntervalStyle::Iso8601 => self.iso(),
        }
    }

    /// With the fields and digits that a modifier leaves it.
    pub(crate) fn fit(self, typmod: i32) -> Self {
        let (range, digits) = ((typmod >> 16) & 0x7fff, typmod & 0xffff);
        let (month, year, day, hour, minute, second) = (1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12);
        let mut fitted = self;
        if range != 0x7fff {
            let unit = |micros: i64| fitted.micros / micros * micros;
            if range & second == 0 && range & minute != 0 {
                fitted.micros = unit(60 * SECOND);
            } else if range & second == 0 && range & hour != 0 {
                fitted.micros = unit(3600 * SECOND);
            } else if range & second == 0 {
                fitted.micros = 0;
            }
            if range & (day | hour | minute | second) == 0 {
                fitted.days = 0;
            }
            if range & (month | year) == year {
                fitted.months = fitted.months / 12 * 12;
            }
        }
        if digits != 0xffff {
            fitted.micros = rounded(fitted.micros, digits);
        }
        fitted
    }

    fn clock(self) -> (i64, i64, i64) {
        let micros = self.micros.unsigned_abs().cast_signed();
        (micros / (3600 * SECOND), micros / (60 * SECOND) % 60, micros % (60 * SECOND))
    }

    fn postgres(self) -> String {
        let mut parts = Vec::new();
        let mut negative_before = false;
        for (amount, unit) in [
            (i64::from(self.months / 12), "year"),
            (i64::from(self.months % 12), "mon"),
            (i64::from(self.days), "day"),
        ] {
            if amount != 0 {
                let sign = if negative_before && amount > 0 { "+" } else { "" };
                parts.push(format!("{sign}{amount} {unit}{}", if amount == 1 { "" } else { "s" }));
                negative_before = amount < 0;
            }
        }
        if self.micros != 0 || parts.is_empty() {
            let (hours, minutes, rest) = self.clock();
            let sign = if self.micros < 0 {
                "-"
            } else if negative_before {
                "+"
            } else {
                ""
            };
            parts.push(format!("{sign}{hours:02}:{minutes:02}:{}", seconds(rest)));
        }
        parts.join(" ")
    }

    fn verbose(self) -> String {
        let first =
            [i64::from(self.months), i64::from(self.days), self.micros].into_iter().find(|part| *part != 0);
        let ago = first.is_some_and(|part| part < 0);
        let flip = |amount: i64| if ago { -amount } else { amount };
        let (hours, minutes, rest) = self.clock();
        let sign = if self.micros < 0 { -1 } else { 1 };
        let mut parts = Vec::new();
        for (amount, unit) in [
            (i64::from(self.months / 12), "year"),
            (i64::from(self.months % 12), "mon"),
            (i64::from(self.days), "day"),
            (sign * hours, "hour"),
            (sign * minutes, "min"),
        ] {
            if amount != 0 {
                let amount = flip(amount);
                parts.push(format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" }));
            }
        }
        if rest != 0 {
            let shown = seconds(rest);
            let shown = shown.trim_start_matches('0');
            let shown = if shown.starts_with('.') { format!("0{shown}") } else { shown.to_owned() };
            let minus = if flip(sign) < 0 { "-" } else { "" };
            parts.push(format!("{minus}{shown} sec{}", if rest == SECOND { "" } else { "s" }));
        }
        if parts.is_empty() {
            return "@ 0".to_owned();
        }
        format!("@ {}{}", parts.join(" "), if ago { " ago" } else { "" })
    }

    fn standard(self) -> String {
        let (years, months) = (self.months / 12, self.months % 12);
        let (hours, minutes, rest) = self.clock();
        let clock = format!("{hours}:{minutes:02}:{}", seconds(rest));
        let (has_months, has_days, has_time) = (self.months != 0, self.days != 0, self.micros != 0);
        let negative = self.months < 0 || self.days < 0 || self.micros < 0;
        let positive = self.months > 0 || self.days > 0 || self.micros > 0;
        if !has_months && !has_days && !has_time {
            return "0".to_owned();
        }
        if (negative && positive) || (has_months && (has_days || has_time)) {
            let sign = |negative: bool| if negative { '-' } else { '+' };
            return format!(
                "{}{}-{} {}{} {}{clock}",
                sign(self.months < 0),
                years.abs(),
                months.abs(),
                sign(self.days < 0),
                self.days.unsigned_abs(),
                sign(self.micros < 0)
            );
        }
        let minus = if negative { "-" } else { "" };
        if has_months {
            format!("{minus}{}-{}", years.abs(), months.abs())
        } else if has_days {
            format!("{minus}{} {clock}", self.days.unsigned_abs())
        } else {
            format!("{minus}{clock}")
        }
    }

    fn iso(self) -> String {
        let mut shown = "P".to_owned();
        for (amount, unit) in [(self.months / 12, 'Y'), (self.months % 12, 'M'), (self.days, 'D')] {
            if amount != 0 {
                shown.push_str(&format!("{amount}{unit}"));
            }
        }
        let (hours, minutes, rest) = self.clock();
        let minus = if self.micros < 0 { "-" } else { "" };
        if self.micros != 0 {
            shown.push('T');
            if hours != 0 {
                shown.push_str(&format!("{minus}{hours}H"));
            }
            if minutes != 0 {
                shown.push_str(&format!("{minus}{minutes}M"));
            }
            if rest != 0 {
                let digits = seconds(rest);
                let digits = digits.strip_prefix('0').unwrap_or(&digits);
                shown.push_str(&format!("{minus}{digits}S"));
            }
        }
        if shown == "P" { "PT0S".to_owned() } else { shown }
    }
}

impl Ord for Interval {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.span().cmp(&other.span())
    }
}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A sum of fields, wider than an interval.
#[derive(Clone, Copy, Default)]
struct Total {
    months: i128,
    days: i128,
    micros: i128,
}

/// A number with a fraction in millionths.
#[derive(Clone, Copy)]
struct Amount {
    whole: i128,
    millionths: i128,
}

impl Amount {
    fn read(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 18 {
            return None;
        }
        if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let millionths = i128::from(fraction_micros(fraction)?);
        let sign = if negative { -1 } else { 1 };
        Some(Self { whole: sign * whole, millionths: sign * millionths })
    }
}

impl Total {
    fn finish(self) -> Result<Interval, SqlError> {
        Ok(Interval {
            months: i32::try_from(self.months).map_err(|_| overflow())?,
            days: i32::try_from(self.days).map_err(|_| overflow())?,
            micros: i64::try_from(self.micros).map_err(|_| overflow())?,
        })
    }

    fn add_micros(&mut self, amount: Amount, unit: i64) {
        let unit = i128::from(unit);
        self.micros += amount.whole * unit + amount.millionths * unit / 1_000_000;
    }

    /// A fraction of a day is time, one of a month is days and time, one of a year is months.
    fn add_days(&mut self, amount: Amount, days: i128) {
        self.days += amount.whole * days;
        let rest = amount.millionths * days;
        self.days += rest / 1_000_000;
        self.micros += rest % 1_000_000 * i128::from(DAY) / 1_000_000;
    }

    fn add_months(&mut self, amount: Amount, months: i128) {
        self.months += amount.whole * months;
        if months == 1 {
            self.add_days(Amount { whole: 0, millionths: amount.millionths }, 30);
        } else {
            self.months += (amount.millionths * months + amount.millionths.signum() * 500_000) / 1_000_000;
        }
    }

    fn add(&mut self, amount: Amount, unit: &str) -> Option<()> {
        let unit = unit.to_ascii_lowercase();
        match unit.as_str() {
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => self.add_micros(amount, 1),
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => self.add_micros(amount, 1000),
            "s" | "sec" | "secs" | "second" | "seconds" => self.add_micros(amount, SECOND),
            "m" | "min" | "mins" | "minute" | "minutes" => self.add_micros(amount, 60 * SECOND),
            "h" | "hr" | "hrs" | "hour" | "hours" => self.add_micros(amount, 3600 * SECOND),
            "d" | "day" | "days" => self.add_days(amount, 1),
            "w" | "week" | "weeks" => self.add_days(amount, 7),
            "mon" | "mons" | "month" | "months" => self.add_months(amount, 1),
            "y" | "yr" | "yrs" | "year" | "years" => self.add_months(amount, 12),
            "dec" | "decade" | "decades" => self.add_months(amount, 120),
            "c" | "cent" | "century" | "centuries" => self.add_months(amount, 1200),
            "mil" | "millennium" | "millennia" | "millenniums" => self.add_months(amount, 12_000),
            _ => return None,
        }
        Some(())
    }
}

/// `1 year -2 days 03:04:05`, `1-2 3 4:05:06`, `@ 1 min ago`.
fn words(text: &str) -> Option<Total> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    let ago = words.last().is_some_and(|word| word.eq_ignore_ascii_case("ago"));
    if ago {
        words.pop();
    }
    if words.is_empty() {
        return None;
    }
    let mut total = Total::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word.contains(':') {
            clock(word, &mut total)?;
        } else if let Some((years, months)) = years_and_months(word) {
            total.months += years * 12 + months;
        } else {
            let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
            let (digits, unit) = word.split_at(end);
            let amount = Amount::read(digits)?;
            let unit = if unit.is_empty() {
                match words.peek() {
                    Some(next) if next.starts_with(|c: char| c.is_ascii_alphabetic()) => words.next()?,
                    // Before a time of day it is days, and by itself seconds.
                    Some(next) if next.contains(':') => "day",
                    Some(_) => return None,
                    None => "second",
                }
            } else {
                unit
            };
            total.add(amount, unit)?;
        }
    }
    if ago {
        total = Total { months: -total.months, days: -total.days, micros: -total.micros };
    }
    Some(total)
}

fn clock(word: &str, total: &mut Total) -> Option<()> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (hours, rest) = digits.split_once(':')?;
    let hours: i128 = hours.parse().ok()?;
    let rest = clock_time(&format!("0:{rest}"))?.ok()?;
    total.micros += sign * (hours * 3600 * i128::from(SECOND) + i128::from(rest));
    Some(())
}

fn years_and_months(word: &str) -> Option<(i128, i128)> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (years, months) = digits.split_once('-')?;
    let (years, months): (i128, i128) = (years.parse().ok()?, months.parse().ok()?);
    (months < 12).then_some((sign * years, sign * months))
}

/// `P1Y2M3DT4H5M6S`.
fn iso(text: &str) -> Option<Total> {
    let mut total = Total::default();
    let (mut time, mut number) = (false, String::new());
    let mut any = false;
    for c in text[1..].chars() {
        match c.to_ascii_uppercase() {
            'T' if number.is_empty() => time = true,
            '0'..='9' | '.' | '-' | '+' => number.push(c),
            unit => {
                let unit = match (unit, time) {
                    ('Y', false) => "year",
                    ('M', false) => "month",
                    ('W', false) => "week",
                    ('D', false) => "day",
                    ('H', true) => "hour",
                    ('M', true) => "minute",
                    ('S', true) => "second",
                    _ => return None,
                };
                total.add(Amount::read(&number)?, unit)?;
                number.clear();
                any = true;
            }
        }
    }
    (any && number.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, expected) in [
            ("1 day", "1 day"),
            ("1 day 2 hours", "1 day 02:00:00"),
            ("1-2", "1 year 2 mons"),
            ("1 12:30", "1 day 12:30:00"),
            ("-1 day +02:03", "-1 days +02:03:00"),
            ("P1Y2M3DT4H5M6.5S", "1 year 2 mons 3 days 04:05:06.5"),
            ("@ 1 hour ago", "-01:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("0.5 days", "12:00:00"),
            ("90", "00:01:30"),
            ("100:00:00", "100:00:00"),
            ("2 weeks", "14 days"),
            ("0", "00:00:00"),
        ] {
            assert_eq!(
                Interval::parse(text).map(|i| i.show(IntervalStyle::Postgres)).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        for text in ["", "x", "1 foo", "P", "1 day x", "1:2:3:4"] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn styles() {
        let interval = Interval::parse("1 year 2 mons 3 days 04:05:06.7").unwrap();
        assert_eq!(
            interval.show(IntervalStyle::PostgresVerbose),
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6.7 secs"
        );
        assert_eq!(interval.show(IntervalStyle::SqlStandard), "+1-2 +3 +4:05:06.7");
        assert_eq!(interval.show(IntervalStyle::Iso8601), "P1Y2M3DT4H5M6.7S");
        assert_eq!(Interval::from_stored(&interval.to_stored()), Ok(interval));
    }
}
