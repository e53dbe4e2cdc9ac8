//! Arrays to strings and back.

use super::shape::{element, read};
use crate::functions::call::{Answer, Call, Scalar, bounded, evaluated_pure, pure};
use crate::functions::output::settings;
use crate::value::array::literal::write_plain;
use crate::value::array::{Array, Item};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] =
    &[evaluated_pure("fl_array_to_string", 4, joined), pure("fl_string_to_array", 3, split)];

/// The OID of the array's type, the array, a delimiter, and what stands for NULL; NULL elements are left out if
/// nothing does.
fn joined(call: &Call<'_>) -> Answer {
    if call.is_null(1) || call.is_null(2) {
        return Ok(Value::Null);
    }
    let (element, array, delimiter) = (element(call, 0)?, read(call, 1)?, call.text(2)?);
    let settings = settings(call.evaluation());
    let (mut out, mut first) = (Vec::new(), true);
    for item in &array.items {
        if item.is_null() && call.is_null(3) {
            continue;
        }
        if !first {
            out.extend(delimiter.bytes());
        }
        first = false;
        if item.is_null() {
            out.extend(call.text(3)?.bytes());
        } else {
            write_plain(item, element, &settings, &mut out)?;
        }
        bounded(out.len())?;
    }
    Ok(String::from_utf8_lossy(&out).into_owned().into())
}

/// A text, a delimiter (NULL: every character by itself), and the part that stands for NULL.
fn split(call: &Call<'_>) -> Answer {
    if call.is_null(0) {
        return Ok(Value::Null);
    }
    let text = call.text(0)?;
    let null = if call.is_null(2) { None } else { Some(call.text(2)?) };
    let item = |part: &str| if Some(part) == null { Item::Null } else { Item::Text(part.to_owned().into()) };
    let items = match if call.is_null(1) { None } else { Some(call.text(1)?) } {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(|character| item(character.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![item(text)],
        Some(delimiter) => text.split(delimiter).map(item).collect(),
    };
    Ok(Array::flat(items).value())
}
