//! `information_schema`: constraints and the columns that they are about.

use super::base::tables;
use super::cell::{Rows, add, yes};
use super::constraint::constraint_of;
use crate::base::catalog::{Action, Constraint};
use crate::base::{ConstraintKind, Relation};
use crate::pgcat::definition::condition;
use crate::pgcat::place;
use crate::pgcat::world::World;

/// Every constraint with its table.
fn all<'a>(world: &'a World<'_>) -> impl Iterator<Item = (&'a Relation, &'a Constraint)> {
    tables(world).flat_map(|table| table.constraints.iter().map(move |constraint| (table, constraint)))
}

/// Names that the standard's view gives NOT NULL, with their columns.
fn not_nulls<'a>(world: &'a World<'_>) -> impl Iterator<Item = (&'a Relation, String, &'a str)> {
    tables(world).flat_map(move |table| {
        let schema = place::schema(world.catalog, &table.schema);
        table.columns.iter().filter(|column| column.not_null).map(move |column| {
            let name = format!("{schema}_{}_{}_not_null", table.oid, column.number);
            (table, name, column.name.as_str())
        })
    })
}

fn type_of(kind: &ConstraintKind) -> &'static str {
    match kind {
        ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
        ConstraintKind::Unique { .. } => "UNIQUE",
        ConstraintKind::Check { .. } => "CHECK",
        ConstraintKind::ForeignKey { .. } => "FOREIGN KEY",
    }
}

/// `information_schema.table_constraints`.
pub(super) fn constraints(world: &World<'_>, rows: &mut Rows) {
    let mut one = |table: &Relation, name: &str, kind: &str, deferred: bool| {
        add!(rows;
            constraint_catalog: &world.settings.database,
            constraint_schema: &table.schema,
            constraint_name: name,
            table_catalog: &world.settings.database,
            table_schema: &table.schema,
            table_name: &table.name,
            constraint_type: kind,
            is_deferrable: yes(deferred),
            initially_deferred: yes(deferred),
            enforced: "YES",
            nulls_distinct: (kind == "UNIQUE").then_some("YES"),
        );
    };
    for (table, constraint) in all(world) {
        let deferred = matches!(constraint.kind, ConstraintKind::ForeignKey { deferred: true, .. });
        one(table, &constraint.name, type_of(&constraint.kind), deferred);
    }
    for (table, name, _) in not_nulls(world) {
        one(table, &name, "CHECK", false);
    }
}

/// `information_schema.check_constraints`.
pub(super) fn checks(world: &World<'_>, rows: &mut Rows) {
    let mut one = |table: &Relation, name: &str, clause: String| {
        add!(rows;
            constraint_catalog: &world.settings.database,
            constraint_schema: &table.schema,
            constraint_name: name,
            check_clause: clause,
        );
    };
    for (table, constraint) in all(world) {
        if let ConstraintKind::Check { expression } = &constraint.kind {
            one(table, &constraint.name, format!("({})", condition(expression, false)));
        }
    }
    for (table, name, column) in not_nulls(world) {
        one(table, &name, format!("{column} IS NOT NULL"));
    }
}

/// `information_schema.key_column_usage`.
pub(super) fn key_columns(world: &World<'_>, rows: &mut Rows) {
    for (table, constraint) in all(world) {
        if matches!(constraint.kind, ConstraintKind::Check { .. }) {
            continue;
        }
        for (number, at) in constraint.columns.iter().zip(1..) {
            add!(rows;
                constraint_catalog: &world.settings.database,
                constraint_schema: &table.schema,
                constraint_name: &constraint.name,
                table_catalog: &world.settings.database,
                table_schema: &table.schema,
                table_name: &table.name,
                column_name: place::column_name(table, *number),
                ordinal_position: at,
                position_in_unique_constraint: referenced_place(world, constraint, at),
            );
        }
    }
}

/// Where the column that one of a foreign key refers to stands in the constraint that makes it unique, from 1.
fn referenced_place(world: &World<'_>, constraint: &Constraint, at: i32) -> Option<i32> {
    let ConstraintKind::ForeignKey { table, columns, .. } = &constraint.kind else { return None };
    let to = columns.get(usize::try_from(at - 1).ok()?)?;
    let unique = constraint_of(world, *table, columns)?;
    let place = unique.columns.iter().position(|column| column == to)?;
    i32::try_from(place + 1).ok()
}

/// Columns that a constraint is about, as `constraint_column_usage` has it: a foreign key's are those it refers to.
fn used<'a>(
    world: &'a World<'_>,
    table: &'a Relation,
    constraint: &'a Constraint,
) -> (&'a Relation, &'a [i16]) {
    match &constraint.kind {
        ConstraintKind::ForeignKey { table: to, columns, .. } => {
            let to = world.catalog.relations.get(to).map_or(table, AsRef::as_ref);
            (to, columns)
        }
        _ => (table, &constraint.columns),
    }
}

/// `information_schema.constraint_column_usage`.
pub(super) fn column_usage(world: &World<'_>, rows: &mut Rows) {
    for (own, constraint) in all(world) {
        let (table, columns) = used(world, own, constraint);
        for number in columns {
            add!(rows;
                table_catalog: &world.settings.database,
                table_schema: &table.schema,
                table_name: &table.name,
                column_name: place::column_name(table, *number),
                constraint_catalog: &world.settings.database,
                constraint_schema: &own.schema,
                constraint_name: &constraint.name,
            );
        }
    }
}

/// `information_schema.constraint_table_usage`.
pub(super) fn table_usage(world: &World<'_>, rows: &mut Rows) {
    for (own, constraint) in all(world) {
        if matches!(constraint.kind, ConstraintKind::Check { .. }) {
            continue;
        }
        let (table, _) = used(world, own, constraint);
        add!(rows;
            table_catalog: &world.settings.database,
            table_schema: &table.schema,
            table_name: &table.name,
            constraint_catalog: &world.settings.database,
            constraint_schema: &own.schema,
            constraint_name: &constraint.name,
        );
    }
}

/// `information_schema.referential_constraints`.
pub(super) fn references(world: &World<'_>, rows: &mut Rows) {
    for (own, constraint) in all(world) {
        let ConstraintKind::ForeignKey { table, columns, on_delete, on_update, .. } = &constraint.kind else {
            continue;
        };
        let to = world.catalog.relations.get(table);
        let unique = constraint_of(world, *table, columns);
        add!(rows;
            constraint_catalog: &world.settings.database,
            constraint_schema: &own.schema,
            constraint_name: &constraint.name,
            unique_constraint_catalog: unique.map(|_| &world.settings.database),
            unique_constraint_schema: to.filter(|_| unique.is_some()).map(|to| &to.schema),
            unique_constraint_name: unique.map(|unique| &unique.name),
            match_option: "NONE",
            update_rule: rule(*on_update),
            delete_rule: rule(*on_delete),
        );
    }
}

fn rule(action: Action) -> &'static str {
    match action {
        Action::NoAction => "NO ACTION",
        Action::Restrict => "RESTRICT",
        Action::Cascade => "CASCADE",
        Action::SetNull => "SET NULL",
        Action::SetDefault => "SET DEFAULT",
    }
}
