//! Type modifiers: lengths, precisions, scales.

use super::array::{Array, Item};
use super::numeric::{self, Numeric};
use super::time;
use crate::base::error::{SqlError, SqlState};
use crate::base::types::{ColumnType, Element, Type};
use crate::functions::call::text;
use rusqlite::types::Value;

/// A value as one of the type with its modifier. What is too long is cut by an explicit cast, and refused by
/// everything else. Errors: 22001, 22003.
pub(crate) fn fit(ty: ColumnType, value: Value, explicit: bool) -> Result<Value, SqlError> {
    if ty.typmod < 0 || value == Value::Null {
        return Ok(value);
    }
    let element = match ty.ty {
        Type::Scalar(element) => element,
        Type::Array(element) => return fit_array(element, ty.typmod, &value, explicit),
        Type::Int2Vector | Type::OidVector => return Ok(value),
    };
    match (element, value) {
        (Element::Varchar | Element::Bpchar, Value::Text(text)) => {
            let most = usize::try_from(ty.typmod - 4).unwrap_or(0);
            cut(element, text, most, explicit).map(Value::Text)
        }
        (Element::Numeric, value) => {
            let number = Numeric::from_kept(text((&value).into())?)?;
            Ok(numeric::convert::fit(&number, ty.typmod)?.kept())
        }
        (Element::Timestamptz | Element::Timestamp | Element::Time | Element::Interval, value) => {
            time::fit(ty.ty, ty.typmod, value)
        }
        (_, value) => Ok(value),
    }
}

/// To so many characters. Blanks at the end may always go.
fn cut(element: Element, mut text: String, most: usize, explicit: bool) -> Result<String, SqlError> {
    if text.len() > most
        && let Some((end, _)) = text.char_indices().nth(most)
    {
        let blank = text.get(end..).is_some_and(|rest| rest.bytes().all(|byte| byte == b' '));
        if !explicit && !blank {
            let name = if element == Element::Varchar { "character varying" } else { "character" };
            let message = format!("value too long for type {name}({most})");
            return Err(SqlError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
        }
        text.truncate(end);
    }
    if element == Element::Bpchar {
        text.truncate(text.trim_end_matches(' ').len());
    }
    Ok(text)
}

fn fit_array(element: Element, typmod: i32, value: &Value, explicit: bool) -> Result<Value, SqlError> {
    let mut array = Array::read(text(value.into())?)?;
    let ty = ColumnType { ty: Type::Scalar(element), typmod };
    for item in &mut array.items {
        let taken = std::mem::replace(item, Item::Null);
        *item = Item::from_value(fit(ty, taken.into_value(element)?, explicit)?);
    }
    Ok(array.value())
}
