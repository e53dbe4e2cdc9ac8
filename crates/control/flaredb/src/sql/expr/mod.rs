//! Expressions: each becomes SQLite's SQL with a type, by PostgreSQL's rules of what may stand where.

mod aggregate;
mod array;
pub(crate) mod call;
mod case;
pub(crate) mod coerce;
mod column;
pub(crate) mod common;
mod compare;
pub(crate) mod literal;
mod naming;
mod operator;
mod pattern;
mod quantified;
pub(crate) mod resolve;
mod session;
mod special;
mod subquery;
pub(crate) mod typed;
mod window;

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{Expr, Spanned};

pub(crate) use self::array::element_sql;
pub(crate) use self::column::missing_table;
pub(crate) use self::compare::collated;
pub(crate) use self::naming::column_name;
pub(crate) use self::operator::balanced;
pub(crate) use self::typed::{Form, Typed};
pub(crate) use self::window::{direction, sortable};

use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::types;

/// Where an expression begins, in characters from 1.
pub(crate) fn at(expr: &Expr) -> u32 {
    position(expr.span())
}

/// PostgreSQL's word for what the grammar of this parser takes and its own does not.
fn no_syntax(expr: &Expr) -> SqlError {
    let text: String = expr.to_string().chars().take(60).collect();
    SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{text}\"")).at(at(expr))
}

impl Planner<'_> {
    /// An expression, with its type as far as it is decided.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        let value = self.plain_expr(expr)?;
        Ok(self.grouped(value))
    }

    fn plain_expr(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        match expr {
            Expr::Identifier(ident) => self.bare_column(ident),
            Expr::CompoundIdentifier(parts) => self.qualified_column(parts),
            Expr::Nested(inner) => self.expr(inner),
            Expr::Value(value) => self.value(value),
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Interval(interval) => self.interval(interval),
            Expr::UnaryOp { op, expr: operand } => self.unary(*op, operand, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, expr),
            Expr::Cast { expr: operand, data_type, kind, format: None } => {
                self.cast(operand, data_type, kind)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), expr)
            }
            Expr::Function(function) => self.call(function),
            Expr::Exists { subquery, negated } => self.exists(subquery, *negated),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Tuple(parts) => self.row(parts, at(expr)),
            Expr::Array(array) => self.array(array, at(expr)),
            Expr::CompoundFieldAccess { root, access_chain } => self.subscripts(root, access_chain),
            other => self.other(other),
        }
    }

    /// Predicates and what has a syntax of its own.
    fn other(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        match expr {
            Expr::IsNull(operand) => self.is_null(operand, false),
            Expr::IsNotNull(operand) => self.is_null(operand, true),
            Expr::IsTrue(operand) => self.is_truth(operand, "IS TRUE", "TRUE"),
            Expr::IsNotTrue(operand) => self.is_truth(operand, "IS NOT TRUE", "TRUE"),
            Expr::IsFalse(operand) => self.is_truth(operand, "IS FALSE", "FALSE"),
            Expr::IsNotFalse(operand) => self.is_truth(operand, "IS NOT FALSE", "FALSE"),
            Expr::IsUnknown(operand) => self.is_truth(operand, "IS NULL", "UNKNOWN"),
            Expr::IsNotUnknown(operand) => self.is_truth(operand, "IS NOT NULL", "UNKNOWN"),
            Expr::IsDistinctFrom(left, right) => self.is_distinct(left, right, false, expr),
            Expr::IsNotDistinctFrom(left, right) => self.is_distinct(left, right, true, expr),
            Expr::Between { expr: operand, negated, low, high } => {
                self.between(operand, low, high, *negated, expr)
            }
            Expr::In { expr: operand, target, negated, global: false } => {
                self.is_in(operand, target, *negated, expr)
            }
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, true),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, false),
            Expr::Like { negated, any: false, expr: operand, pattern, escape_char } => {
                self.like(operand, pattern, escape_char.as_deref(), (*negated, false))
            }
            Expr::ILike { negated, any: false, expr: operand, pattern, escape_char } => {
                self.like(operand, pattern, escape_char.as_deref(), (*negated, true))
            }
            Expr::SimilarTo { negated, expr: operand, pattern, escape_char } => {
                self.similar(operand, pattern, escape_char.as_deref(), *negated)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Collate { expr: operand, collation } => {
                types::check_collation(&crate::sql::names::Name::of(collation)?)?;
                self.collated(operand)
            }
            other => self.special(other),
        }
    }

    /// Texts compare by their bytes with any collation that is here.
    fn collated(&mut self, operand: &Expr) -> Result<Typed, SqlError> {
        let value = self.expr(operand)?;
        let value = self.settled(value)?;
        if matches!(value.ty.ty, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME) {
            return Ok(value);
        }
        let message = format!("collations are not supported by type {}", types::shown(value.ty.ty));
        Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(value.at))
    }

    /// An expression whose type is decided; text if nothing says otherwise.
    pub(crate) fn settled_expr(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        let value = self.expr(expr)?;
        self.settled(value)
    }

    /// A condition.
    pub(crate) fn condition_expr(&mut self, expr: &Expr, clause: &str) -> Result<Typed, SqlError> {
        let value = self.expr(expr)?;
        self.condition(value, clause)
    }

    /// Several, in order.
    pub(crate) fn exprs<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
    ) -> Result<Vec<Typed>, SqlError> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    /// Whether it stands where it is grouped by: then no column in it is loose.
    pub(crate) fn grouped(&mut self, mut value: Typed) -> Typed {
        let depth = self.levels.len();
        if !value.uses.ungrouped.is_empty() && self.level().groups.contains(&value.sql) {
            value.uses.ungrouped.retain(|ungrouped| ungrouped.depth != depth);
        }
        value
    }
}
