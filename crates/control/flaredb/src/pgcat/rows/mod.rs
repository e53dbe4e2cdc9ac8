//! The rows of the system's relations.

mod attribute;
mod base;
mod cell;
mod columns;
mod constraint;
mod fixed;
mod function;
mod grants;
mod index;
mod keys;
mod relation;
mod role;
mod schema;
mod session;
mod types;

use rusqlite::types::Value;

pub(crate) use function::{function_name, functions_named, signature, type_words};

use super::system::System;
use super::world::World;
use cell::Rows;

/// Makes the rows of one relation.
type Make = fn(&World<'_>, &mut Rows);

/// What makes the rows of `pg_catalog`'s relations; what is not here is empty.
const PG_CATALOG: &[(&str, Make)] = &[
    ("pg_am", fixed::access_methods),
    ("pg_attrdef", attribute::defaults),
    ("pg_attribute", attribute::attributes),
    ("pg_auth_members", role::members),
    ("pg_authid", role::roles),
    ("pg_cast", types::casts),
    ("pg_class", relation::classes),
    ("pg_collation", fixed::collations),
    ("pg_constraint", constraint::constraints),
    ("pg_database", session::databases),
    ("pg_depend", constraint::dependences),
    ("pg_description", relation::descriptions),
    ("pg_group", role::groups),
    ("pg_index", index::indexes),
    ("pg_indexes", index::listed),
    ("pg_language", fixed::languages),
    ("pg_namespace", relation::namespaces),
    ("pg_opclass", index::classes),
    ("pg_opfamily", index::families),
    ("pg_proc", function::functions),
    ("pg_rewrite", relation::rules),
    ("pg_roles", role::roles),
    ("pg_sequence", relation::sequences),
    ("pg_sequences", relation::listed_sequences),
    ("pg_settings", session::settings),
    ("pg_stat_activity", session::activity),
    ("pg_stat_all_tables", session::table_figures),
    ("pg_stat_database", session::database_figures),
    ("pg_stat_user_indexes", index::figures),
    ("pg_stat_user_tables", session::table_figures),
    ("pg_statio_user_tables", session::table_figures),
    ("pg_tables", relation::listed_tables),
    ("pg_tablespace", fixed::tablespaces),
    ("pg_timezone_abbrevs", fixed::zones),
    ("pg_timezone_names", fixed::zones),
    ("pg_type", types::types),
    ("pg_user", role::users),
    ("pg_views", relation::listed_views),
];

/// What makes the rows of `information_schema`'s relations; what is not here is empty.
const INFORMATION_SCHEMA: &[(&str, Make)] = &[
    ("applicable_roles", grants::applicable_roles),
    ("character_sets", schema::character_sets),
    ("check_constraints", keys::checks),
    ("collations", schema::collations),
    ("column_privileges", grants::of_columns),
    ("columns", columns::columns),
    ("constraint_column_usage", keys::column_usage),
    ("constraint_table_usage", keys::table_usage),
    ("enabled_roles", grants::enabled_roles),
    ("information_schema_catalog_name", schema::catalog_name),
    ("key_column_usage", keys::key_columns),
    ("referential_constraints", keys::references),
    ("role_column_grants", grants::of_columns),
    ("role_table_grants", grants::of_tables),
    ("schemata", schema::schemata),
    ("sequences", schema::sequences),
    ("table_constraints", keys::constraints),
    ("table_privileges", grants::of_tables),
    ("tables", schema::tables),
    ("views", schema::views),
];

/// All rows of a relation of the system: values as they are kept, one for each column.
pub(crate) fn rows(system: &System, world: &World<'_>) -> Vec<Vec<Value>> {
    let makers = if system.schema == "pg_catalog" { PG_CATALOG } else { INFORMATION_SCHEMA };
    let mut rows = Rows::new(system);
    if let Some((_, make)) = makers.iter().find(|(name, _)| *name == system.name) {
        make(world, &mut rows);
    }
    rows.done()
}

#[cfg(test)]
pub(super) fn made() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = |schema| move |(name, _): &(&'static str, Make)| (schema, *name);
    PG_CATALOG.iter().map(own("pg_catalog")).chain(INFORMATION_SCHEMA.iter().map(own("information_schema")))
}
