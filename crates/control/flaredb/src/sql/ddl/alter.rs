//! ALTER TABLE.

use crate::base::catalog::{CatalogChange, Identity};
use crate::base::{Column, ConstraintKind, Relation, RelationKind, SqlError, SqlState, Type};

use super::table::storage;
use super::{Making, stored_as};
use crate::sql::names::{Name, quoted};
use crate::sql::plan::Proof;
use crate::sql::planner::{Planner, no_relation};
use crate::sql::scope::Clause;
use crate::sql::tree::{AlterTable, Change, ColumnDef, ColumnRule, ConstraintDef, Kind, Rule, Written};
use crate::sql::types;

impl Planner<'_> {
    pub(crate) fn alter_table(
        &mut self,
        making: &mut Making,
        alter: &AlterTable,
    ) -> Result<&'static str, SqlError> {
        let tag = match alter.kind {
            Kind::Table => "ALTER TABLE",
            Kind::View => "ALTER VIEW",
            Kind::Index => "ALTER INDEX",
            Kind::Sequence => "ALTER SEQUENCE",
            Kind::Schema => "ALTER SCHEMA",
        };
        let Some(found) = self.find(&alter.name) else {
            if alter.if_exists {
                let message = format!("relation \"{}\" does not exist, skipping", alter.name.name);
                making.notice(SqlState::UNDEFINED_TABLE, message);
                return Ok(tag);
            }
            return Err(no_relation(&alter.name));
        };
        let oid = found.oid;
        for change in &alter.changes {
            let Some(relation) = making.after.relations.get(&oid).map(|relation| relation.as_ref().clone())
            else {
                return Err(no_relation(&alter.name));
            };
            self.alter(making, relation, change)?;
        }
        Ok(tag)
    }

    fn alter(&mut self, making: &mut Making, mut table: Relation, change: &Change) -> Result<(), SqlError> {
        match change {
            Change::AddColumn { if_not_exists, column } => {
                self.add_column(making, table, column, *if_not_exists)
            }
            Change::DropColumn { if_exists, name, cascade } => {
                self.drop_column(making, table, name, *if_exists, *cascade)
            }
            Change::SetDefault { column, default } => {
                let mut changed = column_of(&table, column)?;
                changed.default = match default {
                    None => None,
                    Some(default) => self.default_expression(&changed, default)?,
                };
                put_column(&mut table, changed);
                making.put(table);
                Ok(())
            }
            Change::SetNotNull { column, not_null } => self.set_not_null(making, table, column, *not_null),
            Change::SetType { column, ty, using } => {
                let ty = types::of(ty)?;
                self.set_type(making, table, column, ty, using.as_ref())
            }
            Change::AddIdentity { column, always, options } => {
                let mut changed = column_of(&table, column)?;
                if !changed.not_null {
                    let message = format!(
                        "column \"{column}\" of relation \"{}\" must be declared NOT NULL before identity can be added",
                        table.name
                    );
                    return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
                }
                self.own_sequence(making, &table, &changed, options)?;
                changed.identity = Some(if *always { Identity::Always } else { Identity::ByDefault });
                put_column(&mut table, changed);
                making.put(table);
                Ok(())
            }
            Change::SetIdentity { column, always, .. } => {
                let mut changed = column_of(&table, column)?;
                if let (Some(always), Some(_)) = (always, changed.identity) {
                    changed.identity = Some(if *always { Identity::Always } else { Identity::ByDefault });
                }
                put_column(&mut table, changed);
                making.put(table);
                Ok(())
            }
            Change::DropIdentity { column, .. } => {
                let mut changed = column_of(&table, column)?;
                changed.identity = None;
                let owned = (table.oid, changed.number);
                put_column(&mut table, changed);
                let gone: Vec<u32> = making
                    .after
                    .relations
                    .values()
                    .filter(|other| matches!(&other.kind, RelationKind::Sequence(counts) if counts.owned_by == Some(owned)))
                    .map(|other| other.oid)
                    .collect();
                gone.into_iter().for_each(|oid| making.change(CatalogChange::DropRelation(oid)));
                making.put(table);
                Ok(())
            }
            Change::DropExpression { .. } => Err(SqlError::unsupported("DROP EXPRESSION")),
            Change::AddConstraint(constraint) => self.append_constraint(making, table, constraint),
            Change::DropConstraint { if_exists, name, cascade } => {
                self.drop_constraint(making, table, name, *if_exists, *cascade)
            }
            Change::ValidateConstraint(_) | Change::Nothing => Ok(()),
            Change::RenameColumn { from, to } => self.rename_column(making, table, from, to),
            Change::RenameConstraint { from, to } => rename_constraint(making, table, from, to),
            Change::Rename(to) => self.rename(making, table, to),
            Change::Owner(owner) => {
                table.owner.clone_from(owner);
                making.put(table);
                Ok(())
            }
            Change::SetSchema(schema) => self.set_schema(making, table, schema),
        }
    }

    fn add_column(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        definition: &ColumnDef,
        if_not_exists: bool,
    ) -> Result<(), SqlError> {
        only_table(&table)?;
        if table.column(&definition.name).is_some() {
            let message =
                format!("column \"{}\" of relation \"{}\" already exists", definition.name, table.name);
            if !if_not_exists {
                return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message).at(definition.at));
            }
            making.notice(SqlState::DUPLICATE_COLUMN, format!("{message}, skipping"));
            return Ok(());
        }
        let column = self.new_column(making, &table, definition)?;
        table.columns.push(column.clone());
        self.finish_columns(making, &mut table, std::slice::from_ref(definition))?;
        let column = column_of(&table, &column.name)?;
        if column.generated.is_some() {
            return Err(SqlError::unsupported("adding a generated column"));
        }
        let mut added = format!("{} {}", quoted(&column.name), storage(column.ty.ty));
        if let Some(collation) = crate::functions::collation(column.ty.ty) {
            added.push_str(&format!(" COLLATE {collation}"));
        }
        making.run(format!("ALTER TABLE {} ADD COLUMN {added}", quoted(&table.stored_as)));
        let value = self.default_of(&table, &column)?;
        if column.default.is_some() || column.identity.is_some() {
            making.run(format!("UPDATE {} SET {} = {value}", quoted(&table.stored_as), quoted(&column.name)));
        } else if column.not_null {
            let error = contains_nulls(&table, &column);
            making.proofs.push(Proof { sql: format!("SELECT 1 FROM {}", quoted(&table.stored_as)), error });
        }
        for rule in &definition.rules {
            if let ColumnRule::Constraint(constraint) = rule {
                let mut constraint = constraint.clone();
                match &mut constraint.rule {
                    Rule::PrimaryKey(columns) | Rule::Unique(columns) | Rule::ForeignKey { columns, .. } => {
                        if columns.is_empty() {
                            columns.push(definition.name.clone());
                        }
                    }
                    Rule::Check(_) => {}
                }
                let before = table.constraints.len();
                self.add_constraint(making, &mut table, &constraint, false)?;
                for constraint in &table.constraints[before..] {
                    self.constraint_index(making, &table, constraint);
                }
            }
        }
        self.redefine(making, &table)
    }

    fn drop_column(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), SqlError> {
        only_table(&table)?;
        let Some(column) = table.column(name).cloned() else {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            if if_exists {
                making.notice(SqlState::UNDEFINED_COLUMN, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
        };
        let referenced = making.after.relations.values().any(|other| {
            other.constraints.iter().any(|constraint| {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { table: to, columns, .. }
                    if *to == table.oid && columns.contains(&column.number) && other.oid != table.oid)
            })
        });
        if referenced && !cascade {
            let message = format!(
                "cannot drop column {name} of table {} because other objects depend on it",
                table.name
            );
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        if referenced || crate::sql::write::is_row_id(&table, &column) {
            return Err(SqlError::unsupported(
                "dropping a column of a key that others refer to, or that rows are kept by",
            ));
        }
        let gone: Vec<_> = table
            .constraints
            .iter()
            .filter(|known| known.columns.contains(&column.number))
            .cloned()
            .collect();
        for constraint in gone {
            self.forget_constraint(making, &mut table, &constraint);
        }
        let indexes: Vec<Relation> = making
            .after
            .indexes_of(table.oid)
            .filter(|index| uses_column(index, &column))
            .map(|index| index.as_ref().clone())
            .collect();
        for index in indexes {
            making.run(format!("DROP INDEX {}", quoted(&index.stored_as)));
            making.change(CatalogChange::DropRelation(index.oid));
        }
        // The text without its rules first: SQLite refuses to drop what a rule names.
        self.redefine(making, &table)?;
        table.columns.retain(|known| known.number != column.number);
        making.run(format!("ALTER TABLE {} DROP COLUMN {}", quoted(&table.stored_as), quoted(name)));
        making.destroyed.push(format!("{}.{name}", super::drop::shown(&table)));
        let owned = (table.oid, column.number);
        let sequences: Vec<u32> = making
            .after
            .relations
            .values()
            .filter(|other| matches!(&other.kind, RelationKind::Sequence(counts) if counts.owned_by == Some(owned)))
            .map(|other| other.oid)
            .collect();
        sequences.into_iter().for_each(|oid| making.change(CatalogChange::DropRelation(oid)));
        making.put(table);
        Ok(())
    }

    fn set_not_null(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        name: &str,
        not_null: bool,
    ) -> Result<(), SqlError> {
        only_table(&table)?;
        let mut column = column_of(&table, name)?;
        if !not_null && table.primary_key().is_some_and(|key| key.columns.contains(&column.number)) {
            let message = format!("column \"{name}\" is in a primary key");
            return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        if not_null && !column.not_null {
            let sql = format!(
                "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
                quoted(&table.stored_as),
                quoted(&column.name)
            );
            making.proofs.push(Proof { sql, error: contains_nulls(&table, &column) });
        }
        column.not_null = not_null;
        put_column(&mut table, column);
        self.redefine(making, &table)
    }

    /// The same rows with another type: every value is cast, and those that cannot be stop it.
    fn set_type(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        name: &str,
        ty: crate::base::ColumnType,
        using: Option<&Written>,
    ) -> Result<(), SqlError> {
        only_table(&table)?;
        let mut column = column_of(&table, name)?;
        if crate::sql::write::is_row_id(&table, &column)
            && !matches!(ty.ty, Type::INT2 | Type::INT4 | Type::INT8)
        {
            return Err(SqlError::unsupported("changing the type of an integer primary key to another kind"));
        }
        let value = match using {
            Some(using) => self.over_table(&table, &using.expr, Clause::Using, Some((name, ty)))?,
            None => {
                let expr = sqlparser::ast::Expr::Identifier(sqlparser::ast::Ident::with_quote('"', name));
                self.over_table(&table, &expr, Clause::Using, Some((name, ty))).map_err(|_| {
                    let message = format!(
                        "column \"{name}\" cannot be cast automatically to type {}",
                        types::shown(ty.ty)
                    );
                    SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_hint(format!(
                        "You might need to specify \"USING {name}::{}\".",
                        types::shown(ty.ty)
                    ))
                })?
            }
        };
        let same = value.sql == quoted(name);
        column.ty = ty;
        put_column(&mut table, column);
        self.redefine(making, &table)?;
        if !same {
            making.run(format!("UPDATE {} SET {} = {}", quoted(&table.stored_as), quoted(name), value.sql));
        }
        Ok(())
    }

    fn append_constraint(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        definition: &ConstraintDef,
    ) -> Result<(), SqlError> {
        only_table(&table)?;
        let before = table.constraints.len();
        let columns_before = table.columns.clone();
        self.add_constraint(making, &mut table, definition, false)?;
        for column in &table.columns {
            let was = columns_before.iter().find(|known| known.number == column.number);
            if column.not_null && was.is_some_and(|was| !was.not_null) {
                let sql = format!(
                    "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
                    quoted(&table.stored_as),
                    quoted(&column.name)
                );
                making.proofs.push(Proof { sql, error: contains_nulls(&table, column) });
            }
        }
        for constraint in &table.constraints[before..] {
            match &constraint.kind {
                ConstraintKind::Check { expression } => {
                    let test = self.table_expression(&table, expression, Clause::Check)?;
                    let sql = format!("SELECT 1 FROM {} WHERE NOT {test} LIMIT 1", quoted(&table.stored_as));
                    let message = format!(
                        "check constraint \"{}\" of relation \"{}\" is violated by some row",
                        constraint.name, table.name
                    );
                    making
                        .proofs
                        .push(Proof { sql, error: SqlError::new(SqlState::CHECK_VIOLATION, message) });
                }
                ConstraintKind::ForeignKey { table: to, columns, .. } => {
                    let Some(parent) = making.after.relations.get(to).cloned() else { continue };
                    let pairs = constraint.columns.iter().zip(columns);
                    let tests: Vec<String> = pairs
                        .map(|(own, other)| {
                            format!(
                                "p.{} = c.{}",
                                super::table::names_of(&parent, &[*other]),
                                super::table::names_of(&table, &[*own])
                            )
                        })
                        .collect();
                    let given: Vec<String> = constraint
                        .columns
                        .iter()
                        .map(|own| format!("c.{} IS NOT NULL", super::table::names_of(&table, &[*own])))
                        .collect();
                    let sql = format!(
                        "SELECT 1 FROM {} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {}) LIMIT 1",
                        quoted(&table.stored_as),
                        given.join(" AND "),
                        quoted(&parent.stored_as),
                        tests.join(" AND ")
                    );
                    let message = format!(
                        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                        table.name, constraint.name
                    );
                    making
                        .proofs
                        .push(Proof { sql, error: SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message) });
                }
                // SQLite finds doubles itself.
                ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => {}
            }
            self.constraint_index(making, &table, constraint);
        }
        self.redefine(making, &table)
    }

    fn drop_constraint(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), SqlError> {
        let Some(constraint) = table.constraints.iter().find(|known| known.name == name).cloned() else {
            let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
            if if_exists {
                making.notice(SqlState::UNDEFINED_OBJECT, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        };
        if constraint.row_id {
            return Err(SqlError::unsupported(
                "dropping a primary key of one integer, which rows are kept by",
            ));
        }
        let key =
            matches!(constraint.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. });
        let referring: Vec<Relation> = making
            .after
            .relations
            .values()
            .filter(|other| {
                key && other.constraints.iter().any(|known| {
                    matches!(&known.kind, ConstraintKind::ForeignKey { table: to, columns, .. }
                        if *to == table.oid && same_columns(columns, &constraint.columns))
                })
            })
            .map(|other| other.as_ref().clone())
            .collect();
        if !referring.is_empty() {
            if !cascade {
                let message = format!(
                    "cannot drop constraint {name} on table {} because other objects depend on it",
                    table.name
                );
                return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            return Err(SqlError::unsupported("dropping a key together with what refers to it"));
        }
        self.forget_constraint(making, &mut table, &constraint);
        self.redefine(making, &table)
    }

    fn forget_constraint(
        &mut self,
        making: &mut Making,
        table: &mut Relation,
        constraint: &crate::base::Constraint,
    ) {
        if let ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } = constraint.kind {
            making.run(format!("DROP INDEX {}", quoted(&stored_as(&table.schema, &constraint.name))));
            making.change(CatalogChange::DropRelation(index));
        }
        table.constraints.retain(|known| known.oid != constraint.oid);
    }

    fn rename_column(
        &mut self,
        making: &mut Making,
        mut table: Relation,
        from: &str,
        to: &str,
    ) -> Result<(), SqlError> {
        let mut column = column_of(&table, from)?;
        if table.column(to).is_some() {
            let message = format!("column \"{to}\" of relation \"{}\" already exists", table.name);
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        let named = table.constraints.iter().any(|constraint| {
            matches!(constraint.kind, ConstraintKind::Check { .. })
                && constraint.columns.contains(&column.number)
        });
        let indexed = making.after.indexes_of(table.oid).any(|index| {
            matches!(&index.kind, RelationKind::Index { keys, predicate, .. }
                if predicate.is_some() || keys.iter().any(|key| key.expression.is_some()))
        });
        let generated = table.columns.iter().any(|other| other.generated.is_some());
        if named || indexed || generated {
            return Err(SqlError::unsupported("renaming a column that an expression may name")
                .with_hint("Drop the check, the generated column or the index first."));
        }
        to.clone_into(&mut column.name);
        put_column(&mut table, column);
        if matches!(table.kind, RelationKind::Table) {
            making.run(format!(
                "ALTER TABLE {} RENAME COLUMN {} TO {}",
                quoted(&table.stored_as),
                quoted(from),
                quoted(to)
            ));
        }
        making.put(table);
        Ok(())
    }

    fn rename(&mut self, making: &mut Making, mut relation: Relation, to: &str) -> Result<(), SqlError> {
        if making.after.find(&relation.schema, to).is_some() {
            return Err(SqlError::new(
                SqlState::DUPLICATE_TABLE,
                format!("relation \"{to}\" already exists"),
            ));
        }
        to.clone_into(&mut relation.name);
        self.store_anew(making, relation)
    }

    fn set_schema(
        &mut self,
        making: &mut Making,
        mut relation: Relation,
        schema: &str,
    ) -> Result<(), SqlError> {
        if !self.catalog.schemas.contains_key(schema) {
            return Err(crate::sql::planner::no_schema(schema));
        }
        schema.clone_into(&mut relation.schema);
        self.store_anew(making, relation)
    }

    /// Under the name in SQLite that its own name gives.
    fn store_anew(&mut self, making: &mut Making, mut relation: Relation) -> Result<(), SqlError> {
        let before = relation.stored_as.clone();
        relation.stored_as = stored_as(&relation.schema, &relation.name);
        match &relation.kind {
            RelationKind::Table => {
                making.run(format!(
                    "ALTER TABLE {} RENAME TO {}",
                    quoted(&before),
                    quoted(&relation.stored_as)
                ));
            }
            RelationKind::Index { constraint: true, .. } => {
                return Err(SqlError::unsupported("renaming the index of a constraint"));
            }
            RelationKind::Index { .. } => return Err(SqlError::unsupported("renaming an index")),
            RelationKind::View { .. } | RelationKind::Sequence(_) => {}
        }
        making.put(relation);
        Ok(())
    }

    /// The table's rules are others, its rows the same: its text in SQLite's schema is written anew.
    pub(crate) fn redefine(&mut self, making: &mut Making, table: &Relation) -> Result<(), SqlError> {
        making.put(table.clone());
        let sql = self.table_sql(&making.after, table)?;
        making.run(format!("{}{}\n{sql}", crate::engine::REDEFINE, table.stored_as));
        Ok(())
    }
}

fn only_table(relation: &Relation) -> Result<(), SqlError> {
    if matches!(relation.kind, RelationKind::Table) {
        return Ok(());
    }
    let message = format!("\"{}\" is not a table", relation.name);
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
}

fn column_of(table: &Relation, name: &str) -> Result<Column, SqlError> {
    let written = Name { schema: None, name: name.to_owned(), at: 0 };
    table.column(name).cloned().ok_or_else(|| {
        let mut error = crate::sql::write::no_column(table, &written);
        error.position = None;
        error
    })
}

fn put_column(table: &mut Relation, column: Column) {
    for known in table.columns.iter_mut().filter(|known| known.number == column.number) {
        known.clone_from(&column);
    }
}

fn contains_nulls(table: &Relation, column: &Column) -> SqlError {
    let message = format!("column \"{}\" of relation \"{}\" contains null values", column.name, table.name);
    SqlError::new(SqlState::NOT_NULL_VIOLATION, message)
}

fn uses_column(index: &Relation, column: &Column) -> bool {
    let RelationKind::Index { keys, predicate, .. } = &index.kind else { return false };
    keys.iter().any(|key| key.column == column.number || key.expression.is_some()) || predicate.is_some()
}

fn same_columns(a: &[i16], b: &[i16]) -> bool {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    a == b
}

fn rename_constraint(making: &mut Making, mut table: Relation, from: &str, to: &str) -> Result<(), SqlError> {
    let Some(constraint) = table.constraints.iter_mut().find(|known| known.name == from) else {
        let message = format!("constraint \"{from}\" of relation \"{}\" does not exist", table.name);
        return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
    };
    if !matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. }) {
        return Err(SqlError::unsupported("renaming a key"));
    }
    to.clone_into(&mut constraint.name);
    making.put(table);
    Ok(())
}
