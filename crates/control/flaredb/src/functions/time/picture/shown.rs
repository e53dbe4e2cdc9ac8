//! What of a time a picture can show.

use crate::base::error::{SqlError, SqlState};
use jiff::tz::TimeZone;

use crate::value::time::Interval;
use crate::value::time::civil::{Day, HOUR, JULIAN, MINUTE, SECOND, split};
use crate::value::time::zone::{abbreviation_at, offset_at};

/// A time in parts; those of an interval may be negative.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
    /// From 1.
    pub(super) of_year: i64,
    /// Seconds east of UTC.
    pub(super) offset: i64,
    pub(super) zone: String,
    pub(super) is_interval: bool,
}

impl Shown {
    /// What a clock shows, in microseconds.
    pub(super) fn of_local(local: i64) -> Self {
        let (days, of_day) = split(local);
        let day = Day::of(days);
        let mut shown = Self { year: day.year, month: day.month, day: day.day, ..Self::default() };
        shown.of_year = day.of_year();
        shown.clock(of_day);
        shown
    }

    /// A moment in a zone, in microseconds.
    pub(super) fn of_moment(moment: i64, zone: &TimeZone) -> Self {
        let offset = offset_at(zone, moment);
        let mut shown = Self::of_local(moment.saturating_add(offset * SECOND));
        shown.offset = offset;
        shown.zone = abbreviation_at(zone, moment);
        shown
    }

    pub(super) fn of_interval(interval: Interval) -> Self {
        let (months, day) = (i64::from(interval.months), i64::from(interval.days));
        let mut shown =
            Self { year: months / 12, month: months % 12, day, is_interval: true, ..Self::default() };
        shown.of_year = months * 30 + day;
        shown.clock(interval.micros);
        shown
    }

    fn clock(&mut self, micros: i64) {
        self.hour = micros / HOUR;
        self.minute = micros / MINUTE % 60;
        self.second = micros / SECOND % 60;
        self.micros = micros % SECOND;
    }

    /// The day of a time that is no interval.
    pub(super) fn date(&self) -> Day {
        Day { year: self.year, month: self.month, day: self.day }
    }

    pub(super) fn julian(&self) -> i64 {
        self.date().days() + JULIAN
    }

    /// A year as people count: 1 BC is 1.
    pub(super) fn counted(&self, year: i64) -> i64 {
        if year <= 0 && !self.is_interval { 1 - year } else { year }
    }

    /// Refuses what an interval does not have.
    pub(super) fn calendar_only(&self) -> Result<(), SqlError> {
        if !self.is_interval {
            return Ok(());
        }
        let message = "invalid format specification for an interval value";
        Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
            .with_hint("Intervals are not tied to specific calendar dates."))
    }
}

/// Months in English, with a capital.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Sunday on.
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Months in Roman numbers.
pub(super) const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
