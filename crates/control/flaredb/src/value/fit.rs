//! Modifiers of types: `varchar(20)`, `numeric(10,2)`, `timestamptz(3)`.

use crate::base::{ColumnType, Element, SqlError, SqlState, Type};
use rusqlite::types::Value;

use super::{numeric, time};

/// Precision and scale of a `numeric`, if it has them.
pub(super) fn numeric_modifier(typmod: i32) -> Option<(i32, i32)> {
    let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
    let scale = packed & 0x7ff;
    Some((packed >> 16, if scale > 1023 { scale - 2048 } else { scale }))
}

/// A value as its type's modifier wants it. `explicit`: by a cast that is written, which cuts strings silently.
/// Errors: 22001, 22003.
pub(crate) fn fit(column: ColumnType, value: Value, explicit: bool) -> Result<Value, SqlError> {
    if column.typmod < 0 {
        return Ok(value);
    }
    match (column.ty, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Type::Scalar(Element::Varchar | Element::Bpchar), Value::Text(text)) => {
            string(column, text, explicit).map(Value::Text)
        }
        (Type::NUMERIC, Value::Text(text)) => match numeric_modifier(column.typmod) {
            Some((precision, scale)) => numeric::fit(&text, precision, scale).map(Value::Text),
            None => Ok(Value::Text(text)),
        },
        (Type::Array(element), Value::Text(json)) => {
            let inner = ColumnType { ty: Type::Scalar(element), typmod: column.typmod };
            super::array::each(&json, &|value| fit(inner, value, explicit)).map(Value::Text)
        }
        (ty, value) => time::fit(ty, column.typmod, value),
    }
}

fn string(column: ColumnType, mut text: String, explicit: bool) -> Result<String, SqlError> {
    let most = usize::try_from(column.typmod - 4).unwrap_or(0);
    let Some((end, _)) = text.char_indices().nth(most) else { return Ok(text) };
    if !explicit && !text[end..].bytes().all(|byte| byte == b' ') {
        let name = if column.ty == Type::BPCHAR { "character" } else { "character varying" };
        let message = format!("value too long for type {name}({most})");
        return Err(SqlError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
    }
    text.truncate(end);
    if column.ty == Type::BPCHAR {
        text.truncate(text.trim_end_matches(' ').len());
    }
    Ok(text)
}
