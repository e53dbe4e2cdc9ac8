//! WITH.

use crate::base::{ColumnType, SqlError, SqlState};
use sqlparser::ast::{CteAsMaterialized, Query, SetExpr, SetOperator, SetQuantifier, With};

use super::from::Source;
use super::{Body, Column, Rendered, unique_names};
use crate::sql::expr::typed::Uses;
use crate::sql::names::{folded, quoted};
use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::scope::{ScopeColumn, Table};

/// What WITH has named.
#[derive(Clone, Debug)]
pub(crate) struct Cte {
    pub(crate) name: String,
    /// In SQLite, where no table is called so.
    pub(crate) sql_name: String,
    pub(crate) columns: Vec<CteColumn>,
}

/// A column of it.
#[derive(Clone, Debug)]
pub(crate) struct CteColumn {
    pub(crate) name: String,
    pub(crate) sql_name: String,
    pub(crate) ty: ColumnType,
    pub(crate) not_null: bool,
}

impl Planner<'_> {
    /// All of WITH as SQLite's SQL, with a blank behind it; its names are in sight then.
    pub(crate) fn with(&mut self, with: &With) -> Result<(String, Uses), SqlError> {
        let (mut parts, mut uses) = (Vec::new(), Uses::default());
        let before = self.ctes.len();
        for cte in &with.cte_tables {
            let name = folded(&cte.alias.name);
            let at = position(cte.alias.name.span);
            if self.ctes[before..].iter().any(|known| known.name == name) {
                let message = format!("WITH query name \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::DUPLICATE_ALIAS, message).at(at));
            }
            let sql_name = self.made_name(&name);
            let aliases: Vec<String> = cte.alias.columns.iter().map(|column| folded(&column.name)).collect();
            let rendered = match recursive_parts(with.recursive, &cte.query) {
                Some((left, all, right)) => self.recursive(&name, &sql_name, &aliases, (left, all, right))?,
                None => self.query(&cte.query)?,
            };
            if aliases.len() > rendered.columns.len() {
                let message = format!(
                    "WITH query \"{name}\" has {} columns available but {} columns specified",
                    rendered.columns.len(),
                    aliases.len()
                );
                return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(at));
            }
            let columns = cte_columns(&rendered.columns, &aliases);
            let names: Vec<String> = columns.iter().map(|column| quoted(&column.sql_name)).collect();
            let hint = match cte.materialized {
                None => "",
                Some(CteAsMaterialized::Materialized) => "MATERIALIZED ",
                Some(CteAsMaterialized::NotMaterialized) => "NOT MATERIALIZED ",
            };
            parts.push(format!("{}({}) AS {hint}({})", quoted(&sql_name), names.join(", "), rendered.sql));
            uses.and(&rendered.uses);
            self.ctes.push(Cte { name, sql_name, columns });
        }
        let word = if with.recursive { "WITH RECURSIVE" } else { "WITH" };
        Ok((format!("{word} {} ", parts.join(", ")), uses))
    }

    /// A query that may name itself: its columns are those of the part that does not.
    fn recursive(
        &mut self,
        name: &str,
        sql_name: &str,
        aliases: &[String],
        (left, all, right): (&SetExpr, bool, &SetExpr),
    ) -> Result<Rendered, SqlError> {
        let body = self.body(left, &[], &[])?;
        let first = self.write_body(body, !all)?;
        let columns = cte_columns(&first.columns, aliases);
        self.ctes.push(Cte { name: name.to_owned(), sql_name: sql_name.to_owned(), columns });
        let second =
            self.body(right, &[], &[]).and_then(|body| self.recursive_part(name, body, &first.columns));
        self.ctes.pop();
        let (second, uses) = second?;
        let mut all_uses = first.uses;
        all_uses.and(&uses);
        let one = if first.compound { format!("SELECT * FROM ({})", first.sql) } else { first.sql };
        let word = if all { "UNION ALL" } else { "UNION" };
        Ok(Rendered {
            sql: format!("{one} {word} {second}"),
            columns: first
                .columns
                .into_iter()
                .map(|column| Column { origin: None, not_null: false, ..column })
                .collect(),
            uses: all_uses,
            depth: first.depth + 2,
            at_most_one: false,
        })
    }

    fn recursive_part(
        &mut self,
        name: &str,
        mut body: Body,
        columns: &[Column],
    ) -> Result<(String, Uses), SqlError> {
        if body.width() != columns.len() {
            let message = "each UNION query must have the same number of columns";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        for (place, column) in columns.iter().enumerate() {
            body.change(place, &mut |value| {
                let (from, at) = (value.ty.ty, value.at);
                let implicit = crate::base::rules::CastContext::Implicit;
                self.try_coerce(value, column.ty.ty, implicit)?.ok_or_else(|| {
                    let message = format!(
                        "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                        place + 1,
                        crate::sql::types::shown(column.ty.ty),
                        crate::sql::types::shown(from)
                    );
                    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                        .with_hint("Cast the output of the non-recursive term to the correct type.")
                        .at(at)
                })
            })?;
        }
        let written = self.write_body(body, false)?;
        Ok((written.sql, written.uses))
    }

    /// What WITH has named, in FROM.
    pub(crate) fn cte_source(&mut self, name: &str, sql_alias: &str) -> Option<(Source, Table)> {
        let cte = self.ctes.iter().rev().find(|cte| cte.name == name)?;
        let columns = cte.columns.iter().map(|column| ScopeColumn {
            name: column.name.clone(),
            sql: format!("{}.{}", quoted(sql_alias), quoted(&column.sql_name)),
            ty: column.ty,
            not_null: column.not_null,
            origin: None,
        });
        let sql = format!("{} AS {}", quoted(&cte.sql_name), quoted(sql_alias));
        let table = Table { sql_alias: sql_alias.to_owned(), columns: columns.collect(), ..Table::default() };
        Some((Source { sql, ..Source::default() }, table))
    }
}

fn cte_columns(columns: &[Column], aliases: &[String]) -> Vec<CteColumn> {
    let name = |(place, column): (usize, &Column)| aliases.get(place).unwrap_or(&column.name).clone();
    let names: Vec<String> = columns.iter().enumerate().map(name).collect();
    let sql_names = unique_names(names.clone());
    let both = names.into_iter().zip(sql_names).zip(columns);
    both.map(|((name, sql_name), column)| CteColumn {
        name,
        sql_name,
        ty: column.ty,
        not_null: column.not_null,
    })
    .collect()
}

/// The two sides of a UNION that may be recursive.
fn recursive_parts(recursive: bool, query: &Query) -> Option<(&SetExpr, bool, &SetExpr)> {
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    match &*query.body {
        SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right }
            if recursive && plain =>
        {
            Some((left, *set_quantifier == SetQuantifier::All, right))
        }
        _ => None,
    }
}
