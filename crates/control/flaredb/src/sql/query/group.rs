//! GROUP BY, and columns that it does not cover.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{Expr, GroupByExpr, SelectItem};

use crate::sql::expr::typed::Typed;
use crate::sql::expr::{collated, column_name};
use crate::sql::names::folded;
use crate::sql::planner::Planner;
use crate::sql::scope::Clause;

/// What rows are grouped by, as SQLite's SQL.
#[derive(Default)]
pub(crate) struct Groups {
    pub(crate) keys: Vec<String>,
    pub(crate) values: Vec<Typed>,
}

impl Planner<'_> {
    /// The keys. From then on the level knows what is covered.
    pub(crate) fn group_by(
        &mut self,
        group_by: &GroupByExpr,
        items: &[SelectItem],
    ) -> Result<Groups, SqlError> {
        let exprs = match group_by {
            GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => exprs,
            GroupByExpr::Expressions(..) => {
                return Err(SqlError::unsupported("GROUPING SETS, CUBE and ROLLUP"));
            }
            GroupByExpr::All(_) => {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"ALL\""));
            }
        };
        let mut groups = Groups::default();
        for expr in exprs {
            if matches!(expr, Expr::Tuple(parts) if parts.is_empty()) {
                continue;
            }
            let meant = self.group_meant(expr, items)?;
            let mut value = self.within(Clause::GroupBy, |planner| planner.settled_expr(meant))?;
            value.uses.ungrouped.clear();
            groups.keys.push(collated(&value));
            groups.values.push(value);
        }
        self.level().groups = groups.values.iter().map(|value| value.sql.clone()).collect();
        self.find_determined(&groups.values);
        Ok(groups)
    }

    /// A number means a column of the select list, and so does a name that FROM does not have.
    fn group_meant<'e>(&self, expr: &'e Expr, items: &'e [SelectItem]) -> Result<&'e Expr, SqlError> {
        let of_item = |item: &'e SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        };
        match expr {
            Expr::Value(value) => {
                let sqlparser::ast::Value::Number(digits, _) = &value.value else { return Ok(expr) };
                let place = digits.parse::<usize>().unwrap_or(0).wrapping_sub(1);
                items.get(place).and_then(of_item).ok_or_else(|| {
                    let message = format!("GROUP BY position {digits} is not in select list");
                    SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
                        .at(crate::sql::parse::position(value.span))
                })
            }
            Expr::Identifier(ident) => {
                let name = folded(ident);
                if self.levels.last().is_some_and(|level| level.bare(&name).next().is_some()) {
                    return Ok(expr);
                }
                let named = |item: &SelectItem| match item {
                    SelectItem::ExprWithAlias { alias, .. } => folded(alias) == name,
                    SelectItem::UnnamedExpr(expr) => column_name(expr) == name,
                    _ => false,
                };
                Ok(items.iter().find(|item| named(item)).and_then(of_item).unwrap_or(expr))
            }
            _ => Ok(expr),
        }
    }

    /// Tables whose primary key is among the keys: all of their columns are known in a group.
    fn find_determined(&mut self, keys: &[Typed]) {
        let catalog = self.catalog;
        let level = self.level();
        let mut determined = Vec::new();
        for (place, table) in level.tables.iter().enumerate() {
            let Some(relation) = table.oid.and_then(|oid| catalog.relations.get(&oid)) else { continue };
            let Some(key) = relation.primary_key() else { continue };
            let covered = key.columns.iter().all(|number| {
                table
                    .columns
                    .iter()
                    .filter(|column| column.origin == Some((relation.oid, *number)))
                    .any(|column| keys.iter().any(|key| key.sql == column.sql))
            });
            if covered {
                determined.push(place);
            }
        }
        level.determined = determined;
    }

    /// That nothing of a grouped query is outside of its groups.
    pub(crate) fn covered(&mut self, value: &Typed) -> Result<(), SqlError> {
        let depth = self.levels.len();
        let Some(loose) = value.uses.ungrouped.iter().find(|ungrouped| ungrouped.depth == depth) else {
            return Ok(());
        };
        let message = format!(
            "column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function",
            loose.name
        );
        Err(SqlError::new(SqlState::GROUPING_ERROR, message).at(loose.at))
    }
}
