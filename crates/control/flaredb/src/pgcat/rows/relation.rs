//! `pg_class` and what lists relations.

use super::base::{SEQUENCE_COLUMNS, kind, tables};
use super::cell::{Rows, add};
use crate::base::catalog::Column;
use crate::base::{ConstraintKind, Relation, RelationKind};
use crate::pgcat::acl::{self, Object};
use crate::pgcat::definition::view_definition;
use crate::pgcat::place;
use crate::pgcat::system::{self, System};
use crate::pgcat::world::World;

/// The access methods of tables and of indexes.
const HEAP: u32 = 2;
const BTREE: u32 = 403;
/// `pg_class` as a `classoid`.
pub(super) const CLASS: u32 = 1259;

/// `pg_namespace`.
pub(super) fn namespaces(world: &World<'_>, rows: &mut Rows) {
    for schema in place::schemas(world.catalog) {
        add!(rows;
            oid: schema.oid,
            nspname: &schema.name,
            nspowner: place::role(world.catalog, &schema.owner),
            nspacl: acl::items(Object::Schema, &schema.owner, &schema.grants),
        );
    }
}

/// `pg_class`.
pub(super) fn classes(world: &World<'_>, rows: &mut Rows) {
    let owner = place::role(world.catalog, &place::founder(world.catalog));
    for system in system::tables() {
        of_system(world, system, owner, rows);
    }
    for relation in world.catalog.relations.values() {
        class(world, relation, rows);
    }
}

fn of_system(world: &World<'_>, system: &System, owner: u32, rows: &mut Rows) {
    let table = system.kind() == 'r';
    add!(rows;
        oid: system.oid,
        relname: system.name,
        relnamespace: place::schema(world.catalog, system.schema),
        reltype: place::row_type(system.oid),
        relowner: owner,
        relam: if table { HEAP } else { 0 },
        relfilenode: if table { system.oid } else { 0 },
        reltuples: -1.0,
        relpersistence: 'p',
        relkind: system.kind(),
        relnatts: i16::try_from(system.columns.len()).unwrap_or(i16::MAX),
        relhasrules: !table,
        relispopulated: true,
        relreplident: 'n',
    );
}

fn class(world: &World<'_>, relation: &Relation, rows: &mut Rows) {
    let (table, index) =
        (relation.kind == RelationKind::Table, place::table_of(world.catalog, relation).is_some());
    let view = matches!(relation.kind, RelationKind::View { .. });
    let columns = match &relation.kind {
        RelationKind::Sequence(_) => SEQUENCE_COLUMNS.len(),
        RelationKind::Index { keys, .. } => keys.len(),
        _ => relation.columns.len(),
    };
    let checks = relation.constraints.iter().filter(|one| matches!(one.kind, ConstraintKind::Check { .. }));
    add!(rows;
        oid: relation.oid,
        relname: &relation.name,
        relnamespace: place::schema(world.catalog, &relation.schema),
        reltype: if table || view { place::row_type(relation.oid) } else { 0 },
        relowner: place::role(world.catalog, &relation.owner),
        relam: if index { BTREE } else if table { HEAP } else { 0 },
        relfilenode: if view { 0 } else { relation.oid },
        reltuples: if table || view { -1.0 } else if index { 0.0 } else { 1.0 },
        relhasindex: world.catalog.indexes_of(relation.oid).next().is_some(),
        relpersistence: 'p',
        relkind: kind(relation),
        relnatts: i16::try_from(columns).unwrap_or(i16::MAX),
        relchecks: i16::try_from(checks.count()).unwrap_or(i16::MAX),
        relhasrules: view,
        relispopulated: true,
        relreplident: if table { 'd' } else { 'n' },
        relacl: acl::items(Object::of(&relation.kind), &relation.owner, &relation.grants),
    );
}

/// `pg_description`.
pub(super) fn descriptions(world: &World<'_>, rows: &mut Rows) {
    for relation in world.catalog.relations.values() {
        let own = relation.comment.iter().map(|comment| (0, comment));
        let comment = |column: &'_ Column| column.comment.clone().map(|comment| (column.number, comment));
        let columns: Vec<(i16, String)> = relation.columns.iter().filter_map(comment).collect();
        for (column, comment) in own.chain(columns.iter().map(|(number, comment)| (*number, comment))) {
            add!(rows;
                objoid: relation.oid,
                classoid: CLASS,
                objsubid: i32::from(column),
                description: comment,
            );
        }
    }
}

/// `pg_rewrite`: what makes a view one.
pub(super) fn rules(world: &World<'_>, rows: &mut Rows) {
    for relation in world.catalog.relations.values() {
        let RelationKind::View { definition } = &relation.kind else { continue };
        add!(rows;
            oid: place::rule(relation.oid),
            rulename: "_RETURN",
            ev_class: relation.oid,
            ev_type: '1',
            ev_enabled: 'O',
            is_instead: true,
            ev_qual: "<>",
            ev_action: definition,
        );
    }
}

/// `pg_tables`.
pub(super) fn listed_tables(world: &World<'_>, rows: &mut Rows) {
    let owner = place::founder(world.catalog);
    for system in system::tables().iter().filter(|system| system.kind() == 'r') {
        add!(rows; schemaname: system.schema, tablename: system.name, tableowner: &owner);
    }
    for table in tables(world) {
        let indexes = world.catalog.indexes_of(table.oid).next().is_some();
        let to = |one: &crate::base::Constraint| matches!(one.kind, ConstraintKind::ForeignKey { .. });
        add!(rows;
            schemaname: &table.schema,
            tablename: &table.name,
            tableowner: &table.owner,
            hasindexes: indexes,
            hastriggers: table.constraints.iter().any(to),
        );
    }
}

/// `pg_views`.
pub(super) fn listed_views(world: &World<'_>, rows: &mut Rows) {
    let owner = place::founder(world.catalog);
    for system in system::tables().iter().filter(|system| system.kind() == 'v') {
        add!(rows; schemaname: system.schema, viewname: system.name, viewowner: &owner, definition: "");
    }
    for view in world.catalog.relations.values() {
        let RelationKind::View { definition } = &view.kind else { continue };
        add!(rows;
            schemaname: &view.schema,
            viewname: &view.name,
            viewowner: &view.owner,
            definition: view_definition(definition),
        );
    }
}

/// `pg_sequence`.
pub(super) fn sequences(world: &World<'_>, rows: &mut Rows) {
    for sequence in world.catalog.relations.values() {
        let RelationKind::Sequence(options) = &sequence.kind else { continue };
        add!(rows;
            seqrelid: sequence.oid,
            seqtypid: options.ty.ty.oid(),
            seqstart: options.start,
            seqincrement: options.increment,
            seqmax: options.max,
            seqmin: options.min,
            seqcache: 1_i64,
            seqcycle: options.cycle,
        );
    }
}

/// `pg_sequences`. Where a sequence stands is kept beside the data, and is not here.
pub(super) fn listed_sequences(world: &World<'_>, rows: &mut Rows) {
    for sequence in world.catalog.relations.values() {
        let RelationKind::Sequence(options) = &sequence.kind else { continue };
        add!(rows;
            schemaname: &sequence.schema,
            sequencename: &sequence.name,
            sequenceowner: &sequence.owner,
            data_type: options.ty.ty.oid(),
            start_value: options.start,
            min_value: options.min,
            max_value: options.max,
            increment_by: options.increment,
            cycle: options.cycle,
            cache_size: 1_i64,
            last_value: None::<i64>,
        );
    }
}
