//! Arrays: read from and written to the JSON in which they are kept.

use std::borrow::Cow;

use crate::base::error::{SqlError, SqlState};
use crate::base::types::Element;
use crate::functions::call::internal;
use crate::value::bytea;
use crate::value::json::{Kind, Node, parse, quoted};
use rusqlite::types::{Value, ValueRef};

pub(crate) mod binary;
pub(crate) mod literal;

/// The most dimensions.
pub(crate) const MOST_DIMENSIONS: usize = 6;

/// An element as it is kept. Bytes are the text `\x…`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
}

/// An array, its elements one behind the other, the last subscript running fastest.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Array<'a> {
    /// The length of each dimension; none of an empty array.
    pub(crate) dimensions: Vec<usize>,
    pub(crate) items: Vec<Item<'a>>,
}

impl<'a> Array<'a> {
    /// Reads a kept array. Errors: XX000 for what is no array.
    pub(crate) fn read(kept: &'a str) -> Result<Self, SqlError> {
        let node = parse(kept)?;
        let mut array = Self::default();
        let mut level = &node;
        while let Kind::Array(items) = &level.kind
            && let Some(first) = items.first()
        {
            array.dimensions.push(items.len());
            level = first;
        }
        if !matches!(node.kind, Kind::Array(_)) {
            return Err(internal("a value is no array"));
        }
        let depth = array.dimensions.len();
        array.collect(node, depth)?;
        if array.items.len() != array.dimensions.iter().product::<usize>() && depth > 0 {
            return Err(mismatched());
        }
        Ok(array)
    }

    fn collect(&mut self, node: Node<'a>, depth: usize) -> Result<(), SqlError> {
        let item = match node.kind {
            Kind::Array(items) if depth > 0 => {
                return items.into_iter().try_for_each(|item| self.collect(item, depth - 1));
            }
            Kind::Array(items) if items.is_empty() => return Ok(()),
            Kind::Array(_) | Kind::Object(_) => return Err(mismatched()),
            _ if depth > 0 => return Err(mismatched()),
            Kind::Null => Item::Null,
            Kind::Bool(value) => Item::Integer(i64::from(value)),
            Kind::String(text) => Item::Text(text),
            Kind::Number => number(node.raw),
        };
        self.items.push(item);
        Ok(())
    }

    /// One dimension of these.
    pub(crate) fn flat(items: Vec<Item<'a>>) -> Self {
        let dimensions = if items.is_empty() { Vec::new() } else { vec![items.len()] };
        Self { dimensions, items }
    }

    /// As it is kept.
    pub(crate) fn kept(&self) -> String {
        let mut out = String::new();
        if self.dimensions.is_empty() || self.items.is_empty() {
            out.push_str("[]");
            return out;
        }
        for (place, item) in self.items.iter().enumerate() {
            let opened = self.boundaries(place);
            if place > 0 {
                (0..opened).for_each(|_| out.push(']'));
                out.push(',');
            }
            (0..if place == 0 { self.dimensions.len() } else { opened }).for_each(|_| out.push('['));
            item.write(&mut out);
        }
        self.dimensions.iter().for_each(|_| out.push(']'));
        out
    }

    /// How many dimensions begin anew at an element.
    pub(crate) fn boundaries(&self, place: usize) -> usize {
        let mut size = 1;
        let mut count = 0;
        for length in self.dimensions.iter().skip(1).rev() {
            size *= length;
            count += usize::from(place.is_multiple_of(size));
        }
        count
    }

    /// As a value.
    pub(crate) fn value(&self) -> Value {
        Value::Text(self.kept())
    }
}

fn number(raw: &str) -> Item<'static> {
    match raw.parse() {
        Ok(value) => Item::Integer(value),
        Err(_) => Item::Real(raw.parse().unwrap_or(f64::INFINITY)),
    }
}

/// `multidimensional arrays must have array expressions with matching dimensions`.
pub(crate) fn mismatched() -> SqlError {
    SqlError::new(
        SqlState::ARRAY_SUBSCRIPT_ERROR,
        "multidimensional arrays must have array expressions with matching dimensions",
    )
}

impl<'a> Item<'a> {
    /// What SQLite has, as an element.
    pub(crate) fn of(value: ValueRef<'a>) -> Result<Self, SqlError> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => Self::Real(value),
            ValueRef::Text(_) => Self::Text(crate::functions::call::text(value)?.into()),
            ValueRef::Blob(bytes) => Self::Text(bytea::hex(bytes).into()),
        })
    }

    /// What SQLite keeps of a value of this type.
    pub(crate) fn into_value(self, element: Element) -> Result<Value, SqlError> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Integer(value) if matches!(element, Element::Float4 | Element::Float8) => {
                Value::Real(value as f64)
            }
            Self::Integer(value) => Value::Integer(value),
            Self::Real(value) => Value::Real(value),
            Self::Text(text) if element == Element::Bytea => Value::Blob(bytea::read(&text)?),
            Self::Text(text) if matches!(element, Element::Float4 | Element::Float8) => {
                Value::Real(crate::value::float::read8(&text)?)
            }
            Self::Text(text) => Value::Text(text.into_owned()),
        })
    }

    pub(crate) fn from_value(value: Value) -> Item<'static> {
        match value {
            Value::Null => Item::Null,
            Value::Integer(value) => Item::Integer(value),
            Value::Real(value) => Item::Real(value),
            Value::Text(text) => Item::Text(text.into()),
            Value::Blob(bytes) => Item::Text(bytea::hex(&bytes).into()),
        }
    }

    /// As a part of a kept array.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Real(value) if value.is_finite() => out.push_str(&format!("{value:?}")),
            Self::Real(value) => out.push_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
            Self::Text(text) => quoted(text, out),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn into_owned(self) -> Item<'static> {
        match self {
            Self::Null => Item::Null,
            Self::Integer(value) => Item::Integer(value),
            Self::Real(value) => Item::Real(value),
            Self::Text(text) => Item::Text(text.into_owned().into()),
        }
    }
}
