//! How an error of a function comes through SQLite, which keeps nothing of it but its text.

use crate::base::error::{SqlError, SqlState};

/// Stands around the SQLSTATE: no text of a value or message begins with it.
const MARK: char = '\u{1}';
/// Stands before the detail and before the hint.
const DETAIL: char = '\u{2}';
const HINT: char = '\u{3}';

/// As one text: `\u{1}22012\u{1}division by zero`, then detail and hint behind marks of their own.
pub(crate) fn encode(error: &SqlError) -> String {
    let mut text = format!("{MARK}{}{MARK}{}", error.state, error.message);
    for (mark, more) in [(DETAIL, &error.detail), (HINT, &error.hint)] {
        if let Some(more) = more {
            text.push(mark);
            text.push_str(more);
        }
    }
    text
}

/// The error inside of what SQLite hands on. None: it came from SQLite itself.
pub(crate) fn error_of(error: &rusqlite::Error) -> Option<SqlError> {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => decode(message),
        rusqlite::Error::SqlInputError { msg, .. } => decode(msg),
        rusqlite::Error::UserFunctionError(inner) => match inner.downcast_ref::<SqlError>() {
            Some(error) => Some(error.clone()),
            None => decode(&inner.to_string()),
        },
        _ => None,
    }
}

/// Reads what [`encode`] wrote, and the few messages of SQLite's own functions that tables here lead to.
fn decode(message: &str) -> Option<SqlError> {
    if message == "integer overflow" {
        return Some(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"));
    }
    let (state, rest) = message.split_once(MARK)?.1.split_once(MARK)?;
    let state = SqlState(state.as_bytes().try_into().ok()?);
    let (rest, hint) = cut(rest, HINT);
    let (text, detail) = cut(rest, DETAIL);
    let mut error = SqlError::new(state, text);
    (error.detail, error.hint) = (detail, hint);
    Some(error)
}

/// What stands before and behind a mark.
fn cut(text: &str, mark: char) -> (&str, Option<String>) {
    match text.split_once(mark) {
        Some((before, behind)) => (before, Some(behind.to_owned())),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_as_it_was() {
        let plain = SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero");
        let rich = plain.clone().with_detail("a detail").with_hint("a hint");
        let hinted = plain.clone().with_hint("only a hint");
        for error in [plain, rich, hinted] {
            assert_eq!(decode(&encode(&error)), Some(error));
        }
        assert_eq!(decode("no such table: x"), None);
        assert_eq!(decode("\u{1}2201\u{1}short"), None);
    }
}
