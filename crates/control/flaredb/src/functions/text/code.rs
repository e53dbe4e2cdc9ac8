//! Characters and their numbers.

use crate::base::error::{SqlError, SqlState};

use crate::functions::call::{Answer, Call, Scalar, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_ascii", 1, |call| {
        Ok(call.text(0)?.chars().next().map_or(0, |c| i64::from(u32::from(c))).into())
    }),
    strict("fl_chr", 1, chr),
    strict("fl_to_hex", 1, |call| Ok(format!("{:x}", call.int(0)?).into())),
    strict("fl_unistr", 1, |call| Ok(unescaped(call.text(0)?)?.into())),
];

fn chr(call: &Call<'_>) -> Answer {
    let number = call.int(0)?;
    if number < 0 {
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "character number must be positive"));
    }
    let refused = |message: String| SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message);
    if number == 0 {
        return Err(refused("null character not permitted".to_owned()));
    }
    let code = u32::try_from(number).unwrap_or(u32::MAX);
    match char::from_u32(code) {
        Some(c) => Ok(c.to_string().into()),
        None if code > 0x10_FFFF => {
            Err(refused(format!("requested character too large for encoding: {number}")))
        }
        None => Err(refused(format!("requested character not valid for encoding: {number}"))),
    }
}

/// How many hexadecimal digits each kind of escape has.
const ESCAPES: &[(&str, usize)] = &[("+", 6), ("u", 4), ("U", 8), ("", 4)];

/// `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX` and `\\`.
fn unescaped(text: &str) -> Result<String, SqlError> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        whole.push_str(before);
        if let Some(behind) = behind.strip_prefix('\\') {
            whole.push('\\');
            rest = behind;
            continue;
        }
        let (code, behind) = escape(behind)?;
        rest = behind;
        let c = match code {
            0xD800..=0xDBFF => {
                let low = rest.strip_prefix('\\').and_then(|low| escape(low).ok());
                let Some((low @ 0xDC00..=0xDFFF, behind)) = low else { return Err(bad_pair()) };
                rest = behind;
                char::from_u32(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
            }
            0xDC00..=0xDFFF => return Err(bad_pair()),
            _ => char::from_u32(code).filter(|c| *c != '\0'),
        };
        whole.push(c.ok_or_else(|| {
            let message = format!("invalid Unicode code point: {code:04X}");
            SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })?);
    }
    Ok(whole + rest)
}

/// The number behind a backslash, and what follows.
fn escape(text: &str) -> Result<(u32, &str), SqlError> {
    for (mark, digits) in ESCAPES {
        let Some(number) = text.strip_prefix(mark).and_then(|behind| behind.get(..*digits)) else { continue };
        if number.bytes().all(|b| b.is_ascii_hexdigit()) {
            let code = u32::from_str_radix(number, 16).unwrap_or(u32::MAX);
            return Ok((code, &text[mark.len() + digits..]));
        }
    }
    let hint = r"Unicode escapes must be \XXXX, \+XXXXXX, \uXXXX, or \UXXXXXXXX.";
    Err(bad_escape("invalid Unicode escape").with_hint(hint))
}

fn bad_pair() -> SqlError {
    bad_escape("invalid Unicode surrogate pair")
}

fn bad_escape(message: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn characters_have_numbers() {
        check(&[
            ("fl_ascii('')", "0"),
            ("fl_ascii('é')", "233"),
            ("fl_chr(233)", "é"),
            ("fl_chr(0)", "54000: null character not permitted"),
            ("fl_chr(-1)", "22023: character number must be positive"),
            ("fl_chr(1114112)", "54000: requested character too large for encoding: 1114112"),
            ("fl_chr(55296)", "54000: requested character not valid for encoding: 55296"),
            ("fl_to_hex(-1)", "ffffffffffffffff"),
            (r"fl_unistr('d\0061t\+000061 \u0061 \U00000061 \\ \d83d\de00')", "data a a \\ 😀"),
            (r"fl_unistr('\D800')", "42601: invalid Unicode surrogate pair"),
            (r"fl_unistr('\x')", "42601: invalid Unicode escape"),
            (r"fl_unistr('\0000')", "22023: invalid Unicode code point: 0000"),
        ]);
    }
}
