//! UUIDs: kept as 36 characters in lower case.

use crate::base::SqlError;

use super::invalid;

/// As PostgreSQL takes them: hyphens after any group of four digits, and braces.
pub(crate) fn parse(text: &str) -> Result<String, SqlError> {
    let inner = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let mut digits = String::with_capacity(36);
    let mut count = 0;
    for c in inner.chars() {
        if c == '-' && count > 0 && count % 4 == 0 && count < 32 {
            continue;
        }
        if !c.is_ascii_hexdigit() || count == 32 {
            return Err(invalid("uuid", text));
        }
        if matches!(count, 8 | 12 | 16 | 20) {
            digits.push('-');
        }
        digits.push(c.to_ascii_lowercase());
        count += 1;
    }
    if count == 32 && !inner.ends_with('-') { Ok(digits) } else { Err(invalid("uuid", text)) }
}

/// The 16 bytes of a kept one.
pub(crate) fn to_bytes(kept: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let digits: Vec<u8> = kept.bytes().filter(|byte| *byte != b'-').collect();
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// From its bytes.
pub(crate) fn of_bytes(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
