//! The common type of several expressions: of CASE, COALESCE, UNION, VALUES, ARRAY, IN.

use crate::base::rules::CastContext;
use crate::base::{ColumnType, SqlError, SqlState, Type};

use super::coerce::can;
use super::typed::Typed;
use crate::sql::planner::Planner;
use crate::sql::types::{category, is_preferred, shown};

/// The type that these agree on (PostgreSQL's documentation, 10.5). `construct` is named in the error.
pub(crate) fn common_type(values: &[&Typed], construct: &str) -> Result<Type, SqlError> {
    let mut chosen: Option<Type> = None;
    for value in values.iter().filter(|value| !value.is_unknown()) {
        let ty = value.ty.ty;
        let Some(so_far) = chosen else {
            chosen = Some(ty);
            continue;
        };
        if so_far == ty {
            continue;
        }
        if category(so_far) != category(ty) {
            let message = format!("{construct} types {} and {} cannot be matched", shown(so_far), shown(ty));
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(value.at));
        }
        let widens = can(so_far, ty, CastContext::Implicit) && !can(ty, so_far, CastContext::Implicit);
        if !is_preferred(so_far) && widens {
            chosen = Some(ty);
        }
    }
    Ok(chosen.unwrap_or(Type::TEXT))
}

/// The modifier that they share; -1 if they do not.
pub(crate) fn common_modifier(values: &[&Typed], ty: Type) -> ColumnType {
    let mut modifiers = values.iter().map(|value| if value.ty.ty == ty { value.ty.typmod } else { -1 });
    let first = modifiers.next().unwrap_or(-1);
    let typmod = if modifiers.all(|typmod| typmod == first) { first } else { -1 };
    ColumnType { ty, typmod }
}

impl Planner<'_> {
    /// Each as the type that they agree on.
    pub(crate) fn unified(
        &mut self,
        values: Vec<Typed>,
        construct: &str,
    ) -> Result<(Vec<Typed>, ColumnType), SqlError> {
        let borrowed: Vec<&Typed> = values.iter().collect();
        let ty = common_type(&borrowed, construct)?;
        let column = common_modifier(&borrowed, ty);
        let values = values
            .into_iter()
            .map(|value| self.matched(value, ty, construct))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((values, column))
    }

    /// One as the common type.
    pub(crate) fn matched(&mut self, value: Typed, ty: Type, construct: &str) -> Result<Typed, SqlError> {
        let (from, at) = (value.ty.ty, value.at);
        match self.try_coerce(value, ty, CastContext::Implicit)? {
            Some(value) => Ok(value),
            None => {
                let message = format!("{construct} could not convert type {} to {}", shown(from), shown(ty));
                Err(SqlError::new(SqlState::CANNOT_COERCE, message).at(at))
            }
        }
    }
}
