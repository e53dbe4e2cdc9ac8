//! Names of the fields of a time.

use crate::value::time::unit::{Named, Unit, named};

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    Weekday,
    IsoWeekday,
    DayOfYear,
    Epoch,
    Zone,
    ZoneHour,
    ZoneMinute,
}

/// A field by its name, in lower case.
pub(super) fn part(name: &str) -> Option<Part> {
    if let Some(Named::Unit(unit)) = named(name) {
        return Some(of_unit(unit));
    }
    Some(match name {
        "quarter" | "qtr" => Part::Quarter,
        "julian" | "jd" | "j" => Part::Julian,
        "isoyear" => Part::IsoYear,
        "dow" => Part::Weekday,
        "isodow" => Part::IsoWeekday,
        "doy" => Part::DayOfYear,
        "epoch" => Part::Epoch,
        "timezone" => Part::Zone,
        "timezone_h" | "timezone_hour" => Part::ZoneHour,
        "timezone_m" | "timezone_minute" => Part::ZoneMinute,
        _ => return None,
    })
}

fn of_unit(unit: Unit) -> Part {
    match unit {
        Unit::Microsecond => Part::Microseconds,
        Unit::Millisecond => Part::Milliseconds,
        Unit::Second | Unit::MinuteSecond => Part::Second,
        Unit::Minute => Part::Minute,
        Unit::Hour => Part::Hour,
        Unit::Day => Part::Day,
        Unit::Week => Part::Week,
        Unit::Month => Part::Month,
        Unit::Year => Part::Year,
        Unit::Decade => Part::Decade,
        Unit::Century => Part::Century,
        Unit::Millennium => Part::Millennium,
    }
}
