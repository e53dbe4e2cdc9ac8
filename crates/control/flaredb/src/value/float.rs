//! Floating point: the shortest digits that read back the same, written as PostgreSQL writes them.

use std::io::Write as _;

use crate::base::{SqlError, SqlState};

use super::invalid;

/// SQLite has no NaN.
fn refused_nan() -> SqlError {
    SqlError::unsupported("NaN")
}

/// As float8 reads. Errors: 22P02, 22003; 0A000 for NaN.
pub(crate) fn float8_in(text: &str) -> Result<f64, SqlError> {
    read(text, "double precision", |digits| digits.parse::<f64>().ok())
}

/// As float4 reads, rounded to its 24 bits.
pub(crate) fn float4_in(text: &str) -> Result<f64, SqlError> {
    read(text, "real", |digits| digits.parse::<f32>().ok().map(f64::from))
}

fn read(text: &str, ty: &str, parse: impl Fn(&str) -> Option<f64>) -> Result<f64, SqlError> {
    let digits = text.trim();
    let word = digits.trim_start_matches(['+', '-']).to_ascii_lowercase();
    match word.as_str() {
        "nan" => return Err(refused_nan()),
        "inf" | "infinity" => {
            return Ok(if digits.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(invalid(ty, text));
    }
    let value = parse(digits).ok_or_else(|| invalid(ty, text))?;
    let zero =
        value == 0.0 && word.split('e').next().is_some_and(|m| m.bytes().any(|b| (b'1'..=b'9').contains(&b)));
    if value.is_infinite() || zero {
        let message = format!("\"{digits}\" is out of range for type {ty}");
        return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(value)
}

/// Its text with the shortest digits.
pub(crate) fn float8_text(value: f64) -> String {
    let mut out = Vec::new();
    put_float8(value, 1, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Its text with the shortest digits.
pub(crate) fn float4_text(value: f32) -> String {
    let mut out = Vec::new();
    put_float4(value, 1, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// `extra`: `extra_float_digits`.
pub(crate) fn put_float8(value: f64, extra: i32, out: &mut Vec<u8>) {
    if special(value, out) {
        return;
    }
    let digits = if extra > 0 { format!("{value:e}") } else { rounded(value, 15 + extra) };
    put(&digits, 15, out);
}

/// The same of single precision.
pub(crate) fn put_float4(value: f32, extra: i32, out: &mut Vec<u8>) {
    if special(f64::from(value), out) {
        return;
    }
    let digits = if extra > 0 { format!("{value:e}") } else { rounded(f64::from(value), 6 + extra) };
    put(&digits, 6, out);
}

fn special(value: f64, out: &mut Vec<u8>) -> bool {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        return false;
    }
    true
}

/// So many significant digits.
fn rounded(value: f64, digits: i32) -> String {
    let places = usize::try_from(digits.max(1) - 1).unwrap_or(0);
    let text = format!("{value:.places$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    if !mantissa.contains('.') {
        return text;
    }
    format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
}

/// `d.ddde±x`, plain as long as the exponent is moderate.
fn put(scientific: &str, most: i32, out: &mut Vec<u8>) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    out.extend_from_slice(sign.as_bytes());
    if !(-4..most).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{direction}{:02}", exponent.abs());
        return;
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        (1..-exponent).for_each(|_| out.push(b'0'));
        out.extend_from_slice(digits.as_bytes());
        return;
    }
    let whole = usize::try_from(exponent).unwrap_or(0) + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits.as_bytes());
        (digits.len()..whole).for_each(|_| out.push(b'0'));
    } else {
        out.extend_from_slice(&digits.as_bytes()[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits.as_bytes()[whole..]);
    }
}
