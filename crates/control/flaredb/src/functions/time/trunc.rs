//! `date_trunc`.

use crate::base::error::{SqlError, SqlState};
use jiff::tz::TimeZone;

use super::io::{interval, kept, now};
use super::parts::{Part, part};
use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::value::time::Interval;
use crate::value::time::civil::{DAY, Day, HOUR, MINUTE, SECOND, in_range, is_infinite, joined, split};
use crate::value::time::error::timestamp_range;
use crate::value::time::zone::{Place, offset_at};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    strict("fl_timestamp_trunc", 2, |call| {
        Ok(trunc(call.text(0)?, call.int(1)?, "timestamp without time zone")?.into())
    }),
    strict("fl_interval_trunc", 2, |call| kept(of_interval(call.text(0)?, interval(call, 1)?)?)),
    evaluated("fl_timestamptz_trunc", 2, |call| {
        let zone: TimeZone = now(call).1;
        in_place(call, &Place::Zone(zone))
    }),
    evaluated("fl_timestamptz_trunc", 3, |call| in_place(call, &Place::named(call.text(2)?)?)),
];

fn wrong(name: &str, known: Option<Part>, ty: &str) -> SqlError {
    let (state, what) = match known {
        Some(_) => (SqlState::FEATURE_NOT_SUPPORTED, "not supported"),
        None => (SqlState::INVALID_PARAMETER_VALUE, "not recognized"),
    };
    SqlError::new(state, format!("unit \"{name}\" {what} for type {ty}"))
}

/// What a time may be cut off to; names of other fields are not known here.
fn unit(name: &str) -> Option<Part> {
    use Part::{DayOfYear, Epoch, IsoWeekday, IsoYear, Julian, Weekday};
    part(name).filter(|part| !matches!(part, DayOfYear | Epoch | IsoWeekday | IsoYear | Julian | Weekday))
}

/// Microseconds of a unit that no calendar changes.
fn length(part: Part) -> Option<i64> {
    Some(match part {
        Part::Microseconds => 1,
        Part::Milliseconds => 1000,
        Part::Second => SECOND,
        Part::Minute => MINUTE,
        Part::Hour => HOUR,
        Part::Day => DAY,
        _ => return None,
    })
}

/// The start of a unit; microseconds of a clock, infinities stay.
fn trunc(name: &str, micros: i64, ty: &str) -> Result<i64, SqlError> {
    let name = name.to_ascii_lowercase();
    let known = unit(&name);
    if is_infinite(micros) {
        return Ok(micros);
    }
    if let Some(length) = known.and_then(length) {
        return in_range(micros - micros.rem_euclid(length));
    }
    let day = Day::of(split(micros).0);
    let first = |year| Day { year, month: 1, day: 1 };
    let start = match known {
        Some(Part::Week) => Day::of(day.days() - (day.weekday() + 6) % 7),
        Some(Part::Month) => Day { day: 1, ..day },
        Some(Part::Quarter) => Day { month: (day.month - 1) / 3 * 3 + 1, day: 1, ..day },
        Some(Part::Year) => first(day.year),
        Some(Part::Decade) => first(day.year.div_euclid(10) * 10),
        Some(Part::Century) => first((day.year - 1).div_euclid(100) * 100 + 1),
        Some(Part::Millennium) => first((day.year - 1).div_euclid(1000) * 1000 + 1),
        _ => return Err(wrong(&name, known, ty)),
    };
    joined(start.days(), 0)
}

/// The same of a moment, by a clock in a place. Within a day the clock may be set, which changes nothing here.
fn in_place(call: &Call<'_>, place: &Place) -> Answer {
    let (name, moment) = (call.text(0)?, call.int(1)?);
    let start = trunc(name, place.local(moment)?, "timestamp with time zone")?;
    if is_infinite(moment) {
        return Ok(start.into());
    }
    let within_day = part(&name.to_ascii_lowercase()).and_then(length).is_some_and(|length| length < DAY);
    if within_day {
        let offset = match place {
            Place::Zone(zone) => offset_at(zone, moment),
            place => place.offset_at(moment),
        };
        return Ok(in_range(start.checked_sub(offset * SECOND).ok_or_else(timestamp_range)?)?.into());
    }
    Ok(place.moment(start)?.into())
}

fn of_interval(name: &str, interval: Interval) -> Result<Interval, SqlError> {
    let name = name.to_ascii_lowercase();
    let known = unit(&name);
    if let Some(length) = known.and_then(length) {
        return Ok(Interval {
            micros: if length == DAY { 0 } else { interval.micros / length * length },
            ..interval
        });
    }
    let months = match known {
        Some(Part::Month) => 1,
        Some(Part::Quarter) => 3,
        Some(Part::Year) => 12,
        Some(Part::Decade) => 120,
        Some(Part::Century) => 1200,
        Some(Part::Millennium) => 12_000,
        Some(Part::Week) => {
            return Err(wrong(&name, known, "interval").with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(wrong(&name, known, "interval")),
    };
    Ok(Interval { months: interval.months / months * months, days: 0, micros: 0 })
}
