//! In from text and out to text, and the time that it is.

use crate::base::error::SqlError;
use crate::base::settings::IntervalStyle;
use jiff::tz::TimeZone;
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::value::time::civil::{Day, split};
use crate::value::time::zone::{abbreviation_at, to_local};
use crate::value::time::{
    Clock, Interval, date_in, date_out, time_at, time_out, timestamp_in, timestamp_out, timestamptz_in,
    timestamptz_out,
};

/// What SQLite calls.
pub(super) const SCALARS: &[Scalar] = &[
    evaluated("fl_now", 0, |call| Ok(now(call).0.into())),
    evaluated("fl_timeofday", 0, time_of_day),
    evaluated("fl_timestamptz_in", 1, |call| read(call, timestamptz_in)),
    evaluated("fl_timestamptz_text", 1, |call| Ok(timestamptz_out(call.int(0)?, &now(call).1).into())),
    evaluated("fl_timestamp_in", 1, |call| read(call, timestamp_in)),
    strict("fl_timestamp_text", 1, |call| Ok(timestamp_out(call.int(0)?).into())),
    evaluated("fl_date_in", 1, |call| read(call, date_in)),
    strict("fl_date_text", 1, |call| Ok(date_out(call.int(0)?).into())),
    evaluated("fl_time_in", 1, |call| read(call, time_at)),
    strict("fl_time_text", 1, |call| Ok(time_out(call.int(0)?).into())),
    strict("fl_interval_in", 1, |call| kept(Interval::parse(call.text(0)?)?)),
    strict("fl_interval_text", 1, |call| Ok(interval(call, 0)?.show(IntervalStyle::Postgres).into())),
];

/// The transaction's time in microseconds since 1970, and the session's zone.
pub(super) fn now(call: &Call<'_>) -> (i64, TimeZone) {
    call.evaluation().with(|inner| (inner.now, inner.zone.clone()))
}

/// An argument that is an interval.
pub(super) fn interval(call: &Call<'_>, place: usize) -> Result<Interval, SqlError> {
    Interval::from_stored(call.text(place)?)
}

/// An interval as an answer.
pub(super) fn kept(interval: Interval) -> Answer {
    Ok(interval.to_stored().into())
}

fn read(call: &Call<'_>, by: fn(&str, &Clock<'_>) -> Result<i64, SqlError>) -> Answer {
    let (now, zone) = now(call);
    Ok(Value::Integer(by(call.text(0)?, &Clock { now, zone: &zone })?))
}

/// `Tue Nov 14 23:13:20.000000 2023 CET`.
fn time_of_day(call: &Call<'_>) -> Answer {
    let (now, zone) = now(call);
    let (days, micros) = split(to_local(now, &zone)?);
    let day = Day::of(days);
    let name = |names: &'static str, place: i64| {
        let from = usize::try_from(place).unwrap_or(0) * 3;
        names.get(from..from + 3).unwrap_or_default()
    };
    let clock = time_out(micros - micros % 1_000_000);
    Ok(format!(
        "{} {} {:02} {clock}.{:06} {:04} {}",
        name("SunMonTueWedThuFriSat", day.weekday()),
        name("JanFebMarAprMayJunJulAugSepOctNovDec", day.month - 1),
        day.day,
        micros % 1_000_000,
        day.year,
        abbreviation_at(&zone, now)
    )
    .into())
}
