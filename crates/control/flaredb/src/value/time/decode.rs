//! The fields of a date and time, put together as PostgreSQL does it: what a number means depends on what is known
//! already. The order of the parts of a date is `MDY` where nothing else decides.

use super::Clock;
use super::civil::{Day, JULIAN, is_infinite, split};
use super::clockwork::{fraction, offset, time};
use super::error::Wrong;
use super::number::{self, integer};
use super::token::{Field, Kind, cut};
use super::word::{Word, is_word, word};
use super::zone::{Place, to_local};

/// Which fields are known: bits.
pub(crate) const YEAR: u32 = 1;
pub(crate) const MONTH: u32 = 2;
pub(crate) const DAY: u32 = 4;
pub(crate) const TIME: u32 = 8;
pub(crate) const ZONE: u32 = 16;
pub(crate) const OF_YEAR: u32 = 32;
const HALF: u32 = 64;
const ERA: u32 = 128;
const WEEKDAY: u32 = 256;
const SUMMER: u32 = 512;
pub(crate) const DATE: u32 = YEAR | MONTH | DAY;

/// What a text says.
#[derive(Debug)]
pub(crate) enum Said {
    /// Microseconds; infinities are `i64::MIN` and `i64::MAX`, the epoch is 0.
    Fixed(i64),
    Moment(Box<Parts>),
}

/// The parts that have been found.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) known: u32,
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// Microseconds of the day.
    pub(crate) time: i64,
    /// None: none was named.
    pub(crate) place: Option<Place>,
    /// The month was a word.
    pub(crate) named_month: bool,
    /// The year had no more than two digits.
    pub(crate) short_year: bool,
    pub(super) julian: bool,
    pub(super) before: bool,
    pub(super) afternoon: Option<bool>,
    /// What the next number is.
    pub(super) awaited: Option<Word>,
    fixed: Option<i64>,
}

/// Reads a text. `only_time`: a date may be missing, and numbers are times.
pub(crate) fn decode(text: &str, clock: &Clock<'_>, only_time: bool) -> Result<Said, Wrong> {
    let fields = cut(text, is_word)?;
    let mut parts = Parts::default();
    for (place, field) in fields.iter().enumerate() {
        let next = fields.get(place + 1);
        let found = parts.take(field, next, clock, only_time)?;
        if found & parts.known != 0 {
            return Err(Wrong::Format);
        }
        parts.known |= found;
    }
    if let Some(fixed) = parts.fixed {
        return if only_time { Err(Wrong::Format) } else { Ok(Said::Fixed(fixed)) };
    }
    parts.finish(only_time)?;
    Ok(Said::Moment(Box::new(parts)))
}

impl Parts {
    /// Whether all of these are known.
    pub(crate) fn has(&self, all: u32) -> bool {
        self.known & all == all
    }

    /// One field; gives what it told.
    fn take(
        &mut self,
        field: &Field,
        next: Option<&Field>,
        clock: &Clock<'_>,
        only_time: bool,
    ) -> Result<u32, Wrong> {
        match field.kind {
            Kind::Date if self.awaited == Some(Word::Julian) => self.julian(&field.text),
            Kind::Date if self.has(MONTH | DAY) || self.awaited.is_some() => self.late_date(field),
            Kind::Date if only_time && next.is_none() && self.known == 0 => self.late_date(field),
            Kind::Date if only_time && !field.text.starts_with(|c: char| c.is_ascii_digit()) => {
                self.zone(field)
            }
            Kind::Date => number::date(self, &field.text),
            Kind::Time => {
                if self.awaited.take().is_some_and(|awaited| awaited != Word::Time) {
                    return Err(Wrong::Format);
                }
                self.time = time(&field.text)?;
                Ok(TIME)
            }
            Kind::Offset => {
                self.place = Some(Place::Fixed(offset(&field.text)?));
                Ok(ZONE)
            }
            Kind::Number => self.number(&field.text, only_time),
            Kind::Word | Kind::Special => self.word(field, next, clock, only_time),
        }
    }

    fn number(&mut self, text: &str, only_time: bool) -> Result<u32, Wrong> {
        match self.awaited.take() {
            Some(Word::Julian) => return self.julian(text),
            Some(_) => return number::run_together(self, text, true),
            None => {}
        }
        if only_time && self.has(TIME) {
            return Err(Wrong::Format);
        }
        let before_point = text.find('.');
        if only_time && !self.has(TIME) && self.known & DATE == 0 {
            return number::run_together(self, text, true);
        }
        match before_point {
            Some(_) if self.known & DATE == 0 => number::date(self, text),
            Some(at) if at > 2 => number::run_together(self, text, false),
            None if text.len() >= 6 && !(self.has(DATE) && self.has(TIME)) => {
                number::run_together(self, text, false)
            }
            _ => number::number(self, text),
        }
    }

    /// A day by its Julian number; its fraction is the time.
    fn julian(&mut self, text: &str) -> Result<u32, Wrong> {
        self.awaited = None;
        let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
        let day = Day::of(integer(whole)? - JULIAN);
        (self.year, self.month, self.day, self.julian) = (day.year, day.month, day.day, true);
        if digits.is_empty() {
            return Ok(DATE);
        }
        self.time = fraction(digits, 86_400_000_000)?;
        Ok(DATE | TIME)
    }

    /// What looks like a date when there is one already: a time with its offset, or the name of a zone.
    fn late_date(&mut self, field: &Field) -> Result<u32, Wrong> {
        let awaited = self.awaited.take();
        if !field.text.starts_with(|c: char| c.is_ascii_digit()) && awaited.is_none() {
            return self.zone(field);
        }
        if self.has(TIME) || awaited.is_some_and(|awaited| awaited != Word::Time) {
            return Err(Wrong::Format);
        }
        let at = field.text.find('-').ok_or(Wrong::Format)?;
        let (clock, shift) = field.text.split_at(at);
        self.place = Some(Place::Fixed(offset(shift)?));
        Ok(number::run_together(self, clock, true)? | ZONE)
    }

    fn zone(&mut self, field: &Field) -> Result<u32, Wrong> {
        let zone = Place::found(&field.text).filter(|place| matches!(place, Place::Zone(_)));
        self.place = Some(zone.ok_or(Wrong::Zone(field.from, field.to))?);
        Ok(ZONE)
    }

    fn word(
        &mut self,
        field: &Field,
        next: Option<&Field>,
        clock: &Clock<'_>,
        only_time: bool,
    ) -> Result<u32, Wrong> {
        if let Some(place) = Place::short(&field.text) {
            self.place = Some(place);
            return Ok(ZONE);
        }
        let Some(word) = word(&field.text) else {
            let zone = Place::found(&field.text).ok_or(Wrong::Format)?;
            self.place = Some(zone);
            return Ok(ZONE);
        };
        match word {
            Word::Ignored => Ok(0),
            Word::Weekday => Ok(WEEKDAY),
            Word::Month(month) => Ok(self.named(month)),
            Word::Now => self.now(clock, 0, true),
            Word::Today(days) if !only_time => self.now(clock, days, false),
            Word::Today(_) => Err(Wrong::Format),
            Word::Midnight => {
                (self.time, self.place) = (0, Some(Place::Fixed(0)));
                Ok(TIME | ZONE)
            }
            Word::Epoch | Word::Infinity | Word::MinusInfinity => self.out_of_time(word),
            Word::Am | Word::Pm => {
                self.afternoon = Some(word == Word::Pm);
                Ok(HALF)
            }
            Word::Ad | Word::Bc => {
                self.before = word == Word::Bc;
                Ok(ERA)
            }
            Word::Summer => self.summer(),
            Word::Julian => self.await_next(word),
            Word::Time => {
                let follows =
                    next.is_some_and(|next| matches!(next.kind, Kind::Number | Kind::Time | Kind::Date));
                if !follows || !only_time && !self.has(DATE) {
                    return Err(Wrong::Format);
                }
                self.await_next(word)
            }
        }
    }

    fn await_next(&mut self, word: Word) -> Result<u32, Wrong> {
        self.awaited = Some(word);
        Ok(0)
    }

    fn out_of_time(&mut self, word: Word) -> Result<u32, Wrong> {
        if self.fixed.is_some() {
            return Err(Wrong::Format);
        }
        self.fixed = Some(match word {
            Word::Infinity => i64::MAX,
            Word::MinusInfinity => i64::MIN,
            _ => 0,
        });
        Ok(0)
    }

    /// `MET DST`: an hour more.
    fn summer(&mut self) -> Result<u32, Wrong> {
        match &mut self.place {
            Some(Place::Fixed(seconds)) => *seconds += 3600,
            _ => return Err(Wrong::Format),
        }
        Ok(SUMMER)
    }

    /// A month that is a word; what was taken for one by its place is then the day.
    fn named(&mut self, month: i64) -> u32 {
        let mut found = MONTH;
        if self.has(MONTH) && !self.named_month && !self.has(DAY) && (1..=31).contains(&self.month) {
            self.day = self.month;
            found = DAY;
        }
        (self.month, self.named_month) = (month, true);
        found
    }

    fn now(&mut self, clock: &Clock<'_>, days: i64, with_time: bool) -> Result<u32, Wrong> {
        if is_infinite(clock.now) {
            return Err(Wrong::Format);
        }
        let local = to_local(clock.now, clock.zone).map_err(|_| Wrong::Field)?;
        let (today, time) = split(local);
        let day = Day::of(today + days);
        (self.year, self.month, self.day) = (day.year, day.month, day.day);
        if !with_time {
            return Ok(DATE);
        }
        self.time = time;
        self.place = Some(Place::Zone(clock.zone.clone()));
        Ok(DATE | TIME | ZONE)
    }
}
