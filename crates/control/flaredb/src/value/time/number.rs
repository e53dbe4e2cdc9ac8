//! What a number in a date means, by what is known and by how many digits it has.

use super::civil::SECOND;
use super::clockwork::{fraction, of_day};
use super::decode::{DATE, DAY, MONTH, OF_YEAR, Parts, TIME, YEAR, ZONE};
use super::error::Wrong;
use super::word::{Word, word};

/// Digits alone, as a number of 32 bits. Error: something else, or too large.
pub(crate) fn integer(text: &str) -> Result<i64, Wrong> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    text.parse::<i32>().map(i64::from).map_err(|_| Wrong::Field)
}

/// `2020-01-02`, `2-Jan-2020`, `1/2/2020`.
pub(crate) fn date(parts: &mut Parts, text: &str) -> Result<u32, Wrong> {
    let mut fields = pieces(text);
    let mut found = 0;
    // The month first, if it is a word: the numbers are read in its light.
    for field in &mut fields {
        if !field.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        match word(field) {
            Some(Word::Ignored) => {}
            Some(Word::Month(month)) if found & MONTH == 0 => {
                (parts.month, parts.named_month) = (month, true);
                found |= MONTH;
            }
            _ => return Err(Wrong::Format),
        }
        *field = "";
    }
    for field in fields.into_iter().filter(|field| !field.is_empty()) {
        let before = parts.known;
        parts.known = before | found;
        let told = number(parts, field);
        parts.known = before;
        let told = told?;
        if told & found != 0 || told & !(DATE | OF_YEAR) != 0 {
            return Err(Wrong::Format);
        }
        found |= told;
    }
    // Nothing but a zone may stand before a date.
    let complete = (parts.known | found) & !(OF_YEAR | ZONE) == DATE && parts.known & found == 0;
    if complete { Ok(found) } else { Err(Wrong::Format) }
}

/// Runs of digits and runs of letters.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for part in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digit = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(end);
            pieces.push(piece);
            rest = behind;
        }
    }
    pieces
}

/// One number; gives what it told.
pub(crate) fn number(parts: &mut Parts, text: &str) -> Result<u32, Wrong> {
    let (digits, behind) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 2 && digits.len() < text.len() {
        return run_together(parts, text, true);
    }
    if !behind.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Format);
    }
    let value = integer(digits)?;
    let length = text.len();
    if length == 3 && parts.known & DATE == YEAR && (1..=366).contains(&value) {
        parts.day = value;
        return Ok(OF_YEAR | MONTH | DAY);
    }
    let found = match parts.known & DATE {
        0 if length >= 3 => YEAR,
        YEAR | DAY | 0 => MONTH,
        MONTH if parts.named_month && length >= 3 => YEAR,
        MONTH => DAY,
        known if known == YEAR | MONTH => {
            if parts.named_month && length >= 3 && parts.short_year {
                // The first number was the day after all.
                (parts.day, parts.year, parts.short_year) = (parts.year, value, false);
                return Ok(DAY);
            }
            DAY
        }
        known if known == MONTH | DAY => YEAR,
        DATE => return run_together(parts, text, false),
        _ => return Err(Wrong::Format),
    };
    match found {
        YEAR => (parts.year, parts.short_year) = (value, length <= 2),
        MONTH => parts.month = value,
        _ => parts.day = value,
    }
    Ok(found)
}

/// `20200102`, `200102`, `040506.789`, `0405`. `time`: it is no date.
pub(crate) fn run_together(parts: &mut Parts, text: &str, time: bool) -> Result<u32, Wrong> {
    let (digits, behind) = text.split_once('.').unwrap_or((text, ""));
    let length = digits.len();
    let at = |from: usize, to: usize| integer(digits.get(from..to).unwrap_or_default());
    if behind.is_empty() && !time && !parts.has(DATE) {
        if length < 6 {
            return Err(Wrong::Format);
        }
        parts.year = at(0, length - 4)?;
        (parts.month, parts.day) = (at(length - 4, length - 2)?, at(length - 2, length)?);
        parts.short_year = length == 6;
        return Ok(DATE);
    }
    if parts.has(TIME) || !matches!(length, 4 | 6) {
        return Err(Wrong::Format);
    }
    let second = if length == 6 { at(4, 6)? } else { 0 };
    parts.time = of_day(at(0, 2)?, at(2, 4)?, second, fraction(behind, SECOND)?)?;
    Ok(TIME)
}
