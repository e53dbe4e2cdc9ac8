//! Syntax errors in PostgreSQL's words.

use crate::base::{SqlError, SqlState};
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, TokenWithSpan, TokenizerError};

use super::limits::too_deep;
use super::tokens::{position, slice, tokens};

/// What of the text a message quotes at most, in characters.
const QUOTED: usize = 200;

/// At or near a token; none: at the end.
pub(crate) fn near(text: &str, token: Option<&TokenWithSpan>) -> SqlError {
    match token {
        None => SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at end of input")
            .at(u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX)),
        Some(token) => {
            let word: String = slice(text, token.span).chars().take(QUOTED).collect();
            SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{word}\""))
                .at(position(token.span))
        }
    }
}

/// What the parser says: it tells the place of the token that it did not expect.
pub(crate) fn of_parser(text: &str, error: &ParserError) -> SqlError {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            // Read again rather than kept: errors are rare.
            let tokens = tokens(text).unwrap_or_default();
            let place = place(message);
            near(text, place.and_then(|place| tokens.iter().find(|token| token.span.start.column == place)))
        }
    }
}

/// The character, from `… at Line: 7, Column: 7`.
fn place(message: &str) -> Option<u64> {
    let (_, column) = message.rsplit_once("Column: ")?;
    column.trim().parse().ok()
}

/// What the tokenizer says: a string, a name or a comment without an end.
pub(crate) fn of_tokenizer(text: &str, error: &TokenizerError) -> SqlError {
    let from = character(text, error.location);
    let near: String = text.chars().skip(from).take(QUOTED).collect();
    let message = error.message.to_ascii_lowercase();
    let what = if message.contains("comment") {
        "unterminated /* comment"
    } else if message.contains("dollar") {
        "unterminated dollar-quoted string"
    } else if message.contains("close delimiter") {
        "unterminated quoted identifier"
    } else if message.contains("unterminated") {
        "unterminated quoted string"
    } else {
        "syntax error"
    };
    SqlError::new(SqlState::SYNTAX_ERROR, format!("{what} at or near \"{near}\""))
        .at(u32::try_from(from + 1).unwrap_or(u32::MAX))
}

/// Characters before a place of the tokenizer's own counting.
fn character(text: &str, location: Location) -> usize {
    let line = usize::try_from(location.line).unwrap_or(1).saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(|line| line.chars().count()).sum();
    before + usize::try_from(location.column).unwrap_or(1).saturating_sub(1)
}
