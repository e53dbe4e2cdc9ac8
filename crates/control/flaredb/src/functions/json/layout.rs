//! JSON laid out anew: without nulls, or over many lines.

use crate::base::error::SqlError;
use crate::functions::call::{Scalar, bounded, strict};
use crate::value::json::{Kind, Node, canonical, deeper, parse, quoted};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_json_strip_nulls", 1, |call| {
        let mut out = String::new();
        strip(&parse(call.text(0)?)?, &mut out);
        Ok(out.into())
    }),
    strict("fl_jsonb_strip_nulls", 1, |call| {
        let mut out = String::new();
        strip(&parse(call.text(0)?)?, &mut out);
        Ok(canonical(&out)?.into())
    }),
    strict("fl_jsonb_pretty", 1, |call| {
        let mut out = String::new();
        pretty(&parse(call.text(0)?)?, 0, &mut out)?;
        Ok(out.into())
    }),
];

/// Without blanks, and without fields that are null.
fn strip(node: &Node<'_>, out: &mut String) {
    match &node.kind {
        Kind::String(text) => quoted(text, out),
        Kind::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                deeper(|| strip(item, out));
            }
            out.push(']');
        }
        Kind::Object(fields) => {
            out.push('{');
            let there = fields.iter().filter(|(_, value)| value.kind != Kind::Null);
            for (place, (key, value)) in there.enumerate() {
                if place > 0 {
                    out.push(',');
                }
                quoted(key, out);
                out.push(':');
                deeper(|| strip(value, out));
            }
            out.push('}');
        }
        _ => out.push_str(node.raw),
    }
}

/// Each part on a line of its own, four blanks further in.
fn pretty(node: &Node<'_>, depth: usize, out: &mut String) -> Result<(), SqlError> {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth * 4).for_each(|_| out.push(' '));
    };
    bounded(out.len())?;
    let (open, close, count) = match &node.kind {
        Kind::Array(items) => ('[', ']', items.len()),
        Kind::Object(fields) => ('{', '}', fields.len()),
        _ => {
            out.push_str(node.raw);
            return Ok(());
        }
    };
    out.push(open);
    for place in 0..count {
        if place > 0 {
            out.push(',');
        }
        line(out, depth + 1);
        match &node.kind {
            Kind::Array(items) => {
                items.get(place).map_or(Ok(()), |item| deeper(|| pretty(item, depth + 1, out)))?;
            }
            Kind::Object(fields) => {
                let Some((key, value)) = fields.get(place) else { continue };
                quoted(key, out);
                out.push_str(": ");
                deeper(|| pretty(value, depth + 1, out))?;
            }
            _ => {}
        }
    }
    line(out, depth);
    out.push(close);
    Ok(())
}
