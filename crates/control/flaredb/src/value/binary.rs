//! PostgreSQL's binary forms.

use super::array;
use super::numeric::Numeric;
use crate::base::error::{SqlError, SqlState};
use crate::base::types::{Element, Type};
use crate::functions::call::{float, int, text};
use crate::functions::number::float::number;
use rusqlite::types::{Value, ValueRef};

/// From 1970 to 2000: PostgreSQL counts from there.
const MICROS: i64 = 946_684_800_000_000;
const DAYS: i64 = 10_957;

/// `incorrect binary data format`.
pub(crate) fn damaged() -> SqlError {
    SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
}

/// Bytes that are read piece by piece.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], SqlError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SqlError> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }

    pub(crate) fn int(&mut self) -> Result<i32, SqlError> {
        self.array().map(i32::from_be_bytes)
    }

    fn long(&mut self) -> Result<i64, SqlError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Refuses what is left.
    pub(crate) fn end(&self) -> Result<(), SqlError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged()) }
    }
}

/// Writes the binary form of a value that is not NULL.
pub(crate) fn to_binary(ty: Type, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let element = match ty {
        Type::Scalar(element) => element,
        Type::Array(element) => return array::binary::write(text(value)?, element, 1, out),
        Type::Int2Vector => return array::binary::write(text(value)?, Element::Int2, 0, out),
        Type::OidVector => return array::binary::write(text(value)?, Element::Oid, 0, out),
    };
    match element {
        Element::Bool => out.push(u8::from(int(value)? != 0)),
        Element::Int2 => out.extend((int(value)? as i16).to_be_bytes()),
        Element::Int8 | Element::Time => out.extend(int(value)?.to_be_bytes()),
        Element::Int4 => out.extend((int(value)? as i32).to_be_bytes()),
        Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => out.extend((int(value)? as u32).to_be_bytes()),
        Element::Float4 => out.extend((float(value)? as f32).to_be_bytes()),
        Element::Float8 => out.extend(float(value)?.to_be_bytes()),
        Element::Numeric => Numeric::from_kept(text(value)?)?.to_binary(out),
        Element::Bytea => out.extend(crate::functions::call::bytes(value)?),
        Element::Uuid => uuid(text(value)?, out),
        Element::Timestamptz | Element::Timestamp => out.extend(moved(int(value)?, -MICROS).to_be_bytes()),
        Element::Date => out.extend(moved_date(int(value)?, -DAYS)?.to_be_bytes()),
        Element::Interval => interval(text(value)?, out)?,
        Element::Jsonb => {
            out.push(1);
            out.extend(text(value)?.bytes());
        }
        Element::Char => out.push(text(value)?.bytes().next().unwrap_or(0)),
        Element::Void => {}
        _ => out.extend(text(value)?.bytes()),
    }
    Ok(())
}

/// The infinities stay where they are.
fn moved(micros: i64, by: i64) -> i64 {
    if micros == i64::MAX || micros == i64::MIN { micros } else { micros.saturating_add(by) }
}

fn moved_date(days: i64, by: i64) -> Result<i32, SqlError> {
    let infinite = days == i64::from(i32::MAX) || days == i64::from(i32::MIN);
    i32::try_from(if infinite { days } else { days + by }).map_err(|_| damaged())
}

fn uuid(text: &str, out: &mut Vec<u8>) {
    let mut digits = text.chars().filter_map(|character| character.to_digit(16));
    while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
        out.push((high << 4 | low) as u8);
    }
}

fn interval(kept: &str, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let mut parts = kept.split(' ').map(|part| part.parse::<i64>().map_err(|_| damaged()));
    let mut next = || parts.next().unwrap_or_else(|| Err(damaged()));
    let (months, days, micros) = (next()?, next()?, next()?);
    out.extend(micros.to_be_bytes());
    out.extend((days as i32).to_be_bytes());
    out.extend((months as i32).to_be_bytes());
    Ok(())
}

/// Reads the binary form of a value. Errors: 22P03, and those of the type's own.
pub(crate) fn from_binary(ty: Type, bytes: &[u8]) -> Result<Value, SqlError> {
    let element = match ty {
        Type::Scalar(element) => element,
        Type::Array(element) => return Ok(array::binary::read(bytes, element)?.value()),
        Type::Int2Vector | Type::OidVector => {
            return Err(SqlError::unsupported(format!("binary input of type {}", ty.name())));
        }
    };
    let mut rest = Bytes(bytes);
    let value = match element {
        Element::Bool => Value::Integer(i64::from(rest.array::<1>()? != [0])),
        Element::Int2 => Value::Integer(i16::from_be_bytes(rest.array()?).into()),
        Element::Int4 => Value::Integer(rest.int()?.into()),
        Element::Int8 | Element::Time => Value::Integer(rest.long()?),
        Element::Oid
        | Element::Xid
        | Element::Regclass
        | Element::Regtype
        | Element::Regproc
        | Element::Regnamespace
        | Element::Regrole => Value::Integer(u32::from_be_bytes(rest.array()?).into()),
        Element::Float4 => Value::Real(number(f32::from_be_bytes(rest.array()?).into())?),
        Element::Float8 => Value::Real(number(f64::from_be_bytes(rest.array()?))?),
        Element::Timestamptz | Element::Timestamp => Value::Integer(moved(rest.long()?, MICROS)),
        Element::Date => Value::Integer(moved_date(rest.int()?.into(), DAYS)?.into()),
        Element::Uuid => Value::Text(super::text::uuid_of(&rest.array()?)),
        Element::Interval => {
            let (micros, days, months) = (rest.long()?, rest.int()?, rest.int()?);
            Value::Text(format!("{months} {days} {micros}"))
        }
        Element::Bytea => return Ok(Value::Blob(bytes.to_vec())),
        Element::Numeric => return Ok(Numeric::from_binary(bytes)?.kept()),
        Element::Jsonb => {
            let Some((1, body)) = bytes.split_first() else { return Err(damaged()) };
            return super::plain_from_text(element, utf8(body)?);
        }
        _ => return super::plain_from_text(element, utf8(bytes)?),
    };
    rest.end()?;
    Ok(value)
}

/// As text. Errors: 22021.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, SqlError> {
    let refused = |bytes: &[u8]| {
        let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let wrong = bytes.get(error.valid_up_to()..).unwrap_or_default();
        let shown = error
            .error_len()
            .map_or(wrong.len(), |length| length.max(character_length(wrong)).min(wrong.len()));
        refused(wrong.get(..shown).unwrap_or_default())
    })?;
    if memchr::memchr(0, bytes).is_some() { Err(refused(&[0])) } else { Ok(text) }
}

/// How many bytes the first one announces.
fn character_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => 1,
    }
}
