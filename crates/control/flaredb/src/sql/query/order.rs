//! ORDER BY.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{Expr, OrderByExpr, OrderByKind, Query, Value};

use super::Body;
use super::body::Output;
use crate::sql::expr::typed::Typed;
use crate::sql::expr::{collated, direction, sortable};
use crate::sql::names::folded;
use crate::sql::planner::Planner;

/// A key as it was written.
pub(crate) type Key<'e> = &'e OrderByExpr;

/// What a query is to be ordered by.
pub(crate) fn keys(query: &Query) -> Result<Vec<Key<'_>>, SqlError> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        None => Ok(Vec::new()),
        Some(OrderByKind::Expressions(keys)) => Ok(keys.iter().collect()),
        Some(OrderByKind::All(_)) => {
            Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"ALL\""))
        }
    }
}

/// What a key turned out to be.
pub(crate) enum Meant {
    /// A column of the answer, from 0.
    Column(usize),
    Value(Typed),
}

/// A column of the answer by its number, or by its name.
pub(crate) fn column_meant(expr: &Expr, outputs: &[Output], clause: &str) -> Result<Option<usize>, SqlError> {
    match expr {
        Expr::Value(value) => {
            let Value::Number(digits, _) = &value.value else { return Ok(None) };
            let number = digits.parse::<usize>().unwrap_or(0);
            if (1..=outputs.len()).contains(&number) {
                return Ok(Some(number - 1));
            }
            let message = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                format!("{clause} position {digits} is not in select list")
            } else {
                format!("non-integer constant in {clause}")
            };
            let state = SqlState::INVALID_COLUMN_REFERENCE;
            Err(SqlError::new(state, message).at(crate::sql::parse::position(value.span)))
        }
        Expr::Identifier(ident) => {
            let name = folded(ident);
            let mut found = outputs.iter().enumerate().filter(|(_, output)| output.name == name);
            let Some((first, output)) = found.next() else { return Ok(None) };
            if found.any(|(_, other)| other.value.sql != output.value.sql) {
                let message = format!("{clause} \"{name}\" is ambiguous");
                return Err(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message)
                    .at(crate::sql::parse::position(ident.span)));
            }
            Ok(Some(first))
        }
        _ => Ok(None),
    }
}

impl Planner<'_> {
    /// ORDER BY of what is no SELECT: only columns of the answer can be named.
    pub(crate) fn order_of_columns(&mut self, body: &Body, keys: &[Key<'_>]) -> Result<String, SqlError> {
        if keys.is_empty() {
            return Ok(String::new());
        }
        let outputs = body.outputs();
        let mut list = Vec::new();
        for key in keys {
            let Some(column) = column_meant(&key.expr, &outputs, "ORDER BY")? else {
                let message = "invalid UNION/INTERSECT/EXCEPT ORDER BY clause";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_detail("Only result column names can be used, not expressions or functions.")
                    .with_hint(
                        "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                    )
                    .at(crate::sql::expr::at(&key.expr)));
            };
            list.push(self.by_number(column, &outputs[column].value, key, false)?);
        }
        Ok(format!(" ORDER BY {}", list.join(", ")))
    }

    /// A key by the number of its column.
    pub(crate) fn by_number(
        &mut self,
        column: usize,
        value: &Typed,
        key: Key<'_>,
        not_null: bool,
    ) -> Result<String, SqlError> {
        sortable(value)?;
        let number = Typed { sql: (column + 1).to_string(), ..value.clone() };
        Ok(format!("{}{}", collated(&number), direction(key, not_null)?))
    }
}

/// How each key is ordered, for what is ordered from outside.
pub(crate) fn directions(keys: &[Key<'_>]) -> Result<Vec<String>, SqlError> {
    keys.iter().map(|key| direction(key, false)).collect()
}
