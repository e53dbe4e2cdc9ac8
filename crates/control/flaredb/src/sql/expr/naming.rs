//! What a column of the answer is called if nobody says.

use sqlparser::ast::{AccessExpr, Expr, FunctionArguments, SelectItem, SetExpr, Subscript};

use crate::sql::names::folded;

/// As PostgreSQL calls it; `?column?` for what has no name.
pub(crate) fn column_name(expr: &Expr) -> String {
    let (name, _) = named(expr);
    name.unwrap_or_else(|| "?column?".to_owned())
}

/// The name, and whether it is more than a guess: that of a cast's type is one.
fn named(expr: &Expr) -> (Option<String>, bool) {
    let sure = |name: &str| (Some(name.to_owned()), true);
    match expr {
        Expr::Identifier(ident) => match (ident.quote_style, ident.value.to_ascii_lowercase().as_str()) {
            (None, "current_schema") => sure("current_schema"),
            _ => (Some(folded(ident)), true),
        },
        Expr::CompoundIdentifier(parts) => (parts.last().map(folded), true),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => Some(folded(ident)),
                _ => None,
            });
            let subscripted = access_chain.iter().all(|access| {
                matches!(access, AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. }))
            });
            match field {
                Some(field) => (Some(field), true),
                None if subscripted => named(root),
                None => (None, false),
            }
        }
        Expr::Nested(inner) => named(inner),
        Expr::Collate { expr, .. } => named(expr),
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident()).map(folded);
            match (name.as_deref(), &function.args) {
                (Some("array"), FunctionArguments::Subquery(_)) => sure("array"),
                _ => (name.filter(|name| !name.starts_with('\0')), true),
            }
        }
        Expr::Cast { expr, data_type, .. } => match named(expr) {
            (Some(name), true) => (Some(name), true),
            _ => (type_name(data_type), false),
        },
        Expr::TypedString(typed) => (type_name(&typed.data_type), false),
        Expr::Interval(_) => (Some("interval".to_owned()), false),
        Expr::Case { else_result, .. } => match else_result.as_deref().map(named) {
            Some((Some(name), true)) => (Some(name), true),
            _ => (Some("case".to_owned()), false),
        },
        Expr::Value(value) => match value.value {
            sqlparser::ast::Value::Boolean(_) => (Some("bool".to_owned()), false),
            _ => (None, false),
        },
        Expr::Exists { negated: false, .. } => sure("exists"),
        Expr::Subquery(query) => match &*query.body {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => named(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => (Some(folded(alias)), true),
                _ => (None, false),
            },
            SetExpr::Values(_) => sure("column1"),
            _ => (None, false),
        },
        Expr::Array(_) => sure("array"),
        Expr::Tuple(_) => sure("row"),
        Expr::Extract { .. } => sure("extract"),
        Expr::Substring { .. } => sure("substring"),
        Expr::Position { .. } => sure("position"),
        Expr::Overlay { .. } => sure("overlay"),
        Expr::Trim { trim_where, .. } => sure(match trim_where {
            Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim",
            Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::Ceil { .. } => sure("ceil"),
        Expr::Floor { .. } => sure("floor"),
        Expr::AtTimeZone { .. } => sure("timezone"),
        _ => (None, false),
    }
}

/// The type's own name, as `pg_type` has it.
fn type_name(ty: &sqlparser::ast::DataType) -> Option<String> {
    let ty = crate::sql::types::of(ty).ok()?.ty;
    Some(match ty.element() {
        Some(element) => element.name().to_owned(),
        None => ty.name(),
    })
}
