//! Columns: by bare and by qualified name, from the innermost query outwards.

use crate::base::catalog::Privilege;
use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::Ident;

use super::typed::{Form, Typed, Ungrouped};
use crate::sql::names::{Name, folded, is_reserved};
use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::scope::{ScopeColumn, Visible};

/// A column that was found, where.
struct Found {
    column: ScopeColumn,
    /// The query's depth, from 1.
    depth: usize,
    /// The table's place; none: merged by USING.
    table: Option<usize>,
    qualifier: Option<String>,
}

impl Planner<'_> {
    /// `a`.
    pub(crate) fn bare_column(&mut self, ident: &Ident) -> Result<Typed, SqlError> {
        let (name, at) = (folded(ident), position(ident.span));
        if ident.quote_style.is_none() {
            if let Some(value) = self.keyword_value(&name, at)? {
                return Ok(value);
            }
            if is_reserved(&name) {
                let message = format!("syntax error at or near \"{}\"", ident.value);
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
            }
        }
        for depth in (1..=self.levels.len()).rev() {
            let level = &self.levels[depth - 1];
            if level.hidden {
                continue;
            }
            let found: Vec<Visible> = level.bare(&name).cloned().collect();
            match found.as_slice() {
                [] => {}
                [visible] => {
                    let qualifier = visible.table.map(|place| level.tables[place].alias.clone());
                    let found =
                        Found { column: visible.column.clone(), depth, table: visible.table, qualifier };
                    return Ok(self.found(found, at));
                }
                _ => return Err(ambiguous(&name).at(at)),
            }
            if let Some(place) = level.table(None, &name)
                && !level.tables[place].qualified_only
            {
                return self.whole_row(depth, place, at);
            }
        }
        Err(SqlError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")).at(at))
    }

    /// `t.a`, `s.t.a`, `d.s.t.a`.
    pub(crate) fn qualified_column(&mut self, parts: &[Ident]) -> Result<Typed, SqlError> {
        let at = parts.first().map_or(0, |part| position(part.span));
        let mut names: Vec<String> = parts.iter().map(folded).collect();
        let name = names.pop().unwrap_or_default();
        let table = names.pop().unwrap_or_default();
        let schema = names.pop();
        for depth in (1..=self.levels.len()).rev() {
            let level = &self.levels[depth - 1];
            let Some(place) = level.table(schema.as_deref(), &table) else { continue };
            if level.hidden {
                let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
                let hint = format!(
                    "There is an entry for table \"{table}\", but it cannot be referenced from this part of the query."
                );
                return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message).with_hint(hint).at(at));
            }
            let matching: Vec<&ScopeColumn> =
                level.tables[place].columns.iter().filter(|column| column.name == name).collect();
            return match matching.as_slice() {
                [] => {
                    let message = format!("column {table}.{name} does not exist");
                    Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message).at(at))
                }
                [column] => {
                    let column = (*column).clone();
                    let found = Found { column, depth, table: Some(place), qualifier: Some(table) };
                    Ok(self.found(found, at))
                }
                _ => Err(ambiguous(&name).at(at)),
            };
        }
        Err(missing_table(&Name { schema, name: table, at }))
    }

    /// A column that is in sight at a depth.
    pub(crate) fn visible(&mut self, visible: Visible, depth: usize, at: u32) -> Typed {
        let qualifier = visible.table.map(|place| self.levels[depth - 1].tables[place].alias.clone());
        let found = Found { column: visible.column, depth, table: visible.table, qualifier };
        self.found(found, at)
    }

    fn found(&mut self, found: Found, at: u32) -> Typed {
        let Found { column, depth, table, qualifier } = found;
        if let Some(origin) = column.origin {
            self.access_column(origin, Privilege::Select);
        }
        let mut value = Typed::plain(column.sql, column.ty, Form::Column(column.origin), at);
        value.not_null = column.not_null;
        let level = &self.levels[depth - 1];
        let known =
            level.groups.contains(&value.sql) || table.is_some_and(|place| level.determined.contains(&place));
        if !known && level.in_aggregate == 0 {
            let name = match qualifier {
                Some(qualifier) => format!("{qualifier}.{}", column.name),
                None => column.name,
            };
            value.uses.ungrouped.push(Ungrouped { depth, name, at });
        }
        value
    }

    /// A table's name where a value is wanted: the row, or what a function of one value gives.
    fn whole_row(&mut self, depth: usize, place: usize, at: u32) -> Result<Typed, SqlError> {
        let table = self.levels[depth - 1].tables[place].clone();
        if let ([column], true) = (table.columns.as_slice(), table.scalar) {
            let found =
                Found { column: column.clone(), depth, table: Some(place), qualifier: Some(table.alias) };
            return Ok(self.found(found, at));
        }
        let names = table.columns.iter().map(|column| column.name.clone()).collect();
        let mut parts = Vec::new();
        for column in table.columns {
            let qualifier = Some(table.alias.clone());
            parts.push(self.found(Found { column, depth, table: Some(place), qualifier }, at));
        }
        Ok(row_of(parts, Some(names), at))
    }
}

/// A row of these: it has no SQL of its own, what takes it apart writes it.
pub(crate) fn row_of(parts: Vec<Typed>, names: Option<Vec<String>>, at: u32) -> Typed {
    let mut row = Typed::plain("NULL", Type::RECORD, Form::Other, at);
    for part in &parts {
        row.uses.and(&part.uses);
        row.depth = row.depth.max(part.depth);
    }
    row.form = Form::Row(parts, names);
    row
}

fn ambiguous(name: &str) -> SqlError {
    SqlError::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous"))
}

/// There is no such table in FROM.
pub(crate) fn missing_table(name: &Name) -> SqlError {
    let message = format!("missing FROM-clause entry for table \"{}\"", name.name);
    SqlError::new(SqlState::UNDEFINED_TABLE, message).at(name.at)
}
