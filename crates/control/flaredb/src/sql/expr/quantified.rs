//! `= ANY (…)`, `< ALL (…)`: against an array or a query, with SQL's logic of three values.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{BinaryOperator, Expr};

use super::compare::collated;
use super::operator::{Operation, fill, symbol};
use super::typed::{Form, Typed};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;
use crate::sql::query::Rendered;

impl Planner<'_> {
    /// `left op ANY (right)`, or ALL.
    pub(crate) fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        any: bool,
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(left);
        let placed = |error: SqlError| if error.position.is_some() { error } else { error.at(place) };
        let value = self.expr(left)?;
        let symbol = symbol(op);
        let mut inner = right;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        if let Expr::Subquery(query) = inner {
            let rendered = self.subquery(query)?;
            return self.against_query(value, &symbol, rendered, any).map_err(placed);
        }
        let array = self.expr(right)?;
        self.against_array(value, &symbol, array, any).map_err(placed)
    }

    fn against_array(
        &mut self,
        value: Typed,
        symbol: &str,
        array: Typed,
        any: bool,
    ) -> Result<Typed, SqlError> {
        let element = match array.ty.ty {
            Type::UNKNOWN => Type::UNKNOWN,
            ty => match ty.element() {
                Some(element) => Type::Scalar(element),
                None => {
                    let message = "op ANY/ALL (array) requires array on right side";
                    return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
            },
        };
        let at = value.at;
        // What stands for each element, in the query over them.
        let one = Typed::plain("\"value\"", element, Form::Other, at);
        let operation = self.operation(symbol, value, one)?;
        boolean(&operation)?;
        let wanted = crate::sql::types::array(operation.row_right().into())?;
        let want = if element == Type::UNKNOWN { wanted.ty } else { array.ty.ty };
        let array = self.implicit(array, want)?;
        // NULL instead of an array is taken for an array of NULL: the answer is NULL either way.
        let from = format!("fl_unnest({}, ifnull({}, '[null]'))", array.ty.ty.oid(), array.sql);
        finish(operation, &from, "\"value\"", any, &[&array])
    }

    fn against_query(
        &mut self,
        value: Typed,
        symbol: &str,
        rendered: Rendered,
        any: bool,
    ) -> Result<Typed, SqlError> {
        let [column] = rendered.columns.as_slice() else {
            let message = if rendered.columns.is_empty() || matches!(value.form, Form::Row(..)) {
                "a row comparison with ANY or ALL"
            } else {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "subquery has too many columns"));
            };
            return Err(SqlError::unsupported(message));
        };
        let name = quoted(&column.sql_name);
        let at = value.at;
        let one = Typed::plain(name.clone(), column.ty, Form::Other, at);
        let operation = self.operation(symbol, value, one)?;
        boolean(&operation)?;
        let from = format!("({})", rendered.sql);
        let query = rendered.as_typed(Type::BOOL, at);
        finish(operation, &from, &name, any, &[&query])
    }

    /// `value IN (query)`.
    pub(crate) fn in_subquery(
        &mut self,
        value: Typed,
        query: &sqlparser::ast::Query,
    ) -> Result<Typed, SqlError> {
        let rendered = self.subquery(query)?;
        let lefts = match value.form {
            Form::Row(parts, _) => parts,
            _ => vec![value],
        };
        if lefts.len() != rendered.columns.len() {
            let few = if rendered.columns.len() < lefts.len() { "few" } else { "many" };
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("subquery has too {few} columns")));
        }
        let at = lefts.first().map_or(0, |left| left.at);
        let (mut sides, mut selected, mut plain) = (Vec::new(), Vec::new(), true);
        for (left, column) in lefts.into_iter().zip(&rendered.columns) {
            let name = quoted(&column.sql_name);
            let one = Typed::plain(name.clone(), column.ty, Form::Other, at);
            let operation = self.operation("=", left, one)?;
            if !operation.is_plain() {
                return Err(SqlError::unsupported("IN between these types")
                    .with_hint("Cast one side to the other's type."));
            }
            plain &= operation.right.sql == name;
            selected.push(operation.right.sql.clone());
            sides.push(operation.left);
        }
        let inner = if plain {
            rendered.sql.clone()
        } else {
            format!("SELECT {} FROM ({})", selected.join(", "), rendered.sql)
        };
        let left = match sides.as_slice() {
            [side] => collated(side),
            _ => format!("({})", sides.iter().map(collated).collect::<Vec<_>>().join(", ")),
        };
        let query = rendered.as_typed(Type::BOOL, at);
        let mut parts: Vec<&Typed> = sides.iter().collect();
        parts.push(&query);
        Typed::made(format!("({left} IN ({inner}))"), Type::BOOL, &parts, at)
    }
}

impl Operation {
    /// The type that its right side is.
    fn row_right(&self) -> Type {
        self.right.ty.ty
    }
}

fn boolean(operation: &Operation) -> Result<(), SqlError> {
    if operation.result == Type::BOOL {
        return Ok(());
    }
    let message = "op ANY/ALL (array) requires operator to yield boolean";
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
}

/// Over the rows of `from`, whose only column is `name`.
fn finish(operation: Operation, from: &str, name: &str, any: bool, of: &[&Typed]) -> Result<Typed, SqlError> {
    let mut parts = vec![&operation.left];
    parts.extend(of);
    let at = operation.left.at;
    let same = operation.is_plain() && operation.right.sql == name;
    let member = match (operation.row.symbol, any) {
        ("=", true) if same => Some(""),
        ("<>", false) if same => Some("NOT "),
        _ => None,
    };
    let sql = match member {
        Some(not) => format!("({} {not}IN (SELECT {name} FROM {from}))", collated(&operation.left)),
        None => {
            let test = fill(operation.row.emit, &operation.left.sql, &operation.right.sql);
            let (first, found, none) = if any { ("max", "1", "0") } else { ("min", "0", "1") };
            let inner = format!("SELECT {test} AS \"c\" FROM {from}");
            format!(
                "(SELECT CASE WHEN {first}(\"c\") = {found} THEN {found} \
                 WHEN count(*) > count(\"c\") THEN NULL ELSE {none} END FROM ({inner}))"
            )
        }
    };
    Typed::made(sql, Type::BOOL, &parts, at)
}
