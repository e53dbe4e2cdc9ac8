//! JSON out of values of any type.

use super::read::{refused, texts};
use crate::base::Settings;
use crate::base::error::{SqlError, SqlState};
use crate::base::types::{Element, Type};
use crate::functions::call::{Answer, Call, Scalar, bounded, evaluated, evaluated_pure, strict, text};
use crate::functions::output::{settings, text_of};
use crate::value::array::{Array, Item};
use crate::value::json::{Kind, canonical, parse, quoted};
use crate::value::to_text;
use rusqlite::types::{Value, ValueRef};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    evaluated("fl_to_json", 2, |call| Ok(json_of(call, 0)?.into())),
    evaluated("fl_to_jsonb", 2, |call| Ok(canonical(&json_of(call, 0)?)?.into())),
    evaluated("fl_array_to_json", 3, array_to_json),
    evaluated_pure("fl_to_json_item", 2, item),
    evaluated("fl_json_key", 2, |call| Ok(key(call, 0)?.into())),
    evaluated_pure("fl_json_build_array", -1, |call| Ok(array(call)?.into())),
    evaluated_pure("fl_jsonb_build_array", -1, |call| Ok(canonical(&array(call)?)?.into())),
    evaluated_pure("fl_json_build_object", -1, |call| Ok(object(call, "json_build_object")?.into())),
    evaluated_pure("fl_jsonb_build_object", -1, |call| {
        Ok(canonical(&object(call, "jsonb_build_object")?)?.into())
    }),
    strict("fl_json_object", 1, pairs),
    strict("fl_json_object", 2, zipped),
];

/// The JSON of a value, whose type's OID stands before it. NULL is `null`.
fn json_of(call: &Call<'_>, place: usize) -> Result<String, SqlError> {
    let mut out = String::new();
    write(call.ty(place)?, call.value(place + 1), &settings(call.evaluation()), &mut out)?;
    bounded(out.len())?;
    Ok(out)
}

fn write(ty: Type, value: ValueRef<'_>, settings: &Settings, out: &mut String) -> Result<(), SqlError> {
    let element = match ty {
        _ if value == ValueRef::Null => {
            out.push_str("null");
            return Ok(());
        }
        Type::Scalar(element) => element,
        Type::Array(element) => return write_array(text(value)?, element, settings, out),
        Type::Int2Vector => return write_array(text(value)?, Element::Int2, settings, out),
        Type::OidVector => return write_array(text(value)?, Element::Oid, settings, out),
    };
    if element == Element::Bool {
        out.push_str(if crate::functions::call::int(value)? == 0 { "false" } else { "true" });
        return Ok(());
    }
    let mut shown = Vec::new();
    to_text(ty, value, settings, &mut shown)?;
    let shown = String::from_utf8_lossy(&shown);
    match element {
        Element::Json | Element::Jsonb => out.push_str(&shown),
        Element::Int2 | Element::Int4 | Element::Int8 => out.push_str(&shown),
        Element::Float4 | Element::Float8 | Element::Numeric if !shown.contains(['N', 'y']) => {
            out.push_str(&shown);
        }
        Element::Record if parse(&shown).is_ok_and(|node| node.is_container()) => out.push_str(&shown),
        Element::Timestamp | Element::Timestamptz => quoted(&iso(&shown, element), out),
        _ => quoted(&shown, out),
    }
    Ok(())
}

/// A moment as JSON has it: `T` before the time, and minutes in the zone's offset.
fn iso(shown: &str, element: Element) -> String {
    let moment = shown.replacen(' ', "T", 1);
    if element == Element::Timestamp {
        return moment;
    }
    let (moment, era) = moment.strip_suffix(" BC").map_or((moment.as_str(), ""), |moment| (moment, " BC"));
    let hours_only = moment
        .len()
        .checked_sub(3)
        .and_then(|at| moment.as_bytes().get(at))
        .is_some_and(|sign| matches!(sign, b'+' | b'-'));
    let minutes = if hours_only && moment.contains('T') { ":00" } else { "" };
    format!("{moment}{minutes}{era}")
}

fn write_array(kept: &str, element: Element, settings: &Settings, out: &mut String) -> Result<(), SqlError> {
    let array = Array::read(kept)?;
    if array.items.is_empty() {
        out.push_str("[]");
        return Ok(());
    }
    let depth = array.dimensions.len();
    let opened: Vec<usize> = (0..array.items.len()).map(|place| array.boundaries(place)).collect();
    for ((place, item), opened) in array.items.into_iter().enumerate().zip(opened) {
        if place > 0 {
            (0..opened).for_each(|_| out.push(']'));
            out.push(',');
        }
        (0..if place == 0 { depth } else { opened }).for_each(|_| out.push('['));
        let value = item.into_value(element)?;
        write(Type::Scalar(element), (&value).into(), settings, out)?;
    }
    (0..depth).for_each(|_| out.push(']'));
    Ok(())
}

/// The OID of an array's type, the array, and whether each part of it stands on a line of its own.
fn array_to_json(call: &Call<'_>) -> Answer {
    let json = json_of(call, 0)?;
    if !call.bool(2)? {
        return Ok(json.into());
    }
    match parse(&json)?.kind {
        Kind::Array(items) => {
            let parts: Vec<&str> = items.iter().map(|item| item.raw).collect();
            Ok(format!("[{}]", parts.join(",\n ")).into())
        }
        _ => Ok(json.into()),
    }
}

/// For `json_agg`: what has parts stands on a line of its own.
fn item(call: &Call<'_>) -> Answer {
    let json = json_of(call, 0)?;
    let own_line = call.ty(0)?.element().is_some() || call.ty(0)? == Type::RECORD;
    Ok(if own_line && !call.is_null(1) { format!("\n {json}") } else { json }.into())
}

/// The text of a key.
fn key(call: &Call<'_>, place: usize) -> Result<String, SqlError> {
    match call.ty(place)? {
        Type::Scalar(Element::Json | Element::Jsonb | Element::Record) | Type::Array(_) => {
            Err(refused("key value must be scalar, not array, composite, or json"))
        }
        // In JSON's words, unlike the type's own.
        Type::BOOL => Ok(if call.bool(place + 1)? { "true" } else { "false" }.to_owned()),
        ty => Ok(text_of(ty, call.value(place + 1), call.evaluation())?.into_owned()),
    }
}

fn array(call: &Call<'_>) -> Result<String, SqlError> {
    let parts: Result<Vec<String>, _> =
        (0..call.count()).step_by(2).map(|place| json_of(call, place)).collect();
    Ok(format!("[{}]", parts?.join(", ")))
}

/// Keys and values in turn, each behind the OID of its type. `name` is the function's.
fn object(call: &Call<'_>, name: &str) -> Result<String, SqlError> {
    if !call.count().is_multiple_of(4) {
        let hint = format!("The arguments of {name}() must consist of alternating keys and values.");
        return Err(refused("argument list must have even number of elements").with_hint(hint));
    }
    let mut out = String::from("{");
    for place in (0..call.count()).step_by(4) {
        if call.is_null(place + 1) {
            let number = place / 2 + 1;
            return Err(if name.starts_with("jsonb") {
                refused(format!("argument {number}: key must not be null"))
            } else {
                refused(format!("argument {number} cannot be null")).with_hint("Object keys should be text.")
            });
        }
        if place > 0 {
            out.push_str(", ");
        }
        quoted(&key(call, place)?, &mut out);
        out.push_str(" : ");
        out.push_str(&json_of(call, place + 2)?);
    }
    out.push('}');
    Ok(out)
}

fn subscripts(message: &str) -> SqlError {
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

/// An object of an array: keys and values in turn, or in two columns.
fn pairs(call: &Call<'_>) -> Answer {
    let array = Array::read(call.text(0)?)?;
    match array.dimensions.as_slice() {
        [] => {}
        [length] if length % 2 == 1 => return Err(subscripts("array must have even number of elements")),
        [_] | [_, 2] => {}
        [_, _] => return Err(subscripts("array must have two columns")),
        _ => return Err(subscripts("wrong number of array subscripts")),
    }
    let items: Vec<Option<String>> = array.items.into_iter().map(owned).collect();
    object_of(items.chunks(2).map(|pair| (pair.first().cloned().flatten(), pair.get(1).cloned().flatten())))
}

fn owned(item: Item<'_>) -> Option<String> {
    if let Item::Text(text) = item { Some(text.into_owned()) } else { None }
}

/// An object of an array of keys and one of values.
fn zipped(call: &Call<'_>) -> Answer {
    let depth = |place| Ok::<_, SqlError>(Array::read(call.text(place)?)?.dimensions.len());
    if depth(0)? > 1 || depth(1)? > 1 {
        return Err(subscripts("wrong number of array subscripts"));
    }
    if depth(0)? != depth(1)? {
        return Err(subscripts(if depth(0)? == 0 {
            "wrong number of array subscripts"
        } else {
            "mismatched array dimensions"
        }));
    }
    let (keys, values) = (texts(call.text(0)?)?, texts(call.text(1)?)?);
    if keys.len() != values.len() {
        return Err(subscripts("mismatched array dimensions"));
    }
    object_of(keys.into_iter().zip(values))
}

fn object_of(pairs: impl Iterator<Item = (Option<String>, Option<String>)>) -> Answer {
    let mut out = String::from("{");
    for (place, (key, value)) in pairs.enumerate() {
        let null =
            || SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key");
        if place > 0 {
            out.push_str(", ");
        }
        quoted(&key.ok_or_else(null)?, &mut out);
        out.push_str(" : ");
        match value {
            Some(value) => quoted(&value, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(Value::Text(out))
}
