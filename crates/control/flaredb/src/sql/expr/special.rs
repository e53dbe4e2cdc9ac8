//! Functions with a syntax of their own: EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, CEIL, FLOOR; and casts.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{CastKind, CeilFloorKind, DataType, Expr, TrimWhereField};

use super::typed::{Form, Typed};
use crate::sql::names::literal;
use crate::sql::planner::Planner;
use crate::sql::types;

impl Planner<'_> {
    pub(crate) fn special(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        let at = super::at(expr);
        match expr {
            Expr::Extract { field, expr: operand, .. } => {
                let field = text(&field.to_string().trim_matches('\'').to_ascii_lowercase(), at);
                let value = self.expr(operand)?;
                self.apply("extract", vec![field, value], at)
            }
            Expr::Ceil { expr: operand, field } => self.rounded("ceil", operand, field, at),
            Expr::Floor { expr: operand, field } => self.rounded("floor", operand, field, at),
            Expr::Position { expr: what, r#in } => {
                let (what, within) = (self.expr(what)?, self.expr(r#in)?);
                self.apply("position", vec![within, what], at)
            }
            Expr::Substring { expr: operand, substring_from, substring_for, .. } => {
                let mut arguments = vec![self.expr(operand)?];
                match (substring_from, substring_for) {
                    (None, Some(_)) => arguments.push(Typed::plain("1", Type::INT4, Form::Integer(1), at)),
                    (Some(from), _) => arguments.push(self.expr(from)?),
                    (None, None) => {}
                }
                if let Some(length) = substring_for {
                    arguments.push(self.expr(length)?);
                }
                self.apply("substring", arguments, at)
            }
            Expr::Trim { trim_where, trim_what, expr: operand, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let mut arguments = vec![self.expr(operand)?];
                if let Some(what) = trim_what {
                    arguments.push(self.expr(what)?);
                }
                for what in trim_characters.iter().flatten() {
                    arguments.push(self.expr(what)?);
                }
                self.apply(name, arguments, at)
            }
            Expr::Overlay { expr: operand, overlay_what, overlay_from, overlay_for } => {
                let mut arguments =
                    vec![self.expr(operand)?, self.expr(overlay_what)?, self.expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    arguments.push(self.expr(length)?);
                }
                self.apply("overlay", arguments, at)
            }
            Expr::IsNormalized { .. } => Err(SqlError::unsupported("IS NORMALIZED").at(at)),
            Expr::IsJson { .. } => Err(SqlError::unsupported("IS JSON").at(at)),
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                Err(SqlError::unsupported("GROUPING SETS, CUBE and ROLLUP").at(at))
            }
            other => Err(super::no_syntax(other)),
        }
    }

    fn rounded(
        &mut self,
        name: &str,
        operand: &Expr,
        kind: &CeilFloorKind,
        at: u32,
    ) -> Result<Typed, SqlError> {
        match kind {
            CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) => {
                let value = self.expr(operand)?;
                self.apply(name, vec![value], at)
            }
            _ => Err(super::call::missing(name, &[Type::UNKNOWN, Type::UNKNOWN], at)),
        }
    }

    /// `CAST (… AS …)`, `…::…`.
    pub(crate) fn cast(&mut self, operand: &Expr, ty: &DataType, kind: &CastKind) -> Result<Typed, SqlError> {
        let at = super::at(operand);
        if matches!(kind, CastKind::TryCast | CastKind::SafeCast) {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"AS\"").at(at));
        }
        let to =
            types::of(ty).map_err(|error| if error.position.is_some() { error } else { error.at(at) })?;
        let mut inner = operand;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        if let (Expr::Array(array), Some(element)) = (inner, to.ty.element()) {
            let value = self.array_of(&array.elem, Some(Type::Scalar(element)), at)?;
            return self.explicit(value, to);
        }
        let value = self.expr(operand)?;
        self.explicit(value, to)
    }

    /// `(a, b) OVERLAPS (c, d)`.
    pub(crate) fn overlaps(&mut self, left: &Expr, right: &Expr) -> Result<Typed, SqlError> {
        let at = super::at(left);
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        match (left.form, right.form) {
            (Form::Row(lefts, _), Form::Row(rights, _)) if lefts.len() == 2 && rights.len() == 2 => {
                self.apply("overlaps", lefts.into_iter().chain(rights).collect(), at)
            }
            _ => {
                let message = "wrong number of parameters on left side of OVERLAPS expression";
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at))
            }
        }
    }
}

fn text(value: &str, at: u32) -> Typed {
    Typed::plain(literal(value), Type::TEXT, Form::Other, at).never_null(true)
}
