//! `=`, `<>`, `<`, `<=`, `>`, `>=`: for each type, in SQLite's own words, so that an index serves them.
//!
//! The collation is always written: a numeric column's own would else find its way through functions and casts
//! into the comparison of texts.

use crate::base::rules::{Function, Operator};
use crate::base::types::{Element, Type};

use crate::functions::shape::operator;

/// PostgreSQL's symbols of comparison.
pub(crate) const SYMBOLS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// The order of numeric values as they are kept.
pub(crate) const BY_NUMERIC: &str = "pg_numeric";
/// The order of intervals as they are kept.
pub(crate) const BY_INTERVAL: &str = "pg_interval";
/// The order of `jsonb`.
pub(crate) const BY_JSONB: &str = "pg_jsonb";
/// The order of arrays of what SQLite itself orders.
pub(crate) const BY_ARRAY: &str = "pg_array";
/// The order of arrays of numeric values.
pub(crate) const BY_NUMERICS: &str = "pg_numeric_array";
/// The order of arrays of intervals.
pub(crate) const BY_INTERVALS: &str = "pg_interval_array";
/// The order of arrays of `jsonb`.
pub(crate) const BY_JSONBS: &str = "pg_jsonb_array";

/// The collation in which values of a type are ordered and equal. None: as SQLite does it by itself.
pub(crate) fn collation(ty: Type) -> Option<&'static str> {
    match ty {
        Type::Scalar(Element::Numeric) => Some(BY_NUMERIC),
        Type::Scalar(Element::Interval) => Some(BY_INTERVAL),
        Type::Scalar(Element::Jsonb) => Some(BY_JSONB),
        Type::Scalar(_) => None,
        Type::Array(Element::Numeric) => Some(BY_NUMERICS),
        Type::Array(Element::Interval) => Some(BY_INTERVALS),
        Type::Array(Element::Jsonb) => Some(BY_JSONBS),
        Type::Array(_) | Type::Int2Vector | Type::OidVector => Some(BY_ARRAY),
    }
}

/// Elements whose values have an order.
pub(crate) const ORDERED: &[Element] = &[
    Element::Bool,
    Element::Int2,
    Element::Int4,
    Element::Int8,
    Element::Float4,
    Element::Float8,
    Element::Numeric,
    Element::Text,
    Element::Bpchar,
    Element::Name,
    Element::Char,
    Element::Bytea,
    Element::Uuid,
    Element::Timestamptz,
    Element::Timestamp,
    Element::Date,
    Element::Time,
    Element::Interval,
    Element::Jsonb,
    Element::Oid,
];

/// Elements kept as text that SQLite orders as PostgreSQL does.
const TEXTS: &[Element] =
    &[Element::Text, Element::Varchar, Element::Bpchar, Element::Name, Element::Char, Element::Uuid];

/// Pairs of different types that compare without a conversion.
const CROSS: &[(Type, Type)] = &[
    (Type::INT2, Type::INT4),
    (Type::INT2, Type::INT8),
    (Type::INT4, Type::INT2),
    (Type::INT4, Type::INT8),
    (Type::INT8, Type::INT2),
    (Type::INT8, Type::INT4),
    (Type::FLOAT4, Type::FLOAT8),
    (Type::FLOAT8, Type::FLOAT4),
    (Type::NAME, Type::TEXT),
    (Type::TEXT, Type::NAME),
];

/// Pairs of different types, and how each side becomes comparable.
const CONVERTED: &[(Type, Type, &str, &str)] = &[
    (Type::DATE, Type::TIMESTAMP, "fl_date_timestamp({l})", "{r}"),
    (Type::TIMESTAMP, Type::DATE, "{l}", "fl_date_timestamp({r})"),
    (Type::DATE, Type::TIMESTAMPTZ, "fl_date_timestamptz({l})", "{r}"),
    (Type::TIMESTAMPTZ, Type::DATE, "{l}", "fl_date_timestamptz({r})"),
    (Type::TIMESTAMP, Type::TIMESTAMPTZ, "fl_timestamp_timestamptz({l})", "{r}"),
    (Type::TIMESTAMPTZ, Type::TIMESTAMP, "{l}", "fl_timestamp_timestamptz({r})"),
];

/// Every comparison.
pub(crate) fn operators() -> Vec<Operator> {
    let mut rows = Vec::new();
    let arrays = ORDERED.iter().chain(&[Element::Varchar]).map(|element| Type::Array(*element));
    for ty in ORDERED.iter().map(|element| Type::Scalar(*element)).chain(arrays) {
        add(&mut rows, ty, ty, &written("{l}", ty), "{r}");
    }
    for (left, right) in CROSS {
        add(&mut rows, *left, *right, &written("{l}", *left), "{r}");
    }
    for (left, right, from, to) in CONVERTED {
        add(&mut rows, *left, *right, from, to);
    }
    for ty in [Type::Scalar(Element::Xid), Type::Scalar(Element::Lsn), Type::Scalar(Element::Aclitem)] {
        add(&mut rows, ty, ty, "{l}", "{r}");
    }
    add(&mut rows, Type::OidVector, Type::OidVector, &written("{l}", Type::OidVector), "{r}");
    rows
}

/// One side, with its collation.
fn written(side: &str, ty: Type) -> String {
    match (collation(ty), ty) {
        (Some(collation), _) => format!("{side} COLLATE {collation}"),
        (None, Type::Scalar(element)) if TEXTS.contains(&element) => format!("{side} COLLATE BINARY"),
        _ => side.to_owned(),
    }
}

fn add(rows: &mut Vec<Operator>, left: Type, right: Type, from: &str, to: &str) {
    for symbol in SYMBOLS {
        // Once in a process, for the table that lives as long.
        let emit = format!("({from} {symbol} {to})").leak();
        rows.push(operator(symbol, left, right, Type::BOOL, emit));
    }
}

/// `greatest`, `least` and their like.
pub(crate) fn functions() -> Vec<Function> {
    Vec::new()
}
