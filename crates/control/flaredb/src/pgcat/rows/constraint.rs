//! `pg_constraint` and `pg_depend`.

use super::cell::{Rows, add, numbers};
use super::relation::CLASS;
use crate::base::catalog::{Action, Constraint};
use crate::base::{ConstraintKind, Relation, RelationKind, Type};
use crate::pgcat::definition::condition;
use crate::pgcat::place;
use crate::pgcat::world::World;

/// What a constraint is, as `pg_constraint` has it.
#[derive(Default)]
struct Shape {
    kind: &'static str,
    index: u32,
    references: u32,
    update: &'static str,
    delete: &'static str,
    matching: &'static str,
    deferred: bool,
    columns: Option<String>,
    /// Operators that compare, one for each column.
    operators: Option<String>,
    expression: Option<String>,
}

/// `pg_constraint`.
pub(super) fn constraints(world: &World<'_>, rows: &mut Rows) {
    for relation in world.catalog.relations.values() {
        for constraint in &relation.constraints {
            let shape = shape(world, relation, constraint);
            let checks = shape.kind == "c";
            add!(rows;
                oid: constraint.oid,
                conname: &constraint.name,
                connamespace: place::schema(world.catalog, &relation.schema),
                contype: shape.kind,
                condeferrable: shape.deferred,
                condeferred: shape.deferred,
                convalidated: true,
                conrelid: relation.oid,
                conindid: shape.index,
                confrelid: shape.references,
                confupdtype: shape.update,
                confdeltype: shape.delete,
                confmatchtype: shape.matching,
                conislocal: true,
                connoinherit: !checks,
                conkey: numbers(&constraint.columns),
                confkey: shape.columns,
                conpfeqop: shape.operators.clone(),
                conppeqop: shape.operators.clone(),
                conffeqop: shape.operators,
                conbin: shape.expression,
            );
        }
    }
}

fn shape(world: &World<'_>, relation: &Relation, constraint: &Constraint) -> Shape {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { index } => blank("p", *index),
        ConstraintKind::Unique { index } => blank("u", *index),
        ConstraintKind::Check { expression } => {
            Shape { expression: Some(condition(expression, false)), ..blank("c", 0) }
        }
        ConstraintKind::ForeignKey { table, columns, on_delete, on_update, deferred } => Shape {
            references: *table,
            update: letter(*on_update),
            delete: letter(*on_delete),
            matching: "s",
            deferred: *deferred,
            columns: Some(numbers(columns)),
            operators: Some(operators(relation, &constraint.columns)),
            ..blank("f", index_of(world, *table, columns))
        },
    }
}

/// A shape without a reference.
fn blank(kind: &'static str, index: u32) -> Shape {
    Shape { kind, index, update: " ", delete: " ", matching: " ", ..Shape::default() }
}

/// `pg_constraint.confdeltype`.
fn letter(action: Action) -> &'static str {
    match action {
        Action::NoAction => "a",
        Action::Restrict => "r",
        Action::Cascade => "c",
        Action::SetNull => "n",
        Action::SetDefault => "d",
    }
}

/// The index that makes these columns of a table unique; 0: there is none.
pub(super) fn index_of(world: &World<'_>, table: u32, columns: &[i16]) -> u32 {
    constraint_of(world, table, columns).map_or(0, |constraint| match constraint.kind {
        ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => index,
        _ => 0,
    })
}

/// The constraint that makes these columns of a table unique.
pub(super) fn constraint_of<'a>(world: &'a World<'_>, table: u32, columns: &[i16]) -> Option<&'a Constraint> {
    let relation = world.catalog.relations.get(&table)?;
    let sorted = |numbers: &[i16]| {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers
    };
    let wanted = sorted(columns);
    relation.constraints.iter().find(|constraint| {
        let unique =
            matches!(constraint.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. });
        unique && sorted(&constraint.columns) == wanted
    })
}

/// OIDs of `=` for the types of the columns.
fn operators(relation: &Relation, columns: &[i16]) -> String {
    let of = |number: &i16| {
        let column = relation.columns.iter().find(|column| column.number == *number);
        match column.map(|column| column.ty.ty) {
            Some(Type::INT2) => 94_u32,
            Some(Type::INT4) => 96,
            Some(Type::INT8) => 410,
            Some(Type::UUID) => 2972,
            Some(Type::NUMERIC) => 1752,
            _ => 98,
        }
    };
    numbers(&columns.iter().map(of).collect::<Vec<_>>())
}

/// The classes of what depends.
const CONSTRAINT: u32 = 2606;
const DEFAULT: u32 = 2604;
const REWRITE: u32 = 2618;

/// `pg_depend`: sequences on the columns that they count for, indexes on constraints or tables, and defaults.
pub(super) fn dependences(world: &World<'_>, rows: &mut Rows) {
    for relation in world.catalog.relations.values() {
        match &relation.kind {
            RelationKind::Sequence(options) => {
                if let Some((table, column)) = options.owned_by {
                    let kind = if is_identity(world, table, column) { "i" } else { "a" };
                    depend((CLASS, relation.oid), (CLASS, table, column), kind, rows);
                }
            }
            RelationKind::Index { table, .. } => {
                of_index(world, relation.oid, *table, rows);
            }
            RelationKind::View { .. } => {
                depend((REWRITE, place::rule(relation.oid)), (CLASS, relation.oid, 0), "i", rows);
            }
            RelationKind::Table => {}
        }
        of_columns(world, relation, rows);
    }
}

fn of_columns(world: &World<'_>, relation: &Relation, rows: &mut Rows) {
    for column in relation.columns.iter().filter(|one| one.default.is_some() || one.generated.is_some()) {
        let default = (DEFAULT, place::default(relation.oid, column.number));
        depend(default, (CLASS, relation.oid, column.number), "a", rows);
        // A `serial` is a default that draws on a sequence which goes with the column.
        if column.default.is_some()
            && let Some(sequence) = place::sequence_of(world.catalog, relation.oid, column.number)
        {
            depend(default, (CLASS, sequence.oid, 0), "n", rows);
        }
    }
    for constraint in &relation.constraints {
        for column in &constraint.columns {
            depend((CONSTRAINT, constraint.oid), (CLASS, relation.oid, *column), "a", rows);
        }
    }
}

fn of_index(world: &World<'_>, index: u32, table: u32, rows: &mut Rows) {
    let constraint = world.catalog.relations.get(&table).and_then(|table| {
        table.constraints.iter().find(|constraint| match constraint.kind {
            ConstraintKind::PrimaryKey { index: by } | ConstraintKind::Unique { index: by } => by == index,
            _ => false,
        })
    });
    match constraint {
        Some(constraint) => depend((CLASS, index), (CONSTRAINT, constraint.oid, 0), "i", rows),
        None => depend((CLASS, index), (CLASS, table, 0), "a", rows),
    }
}

fn is_identity(world: &World<'_>, table: u32, column: i16) -> bool {
    let Some(table) = world.catalog.relations.get(&table) else { return false };
    table.columns.iter().any(|one| one.number == column && one.identity.is_some())
}

fn depend(who: (u32, u32), on: (u32, u32, i16), kind: &str, rows: &mut Rows) {
    add!(rows;
        classid: who.0,
        objid: who.1,
        refclassid: on.0,
        refobjid: on.1,
        refobjsubid: i32::from(on.2),
        deptype: kind,
    );
}
