//! Bytes: single ones and bits, text forms, encodings, digests.

use crate::base::error::{SqlError, SqlState};
use md5::{Digest, Md5};
use rusqlite::types::ValueRef;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::functions::call::{Answer, Call, Scalar, bounded, strict};
use crate::functions::text::base64;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_get_byte", 2, |call| Ok(i64::from(call.bytes(0)?[byte_place(call)?]).into())),
    strict("fl_set_byte", 3, set_byte),
    strict("fl_get_bit", 2, get_bit),
    strict("fl_set_bit", 3, set_bit),
    strict("fl_bit_count", 1, |call| {
        Ok(call.bytes(0)?.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>().into())
    }),
    strict("fl_bytea_ltrim", 2, ltrim),
    strict("fl_bytea_rtrim", 2, rtrim),
    strict("fl_md5", 1, |call| Ok(hex(&Md5::digest(raw(call)?)).into())),
    strict("fl_sha224", 1, |call| Ok(Sha224::digest(call.bytes(0)?).to_vec().into())),
    strict("fl_sha256", 1, |call| Ok(Sha256::digest(call.bytes(0)?).to_vec().into())),
    strict("fl_sha384", 1, |call| Ok(Sha384::digest(call.bytes(0)?).to_vec().into())),
    strict("fl_sha512", 1, |call| Ok(Sha512::digest(call.bytes(0)?).to_vec().into())),
    strict("fl_encode", 2, encode),
    strict("fl_decode", 2, decode),
    strict("fl_convert_from", 2, convert_from),
    strict("fl_convert_to", 2, convert_to),
];

/// The bytes of a text or of bytes.
fn raw<'a>(call: &Call<'a>) -> Result<&'a [u8], SqlError> {
    match call.value(0) {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Ok(call.text(0)?.as_bytes()),
    }
}

fn place(call: &Call<'_>, count: usize) -> Result<usize, SqlError> {
    let wanted = call.int(1)?;
    usize::try_from(wanted).ok().filter(|place| *place < count).ok_or_else(|| {
        let last = i64::try_from(count).unwrap_or(i64::MAX) - 1;
        let message = format!("index {wanted} out of valid range, 0..{last}");
        SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
    })
}

fn byte_place(call: &Call<'_>) -> Result<usize, SqlError> {
    place(call, call.bytes(0)?.len())
}

/// Only the lowest eight bits of the new value count.
fn set_byte(call: &Call<'_>) -> Answer {
    let mut bytes = call.bytes(0)?.to_vec();
    bytes[byte_place(call)?] = call.int(2)? as u8;
    Ok(bytes.into())
}

fn get_bit(call: &Call<'_>) -> Answer {
    let bytes = call.bytes(0)?;
    let place = place(call, bytes.len() * 8)?;
    Ok(i64::from(bytes[place / 8] >> (place % 8) & 1).into())
}

fn set_bit(call: &Call<'_>) -> Answer {
    let mut bytes = call.bytes(0)?.to_vec();
    let place = place(call, bytes.len() * 8)?;
    let mask = 1 << (place % 8);
    match call.int(2)? {
        0 => bytes[place / 8] &= !mask,
        1 => bytes[place / 8] |= mask,
        _ => return Err(invalid("new bit must be 0 or 1")),
    }
    Ok(bytes.into())
}

fn ltrim(call: &Call<'_>) -> Answer {
    let (bytes, set) = (call.bytes(0)?, call.bytes(1)?);
    let from = bytes.iter().position(|byte| !set.contains(byte)).unwrap_or(bytes.len());
    Ok(bytes[from..].to_vec().into())
}

fn rtrim(call: &Call<'_>) -> Answer {
    let (bytes, set) = (call.bytes(0)?, call.bytes(1)?);
    let to = bytes.iter().rposition(|byte| !set.contains(byte)).map_or(0, |last| last + 1);
    Ok(bytes[..to].to_vec().into())
}

/// Two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of digits in pairs; blanks between pairs are skipped.
fn unhex(text: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut characters = text.chars();
    let value = |c: char| match c.to_digit(16) {
        Some(digit) => Ok(digit as u8),
        None => Err(invalid(&format!("invalid hexadecimal digit: \"{c}\""))),
    };
    while let Some(high) = characters.next() {
        if matches!(high, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high = value(high)?;
        let low =
            characters.next().ok_or_else(|| invalid("invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | value(low)?);
    }
    Ok(bytes)
}

/// Zero, what is no ASCII, and backslashes in the old way.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0 | 0x80.. => text.push_str(&format!("\\{byte:03o}")),
            _ => text.push(char::from(*byte)),
        }
    }
    text
}

fn unescaped(text: &str) -> Result<Vec<u8>, SqlError> {
    let refused =
        || SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        if *first != b'\\' {
            bytes.push(*first);
            rest = behind;
            continue;
        }
        rest = match behind {
            [b'\\', behind @ ..] => {
                bytes.push(b'\\');
                behind
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                behind
            }
            _ => return Err(refused()),
        };
    }
    Ok(bytes)
}

fn encode(call: &Call<'_>) -> Answer {
    let (bytes, form) = (call.bytes(0)?, call.text(1)?);
    bounded(bytes.len().saturating_mul(4))?;
    Ok(match form.to_ascii_lowercase().as_str() {
        "hex" => hex(bytes),
        "base64" => base64::encode(bytes),
        "escape" => escaped(bytes),
        _ => return Err(invalid(&format!("unrecognized encoding: \"{form}\""))),
    }
    .into())
}

fn decode(call: &Call<'_>) -> Answer {
    let (text, form) = (call.text(0)?, call.text(1)?);
    Ok(match form.to_ascii_lowercase().as_str() {
        "hex" => unhex(text)?,
        "base64" => base64::decode(text)?,
        "escape" => unescaped(text)?,
        _ => return Err(invalid(&format!("unrecognized encoding: \"{form}\""))),
    }
    .into())
}

/// The encodings that are known; names are compared by letters and digits only.
enum Encoding {
    Utf8,
    Latin1,
}

fn encoding(name: &str, role: &str) -> Result<Encoding, SqlError> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" | "sqlascii" => Ok(Encoding::Utf8),
        "latin1" | "iso88591" => Ok(Encoding::Latin1),
        _ => Err(invalid(&format!("invalid {role} encoding name \"{name}\""))),
    }
}

fn convert_from(call: &Call<'_>) -> Answer {
    let (bytes, name) = (call.bytes(0)?, call.text(1)?);
    match encoding(name, "source")? {
        Encoding::Latin1 if bytes.contains(&0) => Err(not_in("LATIN1", &[0])),
        Encoding::Latin1 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into()),
        Encoding::Utf8 if bytes.contains(&0) => Err(not_in("UTF8", &[0])),
        Encoding::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned().into()),
            Err(error) => {
                let bad = &bytes[error.valid_up_to()..];
                Err(not_in("UTF8", &bad[..error.error_len().unwrap_or(bad.len())]))
            }
        },
    }
}

fn convert_to(call: &Call<'_>) -> Answer {
    let (text, name) = (call.text(0)?, call.text(1)?);
    match encoding(name, "destination")? {
        Encoding::Utf8 => Ok(text.as_bytes().to_vec().into()),
        Encoding::Latin1 => {
            let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| no_equivalent(c)));
            Ok(bytes.collect::<Result<Vec<_>, _>>()?.into())
        }
    }
}

fn not_in(encoding: &str, bytes: &[u8]) -> SqlError {
    let message = format!("invalid byte sequence for encoding \"{encoding}\": {}", listed(bytes));
    SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn no_equivalent(c: char) -> SqlError {
    let bytes = listed(c.encode_utf8(&mut [0; 4]).as_bytes());
    let message = format!(
        "character with byte sequence {bytes} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\""
    );
    SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, message)
}

/// `0xe2 0x82`.
fn listed(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn bytes_and_bits_have_places() {
        check(&[
            ("fl_get_byte(x'0102', 1)", "2"),
            ("fl_get_byte(x'0102', 2)", "2202E: index 2 out of valid range, 0..1"),
            ("fl_get_byte(x'', 0)", "2202E: index 0 out of valid range, 0..-1"),
            ("fl_set_byte(x'0102', 0, 300)", "x'2c02'"),
            ("fl_get_bit(x'0102', 0)", "1"),
            ("fl_set_bit(x'0102', 0, 0)", "x'0002'"),
            ("fl_set_bit(x'0102', 0, 2)", "22023: new bit must be 0 or 1"),
            ("fl_bit_count(x'ff01')", "9"),
            ("fl_bytea_ltrim(fl_bytea_rtrim(x'000100', x'00'), x'00')", "x'01'"),
        ]);
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        check(&[
            ("fl_md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
            ("fl_sha224(x'616263')", "x'23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7'"),
            ("fl_sha256(x'616263')", "x'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'"),
        ]);
    }

    #[test]
    fn forms_and_encodings_are_read_and_written() {
        check(&[
            ("fl_encode(x'00ff41', 'escape')", r"\000\377A"),
            ("fl_encode(x'00ff41', 'HEX')", "00ff41"),
            ("fl_encode(x'00ff41', 'base64')", "AP9B"),
            ("fl_encode(x'', 'x')", "22023: unrecognized encoding: \"x\""),
            ("fl_decode('41 42', 'hex')", "x'4142'"),
            ("fl_decode('a', 'hex')", "22023: invalid hexadecimal data: odd number of digits"),
            ("fl_decode('zz', 'hex')", "22023: invalid hexadecimal digit: \"z\""),
            (r"fl_decode('\101a\\', 'escape')", "x'41615c'"),
            (r"fl_decode('\1', 'escape')", "22P02: invalid input syntax for type bytea"),
            ("fl_convert_from(x'e9', 'latin1')", "é"),
            ("fl_convert_from(x'ff', 'UTF8')", "22021: invalid byte sequence for encoding \"UTF8\": 0xff"),
            ("fl_convert_to('é', 'UTF-8')", "x'c3a9'"),
            (
                "fl_convert_to('€', 'latin1')",
                "22P05: character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in \
                 encoding \"LATIN1\"",
            ),
            ("fl_convert_from(x'41', 'foo')", "22023: invalid source encoding name \"foo\""),
        ]);
    }
}
