//! Values: from text and binary to how they are kept, and back.

use crate::base::Settings;
use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use crate::functions::call::{float, int, text as text_in};
use rusqlite::types::{Value, ValueRef};

pub(crate) mod array;
pub(crate) mod binary;
pub(crate) mod bytea;
pub(crate) mod float;
pub(crate) mod format_type;
pub(crate) mod json;
pub(crate) mod numeric;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod typmod;

pub(crate) use binary::{from_binary, to_binary};
pub(crate) use format_type::format_type;
pub(crate) use typmod::fit;

/// Writes PostgreSQL's text of a kept value that is not NULL. Errors: XX000 for what is not kept so.
pub(crate) fn to_text(
    ty: Type,
    value: ValueRef<'_>,
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let element = match ty {
        Type::Scalar(element) => element,
        Type::Array(element) => return array::literal::write(text_in(value)?, element, settings, out),
        Type::Int2Vector | Type::OidVector => return vector(text_in(value)?, out),
    };
    match (element, value) {
        (Element::Bool, _) => out.push(if int(value)? == 0 { b'f' } else { b't' }),
        (Element::Float8, _) => float::write8(float(value)?, settings.extra_float_digits, out),
        (Element::Float4, _) => float::write4(float(value)?, settings.extra_float_digits, out),
        (Element::Bytea, ValueRef::Blob(bytes)) if settings.bytea_escape => bytea::write_escaped(bytes, out),
        (Element::Bytea, ValueRef::Blob(bytes)) => bytea::write_hex(bytes, out),
        (Element::Timestamptz, _) => {
            out.extend(time::timestamptz_out(int(value)?, &settings.time_zone).bytes());
        }
        (Element::Timestamp, _) => out.extend(time::timestamp_out(int(value)?).bytes()),
        (Element::Date, _) => out.extend(time::date_out(int(value)?).bytes()),
        (Element::Time, _) => out.extend(time::time_out(int(value)?).bytes()),
        (Element::Interval, _) => {
            let interval = time::Interval::from_stored(text_in(value)?)?;
            out.extend(interval.show(settings.interval_style).bytes());
        }
        (Element::Void, _) => {}
        (_, ValueRef::Integer(value)) => digits(value, out),
        // What is kept as text is its own text, and was checked when it came in.
        (_, ValueRef::Text(bytes)) => out.extend_from_slice(bytes),
        (_, other) => out.extend(text_in(other)?.bytes()),
    }
    Ok(())
}

/// Writes an integer without a detour.
fn digits(value: i64, out: &mut Vec<u8>) {
    let mut rest = value.unsigned_abs();
    let mut buffer = [0_u8; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(buffer.get(at..).unwrap_or_default());
}

/// `1 2 3`.
fn vector(kept: &str, out: &mut Vec<u8>) -> Result<(), SqlError> {
    for (place, item) in array::Array::read(kept)?.items.iter().enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        if let array::Item::Integer(value) = item {
            digits(*value, out);
        }
    }
    Ok(())
}

/// Reads PostgreSQL's text of a value, as it is kept. Errors: those of the type's input.
pub(crate) fn from_text(ty: Type, text: &str, clock: &time::Clock<'_>) -> Result<Value, SqlError> {
    let element = match ty {
        Type::Scalar(element) => element,
        Type::Array(element) => return Ok(array::literal::read(text, element, clock)?.value()),
        Type::Int2Vector => {
            return vector_in(text, |word| text::int_in(word, i16::MIN.into(), i16::MAX.into(), "smallint"));
        }
        Type::OidVector => return vector_in(text, text::oid_in),
    };
    match element {
        Element::Timestamptz => Ok(Value::Integer(time::timestamptz_in(text, clock)?)),
        Element::Timestamp => Ok(Value::Integer(time::timestamp_in(text, clock)?)),
        Element::Date => Ok(Value::Integer(time::date_in(text, clock)?)),
        _ => plain_from_text(element, text),
    }
}

fn vector_in(text: &str, read: impl Fn(&str) -> Result<i64, SqlError>) -> Result<Value, SqlError> {
    let words = text.split_ascii_whitespace().map(|word| read(word).map(array::Item::Integer));
    Ok(array::Array::flat(words.collect::<Result<_, _>>()?).value())
}

/// Types whose text depends on no clock.
pub(crate) fn plain_from_text(element: Element, text: &str) -> Result<Value, SqlError> {
    let int = |least: i64, most: i64, name| text::int_in(text, least, most, name).map(Value::Integer);
    match element {
        Element::Bool => Ok(Value::Integer(i64::from(text::bool_in(text)?))),
        Element::Int2 => int(i16::MIN.into(), i16::MAX.into(), "smallint"),
        Element::Int4 => int(i32::MIN.into(), i32::MAX.into(), "integer"),
        Element::Int8 => int(i64::MIN, i64::MAX, "bigint"),
        Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => Ok(Value::Integer(text::oid_in(text)?)),
        Element::Float4 => Ok(Value::Real(float::read4(text)?)),
        Element::Float8 => Ok(Value::Real(float::read8(text)?)),
        Element::Numeric => Ok(numeric::Numeric::parse(text)?.kept()),
        Element::Bpchar => Ok(Value::Text(text.trim_end_matches(' ').to_owned())),
        Element::Name => Ok(Value::Text(text::name_in(text).to_owned())),
        Element::Char => Ok(Value::Text(text::char_in(text))),
        Element::Bytea => Ok(Value::Blob(bytea::read(text)?)),
        Element::Uuid => Ok(Value::Text(text::uuid_in(text)?)),
        Element::Time => Ok(Value::Integer(time::time_in(text)?)),
        Element::Interval => Ok(Value::Text(time::Interval::parse(text)?.to_stored())),
        Element::Json => json::check(text).map(|()| Value::Text(text.to_owned())),
        Element::Jsonb => Ok(Value::Text(json::canonical(text)?)),
        Element::Void => Ok(Value::Text(String::new())),
        Element::Record => Err(SqlError::unsupported("input of anonymous composite types")),
        Element::Timestamptz | Element::Timestamp | Element::Date => {
            Err(SqlError::unsupported("a time without a clock"))
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}
