//! What FROM names: tables, views, tables of the system, results of WITH; and functions that give rows.

use crate::base::catalog::Privilege;
use crate::base::rules::{Function, FunctionKind};
use crate::base::{Element, Relation, RelationKind, SqlError, SqlState, Type};
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, TableAlias};

use super::from::{Source, named_table, renamed};
use crate::sql::expr::call;
use crate::sql::expr::resolve::{Resolved, candidates_of, choose, given};
use crate::sql::expr::typed::Typed;
use crate::sql::names::{Name, folded, quoted};
use crate::sql::parse::position;
use crate::sql::planner::{Planner, no_relation};
use crate::sql::scope::{ScopeColumn, Table};
use crate::sql::systems;
use crate::sql::tree::Statement;

impl Planner<'_> {
    /// A relation by its name.
    pub(crate) fn relation_source(
        &mut self,
        name: &Name,
        alias: Option<&TableAlias>,
    ) -> Result<Source, SqlError> {
        let written = alias.map_or_else(|| name.name.clone(), |alias| folded(&alias.name));
        let sql_alias = self.free_alias(&written);
        let at = alias.map_or(name.at, |alias| position(alias.name.span));
        let (source, mut table) = self.named_source(name, &sql_alias)?;
        table.columns = renamed(table.columns, alias)?;
        table.alias = written;
        if alias.is_some() {
            table.schema = None;
        }
        self.add_table(table, at)?;
        Ok(source)
    }

    fn named_source(&mut self, name: &Name, sql_alias: &str) -> Result<(Source, Table), SqlError> {
        if name.schema.is_none()
            && let Some(found) = self.cte_source(&name.name, sql_alias)
        {
            return Ok(found);
        }
        if let Some(relation) = self.find(name) {
            return self.catalog_source(&relation.clone(), name, sql_alias);
        }
        match systems::find(name) {
            Some(system) => Ok(self.system_source(system, sql_alias)),
            None => Err(no_relation(name)),
        }
    }

    fn catalog_source(
        &mut self,
        relation: &Relation,
        name: &Name,
        sql_alias: &str,
    ) -> Result<(Source, Table), SqlError> {
        let source = match &relation.kind {
            RelationKind::Table => Source {
                sql: format!("{} AS {}", quoted(&relation.stored_as), quoted(sql_alias)),
                ..Source::default()
            },
            RelationKind::View { definition } => self.view_source(relation, definition, sql_alias)?,
            RelationKind::Index { .. } => {
                let message = format!("cannot open relation \"{}\"", relation.name);
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
                    .at(name.at));
            }
            RelationKind::Sequence(_) => {
                return Err(SqlError::unsupported("reading a sequence as a table")
                    .with_hint("pg_sequences tells how sequences stand.")
                    .at(name.at));
            }
        };
        self.access(relation.oid, Privilege::Select);
        let columns = relation.columns.iter().map(|column| ScopeColumn {
            name: column.name.clone(),
            sql: format!("{}.{}", quoted(sql_alias), quoted(&column.name)),
            ty: column.ty,
            not_null: column.not_null,
            origin: Some((relation.oid, column.number)),
        });
        let table = Table {
            schema: Some(relation.schema.clone()),
            sql_alias: sql_alias.to_owned(),
            columns: columns.collect(),
            oid: Some(relation.oid),
            ..Table::default()
        };
        Ok((source, table))
    }

    /// A view is its query, with the names that its columns have.
    fn view_source(
        &mut self,
        view: &Relation,
        definition: &str,
        sql_alias: &str,
    ) -> Result<Source, SqlError> {
        let mut parsed = crate::sql::parse(definition)?;
        let (Some(parsed), true) = (parsed.pop(), parsed.is_empty()) else {
            return Err(SqlError::new(SqlState::INTERNAL_ERROR, "a view is no query"));
        };
        let Statement::Query(query) = &parsed.statement else {
            return Err(SqlError::new(SqlState::INTERNAL_ERROR, "a view is no query"));
        };
        let rendered = self.as_view(|planner| planner.query(query))?;
        let items = rendered
            .columns
            .iter()
            .zip(&view.columns)
            .map(|(given, column)| format!("{} AS {}", quoted(&given.sql_name), quoted(&column.name)));
        let items: Vec<String> = items.collect();
        let sql = format!("(SELECT {} FROM ({})) AS {}", items.join(", "), rendered.sql, quoted(sql_alias));
        Ok(Source { sql, depth: rendered.depth + 2, ..Source::default() })
    }

    fn system_source(&mut self, system: &'static systems::System, sql_alias: &str) -> (Source, Table) {
        let stored = systems::stored_as(system);
        self.touched.systems.insert(stored.clone());
        let columns = system.columns.iter().map(|(name, ty)| ScopeColumn {
            name: (*name).to_owned(),
            sql: format!("{}.{}", quoted(sql_alias), quoted(name)),
            ty: (*ty).into(),
            not_null: false,
            origin: None,
        });
        let table = Table {
            schema: Some(system.schema.to_owned()),
            sql_alias: sql_alias.to_owned(),
            columns: columns.collect(),
            ..Table::default()
        };
        let sql = format!("temp.{} AS {}", quoted(&stored), quoted(sql_alias));
        (Source { sql, ..Source::default() }, table)
    }

    /// A function in FROM: what stands before it may be its arguments.
    pub(crate) fn function_source(
        &mut self,
        name: &Name,
        arguments: &[FunctionArg],
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<Source, SqlError> {
        let mut values = Vec::new();
        for argument in arguments {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
                return Err(SqlError::unsupported("named arguments").at(name.at));
            };
            values.push(self.expr(expr)?);
        }
        let rows = crate::functions::named(&name.name);
        let types: Vec<Type> = values.iter().map(|value| value.ty.ty).collect();
        if !rows.iter().any(|row| row.kind == FunctionKind::SetReturning) {
            return self.scalar_source(name, values, ordinality, alias);
        }
        match choose(candidates_of(rows, &types), &types) {
            Resolved::One(candidate) => {
                let result = given(candidate.row.result, candidate.element);
                let values = self.all_wanted(&candidate, values)?;
                let parts: Vec<(&str, Type)> =
                    values.iter().map(|value| (value.sql.as_str(), value.ty.ty)).collect();
                let sql = crate::functions::scalar_call(candidate.row, &parts);
                if candidate.row.volatility != crate::base::rules::Volatility::Immutable {
                    self.touched.volatile = true;
                }
                let columns = columns(candidate.row, result);
                self.rows_source(name, (sql, columns), &values, ordinality, alias)
            }
            Resolved::Ambiguous => Err(call::ambiguous(&name.name, &types, name.at)),
            Resolved::None => Err(call::missing(&name.name, &types, name.at)),
        }
    }

    /// A function of one value is a table of one row.
    fn scalar_source(
        &mut self,
        name: &Name,
        values: Vec<Typed>,
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<Source, SqlError> {
        let value = match self.of_session(name, &values)? {
            Some(value) => value,
            None => self.apply(&name.name, values, name.at)?,
        };
        let packed = crate::sql::expr::element_sql(&value, false);
        let unnested = if value.ty.ty == Type::BYTEA { "fl_bytea_in" } else { "" };
        let ty = value.ty.ty;
        let sql = format!("json_each(json_array({packed}))");
        let columns = vec![(String::new(), format!("{unnested}({{alias}}.\"value\")"), ty)];
        self.rows_source(name, (sql, columns), &[value], ordinality, alias)
    }

    /// `unnest(a)` as FROM has it.
    pub(crate) fn unnest_source(
        &mut self,
        arrays: &[Expr],
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<Source, SqlError> {
        let [_] = arrays else { return Err(SqlError::unsupported("unnest of several arrays")) };
        let arguments: Vec<FunctionArg> =
            arrays.iter().map(|array| FunctionArg::Unnamed(FunctionArgExpr::Expr(array.clone()))).collect();
        let at = arrays.first().map_or(0, crate::sql::expr::at);
        let name = Name { schema: None, name: "unnest".to_owned(), at };
        self.function_source(&name, &arguments, ordinality, alias)
    }

    /// Each column: its name (none: the function's), SQLite's SQL with `{alias}`, its type.
    fn rows_source(
        &mut self,
        name: &Name,
        (sql, columns): (String, Vec<(String, String, Type)>),
        of: &[Typed],
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<Source, SqlError> {
        let own = self.levels.len();
        let written = alias.map_or_else(|| name.name.clone(), |alias| folded(&alias.name));
        let sql_alias = self.free_alias(&written);
        let scalar = columns.len() == 1;
        let mut scope: Vec<ScopeColumn> = columns
            .into_iter()
            .map(|(column, sql, ty)| ScopeColumn {
                // A function of one value is called as its alias is.
                name: if column.is_empty() { written.clone() } else { column },
                sql: sql.replace("{alias}", &quoted(&sql_alias)),
                ty: ty.into(),
                not_null: false,
                origin: None,
            })
            .collect();
        if ordinality {
            scope.push(ScopeColumn {
                name: "ordinality".to_owned(),
                sql: format!("{}.\"ordinality\"", quoted(&sql_alias)),
                ty: Type::INT8.into(),
                not_null: true,
                origin: None,
            });
        }
        let mut table = match alias {
            Some(alias) => named_table(alias, sql_alias.clone()),
            None => Table { alias: written, sql_alias: sql_alias.clone(), ..Table::default() },
        };
        table.columns = renamed(scope, alias)?;
        table.scalar = scalar && !ordinality;
        self.add_table(table, alias.map_or(name.at, |alias| position(alias.name.span)))?;
        let mut source = Source { sql: format!("{sql} AS {}", quoted(&sql_alias)), ..Source::default() };
        for value in of {
            source.uses.and(&value.uses);
            source.depth = source.depth.max(value.depth + 1);
        }
        source.uses.ungrouped.retain(|column| column.depth < own);
        Ok(source)
    }
}

/// The columns of a function that gives rows.
fn columns(row: &Function, result: Type) -> Vec<(String, String, Type)> {
    let named = crate::functions::columns(row);
    if named.is_empty() {
        return vec![(String::new(), "{alias}.\"value\"".to_owned(), result)];
    }
    named.iter().map(|(name, ty)| ((*name).to_owned(), format!("{{alias}}.{}", quoted(name)), *ty)).collect()
}

/// The type of names.
pub(crate) const NAME: Type = Type::Scalar(Element::Name);
