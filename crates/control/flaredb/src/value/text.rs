//! Text input of the types that are read by a rule of a line or two.

use crate::base::error::{SqlError, SqlState};
use crate::value::numeric::parse::{invalid, is_blank};

/// The most bytes of a `name`.
const NAME: usize = 63;

/// Words of truth, and how many letters of each it takes.
const WORDS: &[(&str, usize, bool)] = &[
    ("true", 1, true),
    ("false", 1, false),
    ("yes", 1, true),
    ("no", 1, false),
    ("on", 2, true),
    ("off", 2, false),
    ("1", 1, true),
    ("0", 1, false),
];

/// Reads `boolean`.
pub(crate) fn bool_in(text: &str) -> Result<bool, SqlError> {
    let word = text.trim_matches(is_blank);
    let is = |full: &str, least: usize| {
        word.len() >= least && full.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let found = WORDS.iter().find(|(full, least, _)| is(full, *least));
    found.map(|(.., truth)| *truth).ok_or_else(|| invalid("boolean", text))
}

/// Reads an integer between two bounds. `name` is the type's for errors.
pub(crate) fn int_in(text: &str, least: i64, most: i64, name: &str) -> Result<i64, SqlError> {
    let trimmed = text.trim_matches(is_blank);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(name, text));
    }
    let value = trimmed.parse::<i64>().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| {
        let message = format!("value \"{text}\" is out of range for type {name}");
        SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    })
}

/// Reads `oid`: what is negative counts from the end.
pub(crate) fn oid_in(text: &str) -> Result<i64, SqlError> {
    let value = int_in(text, i64::from(i32::MIN), i64::from(u32::MAX), "oid")?;
    Ok(value & i64::from(u32::MAX))
}

/// Reads `uuid`: hyphens may stand behind any four digits, braces around all.
pub(crate) fn uuid_in(text: &str) -> Result<String, SqlError> {
    // Most come as they are kept.
    if is_plain_uuid(text.as_bytes()) {
        return Ok(text.to_owned());
    }
    let inside = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(|| invalid("uuid", text))?,
        None => text,
    };
    let mut bytes = [0_u8; 16];
    let mut count = 0;
    for character in inside.chars() {
        match character.to_digit(16) {
            Some(digit) if count < 32 => {
                if let Some(byte) = bytes.get_mut(count / 2) {
                    *byte = *byte << 4 | digit as u8;
                }
                count += 1;
            }
            None if character == '-' && count > 0 && count < 32 && count % 4 == 0 => {}
            _ => return Err(invalid("uuid", text)),
        }
    }
    let doubled = inside.contains("--");
    if count == 32 && !doubled { Ok(uuid_of(&bytes)) } else { Err(invalid("uuid", text)) }
}

fn is_plain_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// As it is kept.
pub(crate) fn uuid_of(bytes: &[u8; 16]) -> String {
    let mut out = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    out
}

/// A `name`: cut to 63 bytes.
pub(crate) fn name_in(text: &str) -> &str {
    text.get(..text.floor_char_boundary(NAME.min(text.len()))).unwrap_or(text)
}

/// A `"char"`: the first byte; what is not ASCII as `\ooo`.
pub(crate) fn char_in(text: &str) -> String {
    if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] = text.as_bytes() {
        return char_of((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
    }
    text.bytes().next().map_or_else(String::new, char_of)
}

/// A `"char"` of a byte.
pub(crate) fn char_of(byte: u8) -> String {
    match byte {
        0 => String::new(),
        1..0x80 => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// The byte of a `"char"`.
pub(crate) fn byte_of(text: &str) -> u8 {
    match text.as_bytes() {
        [b'\\', a, b, c] => (a.wrapping_sub(b'0') << 6) | (b.wrapping_sub(b'0') << 3) | c.wrapping_sub(b'0'),
        [first, ..] => *first,
        [] => 0,
    }
}
