//! FROM.

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{TableAlias, TableFactor, TableWithJoins};

use crate::sql::expr::typed::Uses;
use crate::sql::names::{Name, folded, quoted};
use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::scope::{ScopeColumn, Table, twice};

/// What has been read of FROM.
#[derive(Default)]
pub(crate) struct From {
    /// With `FROM` before it, and a blank before that; or nothing.
    pub(crate) sql: String,
    pub(crate) uses: Uses,
    pub(crate) depth: u32,
    pub(crate) relations: usize,
}

/// A relation, as SQLite's SQL with its alias.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) sql: String,
    pub(crate) uses: Uses,
    pub(crate) depth: u32,
    /// It holds joins: what stands beside it must not be drawn into them.
    pub(crate) joined: bool,
}

impl Planner<'_> {
    /// All of FROM: from then on the level knows its columns.
    pub(crate) fn from(&mut self, tables: &[TableWithJoins]) -> Result<From, SqlError> {
        let mut from = From::default();
        for table in tables {
            let source = self.joined_tables(table)?;
            from.sql.push_str(if from.sql.is_empty() { " FROM " } else { ", " });
            let apart = from.relations > 0 && source.joined;
            if apart {
                from.sql.push_str(&format!("({})", source.sql));
            } else {
                from.sql.push_str(&source.sql);
            }
            from.uses.and(&source.uses);
            from.depth = from.depth.max(source.depth);
            from.relations += 1;
        }
        Ok(from)
    }

    /// One relation by its name.
    pub(crate) fn only_relation(&mut self, name: &Name) -> Result<From, SqlError> {
        let source = self.relation_source(name, None)?;
        Ok(From {
            sql: format!(" FROM {}", source.sql),
            uses: source.uses,
            depth: source.depth,
            relations: 1,
        })
    }

    /// A part of FROM that is no join.
    pub(crate) fn factor(&mut self, factor: &TableFactor) -> Result<Source, SqlError> {
        match factor {
            TableFactor::Table { name, alias, args: None, with_ordinality: false, sample, .. } => {
                if sample.is_some() {
                    return Err(SqlError::unsupported("TABLESAMPLE"));
                }
                self.relation_source(&Name::of(name)?, alias.as_ref())
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                self.function_source(&Name::of(name)?, &args.args, *with_ordinality, alias.as_ref())
            }
            TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                self.function_source(&Name::of(name)?, args, *with_ordinality, alias.as_ref())
            }
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } => {
                self.unnest_source(array_exprs, *with_ordinality, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                self.derived_source(subquery, alias.as_ref(), *lateral)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let source = self.joined_tables(table_with_joins)?;
                let sql = if source.joined { format!("({})", source.sql) } else { source.sql };
                Ok(Source { sql, joined: false, ..source })
            }
            TableFactor::NestedJoin { .. } => Err(SqlError::unsupported("an alias of a join")),
            _ => Err(SqlError::unsupported("this in FROM")),
        }
    }

    /// A query in FROM.
    fn derived_source(
        &mut self,
        query: &sqlparser::ast::Query,
        alias: Option<&TableAlias>,
        lateral: bool,
    ) -> Result<Source, SqlError> {
        let own = self.levels.len();
        let before = std::mem::replace(&mut self.level().hidden, !lateral);
        let rendered = self.query(query);
        self.level().hidden = before;
        let rendered = rendered?;
        let Some(alias) = alias else {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "subquery in FROM must have an alias")
                .with_hint("For example, FROM (SELECT ...) [AS] foo."));
        };
        let correlated = rendered.uses.ungrouped.iter().any(|column| column.depth == own);
        let sql_alias = self.free_alias(&folded(&alias.name));
        let (from, values) = if correlated {
            super::lateral::source(&rendered, &sql_alias)
        } else {
            let named =
                |column: &super::Column| format!("{}.{}", quoted(&sql_alias), quoted(&column.sql_name));
            let values: Vec<String> = rendered.columns.iter().map(named).collect();
            (format!("({})", rendered.sql), values)
        };
        let columns = rendered.columns.iter().zip(values).map(|(column, sql)| ScopeColumn {
            name: column.name.clone(),
            sql,
            ty: column.ty,
            not_null: column.not_null,
            origin: column.origin,
        });
        let columns = renamed(columns.collect(), Some(alias))?;
        let sql = format!("{from} AS {}", quoted(&sql_alias));
        self.add_table(Table { columns, ..named_table(alias, sql_alias) }, position(alias.name.span))?;
        let mut uses = rendered.uses;
        uses.ungrouped.retain(|column| column.depth < own);
        Ok(Source { sql, uses, depth: rendered.depth + 1, joined: false })
    }

    /// Puts it in sight.
    pub(crate) fn add_table(&mut self, table: Table, at: u32) -> Result<(), SqlError> {
        let known = |other: &Table| other.alias == table.alias && other.schema == table.schema;
        if self.level().tables.iter().any(known) {
            return Err(twice(&table.alias, at));
        }
        self.level().add(table);
        Ok(())
    }

    /// An alias for SQLite that no table in sight has.
    pub(crate) fn free_alias(&self, alias: &str) -> String {
        let taken = |name: &str| {
            let mut tables = self.levels.iter().flat_map(|level| &level.tables);
            tables.any(|table| table.sql_alias.eq_ignore_ascii_case(name))
        };
        if !taken(alias) {
            return alias.to_owned();
        }
        let mut number = 1_u32;
        loop {
            let name = format!("{alias}:{number}");
            if !taken(&name) {
                return name;
            }
            number += 1;
        }
    }
}

/// A table under an alias, without columns yet.
pub(crate) fn named_table(alias: &TableAlias, sql_alias: String) -> Table {
    Table { alias: folded(&alias.name), sql_alias, ..Table::default() }
}

/// With the names that an alias gives its columns.
pub(crate) fn renamed(
    mut columns: Vec<ScopeColumn>,
    alias: Option<&TableAlias>,
) -> Result<Vec<ScopeColumn>, SqlError> {
    let Some(alias) = alias else { return Ok(columns) };
    if alias.columns.len() > columns.len() {
        let message = format!(
            "table \"{}\" has {} columns available but {} columns specified",
            folded(&alias.name),
            columns.len(),
            alias.columns.len()
        );
        return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(position(alias.name.span)));
    }
    for (column, name) in columns.iter_mut().zip(&alias.columns) {
        column.name = folded(&name.name);
    }
    Ok(columns)
}
