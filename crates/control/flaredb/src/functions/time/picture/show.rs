//! `to_char` of times.

use crate::base::error::SqlError;
use rusqlite::types::Value;

use super::keys::{Key, Letters};
use super::shown::{DAYS, MONTHS, ROMAN, Shown};
use super::{Field, Part, parts};
use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::functions::time::io::{interval, now};
use crate::value::time::civil::is_infinite;

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    evaluated("fl_to_char_zone", 2, |call| {
        let zone = now(call).1;
        of_time(call, |micros| Shown::of_moment(micros, &zone))
    }),
    strict("fl_to_char_timestamp", 2, |call| of_time(call, Shown::of_local)),
    strict("fl_to_char_interval", 2, |call| painted(call, &Shown::of_interval(interval(call, 0)?))),
];

/// NULL of an infinite time.
fn of_time(call: &Call<'_>, shown: impl FnOnce(i64) -> Shown) -> Answer {
    let micros = call.int(0)?;
    if is_infinite(micros) { Ok(Value::Null) } else { painted(call, &shown(micros)) }
}

/// NULL of an empty picture.
fn painted(call: &Call<'_>, shown: &Shown) -> Answer {
    let picture = call.text(1)?;
    if picture.is_empty() {
        return Ok(Value::Null);
    }
    let parts = call.kept_for(1, "to_char", || Ok(parts(picture)))?;
    let mut text = String::new();
    for part in parts.iter() {
        match part {
            Part::Field(field) => text.push_str(&paint(field, shown)?),
            Part::Space => text.push(' '),
            Part::Separator(character) | Part::Character(character) => text.push(*character),
        }
    }
    Ok(text.into())
}

fn paint(field: &Field, shown: &Shown) -> Result<String, SqlError> {
    if let Some((value, width)) = number(field.key, shown)? {
        let signed = match field.key {
            Key::Year(_) | Key::IsoYear(_) => shown.counted(shown.year) < 0,
            Key::Day | Key::Week | Key::IsoWeek | Key::DayOfYear | Key::IsoDayOfYear => false,
            _ => value < 0,
        };
        return Ok(digits(field, value, width + usize::from(signed)));
    }
    Ok(match field.key {
        Key::YearComma => {
            let year = shown.counted(shown.year);
            ordinal(field, year, format!("{},{:03}", year / 1000, year % 1000))
        }
        Key::Half(points) => {
            let after = shown.hour % 24 >= 12;
            let word = match (after, points) {
                (false, false) => "AM",
                (false, true) => "A.M.",
                (true, false) => "PM",
                (true, true) => "P.M.",
            };
            cased(word, field.letters)
        }
        Key::Era(points) => {
            shown.calendar_only()?;
            let word = match (shown.year <= 0, points) {
                (false, false) => "AD",
                (false, true) => "A.D.",
                (true, false) => "BC",
                (true, true) => "B.C.",
            };
            cased(word, field.letters)
        }
        _ => named(field, shown)?,
    })
}

/// Names, and what stands for the zone.
fn named(field: &Field, shown: &Shown) -> Result<String, SqlError> {
    let name = |names: &[&'static str], place: i64| {
        usize::try_from(place).ok().and_then(|place| names.get(place)).copied().unwrap_or_default()
    };
    let month = || name(&MONTHS, shown.month - 1);
    if matches!(field.key, Key::MonthName | Key::MonthShort) {
        shown.calendar_only()?;
    }
    Ok(match field.key {
        Key::MonthName => filled(field, month(), 9),
        Key::MonthShort => cased(month().get(..3).unwrap_or_default(), field.letters),
        Key::DayName | Key::DayShort => {
            shown.calendar_only()?;
            let day = name(&DAYS, shown.date().weekday());
            match field.key {
                Key::DayName => filled(field, day, 9),
                _ => cased(day.get(..3).unwrap_or_default(), field.letters),
            }
        }
        Key::Roman => match shown.month {
            0 if shown.year == 0 => String::new(),
            0 if shown.year < 0 => filled(field, "I", 4),
            month @ ..0 => filled(field, name(&ROMAN, 12 + month), 4),
            month => filled(field, name(&ROMAN, (month - 1).rem_euclid(12)), 4),
        },
        Key::Zone => {
            shown.calendar_only()?;
            cased(&shown.zone, field.letters)
        }
        Key::ZoneHour => {
            shown.calendar_only()?;
            format!("{}{:02}", sign(shown.offset), shown.offset.abs() / 3600)
        }
        Key::Offset => {
            shown.calendar_only()?;
            let (hours, minutes) = (shown.offset.abs() / 3600, shown.offset.abs() / 60 % 60);
            let hours = if field.bare { hours.to_string() } else { format!("{hours:02}") };
            let minutes = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
            format!("{}{hours}{minutes}", sign(shown.offset))
        }
        _ => String::new(),
    })
}

fn sign(value: i64) -> char {
    if value < 0 { '-' } else { '+' }
}

/// The number of a field and how wide it is, a sign not counted.
fn number(key: Key, shown: &Shown) -> Result<Option<(i64, usize)>, SqlError> {
    let year = |year: i64, digits: usize| {
        let year = shown.counted(year);
        (if digits < 4 { year % 10_i64.pow(u32::try_from(digits).unwrap_or(0)) } else { year }, digits)
    };
    Ok(Some(match key {
        Key::Hour24 => (shown.hour, 2),
        Key::Hour12 => (if shown.hour % 12 == 0 { 12 } else { shown.hour % 12 }, 2),
        Key::Minute => (shown.minute, 2),
        Key::Second => (shown.second, 2),
        Key::Millisecond => (shown.micros / 1000, 3),
        Key::Microsecond => (shown.micros, 6),
        Key::Fraction(digits) => (shown.micros / 10_i64.pow(6 - digits), digits as usize),
        Key::SecondOfDay => (shown.hour * 3600 + shown.minute * 60 + shown.second, 0),
        Key::ZoneMinute => {
            shown.calendar_only()?;
            (shown.offset.abs() / 60 % 60, 2)
        }
        Key::Month => (shown.month, 2),
        Key::DayOfYear => (shown.of_year, 3),
        Key::Day => (shown.day, 2),
        Key::Weekday | Key::IsoWeekday => {
            shown.calendar_only()?;
            let weekday = shown.date().weekday();
            (if key == Key::Weekday { weekday + 1 } else { (weekday + 6) % 7 + 1 }, 0)
        }
        Key::IsoDayOfYear => {
            let (year, _) = shown.date().iso_week();
            (shown.date().days() - crate::value::time::civil::iso_start(year) + 1, 3)
        }
        Key::Week => ((shown.of_year - 1) / 7 + 1, 2),
        Key::IsoWeek => (shown.date().iso_week().1, 2),
        Key::Quarter if shown.is_interval && shown.month == 0 => return Ok(None),
        Key::Quarter => ((shown.month - 1) / 3 + 1, 0),
        Key::Century => (century(shown), 2),
        Key::Year(digits) => year(shown.year, digits),
        Key::IsoYear(digits) => year(shown.date().iso_week().0, digits),
        Key::WeekOfMonth => ((shown.day - 1) / 7 + 1, 0),
        Key::Julian => (shown.julian(), 0),
        _ => return Ok(None),
    }))
}

fn century(shown: &Shown) -> i64 {
    match shown.year {
        year if shown.is_interval => year / 100,
        year if year > 0 => (year - 1) / 100 + 1,
        year => year / 100 - 1,
    }
}

/// A number filled with zeros; a fraction always is.
fn digits(field: &Field, value: i64, width: usize) -> String {
    let always = matches!(field.key, Key::Millisecond | Key::Microsecond | Key::Fraction(_));
    let width = if field.bare && !always { 0 } else { width };
    ordinal(field, value, format!("{value:0width$}"))
}

/// With `st`, `nd`, `rd` or `th` behind it, if asked for.
fn ordinal(field: &Field, value: i64, text: String) -> String {
    let Some(letters) = field.ordinal else { return text };
    let ending = match (value.abs() / 10 % 10, value.abs() % 10) {
        (1, _) => "TH",
        (_, 1) => "ST",
        (_, 2) => "ND",
        (_, 3) => "RD",
        _ => "TH",
    };
    text + &cased(ending, letters)
}

/// A name filled with blanks.
fn filled(field: &Field, name: &str, width: usize) -> String {
    let name = cased(name, field.letters);
    if field.bare || name.is_empty() { name } else { format!("{name:width$}") }
}

fn cased(word: &str, letters: Letters) -> String {
    match letters {
        Letters::Upper => word.to_uppercase(),
        Letters::Capital => word.to_owned(),
        Letters::Lower => word.to_lowercase(),
    }
}
