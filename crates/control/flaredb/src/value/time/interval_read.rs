//! Texts as intervals: numbers with units, read from the end, so that a unit comes before its number.

use crate::base::error::SqlError;

use super::civil::{DAY, HOUR, MINUTE, SECOND};
use super::error::Wrong;
use super::interval::Interval;
use super::interval_iso::iso;
use super::token::{Field, Kind, cut};
use super::unit::{Named, Unit, named};

/// The sum of what has been read.
#[derive(Debug, Default)]
pub(super) struct Sum {
    months: i64,
    days: i64,
    micros: i128,
}

impl Sum {
    /// So many of a unit, and a fraction of one (with the same sign). Error: out of range.
    pub(super) fn add(&mut self, unit: Unit, value: i64, fraction: f64) -> Result<(), Wrong> {
        let (months, days, micros) = unit.length();
        // Years alone have to fit as well.
        let (many, times) = if months >= 12 { (months / 12, 12) } else { (months, 1) };
        let within =
            |each: i64| each.checked_mul(value).and_then(|all| i32::try_from(all).ok()).map(i64::from);
        self.months += within(many).ok_or(Wrong::Interval)? * times;
        self.days += within(days).ok_or(Wrong::Interval)?;
        self.micros += i128::from(micros) * i128::from(value);
        self.part(unit, fraction)
    }

    /// A part of a year is whole months, a part of a month days and a time.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small parts")]
    fn part(&mut self, unit: Unit, fraction: f64) -> Result<(), Wrong> {
        let (months, days, micros) = unit.length();
        if months >= 12 {
            self.months += (fraction * months as f64).round_ties_even() as i64;
        } else if months > 0 || days > 0 {
            let days = fraction * if months > 0 { 30.0 } else { days as f64 };
            self.days += days.trunc() as i64;
            self.micros += i128::from(nearest(days.fract() * DAY as f64));
        } else {
            self.micros += i128::from(nearest(fraction * micros as f64));
        }
        Ok(())
    }

    pub(super) fn finish(&self, negative: bool) -> Result<Interval, Wrong> {
        let sign = if negative { -1 } else { 1 };
        Interval::of(self.months * sign, self.days * sign, self.micros * i128::from(sign))
            .map_err(|_| Wrong::Length)
    }
}

/// Rounded half towards zero.
#[expect(clippy::cast_possible_truncation, reason = "less than a millennium of microseconds")]
fn nearest(micros: f64) -> i64 {
    let rest = micros.fract();
    micros.trunc() as i64
        + if rest > 0.5 {
            1
        } else if rest < -0.5 {
            -1
        } else {
            0
        }
}

impl Interval {
    /// A text as PostgreSQL reads it: `1 year 2 mons`, `1-2 3 04:05:06`, `P1Y`. Error: that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        Self::parse_as(text, -1)
    }

    /// The same for a type with a modifier: `interval '1' year` is a year.
    pub(crate) fn parse_as(text: &str, typmod: i32) -> Result<Self, SqlError> {
        let read = match plain(text, Unit::of_typmod(typmod)) {
            Err(Wrong::Format) => iso(text),
            read => read,
        };
        let interval = read.map_err(|wrong| match wrong {
            Wrong::Field => Wrong::Interval.of(text, "interval"),
            wrong => wrong.of(text, "interval"),
        })?;
        Ok(super::typmod::fit_interval(typmod, interval))
    }
}

/// Where the reader is.
struct Reader {
    sum: Sum,
    /// Of the number that comes next.
    unit: Option<Unit>,
    default: Unit,
    /// Units that have been read: bits.
    seen: u32,
    ago: bool,
}

fn plain(text: &str, default: Unit) -> Result<Interval, Wrong> {
    let fields = cut(text, |name| named(name).is_some())?;
    let mut reader = Reader { sum: Sum::default(), unit: None, default, seen: 0, ago: false };
    for field in fields.iter().rev() {
        reader.take(field)?;
    }
    if reader.seen == 0 {
        return Err(Wrong::Format);
    }
    reader.sum.finish(reader.ago)
}

impl Reader {
    fn take(&mut self, field: &Field) -> Result<(), Wrong> {
        match field.kind {
            Kind::Time => self.time(&field.text, 1),
            Kind::Offset if field.text.contains(':') => {
                let sign = if field.text.starts_with('-') { -1 } else { 1 };
                self.time(field.text.get(1..).unwrap_or_default(), sign)
            }
            Kind::Offset | Kind::Date | Kind::Number => self.number(&field.text),
            Kind::Word | Kind::Special => self.word(&field.text),
        }
    }

    fn word(&mut self, text: &str) -> Result<(), Wrong> {
        match named(text).ok_or(Wrong::Format)? {
            Named::Ignored => {}
            Named::Ago => {
                self.ago = true;
                self.unit = None;
            }
            Named::Unit(unit) => self.unit = Some(unit),
        }
        Ok(())
    }

    fn see(&mut self, bits: u32) -> Result<(), Wrong> {
        if self.seen & bits != 0 {
            return Err(Wrong::Format);
        }
        self.seen |= bits;
        Ok(())
    }

    /// `04:05:06.7`; what stands before it without a unit are days.
    fn time(&mut self, text: &str, sign: i64) -> Result<(), Wrong> {
        self.see(Unit::TIME)?;
        let micros = time(text, self.default)?;
        self.sum.micros += i128::from(sign) * micros;
        self.unit = Some(Unit::Day);
        Ok(())
    }

    fn number(&mut self, text: &str) -> Result<(), Wrong> {
        let unit = self.unit.unwrap_or(self.default);
        self.unit = Some(unit);
        let negative = text.starts_with('-');
        let body = text.trim_start_matches(['+', '-']);
        let sign = if negative { -1 } else { 1 };
        if let Some((years, months)) = body.split_once('-') {
            let (years, months) = (long(years)?, long(months)?);
            if !(0..12).contains(&months) {
                return Err(Wrong::Field);
            }
            self.see(Unit::Month.bit())?;
            self.unit = Some(Unit::Month);
            let all = years.checked_mul(12).and_then(|all| all.checked_add(months)).ok_or(Wrong::Interval)?;
            return self.sum.add(Unit::Month, sign * all, 0.0);
        }
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        let value = if whole.is_empty() && !fraction.is_empty() { 0 } else { long(whole)? };
        let part: f64 = format!("0.{fraction}0").parse().map_err(|_| Wrong::Format)?;
        self.see(unit.bit())?;
        #[expect(clippy::cast_precision_loss, reason = "-1 or 1")]
        self.sum.add(unit, sign * value, part * sign as f64)
    }
}

/// Digits. Error: others, or too many.
pub(super) fn long(text: &str) -> Result<i64, Wrong> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    text.parse().map_err(|_| Wrong::Field)
}

/// Hours, minutes and seconds; hours without a bound. Microseconds. Two parts are minutes and seconds where the type
/// says that nothing is longer.
pub(super) fn time(text: &str, default: Unit) -> Result<i128, Wrong> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [minute, second] if second.contains('.') || default == Unit::MinuteSecond => ("0", *minute, *second),
        [hour, minute] => (*hour, *minute, "0"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return Err(Wrong::Format),
    };
    let (second, micros) = super::clockwork::split_seconds(second)?;
    let (hour, minute) = (long(hour)?, long(minute)?);
    if minute > 59 || second > 60 {
        return Err(Wrong::Field);
    }
    Ok(i128::from(hour) * i128::from(HOUR) + i128::from(minute * MINUTE + second * SECOND + micros))
}
