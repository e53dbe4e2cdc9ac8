//! `pg_attribute` and `pg_attrdef`.

use super::base::SEQUENCE_COLUMNS;
use super::cell::{Rows, add};
use crate::base::catalog::{Column, Identity, IndexKey};
use crate::base::{ColumnType, Relation, RelationKind, Type};
use crate::pgcat::definition::default_definition;
use crate::pgcat::world::World;
use crate::pgcat::{place, system, typed};

/// One column, of whatever has columns.
struct Attribute<'a> {
    relation: u32,
    name: &'a str,
    number: i16,
    ty: ColumnType,
    not_null: bool,
    default: bool,
    identity: &'a str,
    generated: &'a str,
}

impl<'a> Attribute<'a> {
    fn plain(relation: u32, name: &'a str, number: i16, ty: ColumnType) -> Self {
        let (not_null, default, identity, generated) = (false, false, "", "");
        Self { relation, name, number, ty, not_null, default, identity, generated }
    }

    fn of(relation: u32, column: &'a Column) -> Self {
        let identity = match column.identity {
            None => "",
            Some(Identity::Always) => "a",
            Some(Identity::ByDefault) => "d",
        };
        Self {
            not_null: column.not_null,
            default: default_definition(column, false).is_some(),
            identity,
            generated: if column.generated.is_some() { "s" } else { "" },
            ..Self::plain(relation, &column.name, column.number, column.ty)
        }
    }

    fn add(&self, rows: &mut Rows) {
        let facts = typed::facts(self.ty.ty);
        add!(rows;
            attrelid: self.relation,
            attname: self.name,
            atttypid: self.ty.ty.oid(),
            attstattarget: -1,
            attlen: self.ty.ty.size(),
            attnum: self.number,
            attndims: i32::from(matches!(self.ty.ty, Type::Array(_))),
            attcacheoff: -1,
            atttypmod: self.ty.typmod,
            attbyval: facts.by_value,
            attalign: facts.alignment,
            attstorage: facts.storage,
            attnotnull: self.not_null,
            atthasdef: self.default,
            attidentity: self.identity,
            attgenerated: self.generated,
            attislocal: true,
            attcollation: facts.collation,
        );
    }
}

/// `pg_attribute`.
pub(super) fn attributes(world: &World<'_>, rows: &mut Rows) {
    for system in system::tables() {
        for ((name, ty), number) in system.columns.iter().zip(1..) {
            Attribute::plain(system.oid, name, number, ColumnType::from(*ty)).add(rows);
        }
    }
    for relation in world.catalog.relations.values() {
        of_relation(world, relation, rows);
    }
}

fn of_relation(world: &World<'_>, relation: &Relation, rows: &mut Rows) {
    match &relation.kind {
        RelationKind::Table | RelationKind::View { .. } => {
            for column in &relation.columns {
                Attribute::of(relation.oid, column).add(rows);
            }
        }
        RelationKind::Sequence(_) => {
            for ((name, ty), number) in SEQUENCE_COLUMNS.iter().zip(1..) {
                let plain = Attribute::plain(relation.oid, name, number, ColumnType::from(*ty));
                Attribute { not_null: true, ..plain }.add(rows);
            }
        }
        RelationKind::Index { table, keys, .. } => {
            let Some(table) = world.catalog.relations.get(table) else { return };
            let mut expressions = 0;
            for (key, number) in keys.iter().zip(1..) {
                let (name, ty) = of_key(table, key, &mut expressions);
                Attribute::plain(relation.oid, &name, number, ty).add(rows);
            }
        }
    }
}

/// Name and type of a column of an index. Nobody has noted the type of an expression: it passes for a text.
fn of_key(table: &Relation, key: &IndexKey, expressions: &mut u32) -> (String, ColumnType) {
    if let Some(column) = table.columns.iter().find(|column| column.number == key.column) {
        return (column.name.clone(), column.ty);
    }
    let name = if *expressions == 0 { "expr".to_owned() } else { format!("expr{expressions}") };
    *expressions += 1;
    (name, Type::TEXT.into())
}

/// `pg_attrdef`: defaults, and what generates columns.
pub(super) fn defaults(world: &World<'_>, rows: &mut Rows) {
    for relation in world.catalog.relations.values() {
        for column in &relation.columns {
            let Some(definition) = default_definition(column, false) else { continue };
            add!(rows;
                oid: place::default(relation.oid, column.number),
                adrelid: relation.oid,
                adnum: column.number,
                adbin: definition,
            );
        }
    }
}
