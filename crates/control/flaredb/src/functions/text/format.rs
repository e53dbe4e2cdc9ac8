//! `concat`, `concat_ws` and `format`: texts out of values of any type.

use std::borrow::Cow;

use crate::base::error::{SqlError, SqlState};

use crate::functions::call::{Answer, Call, Scalar, bounded, evaluated_pure};
use crate::functions::output;
use crate::functions::text::quote::{quoted_name, quoted_text};

/// What SQLite calls. Each value has its type before it.
pub(crate) const SCALARS: &[Scalar] = &[
    evaluated_pure("fl_concat", -1, |call| join(call, "", 0)),
    evaluated_pure("fl_concat_ws", -1, concat_ws),
    evaluated_pure("fl_format", -1, format),
];

fn concat_ws(call: &Call<'_>) -> Answer {
    if call.is_null(0) {
        return Ok(None::<String>.into());
    }
    join(call, call.text(0)?, 1)
}

/// All values that are not NULL, from the pair at this place on.
fn join(call: &Call<'_>, separator: &str, from: usize) -> Answer {
    let mut whole = String::new();
    let mut first = true;
    for place in (from..call.count()).step_by(2) {
        let Some(text) = text_at(call, place)? else { continue };
        if !first {
            whole.push_str(separator);
        }
        first = false;
        bounded(whole.len() + text.len())?;
        whole.push_str(&text);
    }
    Ok(whole.into())
}

/// The value of a pair as text. None: it is NULL.
fn text_at<'a>(call: &Call<'a>, place: usize) -> Result<Option<Cow<'a, str>>, SqlError> {
    if call.is_null(place + 1) {
        return Ok(None);
    }
    output::text_of(call.ty(place)?, call.value(place + 1), call.evaluation()).map(Some)
}

/// Where a directive takes its values from.
struct Reader<'a, 'b> {
    call: &'b Call<'a>,
    /// The number of the argument that was taken last, from 1.
    last: usize,
}

impl<'a> Reader<'a, '_> {
    /// The argument of a number, or the one behind the last.
    fn take(&mut self, number: Option<usize>) -> Result<Option<Cow<'a, str>>, SqlError> {
        self.last = number.unwrap_or(self.last + 1);
        let place = self.last.saturating_mul(2).saturating_sub(1);
        if place + 1 >= self.call.count() {
            return Err(invalid("too few arguments for format()"));
        }
        text_at(self.call, place)
    }
}

/// What stands between `%` and its letter.
#[derive(Default)]
struct Directive {
    argument: Option<usize>,
    left: bool,
    width: i64,
}

fn format(call: &Call<'_>) -> Answer {
    if call.is_null(0) {
        return Ok(None::<String>.into());
    }
    let mut reader = Reader { call, last: 0 };
    let mut whole = String::new();
    let mut rest = call.text(0)?;
    while let Some((before, behind)) = rest.split_once('%') {
        whole.push_str(before);
        if let Some(behind) = behind.strip_prefix('%') {
            whole.push('%');
            rest = behind;
            continue;
        }
        let (directive, behind) = directive(behind, &mut reader)?;
        let letter = behind.chars().next().ok_or_else(unterminated)?;
        rest = &behind[letter.len_utf8()..];
        let text = converted(letter, &directive, &mut reader)?;
        add(&mut whole, &text, &directive)?;
    }
    whole.push_str(rest);
    bounded(whole.len())?;
    Ok(whole.into())
}

fn converted<'a>(
    letter: char,
    directive: &Directive,
    reader: &mut Reader<'a, '_>,
) -> Result<Cow<'a, str>, SqlError> {
    if !matches!(letter, 's' | 'I' | 'L') {
        let message = format!("unrecognized format() type specifier \"{letter}\"");
        return Err(invalid(&message).with_hint("For a single \"%\" use \"%%\"."));
    }
    Ok(match (letter, reader.take(directive.argument)?) {
        ('I', None) => {
            let message = "null values cannot be formatted as an SQL identifier";
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        ('I', Some(name)) => quoted_name(&name).into(),
        ('L', None) => "NULL".into(),
        ('L', Some(text)) => quoted_text(&text).into(),
        (_, text) => text.unwrap_or_default(),
    })
}

/// Reads `n$`, `-`, a width or `*`.
fn directive<'t>(text: &'t str, reader: &mut Reader<'_, '_>) -> Result<(Directive, &'t str), SqlError> {
    let mut directive = Directive::default();
    let (number, mut rest) = number(text)?;
    match (number, rest.strip_prefix('$')) {
        (Some(number), Some(behind)) => {
            directive.argument = Some(numbered(number)?);
            rest = behind;
        }
        (Some(number), None) => {
            directive.width = number;
            return ended(directive, rest);
        }
        (None, _) => {}
    }
    while let Some(behind) = rest.strip_prefix('-') {
        directive.left = true;
        rest = behind;
    }
    if let Some(behind) = rest.strip_prefix('*') {
        (directive.width, rest) = width_argument(behind, reader)?;
    } else {
        let (number, behind) = self::number(rest)?;
        (directive.width, rest) = (number.unwrap_or(0), behind);
    }
    ended(directive, rest)
}

fn ended(directive: Directive, rest: &str) -> Result<(Directive, &str), SqlError> {
    if rest.is_empty() { Err(unterminated()) } else { Ok((directive, rest)) }
}

/// `*` or `*n$`: the width is an argument; NULL is none.
fn width_argument<'t>(text: &'t str, reader: &mut Reader<'_, '_>) -> Result<(i64, &'t str), SqlError> {
    let (number, mut rest) = number(text)?;
    let argument = match number {
        Some(number) => {
            rest = rest
                .strip_prefix('$')
                .ok_or_else(|| invalid("width argument position must be ended by \"$\""))?;
            Some(numbered(number)?)
        }
        None => None,
    };
    let width = match reader.take(argument)? {
        None => 0,
        Some(width) => i64::from(width.trim().parse::<i32>().map_err(|_| {
            let message = format!("invalid input syntax for type integer: \"{width}\"");
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
        })?),
    };
    Ok((width, rest))
}

/// Digits at the start, as a number of 32 bits.
fn number(text: &str) -> Result<(Option<i64>, &str), SqlError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    let number = text[..end]
        .parse::<i32>()
        .map_err(|_| SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
    Ok((Some(i64::from(number)), &text[end..]))
}

fn numbered(number: i64) -> Result<usize, SqlError> {
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(invalid("format specifies argument 0, but arguments are numbered from 1")),
    }
}

/// A negative width means what `-` means.
fn add(whole: &mut String, text: &str, directive: &Directive) -> Result<(), SqlError> {
    let width = usize::try_from(directive.width.unsigned_abs()).unwrap_or(usize::MAX);
    let blanks = width.saturating_sub(text.chars().count());
    bounded(whole.len().saturating_add(blanks).saturating_add(text.len()))?;
    let blanks = " ".repeat(blanks);
    if directive.left || directive.width < 0 {
        whole.push_str(text);
        whole.push_str(&blanks);
    } else {
        whole.push_str(&blanks);
        whole.push_str(text);
    }
    Ok(())
}

fn unterminated() -> SqlError {
    invalid("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".")
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn directives_are_filled_in() {
        check(&[
            (r"fl_format('%s %I %L %%', 23, 1, 25, 'a b', 25, 'it''s')", r#"1 "a b" 'it''s' %"#),
            ("fl_format('%2$s %1$s', 25, 'a', 25, 'b')", "b a"),
            (
                "fl_format('[%10s][%-10s][%*s]', 25, 'a', 25, 'b', 23, 4, 25, 'c')",
                "[         a][b         ][   c]",
            ),
            ("fl_format('[%*2$s]', 25, 'a', 23, 4, 25, 'b')", "[   b]"),
            ("fl_format('%s|%L', 25, NULL, 25, NULL)", "|NULL"),
            ("fl_format('%s', 16, 1)", "t"),
            ("fl_format(NULL)", "NULL"),
            ("fl_format('%I', 25, NULL)", "22004: null values cannot be formatted as an SQL identifier"),
            ("fl_format('%s')", "22023: too few arguments for format()"),
            ("fl_format('%x', 23, 1)", "22023: unrecognized format() type specifier \"x\""),
            ("fl_format('%')", "22023: unterminated format() type specifier"),
            (
                "fl_format('%0$s', 23, 1)",
                "22023: format specifies argument 0, but arguments are numbered from 1",
            ),
            ("fl_format('%99999999999s', 23, 1)", "22003: number is out of range"),
            ("fl_format('%2147483647s', 23, 1)", "54000: requested length too large"),
            ("fl_concat(16, 1, 23, NULL, 25, 'a')", "ta"),
            ("fl_concat()", ""),
            ("fl_concat_ws(',', 23, 1, 23, NULL, 25, 'b')", "1,b"),
            ("fl_concat_ws(NULL, 23, 1)", "NULL"),
        ]);
    }
}
