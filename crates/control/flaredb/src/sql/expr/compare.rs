//! Predicates: IS NULL, IS TRUE, IS DISTINCT FROM, BETWEEN, IN; and rows against rows.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{Expr, InTarget};

use super::common::common_type;
use super::operator::balanced;
use super::typed::{Form, Typed};
use crate::sql::planner::Planner;

impl Planner<'_> {
    /// `IS [NOT] NULL`; of a row: of each of its parts.
    pub(crate) fn is_null(&mut self, operand: &Expr, negated: bool) -> Result<Typed, SqlError> {
        let value = self.expr(operand)?;
        let word = if negated { "IS NOT NULL" } else { "IS NULL" };
        if let Form::Row(parts, _) = &value.form {
            let tests = parts
                .iter()
                .map(|part| Typed::made(format!("({} {word})", part.sql), Type::BOOL, &[part], value.at))
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(balanced(tests, "AND")?.never_null(true));
        }
        Ok(Typed::made(format!("({} {word})", value.sql), Type::BOOL, &[&value], value.at)?.never_null(true))
    }

    /// `IS [NOT] TRUE` and its like.
    pub(crate) fn is_truth(&mut self, operand: &Expr, sql: &str, word: &str) -> Result<Typed, SqlError> {
        let not = if sql.contains("NOT") { "NOT " } else { "" };
        let value = self.condition_expr(operand, &format!("IS {not}{word}"))?;
        Ok(Typed::made(format!("({} {sql})", value.sql), Type::BOOL, &[&value], value.at)?.never_null(true))
    }

    /// `IS [NOT] DISTINCT FROM`.
    pub(crate) fn is_distinct(
        &mut self,
        left: &Expr,
        right: &Expr,
        negated: bool,
        _whole: &Expr,
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(left);
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let symbol = if negated { "IS" } else { "IS NOT" };
        if let (Form::Row(lefts, _), Form::Row(rights, _)) = (&left.form, &right.form) {
            same_length(lefts, rights)?;
            let pairs = lefts.iter().cloned().zip(rights.iter().cloned()).collect::<Vec<_>>();
            let mut tests = Vec::new();
            for (left, right) in pairs {
                tests.push(self.operation("=", left, right)?.with_symbol(symbol)?);
            }
            return balanced(tests, if negated { "AND" } else { "OR" });
        }
        if matches!(left.form, Form::Null) || matches!(right.form, Form::Null) {
            let sql = format!("({} {symbol} {})", left.sql, right.sql);
            return Ok(Typed::made(sql, Type::BOOL, &[&left, &right], left.at)?.never_null(true));
        }
        let operation = self.operation("=", left, right).map_err(|error| error.at(place))?;
        Ok(operation.with_symbol(symbol)?.never_null(true))
    }

    /// `BETWEEN`.
    pub(crate) fn between(
        &mut self,
        operand: &Expr,
        low: &Expr,
        high: &Expr,
        negated: bool,
        _whole: &Expr,
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(operand);
        let (value, low, high) = (self.expr(operand)?, self.expr(low)?, self.expr(high)?);
        let within = self
            .within_bounds(value, low, high)
            .map_err(|error| if error.position.is_some() { error } else { error.at(place) })?;
        self.negated(within, negated)
    }

    /// `BETWEEN SYMMETRIC`: the bounds in either order.
    pub(crate) fn between_symmetric(
        &mut self,
        value: Typed,
        low: Typed,
        high: Typed,
    ) -> Result<Typed, SqlError> {
        let one = self.within_bounds(value.clone(), low.clone(), high.clone())?;
        let other = self.within_bounds(value, high, low)?;
        balanced(vec![one, other], "OR")
    }

    fn within_bounds(&mut self, value: Typed, low: Typed, high: Typed) -> Result<Typed, SqlError> {
        let above = self.operation(">=", value.clone(), low)?;
        // An undecided parameter has been decided by now.
        let value = if value.is_unknown() { above.left.clone() } else { value };
        let below = self.operation("<=", value, high)?;
        if above.is_plain() && below.is_plain() && above.left == below.left {
            let left = match crate::functions::collation(above.left.ty.ty) {
                Some(collation) => format!("{} COLLATE {collation}", above.left.sql),
                None => above.left.sql.clone(),
            };
            let sql = format!("({left} BETWEEN {} AND {})", above.right.sql, below.right.sql);
            return Typed::made(sql, Type::BOOL, &[&above.left, &above.right, &below.right], above.left.at);
        }
        balanced(vec![above.typed()?, below.typed()?], "AND")
    }

    fn negated(&mut self, value: Typed, negated: bool) -> Result<Typed, SqlError> {
        if !negated {
            return Ok(value);
        }
        let not_null = value.not_null;
        Ok(Typed::made(format!("(NOT {})", value.sql), Type::BOOL, &[&value], value.at)?.never_null(not_null))
    }

    /// `IN`.
    pub(crate) fn is_in(
        &mut self,
        operand: &Expr,
        target: &InTarget,
        negated: bool,
        whole: &Expr,
    ) -> Result<Typed, SqlError> {
        let place = self.operator_at(operand);
        let value = self.expr(operand)?;
        let found = match target {
            InTarget::List(list) => self.in_list(value, list),
            InTarget::Subquery(query) => self.in_subquery(value, query),
            _ => return Err(super::no_syntax(whole)),
        };
        let found = found.map_err(|error| if error.position.is_some() { error } else { error.at(place) })?;
        self.negated(found, negated)
    }

    fn in_list(&mut self, value: Typed, list: &[Expr]) -> Result<Typed, SqlError> {
        let items = self.exprs(list)?;
        let all: Vec<&Typed> = std::iter::once(&value).chain(&items).collect();
        let rows = all.iter().any(|item| matches!(item.form, Form::Row(..)));
        if !rows && let Ok(ty) = common_type(&all, "IN") {
            return self.in_common(value, items, ty);
        }
        let mut tests = Vec::with_capacity(items.len());
        for item in items {
            tests.push(match self.compared_rows("=", &value, &item)? {
                Some(test) => test,
                None => self.operate("=", value.clone(), item)?,
            });
        }
        balanced(tests, "OR")
    }

    /// All of one type: SQLite's own IN.
    fn in_common(&mut self, value: Typed, items: Vec<Typed>, ty: Type) -> Result<Typed, SqlError> {
        let at = value.at;
        let first = Typed::plain("NULL", ty, Form::Other, at);
        let operation = self.operation("=", value, first)?;
        let (left, want) = (operation.left.clone(), operation.right.ty.ty);
        if !operation.is_plain() || left.ty.ty != want {
            let mut tests = Vec::with_capacity(items.len());
            for item in items {
                tests.push(self.operate("=", left.clone(), item)?);
            }
            return balanced(tests, "OR");
        }
        let mut not_null = left.not_null;
        let mut parts = vec![left];
        for item in items {
            let item = self.implicit(item, want)?;
            not_null &= item.not_null;
            parts.push(item);
        }
        let list: Vec<&str> = parts[1..].iter().map(|item| item.sql.as_str()).collect();
        let sql = format!("({} IN ({}))", collated(&parts[0]), list.join(", "));
        let borrowed: Vec<&Typed> = parts.iter().collect();
        Ok(Typed::made(sql, Type::BOOL, &borrowed, at)?.never_null(not_null))
    }

    /// A comparison, if one of the sides is a row.
    pub(crate) fn rows(
        &mut self,
        symbol: &str,
        left: &Typed,
        right: &Typed,
        written: &Expr,
    ) -> Result<Option<Typed>, SqlError> {
        self.compared_rows(symbol, left, right).map_err(|error| {
            if error.position.is_some() { error } else { error.at(self.operator_at(written)) }
        })
    }

    fn compared_rows(
        &mut self,
        symbol: &str,
        left: &Typed,
        right: &Typed,
    ) -> Result<Option<Typed>, SqlError> {
        let (Form::Row(lefts, _), Form::Row(rights, _)) = (&left.form, &right.form) else { return Ok(None) };
        same_length(lefts, rights)?;
        let pairs: Vec<(Typed, Typed)> = lefts.iter().cloned().zip(rights.iter().cloned()).collect();
        let every = |planner: &mut Self, symbol: &str, pairs: Vec<(Typed, Typed)>| {
            pairs
                .into_iter()
                .map(|(left, right)| planner.operate(symbol, left, right))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Some(match symbol {
            "=" => balanced(every(self, "=", pairs)?, "AND")?,
            "<>" => balanced(every(self, "<>", pairs)?, "OR")?,
            "<" | "<=" | ">" | ">=" => self.ordered_rows(symbol, pairs)?,
            _ => {
                let message =
                    format!("could not determine interpretation of row comparison operator {symbol}");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
        }))
    }

    /// By the first parts that differ: SQLite's own comparison of rows where its order is ours.
    fn ordered_rows(&mut self, symbol: &str, pairs: Vec<(Typed, Typed)>) -> Result<Typed, SqlError> {
        let mut operations = Vec::new();
        for (left, right) in &pairs {
            operations.push(self.operation(symbol, left.clone(), right.clone())?);
        }
        if operations.iter().all(|operation| operation.is_plain()) {
            let lefts: Vec<String> = operations.iter().map(|operation| collated(&operation.left)).collect();
            let rights: Vec<&str> = operations.iter().map(|operation| operation.right.sql.as_str()).collect();
            let sql = format!("(({}) {symbol} ({}))", lefts.join(", "), rights.join(", "));
            let parts: Vec<&Typed> =
                operations.iter().flat_map(|operation| [&operation.left, &operation.right]).collect();
            return Typed::made(sql, Type::BOOL, &parts, parts.first().map_or(0, |part| part.at));
        }
        let strict = &symbol[..1];
        let mut result: Option<Typed> = None;
        for (left, right) in pairs.into_iter().rev() {
            result = Some(match result {
                None => self.operate(symbol, left, right)?,
                Some(rest) => {
                    let differs = self.operate(strict, left.clone(), right.clone())?;
                    let same = self.operate("=", left, right)?;
                    balanced(vec![differs, balanced(vec![same, rest], "AND")?], "OR")?
                }
            });
        }
        Ok(result.unwrap_or_else(|| Typed::plain("1", Type::BOOL, Form::Other, 0)))
    }

    /// `(a, b)` or `ROW(a, b)`.
    pub(crate) fn row(&mut self, parts: &[Expr], at: u32) -> Result<Typed, SqlError> {
        let parts = self.exprs(parts)?;
        Ok(super::column::row_of(parts, None, at))
    }
}

/// With the collation of its type, where bytes are not its order.
pub(crate) fn collated(value: &Typed) -> String {
    match crate::functions::collation(value.ty.ty) {
        Some(collation) => format!("{} COLLATE {collation}", value.sql),
        None => value.sql.clone(),
    }
}

fn same_length(left: &[Typed], right: &[Typed]) -> Result<(), SqlError> {
    if left.len() == right.len() {
        return Ok(());
    }
    Err(SqlError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions"))
}
