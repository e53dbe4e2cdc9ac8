//! Arrays: constructors, subscripts and slices.

use crate::base::{ColumnType, Element, SqlError, SqlState, Type};
use sqlparser::ast::{AccessExpr, Array, Expr, Subscript};

use super::typed::{Form, Typed};
use crate::sql::planner::Planner;
use crate::sql::types;

impl Planner<'_> {
    /// `ARRAY[…]`, of values or of arrays.
    pub(crate) fn array(&mut self, array: &Array, at: u32) -> Result<Typed, SqlError> {
        if !array.named {
            let message = "syntax error at or near \"[\"";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
        }
        self.array_of(&array.elem, None, at)
    }

    /// With the type of its elements, if a cast around it tells.
    pub(crate) fn array_of(
        &mut self,
        elements: &[Expr],
        hint: Option<Type>,
        at: u32,
    ) -> Result<Typed, SqlError> {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            values.push(match element {
                Expr::Array(inner) => self.array_of(&inner.elem, hint, at)?,
                other => self.expr(other)?,
            });
        }
        if values.is_empty() {
            let Some(ty) = hint else {
                return Err(SqlError::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    "cannot determine type of empty array",
                )
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .at(at));
            };
            return Ok(Typed::plain("'[]'", types::array(ty.into())?, Form::Other, at).never_null(true));
        }
        let (values, ty) = self.unified(values, "ARRAY")?;
        let nested = ty.ty.element().is_some();
        let array = types::array(ty)?;
        let list: Vec<String> = values.iter().map(|value| element_sql(value, nested)).collect();
        let parts: Vec<&Typed> = values.iter().collect();
        let sql = format!("json_array({})", list.join(", "));
        Ok(Typed::made(sql, array, &parts, at)?.never_null(true))
    }

    /// `a[1]`, `a[1:2]`, `j['key']`.
    pub(crate) fn subscripts(&mut self, root: &Expr, chain: &[AccessExpr]) -> Result<Typed, SqlError> {
        let (root, chain) = qualified_root(root, chain);
        let mut value = match root {
            Root::Expr(expr) => self.settled_expr(expr)?,
            Root::Column(parts) => self.qualified_column(&parts)?,
        };
        if value.ty.ty == Type::JSONB {
            for access in chain {
                value = self.json_subscript(value, access)?;
            }
            return Ok(value);
        }
        let Some(_) = value.ty.ty.element() else {
            let message = if chain.iter().any(|access| matches!(access, AccessExpr::Dot(_))) {
                return Err(SqlError::unsupported("a field of a composite value").at(value.at));
            } else {
                format!(
                    "cannot subscript type {} because it does not support subscripting",
                    types::shown(value.ty.ty)
                )
            };
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(value.at));
        };
        let slices =
            chain.iter().any(|access| matches!(access, AccessExpr::Subscript(Subscript::Slice { .. })));
        if slices { self.slice(value, chain) } else { self.element(value, chain) }
    }

    fn element(&mut self, value: Typed, chain: &[AccessExpr]) -> Result<Typed, SqlError> {
        let at = value.at;
        let typmod = value.ty.typmod;
        let mut arguments = vec![vector(value)];
        for access in chain {
            let AccessExpr::Subscript(Subscript::Index { index }) = access else {
                return Err(SqlError::unsupported("a field of a composite value").at(at));
            };
            arguments.push(self.subscript(index)?);
        }
        let mut element = self.apply("array_get", arguments, at)?;
        element.ty.typmod = typmod;
        Ok(element)
    }

    fn slice(&mut self, value: Typed, chain: &[AccessExpr]) -> Result<Typed, SqlError> {
        let at = value.at;
        let [AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None })] = chain
        else {
            return Err(SqlError::unsupported("a slice of several dimensions").at(at));
        };
        let ty = value.ty;
        let mut arguments = vec![vector(value)];
        for bound in [lower_bound, upper_bound] {
            arguments.push(match bound {
                Some(bound) => self.subscript(bound)?,
                None => Typed::plain("NULL", Type::INT4, Form::Null, at),
            });
        }
        Ok(self.apply("array_slice", arguments, at)?.as_type(ty))
    }

    fn subscript(&mut self, index: &Expr) -> Result<Typed, SqlError> {
        let index = self.expr(index)?;
        let at = index.at;
        match self.try_coerce(index, Type::INT4, crate::base::rules::CastContext::Assignment)? {
            Some(index) => Ok(index),
            None => {
                let message = "array subscript must have type integer";
                Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(at))
            }
        }
    }

    fn json_subscript(&mut self, value: Typed, access: &AccessExpr) -> Result<Typed, SqlError> {
        let AccessExpr::Subscript(Subscript::Index { index }) = access else {
            return Err(SqlError::new(
                SqlState::DATATYPE_MISMATCH,
                "jsonb subscript does not support slices",
            )
            .at(value.at));
        };
        let index = self.settled_expr(index)?;
        self.operate("->", value, index)
    }
}

/// What a chain of accesses begins with.
enum Root<'e> {
    Expr(&'e Expr),
    Column(Vec<sqlparser::ast::Ident>),
}

/// `t.a[1]` comes as `t`, `.a`, `[1]`: the column is told from what is behind it.
fn qualified_root<'e>(root: &'e Expr, chain: &'e [AccessExpr]) -> (Root<'e>, &'e [AccessExpr]) {
    let mut parts = match root {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(parts) => parts.clone(),
        other => return (Root::Expr(other), chain),
    };
    let before = parts.len();
    for access in chain {
        match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => parts.push(ident.clone()),
            _ => break,
        }
    }
    let taken = parts.len() - before;
    if taken == 0 { (Root::Expr(root), chain) } else { (Root::Column(parts), &chain[taken..]) }
}

/// `int2vector` and `oidvector` are read as arrays; they count from zero.
fn vector(value: Typed) -> Typed {
    match value.ty.ty {
        Type::Int2Vector => value.as_type(Type::Array(Element::Int2)),
        Type::OidVector => value.as_type(Type::Array(Element::Oid)),
        _ => value,
    }
}

/// An element as an array keeps it.
pub(crate) fn element_sql(value: &Typed, nested: bool) -> String {
    if nested {
        return format!("json({})", value.sql);
    }
    match value.ty.ty {
        Type::BYTEA => format!("('\\x' || lower(hex({})))", value.sql),
        _ => value.sql.clone(),
    }
}

/// The type of an array's elements.
pub(crate) fn element_type(array: ColumnType) -> Option<ColumnType> {
    array.ty.element().map(|element| ColumnType { ty: Type::Scalar(element), typmod: array.typmod })
}
