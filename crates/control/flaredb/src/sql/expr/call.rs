//! Calls of functions: which one is meant, and what it becomes.

use crate::base::rules::{CastContext, Function as Row, FunctionKind, Volatility};
use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::resolve::{Candidate, Resolved, candidates_of, choose, given};
use super::typed::{Form, Typed};
use crate::sql::names::Name;
use crate::sql::parse::BETWEEN_SYMMETRIC;
use crate::sql::planner::Planner;
use crate::sql::types::{self, shown};

/// What stands between the parentheses of a call.
pub(crate) struct Arguments<'e> {
    pub(crate) exprs: Vec<&'e Expr>,
    /// `*`.
    pub(crate) star: bool,
    pub(crate) distinct: bool,
    pub(crate) order_by: Vec<&'e sqlparser::ast::OrderByExpr>,
}

impl Planner<'_> {
    /// A call.
    pub(crate) fn call(&mut self, function: &Function) -> Result<Typed, SqlError> {
        let name = Name::of(&function.name)?;
        if let Some(schema) = &name.schema
            && schema != "pg_catalog"
        {
            return Err(missing(&name.shown(), &[], name.at));
        }
        if let FunctionArguments::Subquery(query) = &function.args {
            if name.name == "array" {
                return self.array_subquery(query, name.at);
            }
            return Err(SqlError::unsupported("a subquery as the argument of a function").at(name.at));
        }
        if matches!(function.args, FunctionArguments::None)
            && let Some(value) = self.keyword_value(&name.name, name.at)?
        {
            return Ok(value);
        }
        let arguments = arguments(function, name.at)?;
        let rows = crate::functions::named(&name.name);
        let aggregate = rows.iter().any(|row| row.kind == FunctionKind::Aggregate);
        let window = rows.iter().any(|row| row.kind == FunctionKind::Window);
        if aggregate || window {
            return self.aggregate(function, &name, &arguments, aggregate);
        }
        refuse_extras(function, &arguments, &name)?;
        if let Some(value) = self.syntactic(&name, &arguments)? {
            return Ok(value);
        }
        let values = self.exprs(arguments.exprs.iter().copied())?;
        if let Some(value) = self.of_session(&name, &values)? {
            return Ok(value);
        }
        self.apply(&name.name, values, name.at)
    }

    /// What looks like a call, and is none.
    fn syntactic(&mut self, name: &Name, arguments: &Arguments<'_>) -> Result<Option<Typed>, SqlError> {
        let at = name.at;
        let exprs = &arguments.exprs;
        Ok(Some(match name.name.as_str() {
            BETWEEN_SYMMETRIC => {
                let [value, low, high] = exprs.as_slice() else { return Ok(None) };
                let (value, low, high) = (self.expr(value)?, self.expr(low)?, self.expr(high)?);
                self.between_symmetric(value, low, high)?
            }
            "coalesce" => {
                let values = self.exprs(exprs.iter().copied())?;
                self.coalesce(values, at)?
            }
            "nullif" => {
                let [left, right] = exprs.as_slice() else { return Ok(None) };
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.nullif(left, right, at)?
            }
            "greatest" | "least" => {
                let values = self.exprs(exprs.iter().copied())?;
                self.extreme(values, name.name == "greatest", at)?
            }
            "row" => {
                let parts = self.exprs(exprs.iter().copied())?;
                super::column::row_of(parts, None, at)
            }
            _ => return Ok(None),
        }))
    }

    /// A function of the tables, of these values.
    pub(crate) fn apply(&mut self, name: &str, values: Vec<Typed>, at: u32) -> Result<Typed, SqlError> {
        let types: Vec<Type> = values.iter().map(|value| value.ty.ty).collect();
        match choose(candidates_of(crate::functions::named(name), &types), &types) {
            Resolved::One(candidate) => self.applied(&candidate, values, at),
            Resolved::Ambiguous => Err(ambiguous(name, &types, at)),
            Resolved::None => match self.as_cast(name, values, at)? {
                Some(value) => Ok(value),
                None => Err(missing(name, &types, at)),
            },
        }
    }

    fn applied(
        &mut self,
        candidate: &Candidate<Row>,
        values: Vec<Typed>,
        at: u32,
    ) -> Result<Typed, SqlError> {
        let row = candidate.row;
        let values = self.all_wanted(candidate, values)?;
        let parts: Vec<(&str, Type)> = values.iter().map(|value| (value.sql.as_str(), value.ty.ty)).collect();
        let sql = crate::functions::scalar_call(row, &parts);
        let result = given(row.result, candidate.element);
        let of: Vec<&Typed> = values.iter().collect();
        if row.kind == FunctionKind::SetReturning {
            return self.set_returning(row, sql, result, &of, at);
        }
        let mut value = Typed::made(sql, result, &of, at)?;
        if row.volatility != Volatility::Immutable {
            self.touched.volatile = true;
            value.uses.volatile |= row.volatility == Volatility::Volatile;
        }
        Ok(value)
    }

    /// Each argument as the candidate wants it.
    pub(crate) fn all_wanted(
        &mut self,
        candidate: &Candidate<Row>,
        values: Vec<Typed>,
    ) -> Result<Vec<Typed>, SqlError> {
        values.into_iter().zip(&candidate.wants).map(|(value, want)| self.wanted(value, *want)).collect()
    }

    /// A function that gives rows, in a select list: it joins FROM.
    fn set_returning(
        &mut self,
        row: &Row,
        sql: String,
        result: Type,
        of: &[&Typed],
        at: u32,
    ) -> Result<Typed, SqlError> {
        if self.level().clause != crate::sql::scope::Clause::Select {
            let message =
                format!("set-returning functions are not allowed in {}", self.level().clause.shown());
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at));
        }
        if !crate::functions::columns(row).is_empty() {
            return Err(SqlError::unsupported("a function that gives records in a select list").at(at));
        }
        if !self.level().set_returning.is_empty() {
            return Err(SqlError::unsupported("several set-returning functions in one select list").at(at));
        }
        let alias = self.made_name("rows");
        let value = format!("{}.\"value\"", crate::sql::names::quoted(&alias));
        self.level().set_returning.push(format!("{sql} AS {}", crate::sql::names::quoted(&alias)));
        Typed::made(value, result, of, at)
    }

    /// `int4(x)`: a type's name as a function of one argument casts.
    fn as_cast(&mut self, name: &str, mut values: Vec<Typed>, at: u32) -> Result<Option<Typed>, SqlError> {
        let (Some(ty), 1) = (types::by_name(name), values.len()) else { return Ok(None) };
        let Some(value) = values.pop() else { return Ok(None) };
        let text = value.is_unknown() || matches!(types::category(value.ty.ty), 'S') || ty == Type::TEXT;
        let context = if text { CastContext::Explicit } else { CastContext::Assignment };
        let value = self.try_coerce(value, ty, context)?;
        Ok(value.map(|value| Typed { at, ..value }))
    }

    /// `ARRAY(SELECT …)`.
    fn array_subquery(&mut self, query: &sqlparser::ast::Query, at: u32) -> Result<Typed, SqlError> {
        let rendered = self.subquery(query)?;
        let [column] = rendered.columns.as_slice() else {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "subquery must return only one column").at(at));
        };
        let array = types::array(column.ty)?;
        let one = Typed::plain(crate::sql::names::quoted(&column.sql_name), column.ty, Form::Other, at);
        let element = super::array::element_sql(&one, column.ty.ty.element().is_some());
        let sql = format!("(SELECT json_group_array({element}) FROM ({}))", rendered.sql);
        let inner = rendered.as_typed(array.ty, at);
        Ok(Typed::made(sql, array, &[&inner], at)?.never_null(true))
    }
}

/// The arguments of a call. Named ones are refused.
pub(crate) fn arguments(function: &Function, at: u32) -> Result<Arguments<'_>, SqlError> {
    let mut found = Arguments { exprs: Vec::new(), star: false, distinct: false, order_by: Vec::new() };
    let FunctionArguments::List(list) = &function.args else { return Ok(found) };
    found.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => found.exprs.push(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => found.star = true,
            _ => return Err(SqlError::unsupported("named arguments").at(at)),
        }
    }
    for clause in &list.clauses {
        match clause {
            sqlparser::ast::FunctionArgumentClause::OrderBy(keys) => found.order_by.extend(keys),
            _ => return Err(SqlError::unsupported("this clause within the arguments of a function").at(at)),
        }
    }
    Ok(found)
}

/// What only an aggregate may have.
fn refuse_extras(function: &Function, arguments: &Arguments<'_>, name: &Name) -> Result<(), SqlError> {
    let extra = if arguments.distinct {
        "DISTINCT"
    } else if arguments.star {
        "*"
    } else if !arguments.order_by.is_empty() {
        "ORDER BY"
    } else if !function.within_group.is_empty() {
        "WITHIN GROUP"
    } else if function.filter.is_some() {
        "FILTER"
    } else if function.over.is_some() {
        "OVER"
    } else {
        return Ok(());
    };
    let message = if extra == "OVER" {
        format!("OVER specified, but {} is not a window function nor an aggregate function", name.name)
    } else {
        format!("{extra} specified, but {} is not an aggregate function", name.name)
    };
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).at(name.at))
}

fn list(types: &[Type]) -> String {
    types.iter().map(|ty| shown(*ty)).collect::<Vec<_>>().join(", ")
}

/// There is no such function.
pub(crate) fn missing(name: &str, types: &[Type], at: u32) -> SqlError {
    let message = format!("function {name}({}) does not exist", list(types));
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
        .with_hint("No function matches the given name and argument types. You might need to add explicit type casts.")
        .at(at)
}

/// There are several.
pub(crate) fn ambiguous(name: &str, types: &[Type], at: u32) -> SqlError {
    let message = format!("function {name}({}) is not unique", list(types));
    SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message)
        .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
        .at(at)
}
