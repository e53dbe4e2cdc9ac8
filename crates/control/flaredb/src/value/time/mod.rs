//! Dates, times and intervals: what PostgreSQL reads and writes.
//!
//! Moments are microseconds since 1970, so that the last year is 294247 and not PostgreSQL's 294276.

use jiff::tz::TimeZone;

pub(crate) mod abbreviation;
pub(crate) mod civil;
pub(crate) mod clockwork;
pub(crate) mod decode;
pub(crate) mod error;
pub(crate) mod interval;
pub(crate) mod interval_iso;
pub(crate) mod interval_read;
pub(crate) mod interval_show;
pub(crate) mod number;
pub(crate) mod read;
pub(crate) mod show;
pub(crate) mod token;
pub(crate) mod typmod;
pub(crate) mod unit;
pub(crate) mod whole;
pub(crate) mod word;
pub(crate) mod zone;

pub(crate) use interval::Interval;
pub(crate) use read::{date_in, time_at, time_in, timestamp_in, timestamptz_in};
pub(crate) use show::{date_out, time_out, timestamp_out, timestamptz_out};
pub(crate) use typmod::fit;
pub(crate) use zone::{zone, zone_name};

/// What `now` and a time without a zone depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    /// Microseconds since 1970, in UTC.
    pub(crate) now: i64,
    pub(crate) zone: &'a TimeZone,
}

#[cfg(test)]
mod tests;
