//! Intervals as ISO 8601 writes them.

use super::error::Wrong;
use super::interval::Interval;
use super::interval_read::{Sum, long, time};
use super::unit::Unit;

/// `P1Y2M3DT4H5M6S`, `P0001-02-03T04:05:06`, `P00010203T040506`.
pub(super) fn iso(text: &str) -> Result<Interval, Wrong> {
    let body = text.strip_prefix('P').ok_or(Wrong::Format)?;
    let (date, clock) = match body.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None if !body.is_empty() => (body, None),
        _ => return Err(Wrong::Format),
    };
    let mut sum = Sum::default();
    if is_designated(date) {
        parts(&mut sum, date, true)?;
    } else {
        alternative_date(&mut sum, date)?;
    }
    if let Some(clock) = clock {
        if is_designated(clock) { parts(&mut sum, clock, false)? } else { alternative_time(&mut sum, clock)? }
    }
    sum.finish(false)
}

/// Every number has its letter.
fn is_designated(part: &str) -> bool {
    part.is_empty() || part.ends_with(|c: char| c.is_ascii_alphabetic())
}

fn unit(letter: char, date: bool) -> Option<Unit> {
    Some(match (letter, date) {
        ('Y', true) => Unit::Year,
        ('M', true) => Unit::Month,
        ('W', true) => Unit::Week,
        ('D', true) => Unit::Day,
        ('H', false) => Unit::Hour,
        ('M', false) => Unit::Minute,
        ('S', false) => Unit::Second,
        _ => return None,
    })
}

fn parts(sum: &mut Sum, text: &str, date: bool) -> Result<(), Wrong> {
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, behind) = rest.split_at(end);
        let letter = behind.chars().next().unwrap_or_default();
        let (value, fraction) = decimal(number)?;
        sum.add(unit(letter, date).ok_or(Wrong::Format)?, value, fraction)?;
        rest = behind.get(1..).unwrap_or_default();
    }
    if rest.is_empty() { Ok(()) } else { Err(Wrong::Format) }
}

/// A number with a sign: the whole, and the fraction with the same sign.
fn decimal(text: &str) -> Result<(i64, f64), Wrong> {
    let negative = text.starts_with('-');
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, digits) = body.split_once('.').unwrap_or((body, ""));
    if digits.contains(|c: char| !c.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    let value = if whole.is_empty() && !digits.is_empty() { 0 } else { long(whole)? };
    let fraction: f64 = format!("0.{digits}0").parse().map_err(|_| Wrong::Format)?;
    Ok(if negative { (-value, -fraction) } else { (value, fraction) })
}

fn alternative_date(sum: &mut Sum, text: &str) -> Result<(), Wrong> {
    let basic = |from: usize, to: usize| long(text.get(from..to).unwrap_or_default());
    if text.len() == 8 && !text.contains('-') {
        sum.add(Unit::Year, basic(0, 4)?, 0.0)?;
        sum.add(Unit::Month, basic(4, 6)?, 0.0)?;
        return sum.add(Unit::Day, basic(6, 8)?, 0.0);
    }
    let mut units = [Unit::Year, Unit::Month, Unit::Day].into_iter();
    for part in text.split('-') {
        sum.add(units.next().ok_or(Wrong::Format)?, long(part)?, 0.0)?;
    }
    Ok(())
}

fn alternative_time(sum: &mut Sum, text: &str) -> Result<(), Wrong> {
    let digits = text.split('.').next().unwrap_or_default();
    let spread;
    let clock = match (digits.len(), text.is_ascii(), digits.contains(':')) {
        (6, true, false) => {
            let (hour, rest) = text.split_at(2);
            let (minute, second) = rest.split_at(2);
            spread = format!("{hour}:{minute}:{second}");
            &spread
        }
        (_, _, true) => text,
        _ => return sum.add(Unit::Hour, long(text)?, 0.0),
    };
    let micros = time(clock, Unit::Second)?;
    sum.add(Unit::Microsecond, i64::try_from(micros).map_err(|_| Wrong::Field)?, 0.0)
}
