//! What SQLite says of a statement that failed, in PostgreSQL's words, with the names that the catalogue has.

use crate::base::error::About;
use crate::base::{Catalog, ConstraintKind, Relation, RelationKind, SqlError, SqlState};
use crate::proto::log::Failure;

/// SQLite's extended result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const TOO_BIG: i32 = 18;
    pub(super) const CHECK: i32 = 275;
    pub(super) const FOREIGN_KEY: i32 = 787;
    pub(super) const NOT_NULL: i32 = 1299;
    pub(super) const PRIMARY_KEY: i32 = 1555;
    pub(super) const UNIQUE: i32 = 2067;
    pub(super) const ROW_ID: i32 = 2579;
}

/// The error that a client is told.
pub(crate) fn explain(failure: Failure, catalog: &Catalog, table: Option<u32>) -> SqlError {
    if failure.sqlite == 0 {
        return crate::refusal::as_error(failure);
    }
    let table = table.and_then(|oid| catalog.relations.get(&oid));
    let what = failure.message.split_once(": ").map_or("", |(_, what)| what);
    match failure.sqlite {
        code::NOT_NULL => not_null(what, catalog),
        code::UNIQUE | code::PRIMARY_KEY | code::ROW_ID => unique(what, catalog),
        code::CHECK => check(what, table.map(AsRef::as_ref), catalog),
        code::FOREIGN_KEY => foreign_key(table.map(AsRef::as_ref)),
        code::TOO_BIG => SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a value or a row is too long"),
        _ => {
            let message = format!("the statement cannot be carried out: {}", failure.message);
            SqlError::new(SqlState::INTERNAL_ERROR, message)
        }
    }
}

fn stored<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a Relation> {
    catalog.relations.values().find(|relation| relation.stored_as == name).map(AsRef::as_ref)
}

fn about(relation: &Relation, column: Option<&str>, constraint: Option<&str>) -> Option<Box<About>> {
    Some(Box::new(About {
        schema: Some(relation.schema.clone()),
        table: Some(relation.name.clone()),
        column: column.map(str::to_owned),
        constraint: constraint.map(str::to_owned),
    }))
}

/// `table.column`, where a table's name may hold a dot.
fn split<'a>(what: &'a str, catalog: &'a Catalog) -> Option<(&'a Relation, &'a str)> {
    let (table, column) = what.rsplit_once('.')?;
    Some((stored(catalog, table)?, column))
}

fn not_null(what: &str, catalog: &Catalog) -> SqlError {
    let Some((table, column)) = split(what, catalog) else {
        return SqlError::new(SqlState::NOT_NULL_VIOLATION, format!("null value in {what}"));
    };
    let message = format!(
        "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
        table.name
    );
    SqlError {
        about: about(table, Some(column), None),
        ..SqlError::new(SqlState::NOT_NULL_VIOLATION, message)
    }
}

/// `t.a, t.b`, or `index 'name'`.
fn unique(what: &str, catalog: &Catalog) -> SqlError {
    let named = |name: &str, table: Option<&Relation>| {
        let message = format!("duplicate key value violates unique constraint \"{name}\"");
        let error = SqlError::new(SqlState::UNIQUE_VIOLATION, message);
        SqlError { about: table.and_then(|table| about(table, None, Some(name))), ..error }
    };
    if let Some(index) = what.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        let name = stored(catalog, index).map_or(index, |relation| relation.name.as_str());
        return named(name, None);
    }
    let parts: Vec<(&Relation, &str)> = what.split(", ").filter_map(|part| split(part, catalog)).collect();
    let Some((table, _)) = parts.first() else { return named(what, None) };
    let mut numbers: Vec<i16> =
        parts.iter().filter_map(|(_, column)| table.column(column)).map(|column| column.number).collect();
    numbers.sort_unstable();
    let same = |columns: &[i16]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns == numbers
    };
    let constraint = table.constraints.iter().find(|constraint| {
        matches!(constraint.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
            && same(&constraint.columns)
    });
    if let Some(constraint) = constraint {
        return named(&constraint.name, Some(table));
    }
    let index = catalog.indexes_of(table.oid).find(|index| match &index.kind {
        RelationKind::Index { unique: true, keys, .. } => {
            same(&keys.iter().map(|key| key.column).collect::<Vec<_>>())
        }
        _ => false,
    });
    named(index.map_or(what, |index| index.name.as_str()), Some(table))
}

fn check(name: &str, table: Option<&Relation>, catalog: &Catalog) -> SqlError {
    let owner = table.or_else(|| {
        let has = |relation: &&std::sync::Arc<Relation>| {
            relation.constraints.iter().any(|known| known.name == name)
        };
        catalog.relations.values().find(has).map(AsRef::as_ref)
    });
    let relation = owner.map_or("", |table| table.name.as_str());
    let message = format!("new row for relation \"{relation}\" violates check constraint \"{name}\"");
    let error = SqlError::new(SqlState::CHECK_VIOLATION, message);
    SqlError { about: owner.and_then(|table| about(table, None, Some(name))), ..error }
}

/// SQLite does not say which one.
fn foreign_key(table: Option<&Relation>) -> SqlError {
    let keys: Vec<&str> = table
        .into_iter()
        .flat_map(|table| &table.constraints)
        .filter(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. }))
        .map(|constraint| constraint.name.as_str())
        .collect();
    let message = match (table, keys.as_slice()) {
        (Some(table), [only]) => {
            format!("insert or update on table \"{}\" violates foreign key constraint \"{only}\"", table.name)
        }
        (Some(table), _) => {
            format!("update or delete on table \"{}\" violates a foreign key constraint", table.name)
        }
        (None, _) => "the statement violates a foreign key constraint".to_owned(),
    };
    let constraint = if let [only] = keys.as_slice() { Some(*only) } else { None };
    let error = SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message);
    SqlError { about: table.and_then(|table| about(table, None, constraint)), ..error }
}
