//! SELECT.

use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{
    Distinct, Ident, NamedWindowDefinition, NamedWindowExpr, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind, Table as TableQuery,
};

use super::body::{self, Body, Output, Written, list};
use super::order::{Key, Meant, column_meant};
use crate::sql::expr::typed::{Form, Typed, Uses};
use crate::sql::expr::{collated, column_name, direction, sortable};
use crate::sql::names::{Name, folded};
use crate::sql::planner::Planner;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    /// A SELECT, with the keys that its query is ordered by.
    pub(crate) fn select(
        &mut self,
        select: &sqlparser::ast::Select,
        order: &[Key<'_>],
    ) -> Result<body::Select, SqlError> {
        refuse(select)?;
        self.inside(Level::default(), |planner| planner.select_parts(select, order))
    }

    fn select_parts(
        &mut self,
        select: &sqlparser::ast::Select,
        order: &[Key<'_>],
    ) -> Result<body::Select, SqlError> {
        let from = self.from(&select.from)?;
        self.level().windows = windows(&select.named_window)?;
        let filter = match &select.selection {
            Some(filter) => {
                Some(self.within(Clause::Where, |planner| planner.condition_expr(filter, "WHERE"))?)
            }
            None => None,
        };
        let groups = self.group_by(&select.group_by, &select.projection)?;
        let mut outputs = self.items(&select.projection)?;
        let having = match &select.having {
            Some(having) => {
                Some(self.within(Clause::Having, |planner| planner.condition_expr(having, "HAVING"))?)
            }
            None => None,
        };
        let keys = self.order_meant(order, &outputs)?;
        let on = match &select.distinct {
            Some(Distinct::On(exprs)) => Some(self.distinct_on(exprs, &keys, &outputs)?),
            _ => None,
        };
        let aggregates = outputs.iter().map(|output| &output.value).chain(having.as_ref());
        let aggregated = aggregates.chain(keys.iter().filter_map(value_of)).any(|value| value.uses.aggregate);
        let is_grouped = aggregated || having.is_some() || !groups.keys.is_empty();
        if is_grouped {
            let values = outputs.iter().map(|output| &output.value).chain(having.as_ref());
            for value in values.chain(keys.iter().filter_map(value_of)) {
                self.covered(value)?;
            }
            if !self.level().set_returning.is_empty() {
                return Err(SqlError::unsupported("a set-returning function beside aggregates"));
            }
        }
        let distinct = matches!(select.distinct, Some(Distinct::Distinct));
        let order_sql = match &on {
            Some(_) => String::new(),
            None => self.order_sql(order, &keys, &outputs, distinct)?,
        };
        let mut tail = from.sql;
        for rows in std::mem::take(&mut self.level().set_returning) {
            tail.push_str(if tail.is_empty() { " FROM " } else { ", " });
            tail.push_str(&rows);
        }
        let one = from.relations == 0 && tail.is_empty() || aggregated && groups.keys.is_empty();
        if let Some(filter) = &filter {
            tail.push_str(&format!(" WHERE {}", filter.sql));
        }
        if !groups.keys.is_empty() {
            tail.push_str(&format!(" GROUP BY {}", groups.keys.join(", ")));
        }
        if let Some(having) = &having {
            tail.push_str(&format!(" HAVING {}", having.sql));
        }
        let mut uses = from.uses;
        let mut depth = from.depth;
        let parts =
            filter.iter().chain(&having).chain(&groups.values).chain(keys.iter().filter_map(value_of));
        for part in parts {
            uses.and(&part.uses);
            depth = depth.max(part.depth);
        }
        let own = self.levels.len();
        outward(&mut uses, own);
        for output in &mut outputs {
            outward(&mut output.value.uses, own);
        }
        Ok(body::Select { outputs, distinct, tail, order: order_sql, uses, depth, one, on })
    }

    /// The select list.
    pub(crate) fn items(&mut self, items: &[SelectItem]) -> Result<Vec<Output>, SqlError> {
        let mut outputs = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let value = self.item(expr)?;
                    outputs.push(Output { name: column_name(expr), value });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let value = self.item(expr)?;
                    outputs.push(Output { name: folded(alias), value });
                }
                SelectItem::Wildcard(_) => self.every(None, &mut outputs)?,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    self.every(Some(&Name::of(name)?), &mut outputs)?;
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => {
                    return Err(SqlError::unsupported("the fields of a composite value"));
                }
            }
        }
        if outputs.len() > MOST_COLUMNS {
            let message = format!("target lists can have at most {MOST_COLUMNS} entries");
            return Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, message));
        }
        Ok(outputs)
    }

    fn item(&mut self, expr: &sqlparser::ast::Expr) -> Result<Typed, SqlError> {
        let value = self.expr(expr)?;
        if matches!(value.form, Form::Row(..)) {
            return Err(SqlError::unsupported("a row as a column of the answer").at(value.at));
        }
        Ok(value)
    }

    /// `*`, `t.*`.
    fn every(&mut self, of: Option<&Name>, outputs: &mut Vec<Output>) -> Result<(), SqlError> {
        let depth = self.levels.len();
        let columns = match of {
            None => {
                if self.level().tables.is_empty() {
                    let message = "SELECT * with no tables specified is not valid";
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
                }
                self.level().columns.clone()
            }
            Some(name) => {
                let Some(place) = self.level().table(name.schema.as_deref(), &name.name) else {
                    return Err(crate::sql::expr::missing_table(name));
                };
                let columns = self.level().tables[place].columns.clone();
                let visible = |column| crate::sql::scope::Visible { column, table: Some(place) };
                columns.into_iter().map(visible).collect()
            }
        };
        for visible in columns {
            let name = visible.column.name.clone();
            let value = self.visible(visible, depth, 0);
            outputs.push(Output { name, value });
        }
        Ok(())
    }

    fn order_meant(&mut self, keys: &[Key<'_>], outputs: &[Output]) -> Result<Vec<Meant>, SqlError> {
        keys.iter()
            .map(|key| {
                if let Some(column) = column_meant(&key.expr, outputs, "ORDER BY")? {
                    return Ok(Meant::Column(column));
                }
                let value = self.within(Clause::OrderBy, |planner| planner.settled_expr(&key.expr))?;
                Ok(Meant::Value(value))
            })
            .collect()
    }

    fn order_sql(
        &mut self,
        keys: &[Key<'_>],
        meant: &[Meant],
        outputs: &[Output],
        distinct: bool,
    ) -> Result<String, SqlError> {
        let mut list = Vec::new();
        for (key, meant) in keys.iter().zip(meant) {
            list.push(match meant {
                Meant::Column(column) => {
                    let value = &outputs[*column].value;
                    self.by_number(*column, value, key, value.not_null)?
                }
                Meant::Value(value) => {
                    if let Some(column) = outputs.iter().position(|output| output.value.sql == value.sql) {
                        self.by_number(column, value, key, value.not_null)?
                    } else if distinct {
                        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                        return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(value.at));
                    } else {
                        sortable(value)?;
                        format!("{}{}", collated(value), direction(key, value.not_null)?)
                    }
                }
            });
        }
        Ok(if list.is_empty() { String::new() } else { format!(" ORDER BY {}", list.join(", ")) })
    }

    /// `TABLE t`.
    pub(crate) fn table_query(&mut self, table: &TableQuery) -> Result<Body, SqlError> {
        let mut parts: Vec<Ident> = table.schema_name.iter().cloned().collect();
        parts.extend(table.table_name.iter().cloned());
        let name = Name::of(&ObjectName::from(parts))?;
        self.inside(Level::default(), |planner| {
            let from = planner.only_relation(&name)?;
            let mut outputs = Vec::new();
            planner.every(None, &mut outputs)?;
            let own = planner.levels.len();
            for output in &mut outputs {
                outward(&mut output.value.uses, own);
            }
            Ok(Body::Select(Box::new(body::Select {
                outputs,
                distinct: false,
                tail: from.sql,
                order: String::new(),
                uses: Uses::default(),
                depth: from.depth,
                one: false,
                on: None,
            })))
        })
    }
}

/// PostgreSQL's limit of a select list.
const MOST_COLUMNS: usize = 1600;

fn value_of(meant: &Meant) -> Option<&Typed> {
    match meant {
        Meant::Value(value) => Some(value),
        Meant::Column(_) => None,
    }
}

/// What a query shows of what it uses: only what is outside of it.
pub(crate) fn outward(uses: &mut Uses, own: usize) {
    uses.aggregate = false;
    uses.window = false;
    uses.ungrouped.retain(|ungrouped| ungrouped.depth < own);
}

/// Writes a SELECT whose values have been decided.
pub(crate) fn write(select: body::Select, collate: bool) -> Written {
    let (items, columns) = list(&select.outputs, collate || select.distinct);
    let mut uses = select.uses;
    let mut depth = select.depth;
    for output in &select.outputs {
        uses.and(&output.value.uses);
        depth = depth.max(output.value.depth);
    }
    let sql = match &select.on {
        Some(on) => on.write(&items, &columns, &select.tail),
        None => {
            let distinct = if select.distinct { "DISTINCT " } else { "" };
            let items = if items.is_empty() { "NULL" } else { &items };
            format!("SELECT {distinct}{items}{}", select.tail)
        }
    };
    Written { sql: format!("{sql}{}", select.order), columns, uses, depth: depth + 2, compound: false }
}

/// `WINDOW w AS (…)`.
fn windows(
    definitions: &[NamedWindowDefinition],
) -> Result<Vec<(String, sqlparser::ast::WindowSpec)>, SqlError> {
    definitions
        .iter()
        .map(|NamedWindowDefinition(name, window)| match window {
            NamedWindowExpr::WindowSpec(spec) => Ok((folded(name), spec.clone())),
            NamedWindowExpr::NamedWindow(_) => {
                Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in the WINDOW clause"))
            }
        })
        .collect()
}

/// What the grammar of the parser takes and PostgreSQL's does not.
fn refuse(select: &sqlparser::ast::Select) -> Result<(), SqlError> {
    let foreign = select.top.is_some()
        || select.exclude.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || !select.connect_by.is_empty();
    if foreign {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in SELECT"));
    }
    if select.into.is_some() {
        return Err(SqlError::unsupported("SELECT INTO here").with_hint("Use CREATE TABLE AS."));
    }
    Ok(())
}

/// A value of no type of its own.
pub(crate) fn void() -> Typed {
    Typed::plain("NULL", Type::UNKNOWN, Form::Null, 0)
}
