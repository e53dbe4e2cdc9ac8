//! `generate_series` of times.

use crate::base::Evaluation;
use crate::base::error::SqlError;
use jiff::tz::TimeZone;
use rusqlite::types::{Value, ValueRef};

use super::arithmetic::{plus, plus_in};
use crate::functions::call::{int, text};
use crate::functions::set::series::no_step;
use crate::functions::set::table::{Rows, Source};
use crate::value::time::Interval;
use crate::value::time::civil::is_infinite;

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] = &[
    Source {
        name: "fl_series_timestamp",
        columns: &["value"],
        arguments: 3,
        run: |arguments, _| rows(arguments, None),
    },
    Source { name: "fl_series_timestamptz", columns: &["value"], arguments: 3, run: zoned },
];

fn zoned(arguments: &[ValueRef<'_>], evaluation: &Evaluation) -> Result<Rows, SqlError> {
    rows(arguments, Some(evaluation.with(|inner| inner.zone.clone())))
}

/// From the first to the second by the third; days and months are those of the zone, if there is one.
fn rows(arguments: &[ValueRef<'_>], zone: Option<TimeZone>) -> Result<Rows, SqlError> {
    let at = |place: usize| arguments.get(place).copied().unwrap_or(ValueRef::Null);
    let (start, stop, step) = (int(at(0))?, int(at(1))?, Interval::from_stored(text(at(2))?)?);
    let upwards = match step.span() {
        0 => return Err(no_step()),
        span => span > 0,
    };
    let mut next = Some(Ok(start));
    Ok(Box::new(std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        if if upwards { value > stop } else { value < stop } {
            return None;
        }
        if is_infinite(value) {
            return Some(Ok(vec![Value::Integer(value)]));
        }
        next = Some(match &zone {
            Some(zone) => plus_in(value, step, zone),
            None => plus(value, step),
        });
        Some(Ok(vec![Value::Integer(value)]))
    })))
}
