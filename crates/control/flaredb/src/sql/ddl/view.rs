//! CREATE VIEW. A view is its text: nothing of it is in SQLite.

use crate::base::{RelationKind, SqlError, SqlState};

use super::table::plain_column;
use super::{Making, relation};
use crate::sql::planner::Planner;
use crate::sql::tree::CreateView;

impl Planner<'_> {
    pub(crate) fn create_view(
        &mut self,
        making: &mut Making,
        create: &CreateView,
    ) -> Result<&'static str, SqlError> {
        let (schema, taken) = self.new_name(making, &create.name)?;
        let before = making.after.find(&schema, &create.name.name).cloned();
        if let Some(taken) = taken
            && !create.or_replace
        {
            return Err(taken.at(create.name.at));
        }
        let rendered = self.as_view(|planner| planner.query(&create.query.query))?;
        let oid = match &before {
            None => making.oid(),
            Some(view) if matches!(view.kind, RelationKind::View { .. }) => view.oid,
            Some(other) => {
                let message = format!("\"{}\" is not a view", other.name);
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        };
        let kind = RelationKind::View { definition: create.query.text.clone() };
        let mut view = relation(oid, &schema, &create.name.name, &self.settings.user, kind);
        for (place, given) in rendered.columns.iter().enumerate() {
            let name = create.columns.get(place).unwrap_or(&given.name);
            if view.column(name).is_some() {
                let message = format!("column \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            view.columns.push(plain_column(i16::try_from(place + 1).unwrap_or(i16::MAX), name, given.ty));
        }
        if let Some(before) = before {
            let kept = before.columns.iter().zip(&view.columns);
            let same = before.columns.len() <= view.columns.len()
                && kept.clone().all(|(old, new)| old.name == new.name && old.ty.ty == new.ty.ty);
            if !same {
                let message = "cannot drop columns from view, or change their names or types";
                return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message)
                    .with_hint("Drop the view and create it anew."));
            }
            view.grants.clone_from(&before.grants);
            view.owner.clone_from(&before.owner);
        }
        making.put(view);
        Ok("CREATE VIEW")
    }
}
