//! UPDATE.

use crate::base::catalog::Privilege;
use crate::base::{SqlError, SqlState};
use sqlparser::ast::{TableFactor, Update, UpdateTableFromKind};

use super::Planned;
use super::insert::target;
use crate::sql::names::{Name, folded, quoted};
use crate::sql::plan::{Command, Write};
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    pub(crate) fn update(&mut self, update: &Update) -> Result<Planned, SqlError> {
        let (name, alias) = match &update.table.relation {
            TableFactor::Table { name, alias, args: None, .. } if update.table.joins.is_empty() => {
                (name, alias)
            }
            _ => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in UPDATE")),
        };
        let relation = self.table(&Name::of(name)?, "update")?.clone();
        let alias = alias.as_ref().map_or_else(|| relation.name.clone(), |alias| folded(&alias.name));
        self.access(relation.oid, Privilege::Update);
        let mut level = Level::of(Clause::Set);
        level.add(target(&relation, &alias));
        let sql = self.inside(level, |planner| {
            let from = match &update.from {
                None => String::new(),
                Some(UpdateTableFromKind::AfterSet(tables)) => planner.from(tables)?.sql,
                Some(UpdateTableFromKind::BeforeSet(_)) => {
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"FROM\""));
                }
            };
            let set = planner.assignments(&relation, &update.assignments)?;
            let filter = match &update.selection {
                None => String::new(),
                Some(filter) => {
                    let filter =
                        planner.within(Clause::Where, |planner| planner.condition_expr(filter, "WHERE"))?;
                    format!(" WHERE {}", filter.sql)
                }
            };
            let table = quoted(&relation.stored_as);
            Ok(format!("UPDATE {table} AS {} SET {set}{from}{filter}", quoted(&alias)))
        })?;
        let (returning, columns) = self.returning(&relation, &alias, update.returning.as_deref())?;
        let write = Write {
            command: Command::Update,
            table: relation.oid,
            returning: !returning.is_empty(),
            sql: format!("{sql}{returning}"),
            unfiltered: update.selection.is_none() && update.from.is_none(),
        };
        Ok(Planned { write, columns })
    }
}
