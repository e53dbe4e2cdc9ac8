//! The text that a picture is held against.

use crate::base::error::{SqlError, SqlState};

use super::keys::Key;
use super::shown::{DAYS, MONTHS, ROMAN};
use super::{Field, Part, is_separator};

/// A text and how far it has been read.
pub(super) struct Source<'a> {
    rest: &'a str,
    /// The character before.
    last: Option<char>,
}

/// `invalid value "…" for "…"`.
pub(super) fn invalid(value: &str, field: &str, detail: &str) -> SqlError {
    let message = format!("invalid value \"{value}\" for \"{field}\"");
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message).with_detail(detail)
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, last: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn last(&self) -> Option<char> {
        self.last
    }

    /// One character on.
    pub(super) fn step(&mut self) {
        let mut characters = self.rest.chars();
        self.last = characters.next().or(self.last);
        self.rest = characters.as_str();
    }

    fn step_by(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.last = passed.chars().last().or(self.last);
        self.rest = rest;
    }

    /// Over blanks; how many there were.
    pub(super) fn blanks(&mut self) -> i64 {
        let mut passed = 0;
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.step();
            passed += 1;
        }
        passed
    }

    /// Over one blank or mark, if there is one.
    pub(super) fn separator(&mut self) -> bool {
        let found = self.peek().is_some_and(|c| c.is_ascii_whitespace() || is_separator(c));
        if found {
            self.step();
        }
        found
    }

    /// Over `st`, `nd`, `rd` or `th`, whatever stands there.
    pub(super) fn ordinal(&mut self, field: &Field) {
        if field.ordinal.is_some() {
            self.step();
            self.step();
        }
    }

    /// A number of so many characters, or of as many as there are if what comes next is no digit. Gives it and how
    /// many characters it had.
    pub(super) fn integer(
        &mut self,
        field: &Field,
        width: usize,
        next: Option<&Part>,
    ) -> Result<(i64, usize), SqlError> {
        self.blanks();
        let end = self.rest.char_indices().nth(width).map_or(self.rest.len(), |(at, _)| at);
        let copy = self.rest.get(..end).unwrap_or(self.rest);
        let open = field.bare || ends(field, next);
        let of = if open { self.rest } else { copy };
        let length = number_length(of);
        if !open && copy.chars().count() < width {
            let message = format!("source string too short for \"{}\" formatting field", field.name);
            return Err(fixed(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message).with_detail(
                format!("Field requires {width} characters, but only {} remain.", copy.chars().count()),
            )));
        }
        if !open && length > 0 && length < width {
            let detail = format!("Field requires {width} characters, but only {length} could be parsed.");
            return Err(fixed(invalid(copy, &field.name, &detail)));
        }
        if length == 0 {
            return Err(invalid(copy, &field.name, "Value must be an integer."));
        }
        let digits = of.get(..length).unwrap_or_default();
        let value: Option<i32> = digits.parse().ok();
        self.step_by(length);
        match value {
            Some(value) => Ok((i64::from(value), length)),
            None => Err(out_of_range(field)),
        }
    }

    /// A year with a comma: `2,020`.
    pub(super) fn with_comma(&mut self) -> Result<i64, SqlError> {
        let wrong = || SqlError::new(SqlState::INVALID_DATETIME_FORMAT, "invalid input string for \"Y,YYY\"");
        let first = number_length(self.rest);
        let (thousands, behind) = self.rest.split_at_checked(first).ok_or_else(wrong)?;
        let comma = behind.strip_prefix(',').ok_or_else(wrong)?;
        let behind = comma.trim_ascii_start();
        let second = number_length(behind).min(3);
        let ones: i64 = behind.get(..second).unwrap_or_default().parse().map_err(|_| wrong())?;
        let thousands: i64 = thousands.parse().map_err(|_| wrong())?;
        self.step_by(first + 1 + comma.len() - behind.len() + second);
        let year = thousands.saturating_mul(1000).saturating_add(ones);
        i32::try_from(year).map(i64::from).map_err(|_| wrong())
    }

    /// A name out of several, whatever its case; the place of it.
    pub(super) fn name(&mut self, field: &Field) -> Result<i64, SqlError> {
        let names: Vec<&str> = match field.key {
            Key::MonthName => MONTHS.to_vec(),
            Key::MonthShort => MONTHS.iter().filter_map(|name| name.get(..3)).collect(),
            Key::DayName => DAYS.to_vec(),
            Key::DayShort => DAYS.iter().filter_map(|name| name.get(..3)).collect(),
            // The longer ones first.
            Key::Roman => ROMAN.iter().rev().copied().collect(),
            Key::Half(true) => vec!["a.m.", "p.m."],
            Key::Half(false) => vec!["am", "pm"],
            Key::Era(true) => vec!["a.d.", "b.c."],
            _ => vec!["ad", "bc"],
        };
        let found = names.iter().position(|name| {
            self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        let Some(place) = found else {
            let shown = self.rest.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
            let detail = "The given value did not match any of the allowed values for this field.";
            return Err(invalid(shown, &field.name, detail));
        };
        self.step_by(names.get(place).map_or(0, |name| name.len()));
        let place = i64::try_from(place).unwrap_or(0);
        Ok(if field.key == Key::Roman { 11 - place } else { place })
    }
}

fn fixed(error: SqlError) -> SqlError {
    error.with_hint("If your source string is not fixed-width, try using the \"FM\" modifier.")
}

/// `value for "…" in source string is out of range`.
pub(super) fn out_of_range(field: &Field) -> SqlError {
    let message = format!("value for \"{}\" in source string is out of range", field.name);
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        .with_detail("Value must be in the range -2147483648 to 2147483647.")
}

/// A sign and digits; 0 without a digit.
fn number_length(text: &str) -> usize {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    if digits == 0 { 0 } else { sign + digits }
}

/// Whether what stands behind a field in the picture is no digit.
fn ends(field: &Field, next: Option<&Part>) -> bool {
    match next {
        _ if field.ordinal.is_some() => true,
        None => true,
        Some(Part::Field(next)) => !next.key.is_digits(),
        Some(Part::Character(character)) => !character.is_ascii_digit(),
        Some(_) => true,
    }
}
