//! INSERT.

use std::collections::BTreeMap;

use crate::base::catalog::{Identity, Privilege};
use crate::base::{Column, Relation, SqlError, SqlState, Type};
use sqlparser::ast::{Expr, Insert, InsertOverriding, OnInsert, Query, SetExpr, TableObject};

use super::{Planned, assigned_column, no_column, scope_columns, scope_table};
use crate::sql::expr::typed::{Form, Typed};
use crate::sql::names::{Name, folded, quoted};
use crate::sql::plan::{Command, Write};
use crate::sql::planner::Planner;
use crate::sql::query::body::Body;
use crate::sql::query::select_from;
use crate::sql::scope::{Clause, Level};

impl Planner<'_> {
    pub(crate) fn insert(&mut self, insert: &Insert) -> Result<Planned, SqlError> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in INSERT"));
        };
        let name = Name::of(name)?;
        let relation = self.table(&name, "insert into")?.clone();
        let alias =
            insert.table_alias.as_ref().map_or_else(|| relation.name.clone(), |alias| folded(&alias.alias));
        let named = named_columns(&relation, insert)?;
        self.all_columns = insert.columns.is_empty();
        let (with, source) = self.inserted_rows(&relation, insert, &named)?;
        let columns: Vec<String> = stored(&relation).map(|column| quoted(&column.name)).collect();
        let mut sql = format!(
            "{with}INSERT INTO {} AS {} ({}) {source}",
            quoted(&relation.stored_as),
            quoted(&alias),
            columns.join(", ")
        );
        for column in &named {
            self.access_column((relation.oid, column.number), Privilege::Insert);
        }
        self.access(relation.oid, Privilege::Insert);
        match &insert.on {
            None => {}
            Some(OnInsert::OnConflict(on)) => sql.push_str(&self.conflict(&relation, &alias, on)?),
            Some(_) => {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"DUPLICATE\""));
            }
        }
        let (returning, columns) = self.returning(&relation, &alias, insert.returning.as_deref())?;
        sql.push_str(&returning);
        let write = Write {
            command: Command::Insert,
            table: relation.oid,
            sql,
            returning: !columns.is_empty() || !returning.is_empty(),
            unfiltered: false,
        };
        Ok(Planned { write, columns })
    }

    /// The rows, with a value for every column that is kept; and what stands before INSERT.
    fn inserted_rows(
        &mut self,
        relation: &Relation,
        insert: &Insert,
        named: &[Column],
    ) -> Result<(String, String), SqlError> {
        let system = matches!(insert.overriding, Some(InsertOverriding::System));
        let user = matches!(insert.overriding, Some(InsertOverriding::User));
        let Some(query) = &insert.source else {
            let row = self.full_row(relation, BTreeMap::new())?;
            return Ok((String::new(), format!("VALUES ({})", row.join(", "))));
        };
        if let SetExpr::Values(values) = &*query.body
            && query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
        {
            let mut rows = Vec::with_capacity(values.rows.len());
            for row in &values.rows {
                rows.push(self.row_of_values(relation, &row.content, named, (system, user))?);
            }
            return Ok((String::new(), format!("VALUES {}", rows.join(", "))));
        }
        self.rows_of_query(relation, query, named, (system, user))
    }

    fn row_of_values(
        &mut self,
        relation: &Relation,
        exprs: &[Expr],
        named: &[Column],
        (system, user): (bool, bool),
    ) -> Result<String, SqlError> {
        if exprs.len() > named.len() {
            let at = exprs.get(named.len()).map_or(0, crate::sql::expr::at);
            let message = "INSERT has more expressions than target columns";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
        }
        if exprs.len() < named.len() && !self.all_columns {
            let message = "INSERT has more target columns than expressions";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        let mut values = BTreeMap::new();
        for (expr, column) in exprs.iter().zip(named) {
            if is_default(expr) {
                continue;
            }
            if column.identity.is_some() && user {
                continue;
            }
            may_give(column, system)?;
            let value = self.inside(Level::of(Clause::Values), |planner| planner.expr(expr))?;
            let value = self.assigned(value, column.ty, &column.name)?;
            values.insert(column.number, self.guarded(relation, column, value)?.sql);
        }
        Ok(format!("({})", self.full_row(relation, values)?.join(", ")))
    }

    fn rows_of_query(
        &mut self,
        relation: &Relation,
        query: &Query,
        named: &[Column],
        (system, user): (bool, bool),
    ) -> Result<(String, String), SqlError> {
        let wanted: Vec<Type> = named.iter().map(|column| column.ty.ty).collect();
        let mut open = self.open_query(query, &wanted)?;
        let width = open.body.width();
        if width > named.len() {
            let message = "INSERT has more expressions than target columns";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        if width < named.len() && !self.all_columns {
            let message = "INSERT has more target columns than expressions";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        if let Body::Select(_) = &open.body {
            for (place, column) in named.iter().take(width).enumerate() {
                open.body.change(place, &mut |value| {
                    if value.is_unknown() { self.decide(value, column.ty.ty) } else { Ok(value) }
                })?;
            }
        }
        let rendered = self.close_query(open)?;
        let alias = self.made_name("rows");
        let select = select_from(&rendered, &alias);
        let mut values = BTreeMap::new();
        for (output, column) in select.outputs.into_iter().zip(named) {
            if column.identity.is_some() && user {
                continue;
            }
            may_give(column, system)?;
            let value = self.assigned(output.value, column.ty, &column.name)?;
            values.insert(column.number, self.guarded(relation, column, value)?.sql);
        }
        let row = self.full_row(relation, values)?;
        // A WHERE tells SQLite that ON CONFLICT is none of a join's.
        Ok((String::new(), format!("SELECT {}{} WHERE 1", row.join(", "), select.tail)))
    }

    /// A value for each column that is kept, in order: those given, defaults for the rest.
    pub(crate) fn full_row(
        &mut self,
        relation: &Relation,
        mut given: BTreeMap<i16, String>,
    ) -> Result<Vec<String>, SqlError> {
        let mut row = Vec::new();
        for column in stored(relation) {
            row.push(match given.remove(&column.number) {
                Some(value) => value,
                None => self.default_of(relation, column)?,
            });
        }
        Ok(row)
    }

    /// What a column is if nobody says.
    pub(crate) fn default_of(&mut self, relation: &Relation, column: &Column) -> Result<String, SqlError> {
        if column.identity.is_some() {
            let owned = (relation.oid, column.number);
            let sequence = self.catalog.relations.values().find(|other| {
                matches!(&other.kind, crate::base::RelationKind::Sequence(options) if options.owned_by == Some(owned))
            });
            let Some(sequence) = sequence else {
                return Err(SqlError::new(SqlState::INTERNAL_ERROR, "an identity column has no sequence"));
            };
            self.touched.sequences = true;
            self.touched.volatile = true;
            return Ok(format!("fl_nextval({})", sequence.oid));
        }
        match &column.default {
            Some(default) => {
                self.touched.volatile = true;
                Ok(default.evaluated.clone())
            }
            None => {
                let null = Typed::plain("NULL", column.ty, Form::Null, 0);
                Ok(self.guarded(relation, column, null)?.sql)
            }
        }
    }

    /// SQLite takes NULL for "the next row id" in a key that is one: it is refused before.
    pub(crate) fn guarded(
        &mut self,
        relation: &Relation,
        column: &Column,
        value: Typed,
    ) -> Result<Typed, SqlError> {
        if value.not_null || !is_row_id(relation, column) {
            return Ok(value);
        }
        let literal = crate::sql::names::literal;
        let sql = format!(
            "ifnull({}, fl_refuse_null({}, {}))",
            value.sql,
            literal(&relation.name),
            literal(&column.name)
        );
        value.rewritten(sql, column.ty)
    }
}

/// Columns that a row is given values for.
pub(crate) fn stored(relation: &Relation) -> impl Iterator<Item = &Column> {
    relation.columns.iter().filter(|column| column.generated.is_none())
}

/// Whether a column is SQLite's row id: the only column of an integer primary key.
pub(crate) fn is_row_id(relation: &Relation, column: &Column) -> bool {
    matches!(column.ty.ty, Type::INT2 | Type::INT4 | Type::INT8)
        && relation.primary_key().is_some_and(|key| key.columns == [column.number] && key.row_id)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

fn may_give(column: &Column, system: bool) -> Result<(), SqlError> {
    if column.generated.is_some() {
        let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
        return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message)
            .with_detail(format!("Column \"{}\" is a generated column.", column.name)));
    }
    if column.identity == Some(Identity::Always) && !system {
        let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
        return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message)
            .with_detail(format!(
                "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
                column.name
            ))
            .with_hint("Use OVERRIDING SYSTEM VALUE to override."));
    }
    Ok(())
}

fn named_columns(relation: &Relation, insert: &Insert) -> Result<Vec<Column>, SqlError> {
    if insert.columns.is_empty() {
        return Ok(relation.columns.clone());
    }
    let mut columns: Vec<Column> = Vec::new();
    for name in &insert.columns {
        let name = assigned_column(name)?;
        let Some(column) = relation.column(&name.name) else { return Err(no_column(relation, &name)) };
        if columns.iter().any(|known| known.number == column.number) {
            let message = format!("column \"{}\" specified more than once", name.name);
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message).at(name.at));
        }
        columns.push(column.clone());
    }
    Ok(columns)
}

/// The table that is written to, for what is said behind its rows.
pub(crate) fn target(relation: &Relation, alias: &str) -> crate::sql::scope::Table {
    scope_table(relation, alias, scope_columns(relation, Some(alias)))
}
