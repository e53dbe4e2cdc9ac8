//! ON CONFLICT.

use crate::base::catalog::Privilege;
use crate::base::{ConstraintKind, Relation, SqlError, SqlState};
use sqlparser::ast::{Assignment, ConflictTarget, OnConflict, OnConflictAction};

use super::insert::target;
use super::{no_column, scope_columns, scope_table};
use crate::sql::names::{Name, folded, quoted};
use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level, Table};

impl Planner<'_> {
    /// With a blank before it.
    pub(crate) fn conflict(
        &mut self,
        relation: &Relation,
        alias: &str,
        on: &OnConflict,
    ) -> Result<String, SqlError> {
        let mut level = Level::of(Clause::Conflict);
        level.add(target(relation, alias));
        self.inside(level, |planner| {
            let found = match &on.conflict_target {
                None => String::new(),
                Some(found) => planner.conflict_target(relation, found)?,
            };
            match &on.action {
                OnConflictAction::DoNothing => Ok(format!(" ON CONFLICT{found} DO NOTHING")),
                OnConflictAction::DoUpdate(update) => {
                    if found.is_empty() {
                        let message =
                            "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message)
                            .with_hint("For example, ON CONFLICT (column_name)."));
                    }
                    planner.level().add(Table {
                        qualified_only: true,
                        ..scope_table(relation, "excluded", scope_columns(relation, Some("excluded")))
                    });
                    let set = planner.assignments(relation, &update.assignments)?;
                    let filter = match &update.selection {
                        None => String::new(),
                        Some(filter) => format!(" WHERE {}", planner.condition_expr(filter, "WHERE")?.sql),
                    };
                    Ok(format!(" ON CONFLICT{found} DO UPDATE SET {set}{filter}"))
                }
            }
        })
    }

    fn conflict_target(&mut self, relation: &Relation, target: &ConflictTarget) -> Result<String, SqlError> {
        match target {
            ConflictTarget::Columns { columns, predicate } => {
                let mut names = Vec::new();
                for column in columns {
                    let name = Name { schema: None, name: folded(column), at: position(column.span) };
                    let Some(column) = relation.column(&name.name) else {
                        return Err(no_column(relation, &name));
                    };
                    names.push(quoted(&column.name));
                }
                let filter = match predicate {
                    None => String::new(),
                    Some(predicate) => format!(" WHERE {}", self.condition_expr(predicate, "WHERE")?.sql),
                };
                Ok(format!(" ({}){filter}", names.join(", ")))
            }
            ConflictTarget::OnConstraint(name) => {
                let name = Name::of(name)?;
                let constraint = relation.constraints.iter().find(|constraint| {
                    constraint.name == name.name
                        && matches!(
                            constraint.kind,
                            ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }
                        )
                });
                let Some(constraint) = constraint else {
                    let message = format!(
                        "constraint \"{}\" for table \"{}\" does not exist",
                        name.name, relation.name
                    );
                    return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message).at(name.at));
                };
                let named = |number: &i16| relation.columns.iter().find(|column| column.number == *number);
                let names: Vec<String> =
                    constraint.columns.iter().filter_map(named).map(|column| quoted(&column.name)).collect();
                Ok(format!(" ({})", names.join(", ")))
            }
        }
    }

    /// `a = 1, b = 2`, with the columns in sight.
    pub(crate) fn assignments(
        &mut self,
        relation: &Relation,
        assignments: &[Assignment],
    ) -> Result<String, SqlError> {
        let (mut set, mut seen) = (Vec::new(), Vec::new());
        for assignment in assignments {
            let names = super::targets(&assignment.target)?;
            let values = self.assigned_values(&names, &assignment.value)?;
            for (name, value) in names.iter().zip(values) {
                let Some(column) = relation.column(&name.name) else { return Err(no_column(relation, name)) };
                if seen.contains(&column.number) {
                    let message = format!("multiple assignments to same column \"{}\"", name.name);
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(name.at));
                }
                seen.push(column.number);
                self.access_column((relation.oid, column.number), Privilege::Update);
                let sql = match value {
                    None => self.default_of(relation, column)?,
                    Some(_) if always(column) => {
                        let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                        return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message).at(name.at));
                    }
                    Some(value) => {
                        let value = self.assigned(value, column.ty, &column.name)?;
                        self.guarded(relation, column, value)?.sql
                    }
                };
                set.push(format!("{} = {sql}", quoted(&column.name)));
            }
        }
        Ok(set.join(", "))
    }

    /// The values of one assignment; none: DEFAULT.
    fn assigned_values(
        &mut self,
        names: &[Name],
        value: &sqlparser::ast::Expr,
    ) -> Result<Vec<Option<crate::sql::expr::Typed>>, SqlError> {
        use sqlparser::ast::Expr;
        let one = |planner: &mut Self, expr: &Expr| match expr {
            Expr::Identifier(ident)
                if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default") =>
            {
                Ok(None)
            }
            expr => planner.expr(expr).map(Some),
        };
        if let [_] = names {
            return Ok(vec![one(self, value)?]);
        }
        let values = match value {
            Expr::Tuple(parts) => parts.iter().map(|part| one(self, part)).collect::<Result<Vec<_>, _>>()?,
            Expr::Subquery(_) => {
                return Err(SqlError::unsupported("an assignment of a subquery to several columns")
                    .with_hint("Use UPDATE … FROM."));
            }
            _ => {
                let message =
                    "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
        };
        if values.len() != names.len() {
            let message = "number of columns does not match number of values";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        Ok(values)
    }
}

fn always(column: &crate::base::Column) -> bool {
    column.generated.is_some() || column.identity == Some(crate::base::catalog::Identity::Always)
}
