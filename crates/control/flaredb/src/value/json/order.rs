//! The order of `jsonb` values.

use std::cmp::Ordering;

use super::{Kind, Node, deeper, parse};
use crate::value::numeric::order;

/// Object, array, boolean, number, string, null, from the largest; of two alike the one with more in it.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    match (parse(left), parse(right)) {
        (Ok(left), Ok(right)) => is_empty(&right).cmp(&is_empty(&left)).then_with(|| nodes(&left, &right)),
        _ => left.cmp(right),
    }
}

fn rank(node: &Node<'_>) -> u8 {
    match &node.kind {
        Kind::Null => 1,
        Kind::String(_) => 2,
        Kind::Number => 3,
        Kind::Bool(_) => 4,
        Kind::Array(_) => 5,
        Kind::Object(_) => 6,
    }
}

fn nodes(left: &Node<'_>, right: &Node<'_>) -> Ordering {
    match (&left.kind, &right.kind) {
        (Kind::String(left), Kind::String(right)) => left.cmp(right),
        (Kind::Number, Kind::Number) => order::compare(left.raw, right.raw),
        (Kind::Bool(left), Kind::Bool(right)) => left.cmp(right),
        (Kind::Array(left), Kind::Array(right)) => {
            let each = || left.iter().zip(right).map(|(left, right)| deeper(|| nodes(left, right)));
            left.len().cmp(&right.len()).then_with(|| first(each()))
        }
        (Kind::Object(left), Kind::Object(right)) => {
            let each = || {
                left.iter().zip(right).map(|((left_key, left), (right_key, right))| {
                    super::write::key_order(left_key, right_key).then_with(|| deeper(|| nodes(left, right)))
                })
            };
            left.len().cmp(&right.len()).then_with(|| first(each()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

/// An empty array at the top is below everything else, as PostgreSQL has it by an old mistake.
fn is_empty(node: &Node<'_>) -> bool {
    matches!(&node.kind, Kind::Array(items) if items.is_empty())
}

fn first(mut each: impl Iterator<Item = Ordering>) -> Ordering {
    each.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
