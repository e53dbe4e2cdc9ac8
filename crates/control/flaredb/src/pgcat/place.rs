//! OIDs and owners of what the catalogue names by name, and OIDs of what it does not number.

use std::sync::Arc;

use crate::base::catalog::{Constraint, Role, Schema};
use crate::base::{Catalog, Relation, RelationKind};

/// The schema of the system.
pub(crate) const PG_CATALOG: u32 = 11;
/// The standard's schema.
pub(crate) const INFORMATION_SCHEMA: u32 = 13207;
/// The schema that a name of the system is in.
pub(crate) const SYSTEM_SCHEMAS: [(u32, &str); 2] =
    [(PG_CATALOG, "pg_catalog"), (INFORMATION_SCHEMA, "information_schema")];

/// OIDs that nothing is given: a relation's row type, a view's rule, a column's default.
const ROW_TYPES: u32 = 1 << 30;
const RULES: u32 = 1 << 29;
const DEFAULTS: u32 = 1 << 31;
/// At most as many columns has a table.
const COLUMNS: u32 = 1664;

/// The OID of a relation's row type.
pub(crate) fn row_type(relation: u32) -> u32 {
    relation.wrapping_add(ROW_TYPES)
}

/// The relation that a row type is of, if the OID can be one.
pub(crate) fn relation_of_row_type(ty: u32) -> Option<u32> {
    (ROW_TYPES..DEFAULTS).contains(&ty).then(|| ty - ROW_TYPES)
}

/// The OID of a view's rule.
pub(crate) fn rule(relation: u32) -> u32 {
    relation.wrapping_add(RULES)
}

/// The OID of the default of a column.
pub(crate) fn default(relation: u32, column: i16) -> u32 {
    let column = u32::from(column.unsigned_abs());
    relation.wrapping_mul(COLUMNS).wrapping_add(column) | DEFAULTS
}

/// The OID of a role; 0: there is no such role.
pub(crate) fn role(catalog: &Catalog, name: &str) -> u32 {
    catalog.roles.get(name).map_or(0, |role| role.oid)
}

/// The role of an OID.
pub(crate) fn role_of(catalog: &Catalog, oid: u32) -> Option<&Arc<Role>> {
    catalog.roles.values().find(|role| role.oid == oid)
}

/// The OID of a schema; 0: there is no such schema.
pub(crate) fn schema(catalog: &Catalog, name: &str) -> u32 {
    let own = catalog.schemas.get(name).map(|schema| schema.oid);
    own.or_else(|| system_schema(name)).unwrap_or(0)
}

/// The OID of a schema of the system.
fn system_schema(name: &str) -> Option<u32> {
    SYSTEM_SCHEMAS.iter().find_map(|(oid, of)| (*of == name).then_some(*oid))
}

/// The name of a schema of an OID.
pub(crate) fn schema_name(catalog: &Catalog, oid: u32) -> Option<&str> {
    let own = catalog.schemas.values().find(|schema| schema.oid == oid).map(|schema| schema.name.as_str());
    own.or_else(|| SYSTEM_SCHEMAS.iter().find_map(|(of, name)| (*of == oid).then_some(*name)))
}

/// All schemas, those of the system too, by name.
pub(crate) fn schemas(catalog: &Catalog) -> Vec<Schema> {
    let mut all: Vec<Schema> = catalog.schemas.values().map(|schema| schema.as_ref().clone()).collect();
    for (oid, name) in SYSTEM_SCHEMAS {
        if !catalog.schemas.contains_key(name) {
            let (owner, grants) = (founder(catalog), Vec::new());
            all.push(Schema { oid, name: name.to_owned(), owner, grants });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The role that owns the system: the superuser of the lowest OID.
pub(crate) fn founder(catalog: &Catalog) -> String {
    let roles = catalog.roles.values().filter(|role| role.superuser);
    roles.min_by_key(|role| role.oid).map_or_else(|| "postgres".to_owned(), |role| role.name.clone())
}

/// The table that an index is of.
pub(crate) fn table_of<'a>(catalog: &'a Catalog, index: &Relation) -> Option<&'a Arc<Relation>> {
    match index.kind {
        RelationKind::Index { table, .. } => catalog.relations.get(&table),
        _ => None,
    }
}

/// The constraint of an OID, and its table.
pub(crate) fn constraint(catalog: &Catalog, oid: u32) -> Option<(&Arc<Relation>, &Constraint)> {
    catalog.relations.values().find_map(|relation| {
        relation.constraints.iter().find(|constraint| constraint.oid == oid).map(|found| (relation, found))
    })
}

/// The name of a column of a number.
pub(crate) fn column_name(relation: &Relation, number: i16) -> Option<&str> {
    relation.columns.iter().find(|column| column.number == number).map(|column| column.name.as_str())
}

/// The sequence that an identity column or a `serial` counts with.
pub(crate) fn sequence_of(catalog: &Catalog, table: u32, column: i16) -> Option<&Arc<Relation>> {
    catalog.relations.values().find(|relation| match &relation.kind {
        RelationKind::Sequence(options) => options.owned_by == Some((table, column)),
        _ => false,
    })
}
