//! Precisions: `timestamptz(3)`, `interval day to second(2)`.

use crate::base::{Element, SqlError, Type};
use rusqlite::types::Value;

use super::{DAY, Interval, SECOND};

/// A value with the digits that its type's modifier leaves it.
pub(crate) fn fit(ty: Type, typmod: i32, value: Value) -> Result<Value, SqlError> {
    if typmod < 0 {
        return Ok(value);
    }
    Ok(match (ty, value) {
        (Type::TIMESTAMPTZ | Type::TIMESTAMP, Value::Integer(micros))
            if micros != i64::MAX && micros != i64::MIN =>
        {
            Value::Integer(rounded(micros, typmod))
        }
        (Type::TIME, Value::Integer(micros)) => Value::Integer(rounded(micros, typmod).min(DAY)),
        (Type::Scalar(Element::Interval), Value::Text(kept)) => {
            Value::Text(Interval::from_stored(&kept)?.fit(typmod).to_stored())
        }
        (_, value) => value,
    })
}

/// To so many digits of a second, half away from zero.
pub(super) fn rounded(micros: i64, digits: i32) -> i64 {
    let digits = u32::try_from(digits.clamp(0, 6)).unwrap_or(6);
    let unit = SECOND / 10_i64.pow(digits);
    if unit == 1 {
        return micros;
    }
    let half = if micros < 0 { -(unit / 2) } else { unit / 2 };
    (micros.saturating_add(half)) / unit * unit
}
