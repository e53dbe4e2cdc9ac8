//! CASE, COALESCE, NULLIF, GREATEST, LEAST.

use crate::base::{SqlError, Type};
use sqlparser::ast::{CaseWhen, Expr};

use super::compare::collated;
use super::typed::{Form, Typed};
use crate::sql::planner::Planner;

impl Planner<'_> {
    /// CASE, with or without an operand.
    pub(crate) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        whole: &Expr,
    ) -> Result<Typed, SqlError> {
        let at = super::at(whole);
        let operand = operand.map(|operand| self.settled_expr(operand)).transpose()?;
        let (mut tests, mut results) = (Vec::new(), Vec::new());
        for when in conditions {
            tests.push(match &operand {
                None => self.condition_expr(&when.condition, "CASE/WHEN")?,
                Some(operand) => {
                    let value = self.expr(&when.condition)?;
                    self.operate("=", operand.clone(), value)?
                }
            });
            results.push(self.expr(&when.result)?);
        }
        // PostgreSQL looks at ELSE first.
        let otherwise = match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Typed::plain("NULL", Type::UNKNOWN, Form::Null, at),
        };
        results.insert(0, otherwise);
        let (mut results, ty) = self.unified(results, "CASE")?;
        let otherwise = results.remove(0);
        let mut sql = "CASE".to_owned();
        for (test, result) in tests.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {} THEN {}", test.sql, result.sql));
        }
        sql.push_str(&format!(" ELSE {} END", otherwise.sql));
        let not_null = otherwise.not_null && results.iter().all(|result| result.not_null);
        let parts: Vec<&Typed> = tests.iter().chain(&results).chain([&otherwise]).collect();
        Ok(Typed::made(format!("({sql})"), ty, &parts, at)?.never_null(not_null))
    }

    /// `COALESCE`.
    pub(crate) fn coalesce(&mut self, values: Vec<Typed>, at: u32) -> Result<Typed, SqlError> {
        let (mut values, ty) = self.unified(values, "COALESCE")?;
        if values.len() == 1 {
            return Ok(values.remove(0).as_type(ty));
        }
        let not_null = values.iter().any(|value| value.not_null);
        let list: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
        let parts: Vec<&Typed> = values.iter().collect();
        Ok(Typed::made(format!("coalesce({})", list.join(", ")), ty, &parts, at)?.never_null(not_null))
    }

    /// `NULLIF`: the type is the first one's.
    pub(crate) fn nullif(&mut self, left: Typed, right: Typed, at: u32) -> Result<Typed, SqlError> {
        let (undecided, ty) = (left.is_unknown(), left.ty);
        let operation = self.operation("=", left.clone(), right).map_err(|error| error.at(at))?;
        let left = if undecided { operation.left.clone() } else { left };
        let ty = if undecided { left.ty } else { ty };
        if operation.is_plain() && operation.left == left {
            let sql = format!("nullif({}, {})", collated(&left), operation.right.sql);
            return Typed::made(sql, ty, &[&left, &operation.right], at);
        }
        let test = operation.typed()?;
        let sql = format!("(CASE WHEN {} THEN NULL ELSE {} END)", test.sql, left.sql);
        Typed::made(sql, ty, &[&left, &test], at)
    }

    /// `GREATEST` and `LEAST`, which pass NULLs by.
    pub(crate) fn extreme(&mut self, values: Vec<Typed>, greatest: bool, at: u32) -> Result<Typed, SqlError> {
        let construct = if greatest { "GREATEST" } else { "LEAST" };
        let (mut values, ty) = self.unified(values, construct)?;
        if values.len() == 1 {
            return Ok(values.remove(0).as_type(ty));
        }
        // That the type has an order is seen by its comparison.
        let one = Typed::plain("NULL", ty, Form::Other, at);
        self.operation("<", one.clone(), one).map_err(|error| error.at(at))?;
        let function = if greatest { "max" } else { "min" };
        let not_null = values.iter().any(|value| value.not_null);
        let parts: Vec<&Typed> = values.iter().collect();
        let sql = if values.iter().all(|value| value.not_null) {
            let list: Vec<String> = values.iter().map(collated).collect();
            format!("{function}({})", list.join(", "))
        } else {
            let rows: Vec<String> = values.iter().map(|value| format!("({})", value.sql)).collect();
            let column = Typed::plain("column1", ty, Form::Other, at);
            format!("(SELECT {function}({}) FROM (VALUES {}))", collated(&column), rows.join(", "))
        };
        Ok(Typed::made(sql, ty, &parts, at)?.never_null(not_null))
    }
}
