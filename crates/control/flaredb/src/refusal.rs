//! What a client is told of a failure that the log knows of.

use crate::base::{SqlError, SqlState};
use crate::proto::log::Failure;

/// As an error, as far as it can be told without knowing the tables.
pub(crate) fn as_error(failure: Failure) -> SqlError {
    let Failure { state, message, detail, hint, .. } = failure;
    let state = state.as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    SqlError { state, message, detail: some(detail), hint: some(hint), position: None, about: None }
}
