//! A text held against a picture: the fields that it tells.

use crate::base::error::{SqlError, SqlState};

use super::keys::{Calendar, Key};
use super::source::Source;
use super::{Field, Part};

/// What has been told; 0 where nothing was.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) calendar: Option<Calendar>,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) second_of_day: i64,
    /// 1: Sunday.
    pub(super) weekday: i64,
    pub(super) day: i64,
    pub(super) of_year: i64,
    pub(super) month: i64,
    pub(super) millis: i64,
    pub(super) micros: i64,
    pub(super) year: i64,
    pub(super) year_digits: usize,
    pub(super) week_of_month: i64,
    pub(super) week: i64,
    pub(super) century: i64,
    pub(super) julian: i64,
    pub(super) before: bool,
    pub(super) afternoon: bool,
    pub(super) half_day: bool,
    /// -1 or 1: an offset was told; hours and minutes of it.
    pub(super) sign: i64,
    pub(super) zone_hour: i64,
    pub(super) zone_minute: i64,
    /// Digits that the fraction of a second is rounded to.
    pub(super) digits: Option<u32>,
}

fn set(place: &mut i64, value: i64, field: &Field) -> Result<(), SqlError> {
    if *place != 0 && *place != value {
        let message = format!("conflicting values for \"{}\" field in formatting string", field.name);
        return Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
            .with_detail("This value contradicts a previous setting for the same field type."));
    }
    *place = value;
    Ok(())
}

/// Reads a text. Error: it does not fit.
pub(super) fn read(text: &str, parts: &[Part]) -> Result<Told, SqlError> {
    let mut source = Source::new(text);
    let mut told = Told::default();
    let mut exact = false;
    // Blanks that were passed and that the picture does not have yet.
    let mut extra = 0;
    for (place, part) in parts.iter().enumerate() {
        if source.is_empty() {
            break;
        }
        let begins_exact = matches!(part, Part::Field(field) if field.key == Key::Exact);
        if !exact && !begins_exact && (place == 0 || matches!(part, Part::Field(_))) {
            extra += source.blanks();
        }
        match part {
            Part::Space | Part::Separator(_) if exact => source.step(),
            Part::Space | Part::Separator(_) => extra += i64::from(source.separator()) - 1,
            Part::Character(_) if !exact && extra > 0 => extra -= 1,
            Part::Character(_) => source.step(),
            Part::Field(field) if field.key == Key::Exact => exact = true,
            Part::Field(field) => {
                told.take(field, parts.get(place + 1), &mut source, extra > 0)?;
                if !exact {
                    extra = source.blanks();
                }
            }
        }
    }
    Ok(told)
}

impl Told {
    fn take(
        &mut self,
        field: &Field,
        next: Option<&Part>,
        source: &mut Source<'_>,
        extra: bool,
    ) -> Result<(), SqlError> {
        self.settle(field.key)?;
        match field.key {
            Key::Half(_) => {
                self.afternoon = source.name(field)? == 1;
                self.half_day = true;
            }
            Key::Era(_) => self.before = source.name(field)? == 1,
            Key::MonthName | Key::MonthShort | Key::Roman => {
                let month = source.name(field)? + 1;
                set(&mut self.month, month, field)?;
            }
            Key::DayName | Key::DayShort => {
                let weekday = source.name(field)?;
                set(&mut self.weekday, weekday, field)?;
                self.weekday += 1;
            }
            Key::Zone | Key::Offset => {
                let message = format!("formatting field \"{}\" is only supported in to_char", field.name);
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            Key::YearComma => {
                let year = source.with_comma()?;
                set(&mut self.year, year, field)?;
                self.year_digits = 4;
            }
            Key::ZoneHour => self.zone_hour(field, next, source, extra)?,
            _ => self.number(field, next, source)?,
        }
        if field.key.is_digits() {
            source.ordinal(field);
        }
        Ok(())
    }

    /// Refuses a mixture of the Gregorian and the ISO week calendar.
    fn settle(&mut self, key: Key) -> Result<(), SqlError> {
        match (key.calendar(), self.calendar) {
            (Some(new), Some(old)) if new != old => {
                let hint = "Do not mix Gregorian and ISO week date conventions in a formatting template.";
                let message = "invalid combination of date conventions";
                Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message).with_hint(hint))
            }
            (new, old) => {
                self.calendar = old.or(new);
                Ok(())
            }
        }
    }

    /// A minus may have been taken for a separator.
    fn zone_hour(
        &mut self,
        field: &Field,
        next: Option<&Part>,
        source: &mut Source<'_>,
        extra: bool,
    ) -> Result<(), SqlError> {
        self.sign = match source.peek() {
            Some(sign @ ('+' | '-' | ' ')) => {
                source.step();
                if sign == '-' { -1 } else { 1 }
            }
            _ if extra && source.last() == Some('-') => -1,
            _ => 1,
        };
        let (value, _) = source.integer(field, 2, next)?;
        set(&mut self.zone_hour, value, field)
    }

    fn number(
        &mut self,
        field: &Field,
        next: Option<&Part>,
        source: &mut Source<'_>,
    ) -> Result<(), SqlError> {
        let width = match field.key {
            Key::Fraction(digits) => digits as usize,
            Key::Microsecond => 6,
            Key::Hour24 | Key::Hour12 => 2,
            _ => field.name.len(),
        };
        let width = if field.key == Key::Millisecond { 3 } else { width };
        let width = if matches!(field.key, Key::IsoDayOfYear) { 3 } else { width };
        let width = if matches!(field.key, Key::IsoWeekday) { 1 } else { width };
        let (value, length) = source.integer(field, width, next)?;
        match field.key {
            Key::Hour12 => self.half_day = true,
            Key::ZoneMinute if self.sign == 0 => self.sign = 1,
            Key::Fraction(digits) => self.digits = Some(digits),
            Key::Year(_) | Key::IsoYear(_) => self.year_digits = width,
            _ => {}
        }
        let Some(place) = self.place(field.key) else { return Ok(()) };
        // As in PostgreSQL, what was told twice is compared as it is written.
        set(place, value, field)?;
        *place = match field.key {
            Key::Millisecond => value * 10_i64.pow(3_u32.saturating_sub(length_of(length))),
            Key::Microsecond | Key::Fraction(_) => {
                value * 10_i64.pow(6_u32.saturating_sub(length_of(length)))
            }
            Key::IsoWeekday if value >= 7 => 1,
            Key::IsoWeekday => value + 1,
            Key::Year(_) | Key::IsoYear(_) if width < 4 && length < 4 => near_2020(value),
            _ => value,
        };
        Ok(())
    }

    /// Where a number goes. None: it is passed over.
    fn place(&mut self, key: Key) -> Option<&mut i64> {
        Some(match key {
            Key::Hour24 | Key::Hour12 => &mut self.hour,
            Key::Minute => &mut self.minute,
            Key::Second => &mut self.second,
            Key::Millisecond => &mut self.millis,
            Key::Microsecond | Key::Fraction(_) => &mut self.micros,
            Key::SecondOfDay => &mut self.second_of_day,
            Key::ZoneMinute => &mut self.zone_minute,
            Key::Month => &mut self.month,
            Key::DayOfYear | Key::IsoDayOfYear => &mut self.of_year,
            Key::Day => &mut self.day,
            Key::Weekday | Key::IsoWeekday => &mut self.weekday,
            Key::Week | Key::IsoWeek => &mut self.week,
            Key::Century => &mut self.century,
            Key::WeekOfMonth => &mut self.week_of_month,
            Key::Julian => &mut self.julian,
            Key::Year(_) | Key::IsoYear(_) => &mut self.year,
            _ => return None,
        })
    }
}

fn length_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A year with fewer than four digits, next to 2020.
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}
