//! `bytea`.

use crate::base::{SqlError, SqlState};

use super::invalid;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `\x…`, or with escapes.
pub(crate) fn to_text(bytes: &[u8], escape: bool, out: &mut Vec<u8>) {
    if !escape {
        out.extend_from_slice(b"\\x");
        for byte in bytes {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
        return;
    }
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.push(*byte),
            _ => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
}

/// From either form.
pub(crate) fn from_text(text: &str) -> Result<Vec<u8>, SqlError> {
    match text.strip_prefix("\\x") {
        Some(digits) => from_hex(digits),
        None => unescaped(text),
    }
}

fn from_hex(digits: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for c in digits.chars() {
        if c.is_ascii_whitespace() && high.is_none() {
            continue;
        }
        let Some(value) = c.to_digit(16).and_then(|value| u8::try_from(value).ok()) else {
            let message = format!("invalid hexadecimal digit: \"{c}\"");
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        };
        high = match high {
            None => Some(value),
            Some(high) => {
                bytes.push((high << 4) | value);
                None
            }
        };
    }
    if high.is_some() {
        let message = "invalid hexadecimal data: odd number of digits";
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(bytes)
}

fn unescaped(text: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match rest {
            [b'\\', behind @ ..] => {
                bytes.push(b'\\');
                rest = behind;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = behind;
            }
            _ => return Err(invalid("bytea", text)),
        }
    }
    Ok(bytes)
}
