//! Values of any type as text, by the types' own output functions.

use std::borrow::Cow;

use crate::base::Evaluation;
use crate::base::Settings;
use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use rusqlite::types::ValueRef;

use crate::functions::call;

/// Settings with the evaluation's zone, and all else as PostgreSQL begins with.
pub(crate) fn settings(evaluation: &Evaluation) -> Settings {
    Settings { time_zone: evaluation.with(|inner| inner.zone.clone()), ..Settings::default() }
}

/// What the output function of a type says of a value that is not NULL.
pub(crate) fn text_of<'a>(
    ty: Type,
    value: ValueRef<'a>,
    evaluation: &Evaluation,
) -> Result<Cow<'a, str>, SqlError> {
    match (ty, value) {
        (Type::Scalar(Element::Text | Element::Varchar | Element::Numeric | Element::Name), value) => {
            Ok(call::text(value)?.into())
        }
        (ty, value) => {
            let mut out = Vec::new();
            crate::value::to_text(ty, value, &settings(evaluation), &mut out)?;
            let text = String::from_utf8(out).map_err(|error| call::internal(error.to_string()))?;
            Ok(text.into())
        }
    }
}

/// A `text[]` as it is kept.
pub(crate) fn array_of_texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> String {
    serde_json::to_string(&texts.collect::<Vec<_>>()).unwrap_or_default()
}
