//! The one form in which `jsonb` is kept and shown.

use super::{Kind, Node, deeper, parse};
use crate::base::error::SqlError;
use crate::functions::call::bounded;
use crate::value::numeric::Numeric;

/// A JSON text in `jsonb`'s form.
pub(crate) fn canonical(text: &str) -> Result<String, SqlError> {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    write(&parse(text)?, &mut out)?;
    Ok(out)
}

/// A string in quotes, with escapes.
pub(crate) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let mut characters = behind.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(other) => out.push_str(&format!("\\u{:04x}", u32::from(other))),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// In `jsonb`'s form.
pub(crate) fn write(node: &Node<'_>, out: &mut String) -> Result<(), SqlError> {
    match &node.kind {
        Kind::Null | Kind::Bool(_) => out.push_str(node.raw),
        Kind::Number => number(node.raw, out)?,
        Kind::String(text) => quoted(text, out),
        Kind::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                deeper(|| write(item, out))?;
            }
            out.push(']');
        }
        Kind::Object(fields) => object(fields, out)?,
    }
    Ok(())
}

/// Digits are kept as they are, but for an exponent and the sign of zero.
fn number(raw: &str, out: &mut String) -> Result<(), SqlError> {
    let short = raw.len() < 1000;
    if short && !raw.starts_with('-') && raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        out.push_str(raw);
    } else {
        out.push_str(&Numeric::parse(raw)?.to_string());
        // A short exponent may be a long number.
        bounded(out.len())?;
    }
    Ok(())
}

/// Short keys first, then by their bytes; of repeated keys the last one counts.
fn object(fields: &[(std::borrow::Cow<'_, str>, Node<'_>)], out: &mut String) -> Result<(), SqlError> {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| key_order(left, right));
    out.push('{');
    let mut first = true;
    for (place, (key, value)) in sorted.iter().enumerate() {
        if sorted.get(place + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if !first {
            out.push_str(", ");
        }
        first = false;
        quoted(key, out);
        out.push_str(": ");
        deeper(|| write(value, out))?;
    }
    out.push('}');
    Ok(())
}

/// The order of keys in `jsonb`.
pub(crate) fn key_order(left: &str, right: &str) -> std::cmp::Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}
