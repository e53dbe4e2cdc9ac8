//! Floating point to and from text.

use crate::base::error::{SqlError, SqlState};
use crate::functions::number::float::number;
use crate::value::numeric::parse::{invalid, is_blank};

/// `"…" is out of range for type …`.
pub(crate) fn text_out_of_range(text: &str, name: &str) -> SqlError {
    let message = format!("\"{text}\" is out of range for type {name}");
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// The text of `float8`: the shortest that is exact for more than zero extra digits.
pub(crate) fn write8(value: f64, extra: i32, out: &mut Vec<u8>) {
    if extra > 0 {
        shortest(format!("{value:e}"), value, 15, out);
    } else {
        out.extend(general(value, usize::try_from(15 + extra).unwrap_or(1).max(1)).bytes());
    }
}

/// The text of `float4`.
pub(crate) fn write4(value: f64, extra: i32, out: &mut Vec<u8>) {
    if extra > 0 {
        shortest(format!("{:e}", value as f32), value, 6, out);
    } else {
        out.extend(general(value, usize::try_from(6 + extra).unwrap_or(1).max(1)).bytes());
    }
}

/// From Rust's shortest digits, with an exponent where it is below -4 or reaches `limit`.
fn shortest(scientific: String, value: f64, limit: i32, out: &mut Vec<u8>) {
    if let Some(word) = special(value) {
        return out.extend(word.bytes());
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    place(mantissa, exponent, limit, out);
}

fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Digits `d.ddd` times a power of ten.
fn place(mantissa: &str, exponent: i32, limit: i32, out: &mut Vec<u8>) {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    out.extend(sign.bytes());
    if exponent < -4 || exponent >= limit {
        out.extend(mantissa.bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        return out.extend(format!("e{sign}{:02}", exponent.unsigned_abs()).bytes());
    }
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let Ok(before) = usize::try_from(exponent + 1) else { return below_one(&digits, exponent, out) };
    if before == 0 {
        return below_one(&digits, exponent, out);
    }
    out.extend((0..before).map(|at| digits.get(at).copied().unwrap_or(b'0')));
    if let Some(fraction) = digits.get(before..).filter(|fraction| !fraction.is_empty()) {
        out.push(b'.');
        out.extend(fraction);
    }
}

fn below_one(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.extend(b"0.");
    out.extend((exponent + 1..0).map(|_| b'0'));
    out.extend(digits);
}

/// C's `%.*g`.
pub(crate) fn general(value: f64, digits: usize) -> String {
    if let Some(word) = special(value) {
        return word.to_owned();
    }
    let scientific = format!("{value:.*e}", digits.max(1) - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let mut out = Vec::new();
    place(mantissa, exponent.parse().unwrap_or(0), i32::try_from(digits).unwrap_or(i32::MAX), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads `float8`. NaN is refused.
pub(crate) fn read8(text: &str) -> Result<f64, SqlError> {
    let trimmed = plain(text, "double precision")?;
    let value: f64 = trimmed.parse().map_err(|_| invalid("double precision", text))?;
    in_range(value, value.is_infinite(), value == 0.0, trimmed, "double precision")
}

/// Reads `float4`.
pub(crate) fn read4(text: &str) -> Result<f64, SqlError> {
    let trimmed = plain(text, "real")?;
    let value: f32 = trimmed.parse().map_err(|_| invalid("real", text))?;
    in_range(f64::from(value), value.is_infinite(), value == 0.0, trimmed, "real")
}

/// Without blanks. Rust reads the same words, and no others.
fn plain<'a>(text: &'a str, name: &str) -> Result<&'a str, SqlError> {
    let trimmed = text.trim_matches(is_blank);
    if trimmed.is_empty() { Err(invalid(name, text)) } else { Ok(trimmed) }
}

fn in_range(value: f64, infinite: bool, zero: bool, text: &str, name: &str) -> Result<f64, SqlError> {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa.bytes().any(|byte| byte.is_ascii_digit());
    let lost = zero && mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if infinite && digits || lost { Err(text_out_of_range(text, name)) } else { number(value) }
}
