//! Text forms.

use std::borrow::Cow;
use std::io::Write as _;

use crate::base::{Element, Settings, SqlError, SqlState, Type};
use rusqlite::types::{Value, ValueRef};

use super::time::{self, Clock, Interval};
use super::{array, beyond, bytes, float, invalid, json, misplaced, numeric, uuid};

/// What PostgreSQL's output function says of a kept value that is not NULL.
pub(crate) fn to_text(
    ty: Type,
    value: ValueRef<'_>,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    match (ty, value) {
        (Type::Scalar(element), value) => scalar_text(element, value, settings, out),
        (_, ValueRef::Text(json)) => {
            let Some(element) = ty.element() else { return Err(misplaced("array")) };
            array::to_text(ty, element, json, settings, out)
        }
        _ => Err(misplaced("array")),
    }
}

fn scalar_text(
    element: Element,
    value: ValueRef<'_>,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    match (element, value) {
        (Element::Bool, ValueRef::Integer(value)) => out.push(if value == 0 { b'f' } else { b't' }),
        (Element::Timestamptz, ValueRef::Integer(at)) => {
            out.extend_from_slice(time::timestamptz_out(at, &settings.time_zone).as_bytes());
        }
        (Element::Timestamp, ValueRef::Integer(at)) => {
            out.extend_from_slice(time::timestamp_out(at).as_bytes());
        }
        (Element::Date, ValueRef::Integer(days)) => out.extend_from_slice(time::date_out(days).as_bytes()),
        (Element::Time, ValueRef::Integer(micros)) => {
            out.extend_from_slice(time::time_out(micros).as_bytes());
        }
        (Element::Interval, ValueRef::Text(kept)) => {
            let shown = Interval::from_stored(utf8(kept)?)?.show(settings.interval_style);
            out.extend_from_slice(shown.as_bytes());
        }
        (Element::Float4, value) => {
            #[expect(clippy::cast_possible_truncation, reason = "it was one")]
            let value = real(value)? as f32;
            float::put_float4(value, settings.extra_float_digits, out);
        }
        (Element::Float8, value) => float::put_float8(real(value)?, settings.extra_float_digits, out),
        (Element::Bytea, ValueRef::Blob(kept)) => bytes::to_text(kept, settings.bytea_escape, out),
        (_, ValueRef::Integer(value)) => {
            let _ = write!(out, "{value}");
        }
        (_, ValueRef::Text(kept)) => out.extend_from_slice(kept),
        (element, _) => return Err(misplaced(element.name())),
    }
    Ok(())
}

/// The same as a text of its own.
pub(crate) fn text_of<'a>(
    ty: Type,
    value: ValueRef<'a>,
    settings: &Settings,
) -> Result<Cow<'a, str>, SqlError> {
    if let (ValueRef::Text(kept), Type::Scalar(element)) = (value, ty)
        && element != Element::Interval
    {
        return utf8(kept).map(Cow::Borrowed);
    }
    let mut out = Vec::new();
    to_text(ty, value, settings, &mut out)?;
    String::from_utf8(out).map(Cow::Owned).map_err(|_| misplaced(&ty.name()))
}

/// A text as a value of a type, as it is kept. Errors as the type's input function gives them.
pub(crate) fn from_text(ty: Type, text: &str, clock: &Clock<'_>) -> Result<Value, SqlError> {
    match ty {
        Type::Scalar(element) => scalar(element, text, clock),
        _ => match ty.element() {
            Some(element) => array::from_text(element, text, clock).map(Value::Text),
            None => Err(misplaced("array")),
        },
    }
}

fn scalar(element: Element, text: &str, clock: &Clock<'_>) -> Result<Value, SqlError> {
    Ok(match element {
        Element::Bool => Value::Integer(i64::from(boolean(text)?)),
        Element::Int2 => Value::Integer(integer(text, "smallint", i16::MIN.into(), i16::MAX.into())?),
        Element::Int4 => Value::Integer(integer(text, "integer", i32::MIN.into(), i32::MAX.into())?),
        Element::Int8 => Value::Integer(integer(text, "bigint", i64::MIN, i64::MAX)?),
        Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => Value::Integer(oid(text, element)?),
        Element::Float4 => Value::Real(float::float4_in(text)?),
        Element::Float8 => Value::Real(float::float8_in(text)?),
        Element::Numeric => Value::Text(numeric::parse(text)?),
        Element::Bpchar => Value::Text(text.trim_end_matches(' ').to_owned()),
        Element::Name => Value::Text(cut(text, 63)),
        Element::Char => Value::Text(text.chars().next().map(String::from).unwrap_or_default()),
        Element::Bytea => Value::Blob(bytes::from_text(text)?),
        Element::Uuid => Value::Text(uuid::parse(text)?),
        Element::Timestamptz => Value::Integer(time::timestamptz_in(text, clock)?),
        Element::Timestamp => Value::Integer(time::timestamp_in(text, clock)?),
        Element::Date => Value::Integer(time::date_in(text, clock)?),
        Element::Time => Value::Integer(time::time_in(text)?),
        Element::Interval => Value::Text(Interval::parse(text)?.to_stored()),
        Element::Json => {
            json::check(text)?;
            Value::Text(text.to_owned())
        }
        Element::Jsonb => Value::Text(json::canonical(text)?),
        Element::Text | Element::Varchar | Element::Unknown => Value::Text(text.to_owned()),
        Element::Void | Element::Record | Element::NodeTree | Element::Aclitem | Element::Lsn => {
            let message = format!("cannot accept a value of type {}", element.name());
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    })
}

fn boolean(text: &str) -> Result<bool, SqlError> {
    let word = text.trim().to_ascii_lowercase();
    // Any beginning of a word that no other begins with.
    match word.as_str() {
        "1" | "on" => return Ok(true),
        "0" | "of" | "off" => return Ok(false),
        "" | "o" => return Err(invalid("boolean", text)),
        _ => {}
    }
    if "true".starts_with(&word) || "yes".starts_with(&word) {
        Ok(true)
    } else if "false".starts_with(&word) || "no".starts_with(&word) {
        Ok(false)
    } else {
        Err(invalid("boolean", text))
    }
}

fn integer(text: &str, ty: &str, min: i64, max: i64) -> Result<i64, SqlError> {
    let digits = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(ty, text));
    }
    match digits.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(beyond(ty, text)),
    }
}

/// Unsigned in 32 bits; a negative one counts from the end, as PostgreSQL takes it.
fn oid(text: &str, element: Element) -> Result<i64, SqlError> {
    if text == "-" && !matches!(element, Element::Oid | Element::Xid) {
        return Ok(0);
    }
    let value = integer(text, "oid", i64::MIN, i64::MAX)?;
    match value {
        0..=4_294_967_295 => Ok(value),
        -2_147_483_648..=-1 => Ok(value + 4_294_967_296),
        _ => Err(beyond("oid", text)),
    }
}

/// Not longer than so many bytes.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// A text that SQLite holds.
pub(super) fn utf8(kept: &[u8]) -> Result<&str, SqlError> {
    std::str::from_utf8(kept).map_err(|_| misplaced("text"))
}

/// SQLite keeps whole numbers as integers here and there.
pub(super) fn real(value: ValueRef<'_>) -> Result<f64, SqlError> {
    match value {
        ValueRef::Real(value) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "as SQLite's own CAST")]
        ValueRef::Integer(value) => Ok(value as f64),
        _ => Err(misplaced("double precision")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(ty: Type, text: &str) -> Result<String, SqlError> {
        let zone = jiff::tz::TimeZone::UTC;
        let value = from_text(ty, text, &Clock { now: 0, zone: &zone })?;
        text_of(ty, ValueRef::from(&value), &Settings::default()).map(Cow::into_owned)
    }

    #[test]
    fn texts_come_out_as_postgresql_writes_them() {
        for (ty, text, expected) in [
            (Type::BOOL, " TRUE", "t"),
            (Type::BOOL, "n", "f"),
            (Type::INT4, " -7 ", "-7"),
            (Type::INT8, "-9223372036854775808", "-9223372036854775808"),
            (Type::FLOAT8, "1e3", "1000"),
            (Type::FLOAT8, "1e20", "1e+20"),
            (Type::FLOAT8, "0.00001", "1e-05"),
            (Type::FLOAT4, "3.14", "3.14"),
            (Type::NUMERIC, "1.50", "1.50"),
            (Type::NUMERIC, "-0012.3e2", "-1230"),
            (Type::BPCHAR, "ab  ", "ab"),
            (Type::BYTEA, "\\xDEad", "\\xdead"),
            (Type::BYTEA, "a\\001b\\\\", "\\x6101625c"),
            (Type::UUID, "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            (Type::OID, "-1", "4294967295"),
            (Type::JSONB, " {\"b\":1, \"a\":[1.50,true,null]} ", "{\"a\": [1.50, true, null], \"b\": 1}"),
            (Type::Array(Element::Int4), "{1, NULL,3}", "{1,NULL,3}"),
            (Type::Array(Element::Text), "{a,\"b c\",\"\\\"\"}", "{a,\"b c\",\"\\\"\"}"),
            (Type::Array(Element::Int4), "{{1,2},{3,4}}", "{{1,2},{3,4}}"),
            (Type::DATE, "2024-02-29", "2024-02-29"),
            (Type::TIMESTAMPTZ, "2024-02-29 12:00:00.5+02", "2024-02-29 10:00:00.5+00"),
            (Type::TIMESTAMP, "2024-02-29T12:00:00", "2024-02-29 12:00:00"),
            (Type::TIME, "4:05", "04:05:00"),
            (Type::INTERVAL, "1 year 2 mons 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7"),
        ] {
            assert_eq!(round(ty, text).as_deref(), Ok(expected), "{ty:?} {text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (ty, text, state) in [
            (Type::INT4, "2147483648", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
            (Type::INT4, "1.5", SqlState::INVALID_TEXT_REPRESENTATION),
            (Type::BOOL, "o", SqlState::INVALID_TEXT_REPRESENTATION),
            (Type::UUID, "a0", SqlState::INVALID_TEXT_REPRESENTATION),
            (Type::JSON, "{a:1}", SqlState::INVALID_TEXT_REPRESENTATION),
            (Type::DATE, "2023-02-29", SqlState::DATETIME_FIELD_OVERFLOW),
            (Type::DATE, "x", SqlState::INVALID_DATETIME_FORMAT),
            (Type::Array(Element::Int4), "{1,{2}}", SqlState::INVALID_TEXT_REPRESENTATION),
        ] {
            assert_eq!(round(ty, text).map_err(|error| error.state), Err(state), "{ty:?} {text}");
        }
    }
}
