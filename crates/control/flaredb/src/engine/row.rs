//! Values on their way through the log: as SQLite keeps them, one after the other.
//!
//! A value is a tag and what belongs to it: nothing for NULL, eight bytes (big-endian) for a number, a length as a
//! LEB128 varint and the bytes for text and blobs. Integers that fit a byte or four take that much.

use bytes::{Buf, BufMut};
use rusqlite::types::{Value, ValueRef};

const NULL: u8 = 0;
const INT8: u8 = 1;
const INT32: u8 = 2;
const INT64: u8 = 3;
const REAL: u8 = 4;
const TEXT: u8 = 5;
const BLOB: u8 = 6;

/// Bytes that are no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed values in the log")]
pub(crate) struct Malformed;

/// Appends a value.
pub(crate) fn put(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.put_u8(NULL),
        ValueRef::Integer(value) => put_integer(out, value),
        ValueRef::Real(value) => {
            out.put_u8(REAL);
            out.put_f64(value);
        }
        ValueRef::Text(bytes) => put_bytes(out, TEXT, bytes),
        ValueRef::Blob(bytes) => put_bytes(out, BLOB, bytes),
    }
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    if let Ok(small) = i8::try_from(value) {
        out.put_u8(INT8);
        out.put_i8(small);
    } else if let Ok(middle) = i32::try_from(value) {
        out.put_u8(INT32);
        out.put_i32(middle);
    } else {
        out.put_u8(INT64);
        out.put_i64(value);
    }
}

fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.put_u8(tag);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
    out.put_slice(bytes);
}

/// Takes the next value off.
pub(crate) fn take<'a>(from: &mut &'a [u8]) -> Result<ValueRef<'a>, Malformed> {
    let number = |from: &mut &'a [u8], size: usize| (from.len() >= size).then_some(()).ok_or(Malformed);
    let tag = from.try_get_u8().map_err(|_| Malformed)?;
    Ok(match tag {
        NULL => ValueRef::Null,
        INT8 => number(from, 1).map(|()| ValueRef::Integer(from.get_i8().into()))?,
        INT32 => number(from, 4).map(|()| ValueRef::Integer(from.get_i32().into()))?,
        INT64 => number(from, 8).map(|()| ValueRef::Integer(from.get_i64()))?,
        REAL => number(from, 8).map(|()| ValueRef::Real(from.get_f64()))?,
        TEXT => ValueRef::Text(take_bytes(from)?),
        BLOB => ValueRef::Blob(take_bytes(from)?),
        _ => return Err(Malformed),
    })
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let mut length = 0usize;
    for shift in (0..35).step_by(7) {
        let byte = from.try_get_u8().map_err(|_| Malformed)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (bytes, rest) = from.split_at_checked(length).ok_or(Malformed)?;
            *from = rest;
            return Ok(bytes);
        }
    }
    Err(Malformed)
}

/// All of them, owned.
pub(crate) fn values(mut from: &[u8]) -> Result<Vec<Value>, Malformed> {
    let mut values = Vec::new();
    while !from.is_empty() {
        values.push(owned(take(&mut from)?)?);
    }
    Ok(values)
}

fn owned(value: ValueRef<'_>) -> Result<Value, Malformed> {
    Value::try_from(value).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            (-300i64..300).prop_map(Value::Integer),
            any::<f64>().prop_filter("it has no equal", |real| !real.is_nan()).prop_map(Value::Real),
            ".{0,300}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(all in prop::collection::vec(value(), 0..8)) {
            let mut bytes = Vec::new();
            for value in &all {
                put(&mut bytes, value.into());
            }
            prop_assert_eq!(values(&bytes), Ok(all));
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = values(&bytes);
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        assert_eq!(values(&[TEXT, 5, b'a']), Err(Malformed));
        assert_eq!(values(&[BLOB, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Malformed));
        assert_eq!(values(&[INT64, 1]), Err(Malformed));
        assert_eq!(values(&[9]), Err(Malformed));
        assert_eq!(values(&[TEXT, 1, 0xff]), Err(Malformed), "text is UTF-8");
    }
}
