//! `extract` and `date_part`: one field of a time.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::Value;

use super::io::{interval, now};
use super::parts::{Part, part};
use super::value::Number;
use crate::functions::call::{Answer, Call, Scalar, evaluated, internal, strict};
use crate::value::time::Interval;
use crate::value::time::civil::{Day, HOUR, JULIAN, MINUTE, is_infinite, is_infinite_day, split};
use crate::value::time::zone::{offset_at, to_local};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    strict("fl_extract", 3, |call| {
        Ok(field(call, false)?.map_or(Value::Null, |number| number.exact().into()))
    }),
    strict("fl_date_part", 3, |call| {
        Ok(field(call, true)?.map_or(Value::Null, |number| number.float().into()))
    }),
    evaluated("fl_extract_zone", 3, |call| {
        Ok(zoned(call)?.map_or(Value::Null, |number| number.exact().into()))
    }),
    evaluated("fl_date_part_zone", 3, |call| {
        Ok(zoned(call)?.map_or(Value::Null, |number| number.float().into()))
    }),
];

/// A field of a value of a type without a zone. `loose`: a date is a timestamp.
fn field(call: &Call<'_>, loose: bool) -> Result<Option<Number>, SqlError> {
    let name = call.text(0)?.to_ascii_lowercase();
    match call.int(1)? {
        1082 if loose => moment(&name, super::convert::of_day(call.int(2)?)?, "timestamp without time zone"),
        1082 => date(&name, call.int(2)?),
        1083 => time(&name, call.int(2)?).map(Some),
        1114 => moment(&name, call.int(2)?, "timestamp without time zone"),
        1186 => of_interval(&name, interval(call, 2)?).map(Some),
        _ => Err(internal("a field of a type that has none")),
    }
}

/// `unit "…" not supported for type …`, or `not recognized`.
fn unknown(name: &str, part: Option<Part>, ty: &str) -> SqlError {
    let (state, what) = match part {
        Some(_) => (SqlState::FEATURE_NOT_SUPPORTED, "not supported"),
        None => (SqlState::INVALID_PARAMETER_VALUE, "not recognized"),
    };
    SqlError::new(state, format!("unit \"{name}\" {what} for type {ty}"))
}

/// Of an infinite time: infinite if it grows for ever. None: there is none.
fn infinite(name: &str, known: Option<Part>, above: bool, ty: &str) -> Result<Option<Number>, SqlError> {
    use Part::{Century, Decade, Epoch, IsoYear, Julian, Millennium, Year};
    match known {
        Some(Century | Decade | Epoch | IsoYear | Julian | Millennium | Year) => {
            Ok(Some(Number::Infinite(above)))
        }
        Some(_) => Ok(None),
        None => Err(unknown(name, known, ty)),
    }
}

/// A field of a clock's time; microseconds.
fn moment(name: &str, micros: i64, ty: &str) -> Result<Option<Number>, SqlError> {
    let known = part(name);
    if is_infinite(micros) {
        return infinite(name, known, micros > 0, ty);
    }
    let (days, of_day) = split(micros);
    let number = match known {
        Some(Part::Epoch) => Some(Number::scaled(micros, 6)),
        Some(Part::Julian) => Some(Number::Julian(days + JULIAN, of_day)),
        Some(known) => of_time(known, of_day).or_else(|| of_date(known, days)),
        None => None,
    };
    number.map(Some).ok_or_else(|| unknown(name, known, ty))
}

fn date(name: &str, days: i64) -> Result<Option<Number>, SqlError> {
    let known = part(name);
    if is_infinite_day(days) {
        let zone = matches!(known, Some(Part::Zone | Part::ZoneHour | Part::ZoneMinute));
        return match known.and_then(|part| of_time(part, 0)) {
            time if zone || time.is_some() => Err(unknown(name, known, "date")),
            _ => infinite(name, known, days > 0, "date"),
        };
    }

    let number = match known {
        Some(Part::Epoch) => Some(Number::Whole(days * 86_400)),
        Some(Part::Julian) => Some(Number::Whole(days + JULIAN)),
        Some(known) => of_date(known, days),
        None => None,
    };
    number.map(Some).ok_or_else(|| unknown(name, known, "date"))
}

fn time(name: &str, micros: i64) -> Result<Number, SqlError> {
    let known = part(name);
    let number = match known {
        Some(Part::Epoch) => Some(Number::scaled(micros, 6)),
        Some(known) => of_time(known, micros),
        None => None,
    };
    number.ok_or_else(|| unknown(name, known, "time without time zone"))
}

/// A field of a moment in the session's zone.
fn zoned(call: &Call<'_>) -> Result<Option<Number>, SqlError> {
    let (name, micros, zone) = (call.text(0)?.to_ascii_lowercase(), call.int(2)?, now(call).1);
    let ty = "timestamp with time zone";
    if is_infinite(micros) {
        return infinite(&name, part(&name), micros > 0, ty);
    }
    let offset = offset_at(&zone, micros);
    Ok(Some(match part(&name) {
        Some(Part::Epoch) => Number::scaled(micros, 6),
        Some(Part::Zone) => Number::Whole(offset),
        Some(Part::ZoneHour) => Number::Whole(offset / 3600),
        Some(Part::ZoneMinute) => Number::Whole(offset % 3600 / 60),
        _ => return moment(&name, to_local(micros, &zone)?, ty),
    }))
}

/// Fields of a time of day, or of an interval's time.
fn of_time(part: Part, micros: i64) -> Option<Number> {
    Some(match part {
        Part::Microseconds => Number::Whole(micros % MINUTE),
        Part::Milliseconds => Number::scaled(micros % MINUTE, 3),
        Part::Second => Number::scaled(micros % MINUTE, 6),
        Part::Minute => Number::Whole(micros / MINUTE % 60),
        Part::Hour => Number::Whole(micros / HOUR),
        _ => return None,
    })
}

/// Years without a zero.
fn counted(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn of_date(part: Part, days: i64) -> Option<Number> {
    let day = Day::of(days);
    let year = day.year;
    Some(Number::Whole(match part {
        Part::Day => day.day,
        Part::Month => day.month,
        Part::Quarter => (day.month - 1) / 3 + 1,
        Part::Week => day.iso_week().1,
        Part::Year => counted(year),
        Part::Decade => year.div_euclid(10),
        Part::Century => in_hundreds(year, 100),
        Part::Millennium => in_hundreds(year, 1000),
        Part::IsoYear => counted(day.iso_week().0),
        Part::Weekday => day.weekday(),
        Part::IsoWeekday => (day.weekday() + 6) % 7 + 1,
        Part::DayOfYear => day.of_year(),
        _ => return None,
    }))
}

/// The first is that of year 1; before it is -1.
fn in_hundreds(year: i64, length: i64) -> i64 {
    if year > 0 { (year + length - 1) / length } else { -((length - year) / length) }
}

fn of_interval(name: &str, interval: Interval) -> Result<Number, SqlError> {
    let known = part(name);
    let (months, days) = (i64::from(interval.months), i64::from(interval.days));
    let years = months / 12;
    let number = match known {
        Some(Part::Day) => Some(days),
        Some(Part::Month) => Some(months % 12),
        Some(Part::Quarter) => Some(months % 12 / 3 + 1),
        Some(Part::Year) => Some(years),
        Some(Part::Decade) => Some(years / 10),
        Some(Part::Century) => Some(years / 100),
        Some(Part::Millennium) => Some(years / 1000),
        _ => None,
    };
    let number = match (number, known) {
        (Some(number), _) => Some(Number::Whole(number)),
        (None, Some(Part::Epoch)) => Some(Number::Length(interval)),
        (None, Some(known)) => of_time(known, interval.micros),
        (None, None) => None,
    };
    number.ok_or_else(|| unknown(name, known, "interval"))
}
