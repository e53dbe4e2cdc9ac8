//! Values: from text and binary, as PostgreSQL's protocol has them, to how they are kept, and back.
//!
//! How each type is kept, [`crate::base::types`] says.

pub(crate) mod array;
mod binary;
pub(crate) mod bytes;
mod fit;
mod float;
mod format_type;
pub(crate) mod json;
pub(crate) mod numeric;
mod text;
pub(crate) mod time;
mod uuid;

use crate::base::{SqlError, SqlState};

pub(crate) use self::binary::{from_binary, text_from, to_binary};
pub(crate) use self::fit::fit;
pub(crate) use self::float::{float4_text, float8_text};
pub(crate) use self::format_type::format_type;
pub(crate) use self::text::{from_text, text_of, to_text};

/// `invalid input syntax for type …`.
pub(crate) fn invalid(ty: &str, text: &str) -> SqlError {
    let shown: String = text.chars().take(200).collect();
    let message = format!("invalid input syntax for type {ty}: \"{shown}\"");
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

/// `value … is out of range for type …`.
pub(crate) fn beyond(ty: &str, text: &str) -> SqlError {
    let shown: String = text.chars().take(200).collect();
    let message = format!("value \"{shown}\" is out of range for type {ty}");
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// A value that is not kept as its type says: a defect of ours.
pub(crate) fn misplaced(ty: &str) -> SqlError {
    SqlError::new(SqlState::INTERNAL_ERROR, format!("a value of type {ty} is kept as something else"))
}
