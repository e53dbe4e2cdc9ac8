//! Keys of ORDER BY, and windows.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{
    OrderByExpr, OrderBySort, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use super::compare::collated;
use super::typed::{Form, Typed};
use crate::sql::names::folded;
use crate::sql::parse::position;
use crate::sql::planner::Planner;

/// The direction and the place of NULLs of a key, as PostgreSQL's default or as said.
pub(crate) fn direction(key: &OrderByExpr, not_null: bool) -> Result<String, SqlError> {
    let descending = match &key.options.sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(operator)) => match operator.to_string().as_str() {
            "<" => false,
            ">" => true,
            _ => return Err(SqlError::unsupported("ORDER BY USING this operator")),
        },
    };
    let nulls_first = key.options.nulls_first.unwrap_or(descending);
    let mut sql = if descending { " DESC" } else { "" }.to_owned();
    // SQLite takes NULL for the smallest: then nothing needs to be said, and an index can be used.
    if !not_null && nulls_first == descending {
        sql.push_str(if nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    Ok(sql)
}

impl Planner<'_> {
    /// Keys inside of an aggregate or a window, joined.
    pub(crate) fn order_keys<'e>(
        &mut self,
        keys: impl IntoIterator<Item = &'e OrderByExpr>,
    ) -> Result<Typed, SqlError> {
        let (mut parts, mut list) = (Vec::new(), Vec::new());
        for key in keys {
            let value = self.settled_expr(&key.expr)?;
            sortable(&value)?;
            list.push(format!("{}{}", collated(&value), direction(key, value.not_null)?));
            parts.push(value);
        }
        Typed::made(list.join(", "), Type::VOID, &parts.iter().collect::<Vec<_>>(), 0)
    }

    /// What stands behind OVER.
    pub(crate) fn over(&mut self, over: &WindowType) -> Result<Typed, SqlError> {
        let spec = match over {
            WindowType::WindowSpec(spec) => spec.clone(),
            WindowType::NamedWindow(name) => self.named_window(name)?,
        };
        let level = self.level();
        let before = std::mem::replace(&mut level.in_window, true);
        let planned = self.window(&spec);
        self.level().in_window = before;
        planned
    }

    fn named_window(&mut self, name: &sqlparser::ast::Ident) -> Result<WindowSpec, SqlError> {
        let (folded, at) = (folded(name), position(name.span));
        let found = self.level().windows.iter().find(|(known, _)| *known == folded);
        found.map(|(_, spec)| spec.clone()).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_OBJECT, format!("window \"{folded}\" does not exist")).at(at)
        })
    }

    fn window(&mut self, spec: &WindowSpec) -> Result<Typed, SqlError> {
        let mut spec = spec.clone();
        if let Some(name) = spec.window_name.take() {
            let base = self.named_window(&name)?;
            if spec.partition_by.is_empty() {
                spec.partition_by = base.partition_by;
            }
            if spec.order_by.is_empty() {
                spec.order_by = base.order_by;
            }
        }
        let (mut parts, mut clauses) = (Vec::new(), Vec::new());
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for expr in &spec.partition_by {
                let value = self.settled_expr(expr)?;
                keys.push(collated(&value));
                parts.push(value);
            }
            clauses.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !spec.order_by.is_empty() {
            let keys = self.order_keys(&spec.order_by)?;
            clauses.push(format!("ORDER BY {}", keys.sql));
            parts.push(keys);
        }
        if let Some(frame) = &spec.window_frame {
            clauses.push(self.frame(frame, &mut parts)?);
        }
        let of: Vec<&Typed> = parts.iter().collect();
        Typed::made(format!("({})", clauses.join(" ")), Type::VOID, &of, 0)
    }

    fn frame(&mut self, frame: &WindowFrame, parts: &mut Vec<Typed>) -> Result<String, SqlError> {
        let units = match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => "GROUPS",
        };
        let start = self.bound(&frame.start_bound, frame.units, parts)?;
        Ok(match &frame.end_bound {
            None => format!("{units} {start}"),
            Some(end) => format!("{units} BETWEEN {start} AND {}", self.bound(end, frame.units, parts)?),
        })
    }

    fn bound(
        &mut self,
        bound: &WindowFrameBound,
        units: WindowFrameUnits,
        parts: &mut Vec<Typed>,
    ) -> Result<String, SqlError> {
        let (expr, word) = match bound {
            WindowFrameBound::CurrentRow => return Ok("CURRENT ROW".to_owned()),
            WindowFrameBound::Preceding(None) => return Ok("UNBOUNDED PRECEDING".to_owned()),
            WindowFrameBound::Following(None) => return Ok("UNBOUNDED FOLLOWING".to_owned()),
            WindowFrameBound::Preceding(Some(expr)) => (expr, "PRECEDING"),
            WindowFrameBound::Following(Some(expr)) => (expr, "FOLLOWING"),
        };
        let value = self.expr(expr)?;
        let want = if units == WindowFrameUnits::Range { value.ty.ty } else { Type::INT8 };
        if !matches!(want, Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT8 | Type::UNKNOWN) {
            return Err(SqlError::unsupported("RANGE with an offset that is no number").at(value.at));
        }
        let value = self.implicit(value, if want == Type::UNKNOWN { Type::INT8 } else { want })?;
        let sql = format!("{} {word}", value.sql);
        parts.push(value);
        Ok(sql)
    }
}

/// Whether the values of the type have an order at all.
pub(crate) fn sortable(value: &Typed) -> Result<(), SqlError> {
    if value.ty.ty == Type::JSON {
        let message = "could not identify an ordering operator for type json";
        return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
            .with_hint("Use an explicit ordering operator or modify the query.")
            .at(value.at));
    }
    if matches!(value.form, Form::Row(..)) {
        return Err(SqlError::unsupported("a row as a key of ORDER BY").at(value.at));
    }
    Ok(())
}
