//! Queries within expressions.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::Query;

use super::typed::Typed;
use crate::sql::planner::Planner;
use crate::sql::query::Rendered;

impl Planner<'_> {
    /// A query inside of another, as SQLite's SQL.
    pub(crate) fn subquery(&mut self, query: &Query) -> Result<Rendered, SqlError> {
        let clause = self.level().clause;
        if !clause.subqueries() {
            let message = format!("cannot use subquery in {}", clause.shown());
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        self.query(query)
    }

    /// `(SELECT …)` as a value.
    pub(crate) fn scalar_subquery(&mut self, query: &Query) -> Result<Typed, SqlError> {
        let rendered = self.subquery(query)?;
        let at = crate::sql::parse::position(sqlparser::ast::Spanned::span(query));
        let [column] = rendered.columns.as_slice() else {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "subquery must return only one column").at(at));
        };
        let ty = column.ty;
        // Where SQLite takes the first of several rows, PostgreSQL refuses.
        let sql = if rendered.at_most_one {
            format!("({})", rendered.sql)
        } else {
            let name = crate::sql::names::quoted(&column.sql_name);
            format!("(SELECT fl_only({name}) FROM ({}))", rendered.sql)
        };
        let inner = rendered.as_typed(ty.ty, at);
        Typed::made(sql, ty, &[&inner], at)
    }

    /// `[NOT] EXISTS (…)`.
    pub(crate) fn exists(&mut self, query: &Query, negated: bool) -> Result<Typed, SqlError> {
        let rendered = self.subquery(query)?;
        let not = if negated { "NOT " } else { "" };
        let sql = format!("({not}EXISTS ({}))", rendered.sql);
        let inner = rendered.as_typed(Type::BOOL, 0);
        Ok(Typed::made(sql, Type::BOOL, &[&inner], 0)?.never_null(true))
    }
}
