//! Days and times of day without a zone, in the Gregorian calendar that reaches back before its time.

use crate::base::error::SqlError;

use super::error::{date_range, timestamp_range};

/// Microseconds.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// Microseconds.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// Microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;
/// The Julian day of 1970-01-01.
pub(crate) const JULIAN: i64 = 2_440_588;
/// Microseconds from 1970-01-01 to 2000-01-01, from which PostgreSQL counts.
pub(crate) const MILLENNIUM: i64 = 10_957 * DAY;
/// The first day that there is, and the first behind the last.
const DAYS: std::ops::Range<i64> = -JULIAN..2_147_483_494 - JULIAN;
/// `infinity` and `-infinity` of a date.
pub(crate) const LAST_DAY: i64 = i32::MAX as i64;
/// `-infinity` of a date.
pub(crate) const FIRST_DAY: i64 = i32::MIN as i64;

/// Whether a count of microseconds is an infinity.
pub(crate) fn is_infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

/// Whether a count of days is an infinity.
pub(crate) fn is_infinite_day(days: i64) -> bool {
    days == LAST_DAY || days == FIRST_DAY
}

/// A day: the year is astronomical (0 is 1 BC), month and day count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Day {
    /// The day so many days after 1970-01-01.
    pub(crate) fn of(days: i64) -> Self {
        // Counted from 1 March of year 0: leap days are at the end of a year, and 400 years have 146097 days.
        let shifted = days + 719_468;
        let (era, within) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let years = (within - within / 1460 + within / 36_524 - within / 146_096) / 365;
        let of_year = within - (365 * years + years / 4 - years / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = years + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Days since 1970-01-01; months and days may be beyond their range.
    pub(crate) fn days(self) -> i64 {
        let months = self.year * 12 + self.month - 1;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let shifted = if month <= 2 { year - 1 } else { year };
        let (era, years) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let within = years * 365 + years / 4 - years / 100 + of_year;
        era * 146_097 + within - 719_468
    }

    /// The day so many months later, the last of the month if it has no such day.
    pub(crate) fn plus_months(self, months: i64) -> Self {
        let total = self.year * 12 + self.month - 1 + months;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        Self { year, month, day: self.day.min(month_length(year, month)) }
    }

    /// 0: Sunday.
    pub(crate) fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// 1: 1 January.
    pub(crate) fn of_year(self) -> i64 {
        self.days() - Self { year: self.year, month: 1, day: 1 }.days() + 1
    }

    /// The year and number of its week by ISO 8601.
    pub(crate) fn iso_week(self) -> (i64, i64) {
        let thursday = self.days() - (self.weekday() + 6) % 7 + 3;
        let of = Self::of(thursday);
        (of.year, (of.of_year() - 1) / 7 + 1)
    }
}

/// Days since 1970 of the Monday with which the first week of a year begins, by ISO 8601.
pub(crate) fn iso_start(year: i64) -> i64 {
    let fourth = Day { year, month: 1, day: 4 };
    fourth.days() - (fourth.weekday() + 6) % 7
}

/// Days of a month.
pub(crate) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 and microseconds of the day.
pub(crate) fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}

/// Microseconds of a day and a time in it. Error: out of range.
pub(crate) fn joined(days: i64, micros: i64) -> Result<i64, SqlError> {
    let sum = days.checked_mul(DAY).and_then(|start| start.checked_add(micros));
    sum.map_or_else(|| Err(timestamp_range()), in_range)
}

/// Refuses what is before 4713 BC or cannot be kept.
pub(crate) fn in_range(micros: i64) -> Result<i64, SqlError> {
    if micros < -JULIAN * DAY || is_infinite(micros) { Err(timestamp_range()) } else { Ok(micros) }
}

/// Refuses a day that PostgreSQL does not have.
pub(crate) fn day_in_range(days: i64) -> Result<i64, SqlError> {
    if DAYS.contains(&days) { Ok(days) } else { Err(date_range()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_there_and_back() {
        for days in (-2_440_588..2_145_042_906).step_by(99_991) {
            assert_eq!(Day::of(days).days(), days);
        }
        for (year, month, day, days) in
            [(1970, 1, 1, 0), (2000, 1, 1, 10_957), (-4713, 11, 24, -JULIAN), (2020, 2, 29, 18_321)]
        {
            let civil = Day { year, month, day };
            assert_eq!((civil.days(), Day::of(days)), (days, civil));
        }
    }

    #[test]
    fn weeks_are_those_of_iso() {
        for (year, month, day, week) in [
            (2005, 1, 1, (2004, 53)),
            (2006, 1, 1, (2005, 52)),
            (2012, 12, 31, (2013, 1)),
            (2020, 6, 1, (2020, 23)),
        ] {
            assert_eq!(Day { year, month, day }.iso_week(), week);
        }
        assert_eq!(Day::of(iso_start(2020)), Day { year: 2019, month: 12, day: 30 });
    }
}
