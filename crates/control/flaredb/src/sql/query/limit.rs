//! LIMIT, OFFSET and FETCH FIRST.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{Expr, LimitClause, Query};

use crate::sql::expr::typed::{Form, Typed, Uses};
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level};

/// What cuts a query's rows.
#[derive(Default)]
pub(crate) struct Limit {
    /// With a blank before it.
    pub(crate) sql: String,
    /// One row at most is left.
    pub(crate) one: bool,
    pub(crate) uses: Uses,
}

impl Planner<'_> {
    pub(crate) fn limit(&mut self, query: &Query) -> Result<Limit, SqlError> {
        let (mut count, mut skip) = (None, None);
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                count = limit.as_ref();
                skip = offset.as_ref().map(|offset| &offset.value);
            }
            Some(_) => {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses."));
            }
        }
        let one = Expr::value(sqlparser::ast::Value::Number("1".to_owned(), false));
        if let Some(fetch) = &query.fetch {
            if fetch.with_ties {
                return Err(SqlError::unsupported("FETCH FIRST … WITH TIES"));
            }
            if fetch.percent {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"PERCENT\""));
            }
            count = Some(fetch.quantity.as_ref().unwrap_or(&one));
        }
        let mut limit = Limit::default();
        let count = count.map(|expr| self.row_count(expr, Clause::Limit)).transpose()?;
        let skip = skip.map(|expr| self.row_count(expr, Clause::Offset)).transpose()?;
        if let Some(count) = &count {
            limit.one = count.form == Form::Integer(1);
            limit.uses.and(&count.uses);
            limit.sql = format!(" LIMIT {}", count.sql);
        }
        if let Some(skip) = &skip {
            if count.is_none() {
                limit.sql.push_str(" LIMIT -1");
            }
            limit.uses.and(&skip.uses);
            limit.sql.push_str(&format!(" OFFSET {}", skip.sql));
        }
        Ok(limit)
    }

    fn row_count(&mut self, expr: &Expr, clause: Clause) -> Result<Typed, SqlError> {
        let word = clause.shown();
        // Rows have no names here.
        let value = self.inside(Level::of(clause), |planner| planner.expr(expr))?;
        let (from, at) = (value.ty.ty, value.at);
        let assignment = crate::base::rules::CastContext::Assignment;
        let Some(value) = self.try_coerce(value, Type::INT8, assignment)? else {
            let message = format!(
                "argument of {word} must be type bigint, not type {}",
                crate::sql::types::shown(from)
            );
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(at));
        };
        if matches!(value.form, Form::Integer(count) if count >= 0) {
            return Ok(value);
        }
        let function = if clause == Clause::Limit { "fl_limit" } else { "fl_offset" };
        let sql = format!("{function}({})", value.sql);
        value.rewritten(sql, Type::INT8)
    }
}
