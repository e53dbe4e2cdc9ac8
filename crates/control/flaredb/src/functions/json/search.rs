//! What is in a `jsonb`: keys, values, and other values.

use std::cmp::Ordering;

use super::read::texts;
use crate::base::error::SqlError;
use crate::functions::call::{Answer, Call, Scalar, strict};
use crate::value::json::{Kind, Node, deeper, parse};
use crate::value::numeric::order;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_jsonb_exists", 2, |call| Ok(i64::from(has(&parse(call.text(0)?)?, call.text(1)?)).into())),
    strict("fl_jsonb_exists_any", 2, |call| some(call, |node, keys| keys.iter().any(|key| has(node, key)))),
    strict("fl_jsonb_exists_all", 2, |call| some(call, |node, keys| keys.iter().all(|key| has(node, key)))),
    strict("fl_jsonb_contains", 2, contains),
];

/// Whether a text is a key, or a string in an array, or the string itself.
fn has(node: &Node<'_>, key: &str) -> bool {
    match &node.kind {
        Kind::Object(_) => node.field(key).is_some(),
        Kind::Array(items) => {
            items.iter().any(|item| matches!(&item.kind, Kind::String(text) if text == key))
        }
        Kind::String(text) => text == key,
        _ => false,
    }
}

/// NULL among the keys does not count.
fn some(call: &Call<'_>, test: fn(&Node<'_>, &[String]) -> bool) -> Answer {
    let keys: Vec<String> = texts(call.text(1)?)?.into_iter().flatten().collect();
    Ok(i64::from(test(&parse(call.text(0)?)?, &keys)).into())
}

fn contains(call: &Call<'_>) -> Answer {
    let (whole, part) = (parse(call.text(0)?)?, parse(call.text(1)?)?);
    let alone = match &whole.kind {
        // An array contains what is none if that is among its elements.
        Kind::Array(items) if !part.is_container() => items.iter().any(|item| equal(item, &part)),
        _ => within(&whole, &part)?,
    };
    Ok(i64::from(alone).into())
}

/// Whether two values without parts are equal.
fn equal(left: &Node<'_>, right: &Node<'_>) -> bool {
    match (&left.kind, &right.kind) {
        (Kind::Number, Kind::Number) => order::compare(left.raw, right.raw) == Ordering::Equal,
        (Kind::Array(_) | Kind::Object(_), _) => false,
        (left, right) => left == right,
    }
}

fn within(whole: &Node<'_>, part: &Node<'_>) -> Result<bool, SqlError> {
    match (&whole.kind, &part.kind) {
        (Kind::Object(_), Kind::Object(fields)) => {
            for (key, value) in fields {
                match whole.field(key) {
                    Some(found) if deeper(|| within(found, value))? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Kind::Array(items), Kind::Array(wanted)) => {
            for one in wanted {
                let mut found = false;
                for item in items {
                    found = found || deeper(|| within(item, one))?;
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(equal(whole, part)),
    }
}
