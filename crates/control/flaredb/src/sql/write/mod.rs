//! INSERT, UPDATE and DELETE.

mod conflict;
mod copy;
mod delete;
mod insert;
mod returning;
mod update;

use crate::base::{Column, Relation, SqlError, SqlState};
use sqlparser::ast::{AssignmentTarget, ObjectName};

use crate::sql::names::{Name, quoted};
use crate::sql::scope::{ScopeColumn, Table};

pub(crate) use self::insert::is_row_id;

/// What a write has been planned to.
pub(crate) struct Planned {
    pub(crate) write: crate::sql::plan::Write,
    pub(crate) columns: Vec<crate::sql::plan::OutputColumn>,
}

/// The columns of a table under an alias of SQLite's; none: bare.
pub(crate) fn scope_columns(relation: &Relation, alias: Option<&str>) -> Vec<ScopeColumn> {
    let sql = |column: &Column| match alias {
        Some(alias) => format!("{}.{}", quoted(alias), quoted(&column.name)),
        None => quoted(&column.name),
    };
    relation
        .columns
        .iter()
        .map(|column| ScopeColumn {
            name: column.name.clone(),
            sql: sql(column),
            ty: column.ty,
            not_null: column.not_null,
            origin: Some((relation.oid, column.number)),
        })
        .collect()
}

/// The table that is written to, in sight.
pub(crate) fn scope_table(relation: &Relation, alias: &str, columns: Vec<ScopeColumn>) -> Table {
    Table {
        alias: alias.to_owned(),
        schema: (alias == relation.name).then(|| relation.schema.clone()),
        sql_alias: alias.to_owned(),
        columns,
        oid: Some(relation.oid),
        ..Table::default()
    }
}

/// The column that an assignment is to.
pub(crate) fn assigned_column(name: &ObjectName) -> Result<Name, SqlError> {
    let written = Name::of(name)?;
    if written.schema.is_some() {
        return Err(SqlError::unsupported("an assignment to a field of a column").at(written.at));
    }
    Ok(written)
}

/// Assignments to a row of columns are taken apart.
pub(crate) fn targets(target: &AssignmentTarget) -> Result<Vec<Name>, SqlError> {
    match target {
        AssignmentTarget::ColumnName(name) => Ok(vec![assigned_column(name)?]),
        AssignmentTarget::Tuple(names) => names.iter().map(assigned_column).collect(),
    }
}

/// There is no such column in the table that is written to.
pub(crate) fn no_column(relation: &Relation, name: &Name) -> SqlError {
    let message = format!("column \"{}\" of relation \"{}\" does not exist", name.name, relation.name);
    SqlError::new(SqlState::UNDEFINED_COLUMN, message).at(name.at)
}
