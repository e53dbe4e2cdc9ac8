//! What PostgreSQL says of times that are none.

use crate::base::error::{SqlError, SqlState};

/// Of intervals.
const INTERVAL_FIELD_OVERFLOW: SqlState = SqlState(*b"22015");

/// What is wrong with a text that should be a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It does not look like one.
    Format,
    /// A field is beyond its range.
    Field,
    /// Month or day is beyond its range: perhaps the order of the fields is another.
    Order,
    /// A field of an interval is beyond its range.
    Interval,
    /// An interval is too long as a whole.
    Length,
    /// An offset from UTC is beyond its range.
    Offset,
    /// There is no such time zone. Where it stands in the text: byte offsets.
    Zone(usize, usize),
}

impl Wrong {
    /// As an error about a text of a type.
    pub(crate) fn of(self, text: &str, ty: &str) -> SqlError {
        let field = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        let lower = text.to_ascii_lowercase();
        match self {
            Self::Format => syntax(ty, text),
            Self::Field => field(),
            Self::Order => field().with_hint("Perhaps you need a different \"datestyle\" setting."),
            Self::Interval => SqlError::new(
                INTERVAL_FIELD_OVERFLOW,
                format!("interval field value out of range: \"{text}\""),
            ),
            Self::Length => interval_range(),
            Self::Offset => SqlError::new(
                SqlState::INVALID_TIME_ZONE,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Self::Zone(from, to) => unknown_zone(lower.get(from..to).unwrap_or(text)),
        }
    }
}

/// `invalid input syntax for type …`.
pub(crate) fn syntax(ty: &str, text: &str) -> SqlError {
    SqlError::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type {ty}: \"{text}\""),
    )
}

/// `time zone "…" not recognized`.
pub(crate) fn unknown_zone(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
}

/// `timestamp out of range`.
pub(crate) fn timestamp_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `date out of range`.
pub(crate) fn date_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range")
}

/// `interval out of range`.
pub(crate) fn interval_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}
