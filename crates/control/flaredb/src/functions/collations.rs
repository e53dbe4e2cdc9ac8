//! The orders of types where bytes are not it, as SQLite's collations.

use std::cmp::Ordering;

use rusqlite::Connection;
use serde_json::Value as Json;

use super::compare::{BY_ARRAY, BY_INTERVAL, BY_INTERVALS, BY_JSONB, BY_JSONBS, BY_NUMERIC, BY_NUMERICS};
use crate::value::json::{self, Json as Document};
use crate::value::numeric;
use crate::value::time::Interval;

/// Gives a connection all of them.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation(BY_NUMERIC, numeric::compare)?;
    connection.create_collation(BY_INTERVAL, intervals)?;
    connection.create_collation(BY_JSONB, documents)?;
    connection.create_collation(BY_ARRAY, |a, b| arrays(a, b, plain))?;
    connection.create_collation(BY_NUMERICS, |a, b| arrays(a, b, numeric::compare))?;
    connection.create_collation(BY_INTERVALS, |a, b| arrays(a, b, intervals))?;
    connection.create_collation(BY_JSONBS, |a, b| arrays(a, b, documents))
}

fn plain(a: &str, b: &str) -> Ordering {
    a.cmp(b)
}

fn intervals(a: &str, b: &str) -> Ordering {
    match (Interval::from_stored(a), Interval::from_stored(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// Element by element, then by length; NULL is the greatest.
fn arrays(a: &str, b: &str, strings: fn(&str, &str) -> Ordering) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (serde_json::from_str::<Json>(a), serde_json::from_str::<Json>(b)) {
        (Ok(a), Ok(b)) => elements(&a, &b, strings),
        _ => a.cmp(b),
    }
}

fn elements(a: &Json, b: &Json, strings: fn(&str, &str) -> Ordering) -> Ordering {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| elements(a, b, strings));
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Null, _) => Ordering::Greater,
        (_, Json::Null) => Ordering::Less,
        (Json::String(a), Json::String(b)) => strings(a, b),
        (Json::Number(a), Json::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        },
        _ => Ordering::Equal,
    }
}

/// PostgreSQL's order: objects, arrays, booleans, numbers, strings, null, each above the next.
fn documents(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (json::parse(a), json::parse(b)) {
        (Ok(a), Ok(b)) => document(&a, &b),
        _ => a.cmp(b),
    }
}

fn document(a: &Document, b: &Document) -> Ordering {
    let rank = |document: &Document| match document {
        Document::Null => 0,
        Document::String(_) => 1,
        Document::Number(_) => 2,
        Document::Bool(_) => 3,
        Document::Array(_) => 4,
        Document::Object(_) => 5,
    };
    match (a, b) {
        (Document::String(a), Document::String(b)) => a.cmp(b),
        (Document::Number(a), Document::Number(b)) => numeric::compare(a, b),
        (Document::Bool(a), Document::Bool(b)) => a.cmp(b),
        (Document::Array(a), Document::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            a.iter()
                .zip(b)
                .map(|(a, b)| document(a, b))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Document::Object(a), Document::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let pairs = a.iter().zip(b);
            pairs
                .map(|((a_key, a), (b_key, b))| a_key.0.cmp(&b_key.0).then_with(|| document(a, b)))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        _ => rank(a).cmp(&rank(b)),
    }
}
