//! What of a session decides how values look and what names mean.

use jiff::tz::TimeZone;

/// The session's settings that others than the session need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Of `timestamptz` in text, and of what depends on a day.
    pub(crate) time_zone: TimeZone,
    /// As it was set: `Europe/Berlin`, `UTC`, `<+02>-02`.
    pub(crate) time_zone_name: String,
    /// Schemas that a bare name is looked up in.
    pub(crate) search_path: Vec<String>,
    /// The role that asks.
    pub(crate) user: String,
    /// The role that logged in.
    pub(crate) session_user: String,
    /// The database.
    pub(crate) database: String,
    /// `bytea_output`: `\x…`, or with escapes.
    pub(crate) bytea_escape: bool,
    /// `extra_float_digits`: shortest exact text above 0, else 15 (float8) or 6 (float4) digits plus it.
    pub(crate) extra_float_digits: i32,
    /// `IntervalStyle`.
    pub(crate) interval_style: IntervalStyle,
}

/// How an interval is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`.
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`.
    PostgresVerbose,
    /// `1-2 3 4:05:06`.
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`.
    Iso8601,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: TimeZone::UTC,
            time_zone_name: "UTC".to_owned(),
            search_path: vec!["public".to_owned()],
            user: "postgres".to_owned(),
            session_user: "postgres".to_owned(),
            database: "postgres".to_owned(),
            bytea_escape: false,
            extra_float_digits: 1,
            interval_style: IntervalStyle::Postgres,
        }
    }
}
