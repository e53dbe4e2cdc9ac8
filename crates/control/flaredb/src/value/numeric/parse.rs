//! Text to `numeric`.

use super::{Decimal, MOST_BEFORE, MOST_BEHIND, Numeric, overflow, ten_to};
use crate::base::error::{SqlError, SqlState};
use num_bigint::BigInt;

/// `invalid input syntax for type …: "…"`.
pub(crate) fn invalid(name: &str, text: &str) -> SqlError {
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

/// What C's `isspace` takes for blank.
pub(crate) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// What an exponent does to the scale beyond any that could be kept.
const FAR: i64 = 1 << 30;

/// The parts of a number.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl Numeric {
    /// Reads what a user wrote: blanks around it, an exponent, NaN and infinities.
    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        let trimmed = text.trim_matches(is_blank);
        if let Some(special) = special(trimmed) {
            return Ok(special);
        }
        let parts = parts(trimmed).ok_or_else(|| invalid("numeric", text))?;
        Ok(Self::Finite(decimal(&parts)?))
    }

    /// Reads a kept value.
    pub(crate) fn from_kept(text: &str) -> Result<Self, SqlError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        // Most are short, and need no big numbers to be read.
        if digits.len() <= 18 && !digits.is_empty() {
            let (mut value, mut scale, mut seen) = (0_i64, 0, false);
            for byte in digits.bytes() {
                match byte {
                    b'0'..=b'9' => {
                        value = value * 10 + i64::from(byte - b'0');
                        scale += i64::from(seen);
                    }
                    b'.' if !seen => seen = true,
                    _ => return Self::parse(text),
                }
            }
            return Ok(Self::finite(if negative { -value } else { value }, scale));
        }
        Self::parse(text)
    }
}

fn special(text: &str) -> Option<Numeric> {
    let (negative, signed, word) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    if word.eq_ignore_ascii_case("infinity") || word.eq_ignore_ascii_case("inf") {
        return Some(Numeric::infinity(negative));
    }
    (!signed && word.eq_ignore_ascii_case("nan")).then_some(Numeric::NaN)
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let some = !whole.is_empty() || !fraction.is_empty();
    (some && digits(whole) && digits(fraction)).then_some(Parts { negative, whole, fraction, exponent })
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(FAR).min(FAR);
    Some(if text.starts_with('-') { -size } else { size })
}

fn decimal(parts: &Parts<'_>) -> Result<Decimal, SqlError> {
    let whole = parts.whole.trim_start_matches('0');
    let scale = parts.fraction.len() as i64 - parts.exponent;
    if scale > MOST_BEHIND {
        return Err(overflow());
    }
    let all = format!("{whole}{}", parts.fraction);
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(Decimal::new(0, scale.max(0)));
    }
    if digits.len() as i64 - scale > MOST_BEFORE as i64 {
        return Err(overflow());
    }
    let mut value: BigInt = match digits.parse::<u64>() {
        Ok(value) => value.into(),
        Err(_) => digits.parse().map_err(|_| invalid("numeric", digits))?,
    };
    if parts.negative {
        value = -value;
    }
    if scale < 0 {
        return Ok(Decimal::new(value * ten_to(-scale), 0));
    }
    Ok(Decimal::new(value, scale))
}
