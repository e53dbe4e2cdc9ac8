//! Bytes to and from text.

use crate::base::error::{SqlError, SqlState};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes `\x` and two digits for each byte.
pub(crate) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() * 2 + 2);
    out.extend(b"\\x");
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// `\x` and two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write_hex(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes what is printable as it is, and the rest as `\ooo`.
pub(crate) fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\\' => out.extend(b"\\\\"),
            0x20..=0x7e => out.push(*byte),
            _ => out.extend(format!("\\{byte:03o}").bytes()),
        }
    }
}

/// Reads either form.
pub(crate) fn read(text: &str) -> Result<Vec<u8>, SqlError> {
    match text.strip_prefix("\\x") {
        Some(digits) => read_hex(digits),
        None => read_escaped(text.as_bytes()).ok_or_else(|| {
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")
        }),
    }
}

/// Blanks may stand between bytes.
fn read_hex(digits: &str) -> Result<Vec<u8>, SqlError> {
    let refused = |message: String| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for character in digits.chars() {
        if high.is_none() && matches!(character, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let Some(value) = character.to_digit(16) else {
            return Err(refused(format!("invalid hexadecimal digit: \"{character}\"")));
        };
        match high.take() {
            None => high = Some(value),
            Some(high) => out.push((high << 4 | value) as u8),
        }
    }
    if high.is_some() {
        Err(refused("invalid hexadecimal data: odd number of digits".to_owned()))
    } else {
        Ok(out)
    }
}

fn read_escaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        let (byte, behind) = match (first, rest) {
            (b'\\', [b'\\', behind @ ..]) => (b'\\', behind),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), behind)
            }
            (b'\\', _) => return None,
            _ => (*first, rest),
        };
        out.push(byte);
        text = behind;
    }
    Some(out)
}
