//! Arrays: PostgreSQL's `{…}`, kept as a JSON array of the elements as they are kept; several dimensions are arrays
//! of arrays.

use crate::base::{ColumnType, Element, Settings, SqlError, SqlState, Type};
use rusqlite::types::{Value, ValueRef};
use serde_json::Value as Json;

use super::bytes;
use super::misplaced;
use super::time::Clock;

/// Dimensions, at most.
const DEEPEST: usize = 6;

/// An array's JSON, read.
pub(crate) fn read(json: &str) -> Result<Vec<Json>, SqlError> {
    serde_json::from_str(json).map_err(|_| misplaced("array"))
}

/// An element as SQLite would keep it by itself.
pub(crate) fn element_value(element: Element, json: &Json) -> Result<Value, SqlError> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Integer(i64::from(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(value) if !matches!(element, Element::Float4 | Element::Float8) => Value::Integer(value),
            _ => Value::Real(number.as_f64().ok_or_else(|| misplaced("array"))?),
        },
        Json::String(text) if element == Element::Bytea => Value::Blob(bytes::from_text(text)?),
        // JSON has no infinity.
        Json::String(text) if matches!(element, Element::Float4 | Element::Float8) => {
            Value::Real(super::float::float8_in(text)?)
        }
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => return Err(misplaced("array")),
    })
}

/// The other way.
pub(crate) fn element_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(value) => Json::from(*value),
        Value::Real(value) => match serde_json::Number::from_f64(*value) {
            Some(number) => Json::Number(number),
            None => Json::String(super::float8_text(*value)),
        },
        Value::Text(text) => Json::String(text.clone()),
        Value::Blob(kept) => {
            let mut out = Vec::new();
            bytes::to_text(kept, false, &mut out);
            Json::String(String::from_utf8(out).unwrap_or_default())
        }
    }
}

/// Every element changed alike.
pub(crate) fn each(
    json: &str,
    change: &dyn Fn(Value) -> Result<Value, SqlError>,
) -> Result<String, SqlError> {
    fn changed(item: Json, change: &dyn Fn(Value) -> Result<Value, SqlError>) -> Result<Json, SqlError> {
        match item {
            Json::Array(items) => {
                items.into_iter().map(|item| changed(item, change)).collect::<Result<_, _>>().map(Json::Array)
            }
            other => Ok(element_json(&change(element_value(Element::Text, &other)?)?)),
        }
    }
    let items = read(json)?.into_iter().map(|item| changed(item, change)).collect::<Result<_, _>>()?;
    Ok(Json::Array(items).to_string())
}

/// `{1,2}`; of the vectors: `1 2`.
pub(super) fn to_text(
    ty: Type,
    element: Element,
    json: &[u8],
    settings: &Settings,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let items: Vec<Json> = serde_json::from_slice(json).map_err(|_| misplaced("array"))?;
    if matches!(ty, Type::Int2Vector | Type::OidVector) {
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(item.to_string().as_bytes());
        }
        return Ok(());
    }
    write(element, &items, settings, out)
}

fn write(element: Element, items: &[Json], settings: &Settings, out: &mut Vec<u8>) -> Result<(), SqlError> {
    out.push(b'{');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match item {
            Json::Null => out.extend_from_slice(b"NULL"),
            Json::Array(inner) => write(element, inner, settings, out)?,
            item => {
                let value = element_value(element, item)?;
                let text = super::text_of(Type::Scalar(element), ValueRef::from(&value), settings)?;
                quote(&text, out);
            }
        }
    }
    out.push(b'}');
    Ok(())
}

fn quote(text: &str, out: &mut Vec<u8>) {
    let special =
        |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',') || c.is_ascii_whitespace() || c == '\x0b';
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `{…}` to what is kept. Errors: 22P02 and those of the elements.
pub(super) fn from_text(element: Element, text: &str, clock: &Clock<'_>) -> Result<String, SqlError> {
    let mut reader = Reader { whole: text, rest: text.trim(), element, clock };
    if reader.rest.starts_with('[') {
        return Err(SqlError::unsupported("an array whose bounds are told"));
    }
    let items = reader.array(1)?;
    if !reader.rest.trim().is_empty() {
        return Err(reader.wrong("Junk after closing right brace."));
    }
    same_shape(&items).ok_or_else(|| {
        reader.wrong("Multidimensional arrays must have sub-arrays with matching dimensions.")
    })?;
    if matches!(items.as_slice(), [Json::Array(inner)] if inner.is_empty()) {
        return Ok("[]".to_owned());
    }
    Ok(Json::Array(items).to_string())
}

/// The lengths of each dimension, if they are the same everywhere.
pub(crate) fn same_shape(items: &[Json]) -> Option<Vec<usize>> {
    let mut inner: Option<Vec<usize>> = None;
    for item in items {
        let shape = match item {
            Json::Array(items) => same_shape(items)?,
            _ => Vec::new(),
        };
        match &inner {
            None => inner = Some(shape),
            Some(known) if *known == shape => {}
            Some(_) => return None,
        }
    }
    let mut shape = vec![items.len()];
    shape.extend(inner.unwrap_or_default());
    Some(shape)
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    element: Element,
    clock: &'a Clock<'a>,
}

impl Reader<'_> {
    fn wrong(&self, detail: &str) -> SqlError {
        let shown: String = self.whole.chars().take(200).collect();
        let message = format!("malformed array literal: \"{shown}\"");
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_detail(detail)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Json>, SqlError> {
        let Some(rest) = self.rest.strip_prefix('{') else {
            return Err(self.wrong("Array value must start with \"{\" or dimension information."));
        };
        if depth > DEEPEST {
            let message =
                format!("number of array dimensions ({depth}) exceeds the maximum allowed ({DEEPEST})");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.rest = rest;
        let mut items = Vec::new();
        self.blank();
        if let Some(rest) = self.rest.strip_prefix('}') {
            self.rest = rest;
            return Ok(items);
        }
        loop {
            self.blank();
            items.push(if self.rest.starts_with('{') {
                Json::Array(self.array(depth + 1)?)
            } else {
                self.item()?
            });
            self.blank();
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix('}') {
                self.rest = rest;
                return Ok(items);
            } else {
                return Err(self.wrong("Unexpected end of input."));
            }
        }
    }

    fn item(&mut self) -> Result<Json, SqlError> {
        let quoted = self.rest.starts_with('"');
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        if quoted {
            chars.next();
        }
        let mut end = None;
        let mut escaped = false;
        let mut kept = 0;
        while let Some((place, c)) = chars.next() {
            match c {
                '\\' => {
                    let Some((_, c)) = chars.next() else {
                        return Err(self.wrong("Unexpected end of input."));
                    };
                    text.push(c);
                    escaped = true;
                    kept = text.len();
                }
                '"' if quoted => {
                    end = Some(place + 1);
                    break;
                }
                '"' => return Err(self.wrong("Incorrectly quoted array element.")),
                ',' | '}' if !quoted => {
                    end = Some(place);
                    break;
                }
                '{' if !quoted => return Err(self.wrong("Unexpected \"{\" character.")),
                c => text.push(c),
            }
        }
        let Some(end) = end else { return Err(self.wrong("Unexpected end of input.")) };
        self.rest = &self.rest[end..];
        if !quoted {
            let trimmed = text.trim_end().len().max(kept);
            text.truncate(trimmed);
            if text.is_empty() {
                return Err(self.wrong("Unexpected \",\" or \"}\" character."));
            }
            if !escaped && text.eq_ignore_ascii_case("null") {
                return Ok(Json::Null);
            }
        }
        let value = super::from_text(Type::Scalar(self.element), &text, self.clock)?;
        Ok(element_json(&value))
    }
}

/// The column's type of its elements.
pub(crate) fn inner(column: ColumnType) -> Option<ColumnType> {
    column.ty.element().map(|element| ColumnType { ty: Type::Scalar(element), typmod: column.typmod })
}
