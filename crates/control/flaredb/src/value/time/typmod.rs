//! What a type's modifier makes of a value: `timestamp(3)`, `interval year to month`.

use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use rusqlite::types::Value;

use super::civil::{DAY, MILLENNIUM, is_infinite};
use super::interval::Interval;
use super::unit::Unit;

/// Rounds a value of a type of time as it is kept; others, and those without a modifier, stay as they are.
pub(crate) fn fit(ty: Type, typmod: i32, value: Value) -> Result<Value, SqlError> {
    let Type::Scalar(element) = ty else { return Ok(value) };
    if typmod < 0 {
        return Ok(value);
    }
    Ok(match (element, value) {
        (Element::Timestamptz | Element::Timestamp, Value::Integer(micros)) => {
            Value::Integer(fit_moment(typmod, micros))
        }
        (Element::Time, Value::Integer(micros)) => Value::Integer(rounded(typmod, micros)),
        (Element::Interval, Value::Text(text)) => {
            Value::Text(fit_interval(typmod, Interval::from_stored(&text)?).to_stored())
        }
        (_, value) => value,
    })
}

/// A moment with so many digits behind its seconds; halves go away from the year 2000.
pub(crate) fn fit_moment(digits: i32, micros: i64) -> i64 {
    if is_infinite(micros) {
        return micros;
    }
    micros.checked_sub(MILLENNIUM).map_or(micros, |since| rounded(digits, since).saturating_add(MILLENNIUM))
}

/// To so many digits of a second, halves away from zero.
fn rounded(digits: i32, micros: i64) -> i64 {
    let Some(less) = 6_u32.checked_sub(digits.unsigned_abs()) else { return micros };
    let scale = 10_i64.pow(less);
    micros.saturating_add(micros.signum() * (scale / 2)) / scale * scale
}

/// The fields that a modifier names and the digits that it wants.
pub(crate) fn fit_interval(typmod: i32, interval: Interval) -> Interval {
    if typmod < 0 {
        return interval;
    }
    let unit = Unit::of_typmod(typmod);
    let Interval { mut months, mut days, mut micros } = interval;
    if unit == Unit::Year {
        months = months / 12 * 12;
    }
    if matches!(unit, Unit::Year | Unit::Month) {
        days = 0;
    }
    micros = match unit.cut() {
        Some(DAY) => 0,
        Some(cut) => micros / cut * cut,
        None => micros,
    };
    let digits = typmod & 0xffff;
    Interval { months, days, micros: if digits < 6 { rounded(digits, micros) } else { micros } }
}
