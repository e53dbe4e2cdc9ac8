//! Values from their text and back, and what their modifiers make of them, by the types' own input and output.

use crate::base::types::{ColumnType, Element, Type};
use crate::base::{Settings, SqlError, SqlState};
use jiff::tz::TimeZone;
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call, Scalar, evaluated, internal, out_of_range, pure, strict};
use crate::value::time::Clock;
use crate::value::{self, numeric::Numeric};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_bool_in", 1, |call| read(call, Type::BOOL)),
    strict("fl_int2_in", 1, |call| read(call, Type::INT2)),
    strict("fl_int4_in", 1, |call| read(call, Type::INT4)),
    strict("fl_int8_in", 1, |call| read(call, Type::INT8)),
    strict("fl_oid_in", 1, |call| read(call, Type::OID)),
    strict("fl_float4_in", 1, |call| read(call, Type::FLOAT4)),
    strict("fl_float8_in", 1, |call| read(call, Type::FLOAT8)),
    strict("fl_numeric_in", 1, |call| read(call, Type::NUMERIC)),
    strict("fl_bytea_in", 1, |call| read(call, Type::BYTEA)),
    strict("fl_uuid_in", 1, |call| read(call, Type::UUID)),
    strict("fl_json_in", 1, |call| read(call, Type::JSON)),
    strict("fl_jsonb_in", 1, |call| read(call, Type::JSONB)),
    strict("fl_name", 1, |call| read(call, Type::NAME)),
    strict("fl_char_in", 1, |call| read(call, Type::CHAR)),
    strict("fl_time_in", 1, |call| read(call, Type::TIME)),
    strict("fl_interval_in", 1, |call| read(call, Type::INTERVAL)),
    evaluated("fl_timestamptz_in", 1, |call| read(call, Type::TIMESTAMPTZ)),
    evaluated("fl_timestamp_in", 1, |call| read(call, Type::TIMESTAMP)),
    evaluated("fl_date_in", 1, |call| read(call, Type::DATE)),
    evaluated("fl_array_in", 2, |call| {
        let ty = call.ty(0)?;
        with_clock(call, |clock| value::from_text(ty, call.text(1)?, clock))
    }),
    strict("fl_bool_text", 1, |call| write(call, Type::BOOL, 0)),
    strict("fl_float4_text", 1, |call| write(call, Type::FLOAT4, 0)),
    strict("fl_float8_text", 1, |call| write(call, Type::FLOAT8, 0)),
    strict("fl_bytea_text", 1, |call| write(call, Type::BYTEA, 0)),
    strict("fl_timestamp_text", 1, |call| write(call, Type::TIMESTAMP, 0)),
    strict("fl_date_text", 1, |call| write(call, Type::DATE, 0)),
    strict("fl_time_text", 1, |call| write(call, Type::TIME, 0)),
    strict("fl_interval_text", 1, |call| write(call, Type::INTERVAL, 0)),
    evaluated("fl_timestamptz_text", 1, |call| write(call, Type::TIMESTAMPTZ, 0)),
    evaluated("fl_array_text", 2, |call| write(call, call.ty(0)?, 1)),
    pure("fl_typmod", 4, modifier),
    strict("fl_char_int4", 1, |call| {
        Ok(Value::Integer(call.text(0)?.chars().next().map_or(0, |c| i64::from(u32::from(c)))))
    }),
    strict("fl_int4_char", 1, |call| match u8::try_from(call.int(0)?) {
        Ok(byte) if byte < 128 => {
            Ok(Value::Text(if byte == 0 { String::new() } else { char::from(byte).into() }))
        }
        _ => Err(out_of_range("\"char\"")),
    }),
    strict("fl_float4_numeric", 1, |call| digits(call.float(0)?, 6)),
    strict("fl_float8_numeric", 1, |call| digits(call.float(0)?, 15)),
    strict("fl_numeric_int2", 1, |call| whole(call, "smallint", i16::MIN.into(), i16::MAX.into())),
    strict("fl_numeric_int4", 1, |call| whole(call, "integer", i32::MIN.into(), i32::MAX.into())),
    strict("fl_numeric_int8", 1, |call| whole(call, "bigint", i64::MIN, i64::MAX)),
    strict("fl_numeric_float8", 1, |call| double(Numeric::kept(call.text(0)?)?.to_f64())),
    strict("fl_numeric_float4", 1, |call| {
        #[expect(clippy::cast_possible_truncation, reason = "that is the cast")]
        let single = Numeric::kept(call.text(0)?)?.to_f64() as f32;
        double(single.into())
    }),
    pure("fl_refuse_null", 2, |call| {
        let message = format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            call.text(1)?,
            call.text(0)?
        );
        Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message))
    }),
    pure("fl_limit", 1, |call| row_count(call, "LIMIT", SqlState::INVALID_ROW_COUNT_IN_LIMIT)),
    pure("fl_offset", 1, |call| row_count(call, "OFFSET", SqlState::INVALID_ROW_COUNT_IN_OFFSET)),
];

/// Runs it with the evaluation's clock and zone.
pub(crate) fn with_clock<T>(
    call: &Call<'_>,
    run: impl FnOnce(&Clock<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let (now, zone) = call.evaluation().with(|inner| (inner.now, inner.zone.clone()));
    run(&Clock { now, zone: &zone })
}

fn read(call: &Call<'_>, ty: Type) -> Answer {
    let text = call.text(0)?;
    match ty {
        Type::TIMESTAMPTZ | Type::TIMESTAMP | Type::DATE => {
            with_clock(call, |clock| value::from_text(ty, text, clock))
        }
        _ => value::from_text(ty, text, &Clock { now: 0, zone: &TimeZone::UTC }),
    }
}

fn write(call: &Call<'_>, ty: Type, place: usize) -> Answer {
    let zone = call.evaluation().with(|inner| inner.zone.clone());
    let settings = Settings { time_zone: zone, ..Settings::default() };
    Ok(Value::Text(value::text_of(ty, call.value(place), &settings)?.into_owned()))
}

/// OID, modifier, whether the cast is written, value.
fn modifier(call: &Call<'_>) -> Answer {
    let typmod = i32::try_from(call.int(1)?).map_err(|_| internal("a modifier is out of range"))?;
    let kept = Value::try_from(call.value(3)).map_err(|_| internal("a value cannot be read"))?;
    value::fit(ColumnType { ty: call.ty(0)?, typmod }, kept, call.bool(2)?)
}

/// So many significant digits, as PostgreSQL casts floating point.
fn digits(value: f64, count: usize) -> Answer {
    if value.is_infinite() {
        return Ok(Value::Text(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()));
    }
    let text = format!("{value:.places$e}", places = count - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    Ok(Value::Text(value::numeric::parse(&format!("{mantissa}e{exponent}"))?))
}

fn whole(call: &Call<'_>, ty: &str, min: i64, max: i64) -> Answer {
    let value = Numeric::kept(call.text(0)?)?;
    if !matches!(value, Numeric::Finite(..)) {
        let what = if value == Numeric::NaN { "NaN" } else { "infinity" };
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to {ty}")));
    }
    let rounded = value::numeric::round(&value, 0)?.to_string();
    match rounded.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => Ok(Value::Integer(value)),
        _ => Err(out_of_range(ty)),
    }
}

fn double(value: f64) -> Answer {
    if value.is_nan() { Err(SqlError::unsupported("NaN")) } else { Ok(Value::Real(value)) }
}

/// NULL is no limit.
fn row_count(call: &Call<'_>, word: &str, state: SqlState) -> Answer {
    if call.is_null(0) {
        return Ok(Value::Integer(if word == "LIMIT" { -1 } else { 0 }));
    }
    match call.int(0)? {
        count if count < 0 => Err(SqlError::new(state, format!("{word} must not be negative"))),
        count => Ok(Value::Integer(count)),
    }
}

/// The types whose elements arrays are made of here.
pub(crate) fn element(ty: Type) -> Result<Element, SqlError> {
    ty.element().ok_or_else(|| internal("an array is expected"))
}
