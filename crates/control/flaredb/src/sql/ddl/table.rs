//! Tables.

use crate::base::{
    Catalog, Column, ConstraintKind, Element, Relation, RelationKind, SqlError, SqlState, Type,
};

use super::{Making, relation};
use crate::sql::names::{Name, quoted};
use crate::sql::planner::{Parameters, Planner};
use crate::sql::scope::{Clause, Level};
use crate::sql::tree::{ColumnRule, ConstraintDef, CreateTable, CreateTableAs, Rule};
use crate::sql::write::{scope_columns, scope_table};

/// How SQLite keeps values of a type.
pub(crate) fn storage(ty: Type) -> &'static str {
    match ty {
        Type::Scalar(element) => match element {
            Element::Bool
            | Element::Int2
            | Element::Int4
            | Element::Int8
            | Element::Timestamptz
            | Element::Timestamp
            | Element::Date
            | Element::Time
            | Element::Oid
            | Element::Xid
            | Element::Regclass
            | Element::Regtype
            | Element::Regproc
            | Element::Regnamespace
            | Element::Regrole => "INTEGER",
            Element::Float4 | Element::Float8 => "REAL",
            Element::Bytea => "BLOB",
            _ => "TEXT",
        },
        _ => "TEXT",
    }
}

impl Planner<'_> {
    pub(crate) fn create_table(
        &mut self,
        making: &mut Making,
        create: &CreateTable,
    ) -> Result<&'static str, SqlError> {
        let (schema, taken) = self.new_name(making, &create.name)?;
        if let Some(taken) = taken {
            if !create.if_not_exists {
                return Err(taken.at(create.name.at));
            }
            let message = format!("relation \"{}\" already exists, skipping", create.name.name);
            making.notice(SqlState::DUPLICATE_TABLE, message);
            return Ok("CREATE TABLE");
        }
        if !create.like.is_empty() {
            return Err(SqlError::unsupported("LIKE within CREATE TABLE"));
        }
        let oid = making.oid();
        let mut table = relation(oid, &schema, &create.name.name, &self.settings.user, RelationKind::Table);
        let mut constraints: Vec<ConstraintDef> = Vec::new();
        for definition in &create.columns {
            let column = self.new_column(making, &table, definition)?;
            table.columns.push(column);
            for rule in &definition.rules {
                if let ColumnRule::Constraint(constraint) = rule {
                    constraints.push(beside(constraint, &definition.name));
                }
            }
        }
        constraints.extend(create.constraints.iter().cloned());
        for constraint in &constraints {
            self.add_constraint(making, &mut table, constraint, true)?;
        }
        self.finish_columns(making, &mut table, &create.columns)?;
        making.put(table.clone());
        let sql = self.table_sql(&making.after, &table)?;
        making.run(sql);
        self.constraint_indexes(making, &table)?;
        Ok("CREATE TABLE")
    }

    pub(crate) fn create_table_as(
        &mut self,
        making: &mut Making,
        create: &CreateTableAs,
    ) -> Result<&'static str, SqlError> {
        let (schema, taken) = self.new_name(making, &create.name)?;
        if let Some(taken) = taken {
            if !create.if_not_exists {
                return Err(taken.at(create.name.at));
            }
            let message = format!("relation \"{}\" already exists, skipping", create.name.name);
            making.notice(SqlState::DUPLICATE_TABLE, message);
            return Ok("CREATE TABLE AS");
        }
        let rendered = self.query(&create.query)?;
        let oid = making.oid();
        let mut table = relation(oid, &schema, &create.name.name, &self.settings.user, RelationKind::Table);
        for (place, given) in rendered.columns.iter().enumerate() {
            let name = create.columns.get(place).unwrap_or(&given.name).clone();
            if table.column(&name).is_some() {
                let message = format!("column \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            table.columns.push(plain_column(i16::try_from(place + 1).unwrap_or(i16::MAX), &name, given.ty));
        }
        making.put(table.clone());
        let sql = self.table_sql(&making.after, &table)?;
        making.run(sql);
        if create.with_data {
            let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
            making.run(format!(
                "INSERT INTO {} ({}) {}",
                quoted(&table.stored_as),
                names.join(", "),
                rendered.sql
            ));
            making.rows = true;
        }
        Ok("CREATE TABLE AS")
    }

    /// A table's `CREATE TABLE`, as SQLite keeps it.
    pub(crate) fn table_sql(&mut self, catalog: &Catalog, table: &Relation) -> Result<String, SqlError> {
        let mut parts = Vec::new();
        for column in &table.columns {
            parts.push(column_sql(table, column));
        }
        for constraint in &table.constraints {
            match &constraint.kind {
                ConstraintKind::Check { expression } => {
                    let test = self.table_expression(table, expression, Clause::Check)?;
                    parts.push(format!("CONSTRAINT {} CHECK {}", quoted(&constraint.name), in_parens(&test)));
                }
                ConstraintKind::ForeignKey { table: to, columns, on_delete, on_update, deferred } => {
                    let Some(parent) = catalog.relations.get(to) else { continue };
                    parts.push(format!(
                        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}{}",
                        quoted(&constraint.name),
                        names_of(table, &constraint.columns),
                        quoted(&parent.stored_as),
                        names_of(parent, columns),
                        super::constraint::action(*on_delete),
                        super::constraint::action(*on_update),
                        if *deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" }
                    ));
                }
                ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => {}
            }
        }
        if parts.is_empty() {
            // A table of no columns is nothing that SQLite knows.
            parts.push("\"none:\" INTEGER".to_owned());
        }
        Ok(format!("CREATE TABLE {} ({}) STRICT", quoted(&table.stored_as), parts.join(", ")))
    }

    /// An expression of a table's catalogue entry, over its bare columns.
    pub(crate) fn table_expression(
        &mut self,
        table: &Relation,
        expression: &str,
        clause: Clause,
    ) -> Result<String, SqlError> {
        let expr = crate::sql::parse::parse_expression(expression)?;
        Ok(self.over_table(table, &expr, clause, None)?.sql)
    }

    /// An expression over the bare columns of a table, of a type if one is told.
    pub(crate) fn over_table(
        &mut self,
        table: &Relation,
        expr: &sqlparser::ast::Expr,
        clause: Clause,
        to: Option<(&str, crate::base::ColumnType)>,
    ) -> Result<crate::sql::expr::Typed, SqlError> {
        let mut level = Level::of(clause);
        level.add(scope_table(table, &table.name, scope_columns(table, None)));
        let levels = std::mem::take(&mut self.levels);
        let parameters = std::mem::replace(&mut self.parameters, Parameters::none());
        let planned = self.inside(level, |planner| {
            let value = planner.expr(expr)?;
            match to {
                None if matches!(clause, Clause::Check | Clause::Predicate) => {
                    planner.condition(value, clause.shown())
                }
                None => planner.settled(value),
                Some((name, ty)) => planner.assigned(value, ty, name),
            }
        });
        self.levels = levels;
        self.parameters = parameters;
        let value = planned?;
        if value.uses.volatile && !matches!(clause, Clause::Default) {
            let message = match clause {
                Clause::Generated => "generation expression is not immutable",
                Clause::Index => "functions in index expression must be marked IMMUTABLE",
                _ => "functions in index predicate must be marked IMMUTABLE",
            };
            if clause != Clause::Check {
                return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message).at(value.at));
            }
        }
        Ok(value)
    }
}

/// A column constraint as one of the table.
fn beside(constraint: &ConstraintDef, column: &str) -> ConstraintDef {
    let mut constraint = constraint.clone();
    match &mut constraint.rule {
        Rule::PrimaryKey(columns) | Rule::Unique(columns) | Rule::ForeignKey { columns, .. } => {
            if columns.is_empty() {
                columns.push(column.to_owned());
            }
        }
        Rule::Check(_) => {}
    }
    constraint
}

/// A column without rules.
pub(crate) fn plain_column(number: i16, name: &str, ty: crate::base::ColumnType) -> Column {
    Column {
        number,
        name: name.to_owned(),
        ty,
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    }
}

/// A column as it stands in `CREATE TABLE`.
pub(crate) fn column_sql(table: &Relation, column: &Column) -> String {
    let mut sql = format!("{} {}", quoted(&column.name), storage(column.ty.ty));
    if crate::sql::write::is_row_id(table, column) {
        sql.push_str(" PRIMARY KEY");
        return sql;
    }
    if let Some(collation) = crate::functions::collation(column.ty.ty) {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if column.not_null {
        sql.push_str(" NOT NULL");
    }
    if let Some(generated) = &column.generated {
        sql.push_str(&format!(" GENERATED ALWAYS AS {} STORED", in_parens(&generated.evaluated)));
    }
    sql
}

/// Names of columns by their numbers, joined.
pub(crate) fn names_of(table: &Relation, numbers: &[i16]) -> String {
    let named = |number: &i16| table.columns.iter().find(|column| column.number == *number);
    let names: Vec<String> = numbers.iter().filter_map(named).map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

/// In parentheses of its own.
pub(crate) fn in_parens(sql: &str) -> String {
    format!("({sql})")
}

/// A name without a schema, for messages.
pub(crate) fn bare(name: &str) -> Name {
    Name { schema: None, name: name.to_owned(), at: 0 }
}
