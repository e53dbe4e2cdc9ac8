//! `generate_series` of integers.

use crate::base::Evaluation;
use crate::base::error::{SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};

use super::table::{Rows, Source};
use crate::functions::call::int;

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] =
    &[Source { name: "fl_series", columns: &["value"], arguments: 3, run: integers }];

fn integers(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let (start, stop, step) = (int(arguments[0])?, int(arguments[1])?, int(arguments[2])?);
    if step == 0 {
        return Err(no_step());
    }
    let mut next = Some(start);
    Ok(Box::new(std::iter::from_fn(move || {
        let value = next.filter(|value| if step > 0 { *value <= stop } else { *value >= stop })?;
        next = value.checked_add(step);
        Some(Ok(vec![Value::Integer(value)]))
    })))
}

/// PostgreSQL's word for a step of zero.
pub(crate) fn no_step() -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}
