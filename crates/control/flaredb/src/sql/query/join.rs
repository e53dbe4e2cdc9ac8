//! Joins.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{Join, JoinConstraint, JoinOperator, ObjectName, TableWithJoins};

use super::from::Source;
use crate::sql::expr::typed::{Form, Typed};
use crate::sql::names::Name;
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, ScopeColumn, Visible};

/// Which side may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Inner => "JOIN",
            Self::Left => "LEFT JOIN",
            Self::Right => "RIGHT JOIN",
            Self::Full => "FULL JOIN",
        }
    }
}

impl Planner<'_> {
    /// A relation and what is joined to it.
    pub(crate) fn joined_tables(&mut self, tables: &TableWithJoins) -> Result<Source, SqlError> {
        let from = (self.level().tables.len(), self.level().columns.len());
        let mut source = self.factor(&tables.relation)?;
        for join in &tables.joins {
            self.join(&mut source, join, from)?;
        }
        Ok(source)
    }

    fn join(&mut self, left: &mut Source, join: &Join, from: (usize, usize)) -> Result<(), SqlError> {
        let (kind, constraint) = kind(&join.join_operator)?;
        let middle = (self.level().tables.len(), self.level().columns.len());
        let right = self.factor(&join.relation)?;
        if matches!(kind, Kind::Left | Kind::Full) {
            self.nullable(middle.0, usize::MAX, middle.1, usize::MAX);
        }
        if matches!(kind, Kind::Right | Kind::Full) {
            self.nullable(from.0, middle.0, from.1, middle.1);
        }
        let on = match constraint {
            JoinConstraint::On(expr) => {
                let condition = self.within(Clause::On, |planner| planner.condition_expr(expr, "JOIN/ON"))?;
                Some(condition)
            }
            JoinConstraint::Using(names) => {
                let names = names.iter().map(using_name).collect::<Result<Vec<_>, _>>()?;
                Some(self.using(&names, kind, from.1, middle.1)?)
            }
            JoinConstraint::UsingAlias(..) => return Err(SqlError::unsupported("an alias of USING")),
            JoinConstraint::Natural => {
                let names = self.common(from.1, middle.1);
                if names.is_empty() { None } else { Some(self.using(&names, kind, from.1, middle.1)?) }
            }
            JoinConstraint::None => None,
        };
        let right_sql = if right.joined { format!("({})", right.sql) } else { right.sql };
        let condition = match &on {
            Some(on) => format!(" ON {}", on.sql),
            None if kind == Kind::Inner => String::new(),
            None => " ON 1".to_owned(),
        };
        let word = if on.is_none() && kind == Kind::Inner { "CROSS JOIN" } else { kind.word() };
        left.sql = format!("{} {word} {right_sql}{condition}", left.sql);
        left.joined = true;
        left.uses.and(&right.uses);
        left.depth = left.depth.max(right.depth);
        if let Some(on) = on {
            let own = self.levels.len();
            let mut uses = on.uses;
            uses.ungrouped.retain(|column| column.depth < own);
            left.uses.and(&uses);
            left.depth = left.depth.max(on.depth);
        }
        Ok(())
    }

    /// These columns may be NULL though their tables say otherwise.
    fn nullable(&mut self, tables: usize, to_table: usize, columns: usize, to_column: usize) {
        let level = self.level();
        let (table_end, column_end) = (to_table.min(level.tables.len()), to_column.min(level.columns.len()));
        for table in &mut level.tables[tables..table_end] {
            table.columns.iter_mut().for_each(|column| column.not_null = false);
        }
        for visible in &mut level.columns[columns..column_end] {
            visible.column.not_null = false;
        }
    }

    /// Names that both sides have.
    fn common(&mut self, from: usize, middle: usize) -> Vec<(String, u32)> {
        let columns = &self.level().columns;
        let right = &columns[middle..];
        let names = columns[from..middle].iter().map(|visible| &visible.column.name);
        names
            .filter(|name| right.iter().any(|other| other.column.name == **name))
            .map(|name| (name.clone(), 0))
            .collect()
    }

    /// Both sides' columns of these names are equal, and become one.
    fn using(
        &mut self,
        names: &[(String, u32)],
        kind: Kind,
        from: usize,
        middle: usize,
    ) -> Result<Typed, SqlError> {
        let (mut tests, mut merged) = (Vec::new(), Vec::new());
        for (name, at) in names {
            let left = self.side(name, from, middle, "left", *at)?;
            let right = self.side(name, middle, usize::MAX, "right", *at)?;
            let (l, r) = (typed(&left.column, *at), typed(&right.column, *at));
            tests.push(self.operate("=", l.clone(), r.clone())?);
            let value = match kind {
                Kind::Inner | Kind::Left => l,
                Kind::Right => r,
                Kind::Full => self.coalesce(vec![l, r], *at)?,
            };
            let origin = match &value.form {
                Form::Column(origin) => *origin,
                _ => None,
            };
            let column = ScopeColumn {
                name: name.clone(),
                sql: value.sql,
                ty: value.ty,
                not_null: value.not_null,
                origin,
            };
            merged
                .push(Visible { column, table: if kind == Kind::Right { right.table } else { left.table } });
        }
        let level = self.level();
        let is_merged = |visible: &Visible| names.iter().any(|(name, _)| *name == visible.column.name);
        let mut place = 0;
        level.columns.retain(|visible| {
            let keep = place < from || !is_merged(visible);
            place += 1;
            keep
        });
        level.columns.splice(from..from, merged);
        crate::sql::expr::balanced(tests, "AND")
    }

    fn side(&mut self, name: &str, from: usize, to: usize, side: &str, at: u32) -> Result<Visible, SqlError> {
        let columns = &self.level().columns;
        let to = to.min(columns.len());
        let mut found = columns[from..to].iter().filter(|visible| visible.column.name == name);
        match (found.next(), found.next()) {
            (Some(visible), None) => Ok(visible.clone()),
            (None, _) => {
                let message =
                    format!("column \"{name}\" specified in USING clause does not exist in {side} table");
                Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message).at(at))
            }
            (Some(_), Some(_)) => {
                let message = format!("common column name \"{name}\" appears more than once in {side} table");
                Err(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message).at(at))
            }
        }
    }
}

fn typed(column: &ScopeColumn, at: u32) -> Typed {
    Typed::plain(column.sql.clone(), column.ty, Form::Column(column.origin), at).never_null(column.not_null)
}

fn using_name(name: &ObjectName) -> Result<(String, u32), SqlError> {
    let name = Name::of(name)?;
    Ok((name.name, name.at))
}

fn kind(operator: &JoinOperator) -> Result<(Kind, &JoinConstraint), SqlError> {
    Ok(match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            if matches!(constraint, JoinConstraint::None) {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error: JOIN without ON or USING"));
            }
            (Kind::Inner, constraint)
        }
        JoinOperator::CrossJoin(constraint) => (Kind::Inner, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (Kind::Left, constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (Kind::Right, constraint),
        JoinOperator::FullOuter(constraint) => (Kind::Full, constraint),
        _ => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in JOIN")),
    })
}
