//! `VALUES`.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::Values;

use super::body::{Body, Written};
use super::{Column, aliased};
use crate::sql::expr::typed::{Typed, Uses};
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    /// Rows, each of the same width. `wanted`: the types of the columns they go into, which decide parameters.
    pub(crate) fn values(&mut self, values: &Values, _wanted: &[Type]) -> Result<Body, SqlError> {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let mut rows = Vec::with_capacity(values.rows.len());
        self.inside(Level::of(Clause::Values), |planner| {
            for row in &values.rows {
                if row.content.len() != width {
                    let message = "VALUES lists must all be the same length";
                    let at = row.content.first().map_or(0, crate::sql::expr::at);
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
                }
                rows.push(planner.exprs(&row.content)?);
            }
            Ok(())
        })?;
        Ok(Body::Values(rows))
    }
}

/// SQLite's own VALUES calls its columns `column1` and so on, as PostgreSQL does.
pub(crate) fn write(rows: &[Vec<Typed>]) -> Written {
    let mut uses = Uses::default();
    let mut depth = 0;
    for value in rows.iter().flatten() {
        uses.and(&value.uses);
        depth = depth.max(value.depth);
    }
    let columns = rows.first().into_iter().flatten().enumerate().map(|(place, value)| Column {
        name: format!("column{}", place + 1),
        sql_name: format!("column{}", place + 1),
        ty: value.ty,
        not_null: rows.iter().all(|row| row[place].not_null),
        origin: None,
    });
    let columns: Vec<Column> = columns.collect();
    let sql = match rows {
        [row] => {
            let items: Vec<String> =
                row.iter().zip(&columns).map(|(value, column)| aliased(&value.sql, &column.name)).collect();
            format!("SELECT {}", items.join(", "))
        }
        rows => {
            let rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    let list: Vec<&str> = row.iter().map(|value| value.sql.as_str()).collect();
                    format!("({})", list.join(", "))
                })
                .collect();
            format!("VALUES {}", rows.join(", "))
        }
    };
    Written { sql, columns, uses, depth: depth + 2, compound: rows.len() > 1 }
}
