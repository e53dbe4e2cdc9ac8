//! Which relations of the system there are.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::base::types::{Element, Type};

/// A relation of the system.
pub(crate) struct System {
    /// As in PostgreSQL 15.
    pub(crate) oid: u32,
    /// `pg_catalog` or `information_schema`.
    pub(crate) schema: &'static str,
    pub(crate) name: &'static str,
    /// Names and types, in order.
    pub(crate) columns: &'static [(&'static str, Type)],
}

/// A line for each relation, `schema.name oid`, and indented lines of its columns behind it. Domains of
/// `information_schema` stand as the types that they come over the wire as; `inet`, which is not here, is text.
const COLUMNS: &str = include_str!("columns.txt");

/// The first OID of what PostgreSQL makes while it sets a cluster up: of the system, only views have such.
const FIRST_VIEW: u32 = 12000;

static TABLES: LazyLock<Vec<System>> = LazyLock::new(|| {
    let mut tables: Vec<(&str, Vec<(&'static str, Type)>)> = Vec::new();
    for line in COLUMNS.lines() {
        match (line.strip_prefix("  "), tables.last_mut()) {
            (Some(columns), Some((_, into))) => into.extend(columns.split(',').filter_map(column)),
            _ => tables.push((line, Vec::new())),
        }
    }
    tables.into_iter().filter_map(|(head, columns)| system(head, columns)).collect()
});

static PLACES: LazyLock<HashMap<(&'static str, &'static str), usize>> =
    LazyLock::new(|| TABLES.iter().zip(0..).map(|(table, at)| ((table.schema, table.name), at)).collect());

/// From `pg_catalog.pg_class 1259`.
fn system(head: &'static str, columns: Vec<(&'static str, Type)>) -> Option<System> {
    let (name, oid) = head.split_once(' ')?;
    let (schema, name) = name.split_once('.')?;
    // Once in a process: the tables live as long as it does.
    Some(System { oid: oid.parse().ok()?, schema, name, columns: columns.leak() })
}

/// From `relname name`.
fn column(text: &'static str) -> Option<(&'static str, Type)> {
    let (name, ty) = text.trim().split_once(' ')?;
    Some((name, type_named(ty)?))
}

/// The type of a `pg_type.typname`.
pub(crate) fn type_named(name: &str) -> Option<Type> {
    match name {
        "int2vector" => return Some(Type::Int2Vector),
        "oidvector" => return Some(Type::OidVector),
        _ => {}
    }
    let (bare, array) = match name.strip_prefix('_') {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    let element = Element::all().find(|element| element.name() == bare)?;
    match array {
        true if element.array_oid() == 0 => None,
        true => Some(Type::Array(element)),
        false => Some(Type::Scalar(element)),
    }
}

impl System {
    /// `pg_class.relkind`.
    pub(crate) fn kind(&self) -> char {
        if self.oid < FIRST_VIEW { 'r' } else { 'v' }
    }
}

/// All relations of the system, with all of PostgreSQL's columns.
pub(crate) fn tables() -> &'static [System] {
    &TABLES
}

/// The relation of a schema and a name. Without a schema, one of `pg_catalog`.
pub(crate) fn find(schema: Option<&str>, name: &str) -> Option<&'static System> {
    let place = PLACES.get(&(schema.unwrap_or("pg_catalog"), name))?;
    TABLES.get(*place)
}

/// The relation of an OID.
pub(crate) fn by_oid(oid: u32) -> Option<&'static System> {
    TABLES.iter().find(|table| table.oid == oid)
}
