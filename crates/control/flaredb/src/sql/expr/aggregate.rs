//! Aggregates and window functions.

use crate::base::rules::FunctionKind;
use crate::base::{SqlError, SqlState, Type};
use crate::functions::{Aggregation, aggregate_call};
use sqlparser::ast::Function;

use super::call::{Arguments, ambiguous, missing};
use super::resolve::{Resolved, candidates_of, choose, given};
use super::typed::Typed;
use crate::sql::names::Name;
use crate::sql::planner::Planner;

impl Planner<'_> {
    /// A call of an aggregate, or of a window function.
    pub(crate) fn aggregate(
        &mut self,
        function: &Function,
        name: &Name,
        arguments: &Arguments<'_>,
        aggregate: bool,
    ) -> Result<Typed, SqlError> {
        let over = function.over.as_ref();
        self.may_stand(name, aggregate, over.is_some())?;
        let plain = over.is_none();
        if plain {
            self.level().in_aggregate += 1;
        }
        let planned = self.aggregate_parts(function, name, arguments);
        if plain {
            self.level().in_aggregate -= 1;
        }
        let (mut call, sql_filter, order) = planned?;
        let window = over.map(|over| self.over(over)).transpose()?;
        let parts: Vec<(&str, Type)> =
            call.values.iter().map(|value| (value.sql.as_str(), value.ty.ty)).collect();
        let beside = Aggregation {
            distinct: arguments.distinct,
            order_by: order.as_ref().map(|order| order.sql.as_str()),
            filter: sql_filter.as_ref().map(|filter| filter.sql.as_str()),
            over: window.as_ref().map(|window| window.sql.as_str()),
        };
        let sql = aggregate_call(call.row, &parts, beside);
        let mut of: Vec<&Typed> = call.values.iter().collect();
        of.extend(sql_filter.as_ref());
        of.extend(order.as_ref());
        of.extend(window.as_ref());
        let mut value = Typed::made(sql, call.result, &of, name.at)?;
        value.not_null = matches!(name.name.as_str(), "count" | "row_number" | "rank" | "dense_rank");
        if plain {
            value.uses.aggregate = true
        } else {
            value.uses.window = true
        }
        call.values.clear();
        Ok(value)
    }

    fn may_stand(&mut self, name: &Name, aggregate: bool, over: bool) -> Result<(), SqlError> {
        let refused = |state, message: String| Err(SqlError::new(state, message).at(name.at));
        if !over && !aggregate {
            return refused(
                SqlState::WRONG_OBJECT_TYPE,
                format!("window function {} requires an OVER clause", name.name),
            );
        }
        let level = self.level();
        let clause = level.clause;
        if over {
            if level.in_aggregate > 0 {
                return refused(
                    SqlState::GROUPING_ERROR,
                    "aggregate function calls cannot contain window function calls".to_owned(),
                );
            }
            if level.in_window || !clause.windows() {
                let message = format!("window functions are not allowed in {}", clause.shown());
                return refused(SqlState::WINDOWING_ERROR, message);
            }
            return Ok(());
        }
        if level.in_aggregate > 0 {
            return refused(SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested".to_owned());
        }
        if !clause.aggregates() {
            let message = format!("aggregate functions are not allowed in {}", clause.shown());
            return refused(SqlState::GROUPING_ERROR, message);
        }
        Ok(())
    }

    fn aggregate_parts(
        &mut self,
        function: &Function,
        name: &Name,
        arguments: &Arguments<'_>,
    ) -> Result<(Call, Option<Typed>, Option<Typed>), SqlError> {
        let mut values = self.exprs(arguments.exprs.iter().copied())?;
        let mut order = None;
        if let [key] = function.within_group.as_slice() {
            values.push(self.settled_expr(&key.expr)?);
            order = Some(self.order_keys(&function.within_group)?);
        } else if !function.within_group.is_empty() {
            return Err(SqlError::unsupported("WITHIN GROUP of several keys").at(name.at));
        } else if !arguments.order_by.is_empty() {
            order = Some(self.order_keys(arguments.order_by.iter().copied())?);
        }
        let filter = match &function.filter {
            Some(filter) => Some(self.condition_expr(filter, "FILTER")?),
            None => None,
        };
        let types: Vec<Type> = values.iter().map(|value| value.ty.ty).collect();
        if arguments.star != values.is_empty() && name.name == "count" {
            let message = "count(*) must be used to call a parameterless aggregate function";
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).at(name.at));
        }
        let rows = crate::functions::named(&name.name);
        match choose(candidates_of(rows, &types), &types) {
            Resolved::One(candidate) => {
                let values = self.all_wanted(&candidate, values)?;
                let result = given(candidate.row.result, candidate.element);
                debug_assert!(matches!(candidate.row.kind, FunctionKind::Aggregate | FunctionKind::Window));
                Ok((Call { row: candidate.row, values, result }, filter, order))
            }
            Resolved::Ambiguous => Err(ambiguous(&name.name, &types, name.at)),
            Resolved::None => Err(missing(&name.name, &types, name.at)),
        }
    }
}

/// What is called, with what.
struct Call {
    row: &'static crate::base::rules::Function,
    values: Vec<Typed>,
    result: Type,
}
