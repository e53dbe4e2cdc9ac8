//! Binary forms, as PostgreSQL's send and receive functions have them.

use crate::base::{Element, SqlError, SqlState, Type};
use rusqlite::types::{Value, ValueRef};
use serde_json::Value as Json;

use super::text::{real, utf8};
use super::time::Interval;
use super::{array, json, misplaced, numeric, uuid};

/// Microseconds and days from 1970, where they are kept from, to 2000, where PostgreSQL counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

/// Appends a kept value that is not NULL.
pub(crate) fn to_binary(ty: Type, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
    match (ty, value) {
        (Type::Scalar(element), value) => scalar(element, value, out),
        (_, ValueRef::Text(kept)) => {
            let Some(element) = ty.element() else { return Err(misplaced("array")) };
            let lower = if matches!(ty, Type::Int2Vector | Type::OidVector) { 0 } else { 1 };
            array_to_binary(element, lower, utf8(kept)?, out)
        }
        _ => Err(misplaced("array")),
    }
}

fn scalar(element: Element, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let wrong = || misplaced(element.name());
    match (element, value) {
        (Element::Bool, ValueRef::Integer(value)) => out.push(u8::from(value != 0)),
        (Element::Int2, ValueRef::Integer(value)) => {
            out.extend_from_slice(&i16::try_from(value).map_err(|_| wrong())?.to_be_bytes());
        }
        (Element::Int4, ValueRef::Integer(value)) => {
            out.extend_from_slice(&i32::try_from(value).map_err(|_| wrong())?.to_be_bytes());
        }
        (Element::Int8 | Element::Lsn, ValueRef::Integer(value)) => {
            out.extend_from_slice(&value.to_be_bytes());
        }
        (
            Element::Oid
            | Element::Xid
            | Element::Regclass
            | Element::Regtype
            | Element::Regproc
            | Element::Regnamespace
            | Element::Regrole,
            ValueRef::Integer(value),
        ) => out.extend_from_slice(&u32::try_from(value).map_err(|_| wrong())?.to_be_bytes()),
        #[expect(clippy::cast_possible_truncation, reason = "it was one")]
        (Element::Float4, value) => {
            out.extend_from_slice(&(real(value)? as f32).to_be_bytes());
        }
        (Element::Float8, value) => out.extend_from_slice(&real(value)?.to_be_bytes()),
        (Element::Numeric, ValueRef::Text(kept)) => numeric::to_binary(utf8(kept)?, out)?,
        (Element::Uuid, ValueRef::Text(kept)) => {
            out.extend_from_slice(&uuid::to_bytes(utf8(kept)?).ok_or_else(wrong)?);
        }
        (Element::Timestamptz | Element::Timestamp, ValueRef::Integer(at)) => {
            let shifted = if at == i64::MAX || at == i64::MIN { at } else { at.saturating_sub(EPOCH_MICROS) };
            out.extend_from_slice(&shifted.to_be_bytes());
        }
        (Element::Date, ValueRef::Integer(days)) => {
            let infinite = days == i64::from(i32::MAX) || days == i64::from(i32::MIN);
            let shifted = if infinite { days } else { days - EPOCH_DAYS };
            out.extend_from_slice(&i32::try_from(shifted).map_err(|_| wrong())?.to_be_bytes());
        }
        (Element::Time, ValueRef::Integer(micros)) => out.extend_from_slice(&micros.to_be_bytes()),
        (Element::Interval, ValueRef::Text(kept)) => {
            let interval = Interval::from_stored(utf8(kept)?)?;
            out.extend_from_slice(&interval.micros.to_be_bytes());
            out.extend_from_slice(&interval.days.to_be_bytes());
            out.extend_from_slice(&interval.months.to_be_bytes());
        }
        (Element::Jsonb, ValueRef::Text(kept)) => {
            out.push(1);
            out.extend_from_slice(kept);
        }
        (Element::Void, _) => {}
        (_, ValueRef::Text(kept) | ValueRef::Blob(kept)) => out.extend_from_slice(kept),
        _ => return Err(wrong()),
    }
    Ok(())
}

fn array_to_binary(element: Element, lower: i32, kept: &str, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let items = array::read(kept)?;
    let shape = if items.is_empty() { Vec::new() } else { array::same_shape(&items).unwrap_or_default() };
    let mut flat = Vec::new();
    flatten(&items, &mut flat);
    let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    out.extend_from_slice(&count(shape.len()).to_be_bytes());
    out.extend_from_slice(&i32::from(flat.iter().any(|item| item.is_null())).to_be_bytes());
    out.extend_from_slice(&element.oid().to_be_bytes());
    for length in &shape {
        out.extend_from_slice(&count(*length).to_be_bytes());
        out.extend_from_slice(&lower.to_be_bytes());
    }
    for item in flat {
        if item.is_null() {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        }
        let value = array::element_value(element, item)?;
        let place = out.len();
        out.extend_from_slice(&[0; 4]);
        scalar(element, ValueRef::from(&value), out)?;
        let length = count(out.len() - place - 4);
        out[place..place + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn flatten<'a>(items: &'a [Json], flat: &mut Vec<&'a Json>) {
    for item in items {
        match item {
            Json::Array(inner) => flatten(inner, flat),
            other => flat.push(other),
        }
    }
}

/// From bytes to how it is kept. Errors: 22P03, and what the type says of the value.
pub(crate) fn from_binary(ty: Type, bytes: &[u8]) -> Result<Value, SqlError> {
    match ty {
        Type::Scalar(element) => scalar_from(element, bytes),
        _ => match ty.element() {
            Some(element) => array_from(element, bytes).map(Value::Text),
            None => Err(misplaced("array")),
        },
    }
}

fn malformed(element: Element) -> SqlError {
    let message = format!("incorrect binary data format for type {}", element.name());
    SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

fn fixed<const N: usize>(element: Element, bytes: &[u8]) -> Result<[u8; N], SqlError> {
    bytes.try_into().map_err(|_| malformed(element))
}

fn scalar_from(element: Element, bytes: &[u8]) -> Result<Value, SqlError> {
    Ok(match element {
        Element::Bool => Value::Integer(i64::from(fixed::<1>(element, bytes)?[0] != 0)),
        Element::Int2 => Value::Integer(i16::from_be_bytes(fixed(element, bytes)?).into()),
        Element::Int4 => Value::Integer(i32::from_be_bytes(fixed(element, bytes)?).into()),
        Element::Int8 => Value::Integer(i64::from_be_bytes(fixed(element, bytes)?)),
        Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => Value::Integer(u32::from_be_bytes(fixed(element, bytes)?).into()),
        Element::Float4 => float(f32::from_be_bytes(fixed(element, bytes)?).into())?,
        Element::Float8 => float(f64::from_be_bytes(fixed(element, bytes)?))?,
        Element::Numeric => Value::Text(numeric::from_binary(bytes)?),
        Element::Uuid => Value::Text(uuid::of_bytes(&fixed(element, bytes)?)),
        Element::Timestamptz | Element::Timestamp => {
            let at = i64::from_be_bytes(fixed(element, bytes)?);
            let infinite = at == i64::MAX || at == i64::MIN;
            Value::Integer(if infinite { at } else { super::time::checked(at.checked_add(EPOCH_MICROS))? })
        }
        Element::Date => {
            let days = i64::from(i32::from_be_bytes(fixed(element, bytes)?));
            let infinite = days == i64::from(i32::MAX) || days == i64::from(i32::MIN);
            Value::Integer(if infinite { days } else { super::time::checked_date(days + EPOCH_DAYS)? })
        }
        Element::Time => {
            let micros = i64::from_be_bytes(fixed(element, bytes)?);
            if !(0..=86_400_000_000).contains(&micros) {
                return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "time out of range"));
            }
            Value::Integer(micros)
        }
        Element::Interval => {
            let all: [u8; 16] = fixed(element, bytes)?;
            let (micros, rest) = all.split_at(8);
            let (days, months) = rest.split_at(4);
            let interval = Interval {
                micros: i64::from_be_bytes(fixed(element, micros)?),
                days: i32::from_be_bytes(fixed(element, days)?),
                months: i32::from_be_bytes(fixed(element, months)?),
            };
            Value::Text(interval.to_stored())
        }
        Element::Bytea => Value::Blob(bytes.to_vec()),
        Element::Jsonb => match bytes.split_first() {
            Some((1, text)) => Value::Text(json::canonical(text_from(text)?)?),
            _ => return Err(SqlError::new(SqlState::INTERNAL_ERROR, "unsupported jsonb version number")),
        },
        other => {
            // The text form is the binary one.
            let zone = jiff::tz::TimeZone::UTC;
            let clock = super::time::Clock { now: 0, zone: &zone };
            super::from_text(Type::Scalar(other), text_from(bytes)?, &clock)?
        }
    })
}

fn float(value: f64) -> Result<Value, SqlError> {
    if value.is_nan() { Err(SqlError::unsupported("NaN")) } else { Ok(Value::Real(value)) }
}

/// A client's text: UTF-8 without NUL.
pub(crate) fn text_from(bytes: &[u8]) -> Result<&str, SqlError> {
    let invalid = |what: &str| {
        let message = format!("invalid byte sequence for encoding \"UTF8\": {what}");
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let from = &bytes[error.valid_up_to()..];
        let shown: Vec<String> = from.iter().take(4).map(|byte| format!("0x{byte:02x}")).collect();
        invalid(&shown.join(" "))
    })?;
    if text.contains('\0') { Err(invalid("0x00")) } else { Ok(text) }
}

fn array_from(element: Element, bytes: &[u8]) -> Result<String, SqlError> {
    let mut rest = bytes;
    let mut int = || -> Result<i32, SqlError> {
        let (first, behind) = rest.split_at_checked(4).ok_or_else(|| malformed(element))?;
        rest = behind;
        Ok(i32::from_be_bytes(fixed(element, first)?))
    };
    let (dimensions, _, oid) = (int()?, int()?, int()?);
    if !(0..=6).contains(&dimensions) || oid.cast_unsigned() != element.oid() {
        let message = "wrong element type, or too many dimensions";
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        let length = usize::try_from(int()?).map_err(|_| malformed(element))?;
        if int()? != 1 && dimensions > 0 {
            return Err(SqlError::unsupported("an array whose bounds are told"));
        }
        shape.push(length);
    }
    let total = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
    // Each element takes four bytes at least.
    let total = total.filter(|total| *total <= bytes.len() / 4).ok_or_else(|| malformed(element))?;
    let mut flat = Vec::new();
    for _ in 0..if shape.is_empty() { 0 } else { total } {
        let (length, behind) = rest.split_at_checked(4).ok_or_else(|| malformed(element))?;
        rest = behind;
        let length = i32::from_be_bytes(fixed(element, length)?);
        if length < 0 {
            flat.push(Json::Null);
            continue;
        }
        let length = usize::try_from(length).unwrap_or(0);
        let (value, behind) = rest.split_at_checked(length).ok_or_else(|| malformed(element))?;
        rest = behind;
        flat.push(array::element_json(&scalar_from(element, value)?));
    }
    if !rest.is_empty() {
        return Err(malformed(element));
    }
    for length in shape.iter().skip(1).rev() {
        if *length == 0 {
            return Ok("[]".to_owned());
        }
        flat = flat.chunks(*length).map(|chunk| Json::Array(chunk.to_vec())).collect();
    }
    Ok(Json::Array(flat).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn both_ways() {
        for (ty, value) in [
            (Type::BOOL, Value::Integer(1)),
            (Type::INT2, Value::Integer(-2)),
            (Type::INT4, Value::Integer(7)),
            (Type::INT8, Value::Integer(i64::MIN)),
            (Type::OID, Value::Integer(4_294_967_295)),
            (Type::FLOAT4, Value::Real(0.5)),
            (Type::FLOAT8, Value::Real(-0.1)),
            (Type::NUMERIC, kept("-12.30")),
            (Type::TEXT, kept("ä")),
            (Type::BYTEA, Value::Blob(vec![0, 255])),
            (Type::UUID, kept("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
            (Type::TIMESTAMPTZ, Value::Integer(0)),
            (Type::TIMESTAMPTZ, Value::Integer(i64::MAX)),
            (Type::DATE, Value::Integer(-1)),
            (Type::TIME, Value::Integer(1)),
            (Type::INTERVAL, kept("1 -2 3")),
            (Type::JSONB, kept("{\"a\": 1}")),
            (Type::Array(Element::Int4), kept("[1,null,3]")),
            (Type::Array(Element::Int4), kept("[[1,2],[3,4]]")),
            (Type::Array(Element::Text), kept("[]")),
            (Type::Array(Element::Bytea), kept("[\"\\\\x00ff\"]")),
        ] {
            let mut bytes = Vec::new();
            to_binary(ty, ValueRef::from(&value), &mut bytes).unwrap();
            assert_eq!(from_binary(ty, &bytes), Ok(value), "{ty:?}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let lying = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        assert!(from_binary(Type::Array(Element::Int4), &lying).is_err());
        assert!(from_binary(Type::INT4, &[1, 2]).is_err());
        assert!(from_binary(Type::TEXT, &[0xff]).is_err());
        assert!(from_binary(Type::JSONB, &[]).is_err());
    }
}
