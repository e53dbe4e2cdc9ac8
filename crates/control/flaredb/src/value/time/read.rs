//! Texts of dates and times: ISO 8601 and what PostgreSQL takes beside it, with the order month, day, year where
//! nothing else tells (its DateStyle `ISO, MDY`).

use jiff::tz::TimeZone;

use super::civil::{days_in_month, days_of};
use super::zone::{fixed, known, offset};
use super::{Clock, DAY, SECOND, offset_at};
use crate::base::{SqlError, SqlState};

/// What a text says.
pub(super) enum Read {
    Infinity,
    NegativeInfinity,
    /// Microseconds since 1970.
    Moment(i64),
    /// A day since 1970, microseconds since its midnight, and a zone if one was told.
    Local {
        days: i64,
        micros: i64,
        zone: Option<TimeZone>,
    },
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn invalid(ty: &str, text: &str) -> SqlError {
    let shown: String = text.chars().take(200).collect();
    SqlError::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type {ty}: \"{shown}\""),
    )
}

fn out_of_range(text: &str) -> SqlError {
    let shown: String = text.chars().take(200).collect();
    SqlError::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("date/time field value out of range: \"{shown}\""),
    )
}

/// What has been found so far.
#[derive(Default)]
struct Fields {
    date: Option<(i64, u32, u32)>,
    /// Month, day and year that stand apart.
    month: Option<u32>,
    numbers: Vec<(u32, usize)>,
    time: Option<i64>,
    zone: Option<TimeZone>,
    before_christ: bool,
    /// 12-hour clock: whether afternoon.
    afternoon: Option<bool>,
}

pub(super) fn read(text: &str, ty: &str, clock: &Clock<'_>) -> Result<Read, SqlError> {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    let today = (clock.now + offset_at(clock.now, clock.zone)).div_euclid(DAY);
    let day = |days: i64| Ok(Read::Local { days, micros: 0, zone: None });
    match lower.as_str() {
        "infinity" | "+infinity" => return Ok(Read::Infinity),
        "-infinity" => return Ok(Read::NegativeInfinity),
        "now" => return Ok(Read::Moment(clock.now)),
        "epoch" => return Ok(Read::Moment(0)),
        "today" => return day(today),
        "tomorrow" => return day(today + 1),
        "yesterday" => return day(today - 1),
        _ => {}
    }
    let mut fields = Fields::default();
    for word in words(&lower) {
        fields.word(word).ok_or_else(|| invalid(ty, text))?.map_err(|()| out_of_range(text))?;
    }
    let (year, month, day) = fields.whole_date().ok_or_else(|| invalid(ty, text))?;
    let year = if fields.before_christ { 1 - year } else { year };
    if month == 0
        || month > 12
        || day == 0
        || day > days_in_month(year, month)
        || (year == 0 && !fields.before_christ)
    {
        return Err(out_of_range(text));
    }
    let micros = fields.time_of_day().ok_or_else(|| out_of_range(text))?;
    Ok(Read::Local { days: days_of(year, month, day), micros, zone: fields.zone })
}

/// Words apart, by blanks, commas, and the `T` between date and time.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        match word.split_once('t') {
            Some((date, time))
                if date.ends_with(|c: char| c.is_ascii_digit())
                    && time.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                words.extend([date, time]);
            }
            _ => words.push(word),
        }
    }
    words
}

/// None: it is no word of these. An inner error: a number is out of its range.
type Understood = Option<Result<(), ()>>;

impl Fields {
    fn word(&mut self, word: &str) -> Understood {
        let ok = Some(Ok(()));
        match word {
            "bc" => {
                self.before_christ = true;
                return ok;
            }
            "ad" | "at" | "on" => return ok,
            "am" | "pm" => {
                self.afternoon = Some(word == "pm");
                return ok;
            }
            "allballs" => {
                self.time = Some(0);
                self.zone = Some(TimeZone::UTC);
                return ok;
            }
            _ => {}
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return self.digits(word);
        }
        if let Some(seconds) = offset(word).filter(|_| self.time.is_some() || self.has_date()) {
            self.zone = Some(fixed(seconds));
            return ok;
        }
        let start = word.get(..3).unwrap_or(word);
        let whole = word.trim_end_matches('.');
        if let Some(place) = MONTHS.iter().position(|month| *month == start)
            && self.month.is_none()
            && is_name(whole, place)
        {
            self.month = u32::try_from(place + 1).ok();
            return ok;
        }
        if WEEKDAYS.contains(&start)
            && word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && known(word).is_none()
        {
            return ok;
        }
        self.zone = Some(known(word)?);
        ok
    }

    fn has_date(&self) -> bool {
        self.date.is_some() || !self.numbers.is_empty()
    }

    fn digits(&mut self, word: &str) -> Understood {
        if word.contains(':') {
            return self.clock_word(word);
        }
        let plain = word.bytes().all(|byte| byte.is_ascii_digit());
        if plain && word.len() == 8 && self.date.is_none() {
            let number = |range: std::ops::Range<usize>| word[range].parse::<u32>().ok();
            self.date = Some((i64::from(number(0..4)?), number(4..6)?, number(6..8)?));
            return Some(Ok(()));
        }
        if plain && word.len() == 6 && self.has_date() && self.time.is_none() {
            let number = |range: std::ops::Range<usize>| word[range].parse::<i64>().ok();
            self.time = Some((number(0..2)? * 3600 + number(2..4)? * 60 + number(4..6)?) * SECOND);
            return Some(Ok(()));
        }
        if plain && word.len() < 8 {
            self.numbers.push((word.parse().ok()?, word.len()));
            return Some(Ok(()));
        }
        let separator = word.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
        let mut parts = word.splitn(3, separator);
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
        if first.len() > 2 {
            // A zone may follow a date of ISO's without a time.
            let (third, zone) = match third.find(['+', '-']) {
                Some(place) => (&third[..place], Some(&third[place..])),
                None => (third, None),
            };
            if let Some(zone) = zone {
                self.zone = Some(fixed(offset(zone)?));
            }
            self.date = Some((first.parse().ok()?, month_number(second)?, third.parse().ok()?));
        } else if let Some(month) = MONTHS.iter().position(|month| second.starts_with(month)) {
            self.date = Some((full_year(third)?, u32::try_from(month + 1).ok()?, first.parse().ok()?));
        } else {
            self.date = Some((full_year(third)?, first.parse().ok()?, second.parse().ok()?));
        }
        Some(Ok(()))
    }

    /// `12:30:05.5+02`, `4:05pm`.
    fn clock_word(&mut self, word: &str) -> Understood {
        let end = word.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        self.time = Some(match clock_time(clock)? {
            Ok(micros) => micros,
            Err(()) => return Some(Err(())),
        });
        match rest {
            "" => {}
            "am" | "pm" => self.afternoon = Some(rest == "pm"),
            zone if zone.starts_with(['+', '-']) => self.zone = Some(fixed(offset(zone)?)),
            zone => self.zone = Some(known(zone)?),
        }
        Some(Ok(()))
    }

    fn whole_date(&self) -> Option<(i64, u32, u32)> {
        if let Some(date) = self.date {
            return self.numbers.is_empty().then_some(date);
        }
        match (self.month, self.numbers.as_slice()) {
            (Some(month), [(a, a_length), (b, b_length)]) => {
                if *a_length > 2 {
                    Some((i64::from(*a), month, *b))
                } else {
                    Some((full_year_of(*b, *b_length), month, *a))
                }
            }
            _ => None,
        }
    }

    fn time_of_day(&self) -> Option<i64> {
        let time = self.time.unwrap_or(0);
        let hour = time / (3600 * SECOND);
        match self.afternoon {
            None => Some(time),
            Some(_) if hour == 0 || hour > 12 => None,
            Some(true) if hour < 12 => Some(time + 12 * 3600 * SECOND),
            Some(false) if hour == 12 => Some(time - 12 * 3600 * SECOND),
            Some(_) => Some(time),
        }
    }
}

fn is_name(word: &str, month: usize) -> bool {
    const FULL: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    word.len() == 3 || FULL[month].starts_with(word) && word.len() > 3 || word == "sept"
}

fn month_number(text: &str) -> Option<u32> {
    match MONTHS.iter().position(|month| text.starts_with(month)) {
        Some(place) => u32::try_from(place + 1).ok(),
        None => text.parse().ok(),
    }
}

fn full_year(text: &str) -> Option<i64> {
    Some(full_year_of(text.parse().ok()?, text.len()))
}

/// Two digits are of 1970 to 2069.
fn full_year_of(year: u32, length: usize) -> i64 {
    let year = i64::from(year);
    if length > 2 {
        year
    } else if year < 70 {
        year + 2000
    } else {
        year + 1900
    }
}

/// `hh:mm[:ss[.ffffff]]` in microseconds; 24:00 is the day's end.
pub(super) fn clock_time(text: &str) -> Option<Result<i64, ()>> {
    let mut parts = text.split(':');
    let number = |part: &str| {
        let plain = !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
        if plain { part.parse::<i64>().ok() } else { None }
    };
    let hours = number(parts.next()?)?;
    let minutes = number(parts.next()?)?;
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(part) => {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            (number(whole)?, fraction_micros(fraction)?)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let micros = (hours * 3600 + minutes * 60 + seconds) * SECOND + fraction;
    let fits = hours <= 24 && minutes < 60 && seconds <= 60 && micros <= DAY;
    Some(if fits { Ok(micros) } else { Err(()) })
}

/// Digits behind the point, rounded to microseconds.
pub(super) fn fraction_micros(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + digits.as_bytes().get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    Some(micros + i64::from(digits.as_bytes().get(6).is_some_and(|digit| *digit >= b'5')))
}

/// A time without a date; a zone behind it says nothing.
pub(super) fn time_of_day(text: &str) -> Result<i64, SqlError> {
    let mut fields = Fields::default();
    let lower = text.trim().to_ascii_lowercase();
    for word in words(&lower) {
        fields.word(word).ok_or_else(|| invalid("time", text))?.map_err(|()| out_of_range(text))?;
    }
    if fields.time.is_none() {
        return Err(invalid("time", text));
    }
    fields.time_of_day().ok_or_else(|| out_of_range(text))
}

#[cfg(test)]
mod tests {
    use super::super::{date_in, date_out, timestamptz_in, timestamptz_out};
    use super::*;

    fn moment(text: &str, zone: &str) -> Result<String, SqlError> {
        let zone = super::super::zone(zone)?;
        let clock = Clock { now: 1_700_000_000_000_000, zone: &zone };
        timestamptz_in(text, &clock).map(|micros| timestamptz_out(micros, &zone))
    }

    #[test]
    fn moments() {
        for (text, zone, expected) in [
            ("2024-03-31 01:30", "Europe/Berlin", "2024-03-31 01:30:00+01"),
            ("2024-03-31 02:30", "Europe/Berlin", "2024-03-31 03:30:00+02"),
            ("2024-10-27 02:30", "Europe/Berlin", "2024-10-27 02:30:00+02"),
            ("2024-01-02T03:04:05.678901Z", "UTC", "2024-01-02 03:04:05.678901+00"),
            ("2024-01-02 03:04:05+05:30", "UTC", "2024-01-01 21:34:05+00"),
            ("Jan 5 2020 4:05 pm", "UTC", "2020-01-05 16:05:00+00"),
            ("5 January 2020", "UTC", "2020-01-05 00:00:00+00"),
            ("1/2/99", "UTC", "1999-01-02 00:00:00+00"),
            ("20200105 040506", "UTC", "2020-01-05 04:05:06+00"),
            ("2020-01-05 24:00", "UTC", "2020-01-06 00:00:00+00"),
            ("0044-03-15 12:00 BC", "UTC", "0044-03-15 12:00:00+00 BC"),
            ("2020-06-01 12:00 America/New_York", "UTC", "2020-06-01 16:00:00+00"),
            ("now", "UTC", "2023-11-14 22:13:20+00"),
            ("yesterday", "UTC", "2023-11-13 00:00:00+00"),
            ("epoch", "UTC", "1970-01-01 00:00:00+00"),
            ("-infinity", "UTC", "-infinity"),
            ("1900-01-01 00:00", "Europe/Amsterdam", "1900-01-01 00:00:00+00:19:32"),
        ] {
            let shown = moment(text, zone);
            // The old offset of Amsterdam depends on which edition of the tz database is there.
            if zone == "Europe/Amsterdam" {
                assert!(shown.unwrap().starts_with("1900-01-01 00:00:00+00"), "{text}");
            } else {
                assert_eq!(shown.as_deref(), Ok(expected), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for (text, state) in [
            ("2024-13-01", SqlState::DATETIME_FIELD_OVERFLOW),
            ("2024-02-30", SqlState::DATETIME_FIELD_OVERFLOW),
            ("2024-01-01 25:00", SqlState::DATETIME_FIELD_OVERFLOW),
            ("2024-01-01 x", SqlState::INVALID_DATETIME_FORMAT),
            ("", SqlState::INVALID_DATETIME_FORMAT),
            ("12:00", SqlState::INVALID_DATETIME_FORMAT),
            ("300000-01-01", SqlState::DATETIME_FIELD_OVERFLOW),
        ] {
            assert_eq!(moment(text, "UTC").map_err(|error| error.state), Err(state), "{text}");
        }
    }

    #[test]
    fn dates() {
        let clock = Clock { now: 0, zone: &TimeZone::UTC };
        for (text, expected) in [
            ("2024-02-29", "2024-02-29"),
            ("infinity", "infinity"),
            ("99999-01-01", "99999-01-01"),
            ("J", ""),
        ] {
            match date_in(text, &clock) {
                Ok(days) => assert_eq!(date_out(days), expected),
                Err(_) => assert_eq!(expected, "", "{text}"),
            }
        }
    }
}
