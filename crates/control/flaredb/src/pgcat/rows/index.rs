//! `pg_index` and what lists indexes.

use super::cell::{Rows, add, numbers};
use crate::base::catalog::IndexKey;
use crate::base::{ConstraintKind, Relation, RelationKind, Type};
use crate::pgcat::definition::{condition, index_definition, key_definition};
use crate::pgcat::typed;
use crate::pgcat::world::World;

/// Bits of `pg_index.indoption`.
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;

/// The access method of indexes.
const BTREE: u32 = 403;

/// `pg_index`.
pub(super) fn indexes(world: &World<'_>, rows: &mut Rows) {
    for index in world.catalog.relations.values() {
        let RelationKind::Index { table, unique, keys, predicate, .. } = &index.kind else { continue };
        let Some(table) = world.catalog.relations.get(table) else { continue };
        let types: Vec<Type> = keys.iter().map(|key| key_type(table, key)).collect();
        let primary = |kind: &ConstraintKind| *kind == ConstraintKind::PrimaryKey { index: index.oid };
        let columns = i16::try_from(keys.len()).unwrap_or(i16::MAX);
        let option = |key: &IndexKey| {
            let descending = if key.descending { DESCENDING } else { 0 };
            descending | if key.nulls_first { NULLS_FIRST } else { 0 }
        };
        add!(rows;
            indexrelid: index.oid,
            indrelid: table.oid,
            indnatts: columns,
            indnkeyatts: columns,
            indisunique: *unique,
            indisprimary: table.constraints.iter().any(|one| primary(&one.kind)),
            indimmediate: true,
            indisvalid: true,
            indisready: true,
            indislive: true,
            indkey: numbers(&keys.iter().map(|key| key.column).collect::<Vec<_>>()),
            indcollation: numbers(&types.iter().map(|ty| typed::facts(*ty).collation).collect::<Vec<_>>()),
            indclass: numbers(&types.iter().map(|ty| typed::class(*ty)).collect::<Vec<_>>()),
            indoption: numbers(&keys.iter().map(option).collect::<Vec<_>>()),
            indexprs: expressions(table, keys),
            indpred: predicate.as_ref().map(|predicate| condition(predicate, false)),
        );
    }
}

/// The type of a part of an index; nobody has noted that of an expression.
fn key_type(table: &Relation, key: &IndexKey) -> Type {
    let column = table.columns.iter().find(|column| column.number == key.column);
    column.map_or(Type::TEXT, |column| column.ty.ty)
}

/// The expressions, separated as `pg_get_expr` separates them.
fn expressions(table: &Relation, keys: &[IndexKey]) -> Option<String> {
    let own: Vec<String> = keys
        .iter()
        .filter(|key| key.expression.is_some())
        .map(|key| key_definition(table, key, true))
        .collect();
    (!own.is_empty()).then(|| own.join(", "))
}

/// `pg_indexes`.
pub(super) fn listed(world: &World<'_>, rows: &mut Rows) {
    for index in world.catalog.relations.values() {
        let RelationKind::Index { table, .. } = &index.kind else { continue };
        let Some(table) = world.catalog.relations.get(table) else { continue };
        add!(rows;
            schemaname: &table.schema,
            tablename: &table.name,
            indexname: &index.name,
            indexdef: index_definition(world.catalog, world.settings, index, false),
        );
    }
}

/// `pg_stat_user_indexes`.
pub(super) fn figures(world: &World<'_>, rows: &mut Rows) {
    for index in world.catalog.relations.values() {
        let RelationKind::Index { table, .. } = &index.kind else { continue };
        let Some(table) = world.catalog.relations.get(table) else { continue };
        add!(rows;
            relid: table.oid,
            indexrelid: index.oid,
            schemaname: &table.schema,
            relname: &table.name,
            indexrelname: &index.name,
        );
    }
}

/// `pg_opclass`.
pub(super) fn classes(_world: &World<'_>, rows: &mut Rows) {
    for (oid, name, family, ty) in typed::CLASSES {
        add!(rows;
            oid: *oid,
            opcmethod: BTREE,
            opcname: *name,
            opcnamespace: crate::pgcat::place::PG_CATALOG,
            opcowner: 10,
            opcfamily: *family,
            opcintype: *ty,
            opcdefault: true,
        );
    }
}

/// `pg_opfamily`.
pub(super) fn families(_world: &World<'_>, rows: &mut Rows) {
    let mut seen = Vec::new();
    for (_, name, family, _) in typed::CLASSES {
        if seen.contains(family) {
            continue;
        }
        seen.push(*family);
        let name = match family {
            1976 => "integer_ops",
            1970 => "float_ops",
            434 => "datetime_ops",
            _ => name,
        };
        let namespace = crate::pgcat::place::PG_CATALOG;
        add!(rows; oid: *family, opfmethod: BTREE, opfname: name, opfnamespace: namespace, opfowner: 10);
    }
}
