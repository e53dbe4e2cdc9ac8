//! Units of intervals, by their many names.

use super::civil::{DAY, HOUR, MINUTE, SECOND};

/// A unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    /// A second, in a type that has nothing longer than minutes.
    MinuteSecond,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

/// What a word in an interval stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Unit(Unit),
    Ago,
    Ignored,
}

/// Bits of a type's modifier, in its upper half.
const MONTHS: i32 = 1 << 1;
const YEARS: i32 = 1 << 2;
const DAYS: i32 = 1 << 3;
const HOURS: i32 = 1 << 10;
const MINUTES: i32 = 1 << 11;
const SECONDS: i32 = 1 << 12;

impl Unit {
    /// Hours, minutes and seconds.
    pub(crate) const TIME: u32 = Self::Hour.bit() | Self::Minute.bit() | Self::Second.bit();

    /// One bit for each that may stand beside the others.
    pub(crate) const fn bit(self) -> u32 {
        match self {
            Self::MinuteSecond => Self::Second.bit(),
            unit => 1 << unit as u32,
        }
    }

    /// Months, days and microseconds.
    pub(crate) fn length(self) -> (i64, i64, i64) {
        match self {
            Self::Microsecond => (0, 0, 1),
            Self::Millisecond => (0, 0, 1000),
            Self::Second | Self::MinuteSecond => (0, 0, SECOND),
            Self::Minute => (0, 0, MINUTE),
            Self::Hour => (0, 0, HOUR),
            Self::Day => (0, 1, 0),
            Self::Week => (0, 7, 0),
            Self::Month => (1, 0, 0),
            Self::Year => (12, 0, 0),
            Self::Decade => (120, 0, 0),
            Self::Century => (1200, 0, 0),
            Self::Millennium => (12_000, 0, 0),
        }
    }

    /// Of a number without a unit, by the modifier of its type.
    pub(crate) fn of_typmod(typmod: i32) -> Self {
        let fields = if typmod < 0 { 0x7fff } else { typmod >> 16 & 0x7fff };
        match fields {
            YEARS => Self::Year,
            fields if fields & !(YEARS | MONTHS) == 0 && fields & MONTHS != 0 => Self::Month,
            DAYS => Self::Day,
            fields if fields & !(DAYS | HOURS) == 0 && fields & HOURS != 0 => Self::Hour,
            fields if fields & !(DAYS | HOURS | MINUTES) == 0 && fields & MINUTES != 0 => Self::Minute,
            fields if fields == MINUTES | SECONDS => Self::MinuteSecond,
            _ => Self::Second,
        }
    }

    /// Microseconds below which a modifier cuts a time off. None: it does not.
    pub(crate) fn cut(self) -> Option<i64> {
        match self {
            Self::Year | Self::Month | Self::Day => Some(DAY),
            Self::Hour => Some(HOUR),
            Self::Minute => Some(MINUTE),
            _ => None,
        }
    }
}

/// A word, in lower case.
pub(crate) fn named(name: &str) -> Option<Named> {
    let unit =
        match name {
            "ago" => return Some(Named::Ago),
            "at" | "on" | "@" => return Some(Named::Ignored),
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" | "microsecond"
            | "microseconds" => Unit::Microsecond,
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" | "millisecond"
            | "milliseconds" => Unit::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "mon" | "mons" | "month" | "months" => Unit::Month,
            "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
            "dec" | "decs" | "decade" | "decades" => Unit::Decade,
            "c" | "cent" | "century" | "centuries" => Unit::Century,
            "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
            _ => return None,
        };
    Some(Named::Unit(unit))
}
