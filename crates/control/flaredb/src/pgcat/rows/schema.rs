//! `information_schema`: schemas, tables, views, sequences.

use super::base::with_rows;
use super::cell::{Rows, add, yes};
use crate::base::catalog::SequenceOptions;
use crate::base::{RelationKind, Type};
use crate::pgcat::definition::view_definition;
use crate::pgcat::world::World;
use crate::pgcat::{format_type, place, system};

/// `information_schema.information_schema_catalog_name`.
pub(super) fn catalog_name(world: &World<'_>, rows: &mut Rows) {
    add!(rows; catalog_name: &world.settings.database);
}

/// `information_schema.schemata`.
pub(super) fn schemata(world: &World<'_>, rows: &mut Rows) {
    for schema in place::schemas(world.catalog) {
        add!(rows;
            catalog_name: &world.settings.database,
            schema_name: &schema.name,
            schema_owner: &schema.owner,
        );
    }
}

/// `information_schema.tables`.
pub(super) fn tables(world: &World<'_>, rows: &mut Rows) {
    let mut add = |schema: &str, name: &str, table: bool, insertable: bool| {
        add!(rows;
            table_catalog: &world.settings.database,
            table_schema: schema,
            table_name: name,
            table_type: if table { "BASE TABLE" } else { "VIEW" },
            is_insertable_into: yes(insertable),
            is_typed: "NO",
        );
    };
    for system in system::tables() {
        add(system.schema, system.name, system.kind() == 'r', false);
    }
    for relation in with_rows(world) {
        let table = relation.kind == RelationKind::Table;
        add(&relation.schema, &relation.name, table, table);
    }
}

/// `information_schema.views`.
pub(super) fn views(world: &World<'_>, rows: &mut Rows) {
    for view in world.catalog.relations.values() {
        let RelationKind::View { definition } = &view.kind else { continue };
        add!(rows;
            table_catalog: &world.settings.database,
            table_schema: &view.schema,
            table_name: &view.name,
            view_definition: view_definition(definition),
            check_option: "NONE",
            is_updatable: "NO",
            is_insertable_into: "NO",
            is_trigger_updatable: "NO",
            is_trigger_deletable: "NO",
            is_trigger_insertable_into: "NO",
        );
    }
}

/// Bits of an integer.
pub(super) fn bits(ty: Type) -> i32 {
    match ty {
        Type::INT2 => 16,
        Type::INT4 => 32,
        _ => 64,
    }
}

/// `information_schema.sequences`: but those of identity columns.
pub(super) fn sequences(world: &World<'_>, rows: &mut Rows) {
    for sequence in world.catalog.relations.values() {
        let RelationKind::Sequence(options) = &sequence.kind else { continue };
        if is_of_identity(world, options) {
            continue;
        }
        add!(rows;
            sequence_catalog: &world.settings.database,
            sequence_schema: &sequence.schema,
            sequence_name: &sequence.name,
            data_type: format_type::plain(options.ty.ty),
            numeric_precision: bits(options.ty.ty),
            numeric_precision_radix: 2,
            numeric_scale: 0,
            start_value: options.start.to_string(),
            minimum_value: options.min.to_string(),
            maximum_value: options.max.to_string(),
            increment: options.increment.to_string(),
            cycle_option: yes(options.cycle),
        );
    }
}

fn is_of_identity(world: &World<'_>, options: &SequenceOptions) -> bool {
    let Some((table, column)) = options.owned_by else { return false };
    let table = world.catalog.relations.get(&table);
    table.is_some_and(|table| table.columns.iter().any(|one| one.number == column && one.identity.is_some()))
}

/// `information_schema.character_sets`.
pub(super) fn character_sets(world: &World<'_>, rows: &mut Rows) {
    add!(rows;
        character_set_name: "UTF8",
        character_repertoire: "UCS",
        form_of_use: "UTF8",
        default_collate_catalog: &world.settings.database,
    );
}

/// `information_schema.collations`.
pub(super) fn collations(world: &World<'_>, rows: &mut Rows) {
    for name in ["default", "C", "POSIX"] {
        add!(rows;
            collation_catalog: &world.settings.database,
            collation_schema: "pg_catalog",
            collation_name: name,
            pad_attribute: "NO PAD",
        );
    }
}
