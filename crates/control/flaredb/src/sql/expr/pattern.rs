//! LIKE, ILIKE, SIMILAR TO, and AT TIME ZONE.

use crate::base::{SqlError, Type};
use sqlparser::ast::Expr;

use super::typed::Typed;
use crate::sql::planner::Planner;

impl Planner<'_> {
    /// `[NOT] [I]LIKE … [ESCAPE …]`.
    pub(crate) fn like(
        &mut self,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        (negated, ignoring_case): (bool, bool),
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(operand);
        let placed = |error: SqlError| if error.position.is_some() { error } else { error.at(place) };
        let (value, pattern) = (self.expr(operand)?, self.expr(pattern)?);
        let Some(escape) = escape else {
            let symbol = match (negated, ignoring_case) {
                (false, false) => "~~",
                (true, false) => "!~~",
                (false, true) => "~~*",
                (true, true) => "!~~*",
            };
            return self.operate(symbol, value, pattern).map_err(placed);
        };
        let escape = self.expr(escape)?;
        let name = if ignoring_case { "ilike" } else { "like" };
        let found = self.apply(name, vec![value, pattern, escape], place)?;
        not(found, negated)
    }

    /// `[NOT] SIMILAR TO … [ESCAPE …]`.
    pub(crate) fn similar(
        &mut self,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(operand);
        let value = self.expr(operand)?;
        let mut arguments = vec![self.expr(pattern)?];
        if let Some(escape) = escape {
            arguments.push(self.expr(escape)?);
        }
        let regexp = self.apply("similar_to_escape", arguments, place)?;
        let symbol = if negated { "!~" } else { "~" };
        self.operate(symbol, value, regexp)
            .map_err(|error| if error.position.is_some() { error } else { error.at(place) })
    }

    /// `… AT TIME ZONE …`.
    pub(crate) fn at_time_zone(&mut self, moment: &Expr, zone: &Expr) -> Result<Typed, SqlError> {
        let place = self.operator_at(moment);
        let (moment, zone) = (self.expr(moment)?, self.expr(zone)?);
        self.apply("timezone", vec![zone, moment], place)
    }
}

fn not(value: Typed, negated: bool) -> Result<Typed, SqlError> {
    if !negated {
        return Ok(value);
    }
    Typed::made(format!("(NOT {})", value.sql), Type::BOOL, &[&value], value.at)
}
