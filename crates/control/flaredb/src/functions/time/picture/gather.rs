//! `to_timestamp` and `to_date`: what a text told, put together.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::Value;

use super::keys::Calendar;
use super::parts;
use super::read::{Told, read};
use crate::functions::call::{Call, Scalar, evaluated, strict};
use crate::functions::time::io::now;
use crate::value::time::civil::{
    Day, HOUR, JULIAN, MINUTE, SECOND, day_in_range, iso_start, joined, month_length,
};
use crate::value::time::error::Wrong;
use crate::value::time::typmod::fit_moment;
use crate::value::time::zone::{Place, from_local};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    evaluated("fl_to_timestamp", 2, |call| {
        let (told, text) = (told(call)?, call.text(0)?);
        let hour = told.hour()?;
        let day = told.day(text)?;
        let local = joined(day.days(), told.time(text, hour)?)?;
        let moment = match told.offset(text)? {
            Some(offset) => Place::Fixed(offset).moment(local)?,
            None => from_local(local, &now(call).1)?,
        };
        let digits = told.digits.and_then(|digits| i32::try_from(digits).ok());
        Ok(Value::Integer(digits.map_or(moment, |digits| fit_moment(digits, moment))))
    }),
    strict("fl_to_date", 2, |call| {
        let (told, text) = (told(call)?, call.text(0)?);
        let hour = told.hour()?;
        let day = told.day(text)?;
        told.time(text, hour)?;
        told.offset(text)?;
        Ok(Value::Integer(day_in_range(day.days()).map_err(|_| {
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""))
        })?))
    }),
];

fn told(call: &Call<'_>) -> Result<Told, SqlError> {
    let picture = call.text(1)?;
    let parts = call.kept_for(1, "to_timestamp", || Ok(parts(picture)))?;
    read(call.text(0)?, &parts)
}

fn wrong(text: &str) -> SqlError {
    Wrong::Field.of(text, "timestamp")
}

/// What was told, or else what follows from something else.
fn or(told: i64, other: i64) -> i64 {
    if told == 0 { other } else { told }
}

impl Told {
    /// The hour of the day, which may still be none.
    fn hour(&self) -> Result<i64, SqlError> {
        let hour = or(self.hour, self.second_of_day / 3600);
        if self.half_day { self.half(hour) } else { Ok(hour) }
    }

    /// Microseconds of the day.
    fn time(&self, text: &str, hour: i64) -> Result<i64, SqlError> {
        let minute = or(self.minute, self.second_of_day / 60 % 60);
        let second = or(self.second, self.second_of_day % 60);
        let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
        let micros = self.millis * 1000 + self.micros;
        if !valid || !(0..SECOND).contains(&micros) {
            return Err(wrong(text));
        }
        Ok(hour * HOUR + minute * MINUTE + second * SECOND + micros)
    }

    fn half(&self, hour: i64) -> Result<i64, SqlError> {
        if !(1..=12).contains(&hour) {
            let message = format!("hour \"{hour}\" is invalid for the 12-hour clock");
            return Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
                .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        Ok(match (self.afternoon, hour) {
            (true, ..12) => hour + 12,
            (false, 12) => 0,
            _ => hour,
        })
    }

    /// Seconds east of UTC, if it was told.
    fn offset(&self, text: &str) -> Result<Option<i64>, SqlError> {
        if self.sign == 0 {
            return Ok(None);
        }
        let (hour, minute) = (self.zone_hour, self.zone_minute);
        if !(0..16).contains(&hour) || !(0..60).contains(&minute) {
            return Err(Wrong::Offset.of(text, "timestamp"));
        }
        Ok(Some(self.sign * (hour * 3600 + minute * 60)))
    }

    /// The year, if it was told; astronomical.
    fn year(&self) -> Option<i64> {
        let century = if self.before { -self.century } else { self.century };
        if self.year != 0 {
            if century != 0 && self.year_digits <= 2 {
                let year = self.year % 100;
                return Some(match (year, century) {
                    (0, ..0) => century * 100 + 1,
                    (0, _) => century * 100,
                    (year, ..0) => century * 100 + year,
                    (year, _) => (century - 1) * 100 + year,
                });
            }
            let year = if self.before { -self.year } else { self.year };
            return Some(if year < 0 { year + 1 } else { year });
        }
        match century {
            0 => None,
            1.. => Some((century - 1) * 100 + 1),
            _ => Some(century * 100 + 1),
        }
    }

    /// The day, valid.
    fn day(&self, text: &str) -> Result<Day, SqlError> {
        let iso = self.calendar == Some(Calendar::Iso);
        let mut day = Day { year: self.year().unwrap_or(0), month: 1, day: 1 };
        let mut of_year = self.of_year;
        if self.julian != 0 {
            day = Day::of(self.julian - JULIAN);
        }
        if self.week != 0 {
            if iso {
                // Sunday, which is 1, ends a week.
                let weekday = if self.weekday == 0 { 0 } else { (self.weekday + 5) % 7 };
                day = Day::of(iso_start(day.year) + (self.week - 1) * 7 + weekday);
            } else {
                of_year = (self.week - 1) * 7 + 1;
            }
        }
        let in_month = if self.week_of_month != 0 { (self.week_of_month - 1) * 7 + 1 } else { self.day };
        if in_month != 0 {
            day.day = in_month;
        }
        if self.month != 0 {
            day.month = self.month;
        }
        if of_year != 0 && (day.month <= 1 || day.day <= 1) {
            day = self.of_year(day, of_year, iso)?.ok_or_else(|| wrong(text))?;
        }
        let valid =
            (1..=12).contains(&day.month) && day.day >= 1 && day.day <= month_length(day.year, day.month);
        if valid { Ok(day) } else { Err(wrong(text)) }
    }

    /// The day so many days into a year; a month or a day that was told stays. None: the year has fewer.
    fn of_year(&self, day: Day, of_year: i64, iso: bool) -> Result<Option<Day>, SqlError> {
        if day.year == 0 && !self.before {
            let message = "cannot calculate day of year without year information";
            return Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message));
        }
        if iso {
            return Ok(Some(Day::of(iso_start(day.year) + of_year - 1)));
        }
        let found = Day::of(Day { year: day.year, month: 1, day: 1 }.days() + of_year - 1);
        if found.year != day.year {
            return Ok(None);
        }
        let month = if day.month <= 1 { found.month } else { day.month };
        Ok(Some(Day { month, day: if day.day <= 1 { found.day } else { day.day }, ..day }))
    }
}
