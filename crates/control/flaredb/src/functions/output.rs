//! Values of any type as text, by the types' own output functions.

use std::borrow::Cow;

use crate::base::Evaluation;
use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use rusqlite::types::ValueRef;

use crate::functions::call;

/// What the output function of a type says of a value that is not NULL.
pub(crate) fn text_of<'a>(
    ty: Type,
    value: ValueRef<'a>,
    _evaluation: &Evaluation,
) -> Result<Cow<'a, str>, SqlError> {
    match (ty, value) {
        (Type::Scalar(Element::Bool), ValueRef::Integer(value)) => {
            Ok(if value == 0 { "f" } else { "t" }.into())
        }
        (_, ValueRef::Integer(value)) => Ok(value.to_string().into()),
        (_, value) => Ok(call::text(value)?.into()),
    }
}

/// A `text[]` as it is kept.
pub(crate) fn array_of_texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> String {
    serde_json::to_string(&texts.collect::<Vec<_>>()).unwrap_or_default()
}
