//! UNION, INTERSECT and EXCEPT.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

use super::body::{Body, Set, Written};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;

impl Planner<'_> {
    /// Both sides, which must have as many columns.
    pub(crate) fn set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> Result<Body, SqlError> {
        let operator = match op {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
            SetOperator::Minus => {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"MINUS\""));
            }
        };
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::Distinct | SetQuantifier::None => false,
            _ => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"BY\"")),
        };
        let left = self.body(left, &[], &[])?;
        let right = self.body(right, &[], &[])?;
        Self::joined(left, right, operator, all)
    }

    /// Two bodies as one.
    pub(crate) fn joined(
        left: Body,
        right: Body,
        operator: &'static str,
        all: bool,
    ) -> Result<Body, SqlError> {
        if left.width() != right.width() {
            let at = right.values_of(0).first().map_or(0, |value| value.at);
            let message = format!("each {operator} query must have the same number of columns");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
        }
        Ok(Body::Set(Box::new(Set { left, right, operator, all })))
    }

    pub(crate) fn write_set(&mut self, set: Set) -> Result<Written, SqlError> {
        let Set { left, right, operator, all } = set;
        let collate = !all;
        let nested = matches!(left, Body::Set(_));
        let left = self.write_body(left, collate)?;
        let right = self.write_body(right, collate)?;
        let mut uses = left.uses;
        uses.and(&right.uses);
        let depth = left.depth.max(right.depth) + 1;
        let (first, second) = if all && operator != "UNION" {
            // SQLite has no ALL of these: a row and which of its equals it is are looked for instead.
            (numbered(&left.sql, &left.columns), numbered(&right.sql, &right.columns))
        } else {
            let first = if left.compound && !nested { wrapped(&left.sql) } else { left.sql };
            (first, if right.compound { wrapped(&right.sql) } else { right.sql })
        };
        let mut sql = format!("{first} {operator} {second}");
        if all && operator == "UNION" {
            sql = format!("{first} UNION ALL {second}");
        } else if all {
            let names: Vec<String> = left.columns.iter().map(|column| quoted(&column.sql_name)).collect();
            sql = format!("SELECT {} FROM ({sql})", names.join(", "));
        }
        let mut columns = left.columns;
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            column.origin = None;
            column.not_null &= other.not_null;
        }
        Ok(Written { sql, columns, uses, depth, compound: true })
    }
}

fn wrapped(sql: &str) -> String {
    format!("SELECT * FROM ({sql})")
}

fn numbered(sql: &str, columns: &[super::Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.sql_name)).collect();
    let names = names.join(", ");
    format!("SELECT {names}, row_number() OVER (PARTITION BY {names}) AS \"number:\" FROM ({sql})")
}
