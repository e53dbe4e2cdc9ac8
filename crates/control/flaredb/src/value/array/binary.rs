//! PostgreSQL's binary form of arrays.

use super::{Array, Item, MOST_DIMENSIONS};
use crate::base::error::SqlError;
use crate::base::types::{Element, Type};
use crate::value::binary::{Bytes, damaged, from_binary, to_binary};
use rusqlite::types::ValueRef;

/// Writes the header, and each element with its length. `from` is the first subscript.
pub(crate) fn write(kept: &str, element: Element, from: i32, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let array = Array::read(kept)?;
    let has_null = array.items.iter().any(Item::is_null);
    out.extend(word(array.dimensions.len()));
    out.extend(word(usize::from(has_null)));
    out.extend(element.oid().to_be_bytes());
    for length in &array.dimensions {
        out.extend(word(*length));
        out.extend(from.to_be_bytes());
    }
    for item in array.items {
        if item.is_null() {
            out.extend((-1_i32).to_be_bytes());
            continue;
        }
        let start = out.len();
        out.extend([0; 4]);
        let value = item.into_value(element)?;
        to_binary(Type::Scalar(element), ValueRef::from(&value), out)?;
        let length = word(out.len() - start - 4);
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length);
        }
    }
    Ok(())
}

fn word(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads an array of these elements. Errors: 22P03.
pub(crate) fn read(bytes: &[u8], element: Element) -> Result<Array<'static>, SqlError> {
    let mut bytes = Bytes(bytes);
    let (count, _flags, _oid) = (bytes.int()?, bytes.int()?, bytes.int()?);
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST_DIMENSIONS).ok_or_else(damaged)?;
    let mut array = Array::default();
    for _ in 0..count {
        let length = usize::try_from(bytes.int()?).map_err(|_| damaged())?;
        let from = bytes.int()?;
        if from != 1 && length > 0 {
            return Err(SqlError::unsupported("an array whose subscripts do not begin at 1"));
        }
        array.dimensions.push(length);
    }
    let total = array.dimensions.iter().try_fold(1_usize, |all, length| all.checked_mul(*length));
    let total = if count == 0 { 0 } else { total.ok_or_else(damaged)? };
    for _ in 0..total {
        let length = bytes.int()?;
        array.items.push(match usize::try_from(length) {
            Ok(length) => Item::from_value(from_binary(Type::Scalar(element), bytes.take(length)?)?),
            Err(_) => Item::Null,
        });
    }
    if array.items.is_empty() {
        array.dimensions.clear();
    }
    bytes.end()?;
    Ok(array)
}
