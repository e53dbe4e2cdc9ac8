//! RETURNING.

use crate::base::{Relation, SqlError};
use sqlparser::ast::SelectItem;

use super::{scope_columns, scope_table};
use crate::sql::plan::OutputColumn;
use crate::sql::planner::Planner;
use crate::sql::query::body::list;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    /// With a blank before it, and the columns that come.
    pub(crate) fn returning(
        &mut self,
        relation: &Relation,
        alias: &str,
        items: Option<&[SelectItem]>,
    ) -> Result<(String, Vec<OutputColumn>), SqlError> {
        let Some(items) = items else { return Ok((String::new(), Vec::new())) };
        let mut level = Level::of(Clause::Returning);
        // Qualified by an alias, SQLite finds no column here.
        level.add(scope_table(relation, alias, scope_columns(relation, None)));
        self.inside(level, |planner| {
            let mut outputs = planner.items(items)?;
            for output in &mut outputs {
                let value = output.value.clone();
                output.value = planner.settled(value)?;
            }
            let (sql, columns) = list(&outputs, false);
            let columns = columns.into_iter().map(OutputColumn::from).collect();
            Ok((format!(" RETURNING {sql}"), columns))
        })
    }
}
