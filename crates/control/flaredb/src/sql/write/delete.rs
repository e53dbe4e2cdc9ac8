//! DELETE.

use crate::base::catalog::Privilege;
use crate::base::{SqlError, SqlState};
use sqlparser::ast::{Delete, FromTable, TableFactor};

use super::Planned;
use super::insert::target;
use crate::sql::names::{Name, folded, quoted};
use crate::sql::plan::{Command, Write};
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    pub(crate) fn delete(&mut self, delete: &Delete) -> Result<Planned, SqlError> {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let syntax = || SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in DELETE");
        let [table] = tables.as_slice() else { return Err(syntax()) };
        let TableFactor::Table { name, alias, args: None, .. } = &table.relation else {
            return Err(syntax());
        };
        if !table.joins.is_empty() || !delete.tables.is_empty() {
            return Err(syntax());
        }
        let relation = self.table(&Name::of(name)?, "delete from")?.clone();
        let alias = alias.as_ref().map_or_else(|| relation.name.clone(), |alias| folded(&alias.name));
        self.access(relation.oid, Privilege::Delete);
        let mut level = Level::of(Clause::Where);
        level.add(target(&relation, &alias));
        let filter = self.inside(level, |planner| {
            let from = match &delete.using {
                None => None,
                Some(tables) => Some(planner.from(tables)?.sql),
            };
            let filter = match &delete.selection {
                None => None,
                Some(filter) => Some(planner.condition_expr(filter, "WHERE")?.sql),
            };
            Ok(match (from, filter) {
                (None, None) => String::new(),
                (None, Some(filter)) => format!(" WHERE {filter}"),
                // SQLite's DELETE joins nothing: a row goes if it would have been joined.
                (Some(from), filter) => {
                    format!(
                        " WHERE EXISTS (SELECT 1{from} WHERE {})",
                        filter.unwrap_or_else(|| "1".to_owned())
                    )
                }
            })
        })?;
        let (returning, columns) = self.returning(&relation, &alias, delete.returning.as_deref())?;
        let write = Write {
            command: Command::Delete,
            table: relation.oid,
            returning: !returning.is_empty(),
            sql: format!(
                "DELETE FROM {} AS {}{filter}{returning}",
                quoted(&relation.stored_as),
                quoted(&alias)
            ),
            unfiltered: filter.is_empty(),
        };
        Ok(Planned { write, columns })
    }
}
