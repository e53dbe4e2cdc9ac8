//! Base64 as PostgreSQL reads and writes it: lines of 76, blanks anywhere, several endings in a row.

use crate::base::error::{SqlError, SqlState};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes on a line.
const LINE: usize = 57;

/// With padding, and a line's end between lines.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let lines = bytes.chunks(LINE).map(|line| line.chunks(3).flat_map(group).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

/// Up to three bytes as four characters.
fn group(bytes: &[u8]) -> [char; 4] {
    let whole =
        bytes.iter().fold(0_u32, |whole, byte| whole << 8 | u32::from(*byte)) << (8 * (3 - bytes.len()));
    let one = |place: usize| {
        let six = whole >> (18 - 6 * place) & 63;
        if place > bytes.len() { '=' } else { char::from(ALPHABET[six as usize]) }
    };
    [one(0), one(1), one(2), one(3)]
}

/// The bytes.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    // The characters of a group that were read, their bits, and how many bytes padding leaves of each group from
    // the first padded one on.
    let (mut place, mut bits, mut kept) = (0, 0_u32, 3);
    for c in text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')) {
        let six = if c == '=' {
            kept = match (kept, place) {
                (3, 2) => 1,
                (3, 3) => 2,
                (3, _) => return Err(invalid("unexpected \"=\" while decoding base64 sequence")),
                (kept, _) => kept,
            };
            0
        } else {
            let found = u8::try_from(c).ok().and_then(|c| ALPHABET.iter().position(|known| *known == c));
            found.ok_or_else(|| {
                invalid(&format!("invalid symbol \"{c}\" found while decoding base64 sequence"))
            })?
        };
        bits = bits << 6 | six as u32;
        place += 1;
        if place == 4 {
            bytes.extend_from_slice(&bits.to_be_bytes()[1..=kept]);
            (place, bits) = (0, 0);
        }
    }
    if place == 0 { Ok(bytes) } else { Err(ended()) }
}

fn ended() -> SqlError {
    invalid("invalid base64 end sequence")
        .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn anything_is_decoded_or_refused(text in "[A-Za-z=+/ !]{0,12}") {
            let _ = decode(&text);
        }
    }

    #[test]
    fn endings_are_read_as_postgresql_reads_them() {
        for (text, expected) in [
            ("QUI=", Ok(b"AB".to_vec())),
            ("QQ==QQ==", Ok(b"AA".to_vec())),
            ("Q Q\n= =", Ok(b"A".to_vec())),
            ("QUI", Err("invalid base64 end sequence")),
            ("QUI= =", Err("invalid base64 end sequence")),
            ("Q=UI", Err("unexpected \"=\" while decoding base64 sequence")),
            ("QU!I", Err("invalid symbol \"!\" found while decoding base64 sequence")),
        ] {
            assert_eq!(
                decode(text).map_err(|error| error.message),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }
}
