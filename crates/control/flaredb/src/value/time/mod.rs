//! Dates and times: a stand-in.

use crate::base::error::SqlError;
use crate::base::settings::IntervalStyle;
use crate::base::types::Type;
use jiff::tz::TimeZone;
use rusqlite::types::Value;

/// What a text of a time may depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    pub(crate) now: i64,
    pub(crate) zone: &'a TimeZone,
}

fn missing<T>() -> Result<T, SqlError> {
    Err(SqlError::unsupported("time"))
}

pub(crate) fn timestamptz_in(_text: &str, _clock: &Clock<'_>) -> Result<i64, SqlError> {
    missing()
}
pub(crate) fn timestamp_in(_text: &str, _clock: &Clock<'_>) -> Result<i64, SqlError> {
    missing()
}
pub(crate) fn date_in(_text: &str, _clock: &Clock<'_>) -> Result<i64, SqlError> {
    missing()
}
pub(crate) fn time_in(_text: &str) -> Result<i64, SqlError> {
    missing()
}
pub(crate) fn timestamptz_out(value: i64, _zone: &TimeZone) -> String {
    value.to_string()
}
pub(crate) fn timestamp_out(value: i64) -> String {
    value.to_string()
}
pub(crate) fn date_out(value: i64) -> String {
    value.to_string()
}
pub(crate) fn time_out(value: i64) -> String {
    value.to_string()
}

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

impl Interval {
    pub(crate) fn parse(_text: &str) -> Result<Self, SqlError> {
        missing()
    }
    pub(crate) fn show(self, _style: IntervalStyle) -> String {
        self.to_stored()
    }
    pub(crate) fn from_stored(_text: &str) -> Result<Self, SqlError> {
        missing()
    }
    pub(crate) fn to_stored(self) -> String {
        format!("{} {} {}", self.months, self.days, self.micros)
    }
}

pub(crate) fn fit(_ty: Type, _typmod: i32, value: Value) -> Result<Value, SqlError> {
    Ok(value)
}
