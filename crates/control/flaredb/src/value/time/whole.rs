//! Whether the parts of a date and time make a whole.

use super::civil::{Day, month_length};
use super::clockwork::half;
use super::decode::{DATE, DAY, MONTH, OF_YEAR, Parts, TIME, YEAR};
use super::error::Wrong;
use super::zone::Place;

impl Parts {
    /// Checks what all of it comes to.
    pub(super) fn finish(&mut self, only_time: bool) -> Result<(), Wrong> {
        if self.awaited.is_some() {
            return Err(Wrong::Format);
        }
        self.valid_date()?;
        self.time = half(self.time, self.afternoon)?;
        // What a clock in a zone shows is a time of a day that has to be known.
        let without_day = matches!(self.place, Some(Place::Zone(_))) && !self.has(DATE);
        let half_a_date = self.known & DATE != 0 && !self.has(DATE);
        let enough = if only_time { self.has(TIME) && !without_day && !half_a_date } else { self.has(DATE) };
        if enough { Ok(()) } else { Err(Wrong::Format) }
    }

    fn valid_date(&mut self) -> Result<(), Wrong> {
        if self.known & YEAR != 0 && !self.julian {
            self.year = self.full_year()?;
        }
        if self.known & OF_YEAR != 0 {
            let day = Day::of(Day { year: self.year, month: 1, day: 1 }.days() + self.day - 1);
            (self.month, self.day) = (day.month, day.day);
        }
        let month_wrong = self.known & MONTH != 0 && !(1..=12).contains(&self.month);
        if month_wrong || self.known & DAY != 0 && !(1..=31).contains(&self.day) {
            return Err(Wrong::Order);
        }
        if self.has(DATE) && self.day > month_length(self.year, self.month) {
            return Err(Wrong::Field);
        }
        Ok(())
    }

    fn full_year(&self) -> Result<i64, Wrong> {
        match self.year {
            year if self.before => {
                if year > 0 {
                    Ok(1 - year)
                } else {
                    Err(Wrong::Field)
                }
            }
            year @ 0..70 if self.short_year => Ok(year + 2000),
            year @ 70..100 if self.short_year => Ok(year + 1900),
            year if year > 0 => Ok(year),
            _ => Err(Wrong::Field),
        }
    }
}
