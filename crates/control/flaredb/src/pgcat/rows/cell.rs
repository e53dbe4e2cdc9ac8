//! Rows, written by the names of their columns.

use rusqlite::types::Value;

use crate::base::types::{Element, Type};
use crate::pgcat::system::System;

/// What may stand in a row.
pub(super) trait Cell {
    /// As it is kept.
    fn cell(self) -> Value;
}

macro_rules! integers {
    ($($ty:ty),*) => { $(impl Cell for $ty {
        fn cell(self) -> Value {
            Value::Integer(i64::from(self))
        }
    })* };
}
integers!(bool, i16, i32, i64, u32);

impl Cell for &str {
    fn cell(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl Cell for &String {
    fn cell(self) -> Value {
        Value::Text(self.clone())
    }
}

impl Cell for String {
    fn cell(self) -> Value {
        Value::Text(self)
    }
}

impl Cell for char {
    fn cell(self) -> Value {
        Value::Text(self.to_string())
    }
}

impl Cell for f64 {
    fn cell(self) -> Value {
        Value::Real(self)
    }
}

impl Cell for Value {
    fn cell(self) -> Value {
        self
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(self) -> Value {
        self.map_or(Value::Null, Cell::cell)
    }
}

/// Numbers as an array, as it is kept.
pub(super) fn numbers<T: serde::Serialize>(numbers: &[T]) -> String {
    serde_json::to_string(numbers).unwrap_or_default()
}

/// `YES`, `NO`.
pub(super) fn yes(is: bool) -> &'static str {
    if is { "YES" } else { "NO" }
}

/// The rows of one relation.
pub(super) struct Rows {
    columns: &'static [(&'static str, Type)],
    /// What a column holds that is not written: zero or nothing where PostgreSQL never has NULL, else NULL.
    blank: Vec<Value>,
    rows: Vec<Vec<Value>>,
    /// Which relation it is.
    pub(super) name: &'static str,
}

impl Rows {
    pub(super) fn new(system: &System) -> Self {
        let blank = system.columns.iter().map(|(_, ty)| blank(*ty)).collect();
        Self { columns: system.columns, blank, rows: Vec::new(), name: system.name }
    }

    /// One more row. Names stand in the order of the columns; others than the relation's are left out.
    pub(super) fn add<const N: usize>(&mut self, cells: [(&str, Value); N]) {
        let mut row = self.blank.clone();
        let mut next = 0;
        for (name, value) in cells {
            let found = self.columns.iter().skip(next).position(|(column, _)| *column == name);
            debug_assert!(
                found.is_some() || self.lenient(),
                "{}: {name} is not there, or not here",
                self.name
            );
            let Some(found) = found else { continue };
            if let Some(cell) = row.get_mut(next + found) {
                *cell = value;
            }
            next += found + 1;
        }
        self.rows.push(row);
    }

    /// Whether one maker serves several relations, not all of which have all of its columns.
    fn lenient(&self) -> bool {
        const SHARED: &[&str] = &[
            "column_privileges",
            "pg_authid",
            "pg_roles",
            "pg_statio_user_tables",
            "pg_timezone_abbrevs",
            "role_column_grants",
            "role_table_grants",
        ];
        SHARED.contains(&self.name)
    }

    pub(super) fn done(self) -> Vec<Vec<Value>> {
        self.rows
    }
}

fn blank(ty: Type) -> Value {
    match ty {
        Type::Scalar(
            Element::Bool
            | Element::Int2
            | Element::Int4
            | Element::Int8
            | Element::Oid
            | Element::Xid
            | Element::Regproc
            | Element::Regtype
            | Element::Regclass,
        ) => Value::Integer(0),
        Type::FLOAT4 | Type::FLOAT8 => Value::Real(0.0),
        Type::CHAR => Value::Text(String::new()),
        Type::Int2Vector | Type::OidVector => Value::Text("[]".to_owned()),
        _ => Value::Null,
    }
}

/// A row of a relation: `add!(rows; oid: 1, relname: "t")`.
macro_rules! add {
    ($rows:expr; $($name:ident : $value:expr),* $(,)?) => {
        $rows.add([$((stringify!($name), $crate::pgcat::rows::cell::Cell::cell($value))),*])
    };
}
pub(super) use add;
