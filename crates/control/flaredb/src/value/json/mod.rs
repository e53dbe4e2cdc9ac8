//! JSON texts: read into a tree that remembers how each part was written, and written in `jsonb`'s one form.

use std::borrow::Cow;

pub(crate) mod lex;
pub(crate) mod order;
pub(crate) mod parse;
pub(crate) mod write;

pub(crate) use parse::{check, parse};
pub(crate) use write::{canonical, quoted};

/// A value within a JSON text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node<'a> {
    /// As it is written.
    pub(crate) raw: &'a str,
    pub(crate) kind: Kind<'a>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    /// The digits as written.
    Number,
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    /// Keys in the order in which they are written, repeated ones too.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// The value of a key; the last one, if it is repeated.
    pub(crate) fn field(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Object(fields) => fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// An element by its place; from the end if it is negative.
    pub(crate) fn item(&self, place: i64) -> Option<&Self> {
        let Kind::Array(items) = &self.kind else { return None };
        items.get(from_end(place, items.len())?)
    }

    /// What `->>` gives of it. None: NULL.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Null => None,
            Kind::String(text) => Some(text),
            _ => Some(self.raw),
        }
    }

    /// `json_typeof`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "boolean",
            Kind::Number => "number",
            Kind::String(_) => "string",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        }
    }

    /// Whether it has parts.
    pub(crate) fn is_container(&self) -> bool {
        matches!(self.kind, Kind::Array(_) | Kind::Object(_))
    }
}

/// Runs what goes a level deeper, on a new piece of stack where this one ends.
pub(crate) fn deeper<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(128 << 10, 1 << 20, run)
}

/// A place that may count from the end. None: before the first.
pub(crate) fn from_end(place: i64, length: usize) -> Option<usize> {
    let place = if place < 0 { place.checked_add(i64::try_from(length).ok()?)? } else { place };
    usize::try_from(place).ok()
}
