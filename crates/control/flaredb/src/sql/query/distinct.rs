//! `DISTINCT ON`: the first row of each group, by a window over the whole.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::Expr;

use super::Column;
use super::body::Output;
use super::order::{Meant, column_meant};
use crate::sql::expr::collated;
use crate::sql::names::quoted;
use crate::sql::planner::Planner;
use crate::sql::scope::Clause;

/// See the module.
pub(crate) struct On {
    partition: Vec<String>,
    /// Keys and how each is ordered.
    order: Vec<(String, String)>,
}

impl Planner<'_> {
    pub(crate) fn distinct_on(
        &mut self,
        exprs: &[Expr],
        keys: &[Meant],
        outputs: &[Output],
    ) -> Result<On, SqlError> {
        let mut partition = Vec::new();
        for expr in exprs {
            let value = match column_meant(expr, outputs, "DISTINCT ON")? {
                Some(column) => outputs[column].value.clone(),
                None => self.within(Clause::DistinctOn, |planner| planner.settled_expr(expr))?,
            };
            partition.push(collated(&value));
        }
        let mut order = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let value = match key {
                Meant::Column(column) => &outputs[*column].value,
                Meant::Value(value) => value,
            };
            let sql = collated(value);
            if place < partition.len() && !partition.contains(&sql) {
                let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
                return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(value.at));
            }
            order.push((sql, self.directions.get(place).cloned().unwrap_or_default()));
        }
        Ok(On { partition, order })
    }
}

impl On {
    /// The whole query, in the order asked for.
    pub(crate) fn write(&self, items: &str, columns: &[Column], tail: &str) -> String {
        let keys: Vec<String> =
            self.order.iter().map(|(key, direction)| format!("{key}{direction}")).collect();
        let order = if keys.is_empty() { String::new() } else { format!(" ORDER BY {}", keys.join(", ")) };
        let mut inner = format!(
            "{items}, row_number() OVER (PARTITION BY {}{order}) AS \"rank:\"",
            self.partition.join(", ")
        );
        let mut outer = Vec::new();
        for (place, (key, direction)) in self.order.iter().enumerate() {
            inner.push_str(&format!(", {key} AS \"key:{place}\""));
            outer.push(format!("\"key:{place}\"{direction}"));
        }
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.sql_name)).collect();
        let order = if outer.is_empty() { String::new() } else { format!(" ORDER BY {}", outer.join(", ")) };
        format!("SELECT {} FROM (SELECT {inner}{tail}) WHERE \"rank:\" = 1{order}", names.join(", "))
    }
}
