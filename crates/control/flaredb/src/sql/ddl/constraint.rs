//! Keys, checks and references.

use crate::base::catalog::{Action, IndexKey};
use crate::base::{Constraint, ConstraintKind, Relation, RelationKind, SqlError, SqlState, Type};

use super::table::names_of;
use super::{Making, free_name, relation};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;
use crate::sql::scope::Clause;
use crate::sql::tree::{ConstraintDef, Reference, Rule};

/// As SQLite writes it.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::NoAction => "NO ACTION",
        Action::Restrict => "RESTRICT",
        Action::Cascade => "CASCADE",
        Action::SetNull => "SET NULL",
        Action::SetDefault => "SET DEFAULT",
    }
}

impl Planner<'_> {
    /// One more constraint of a table. `new`: the table is being made, so that its key may be the row id.
    pub(crate) fn add_constraint(
        &mut self,
        making: &mut Making,
        table: &mut Relation,
        definition: &ConstraintDef,
        new: bool,
    ) -> Result<(), SqlError> {
        let error = |error: SqlError| if error.position.is_some() { error } else { error.at(definition.at) };
        let (columns, kind, suffix) = match &definition.rule {
            Rule::PrimaryKey(names) => {
                if table.primary_key().is_some() {
                    let message =
                        format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                    return Err(error(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message)));
                }
                let columns = numbers(table, names, "in key").map_err(error)?;
                for column in table.columns.iter_mut().filter(|column| columns.contains(&column.number)) {
                    column.not_null = true;
                }
                (columns, ConstraintKind::PrimaryKey { index: making.oid() }, "pkey")
            }
            Rule::Unique(names) => {
                let columns = numbers(table, names, "in key").map_err(error)?;
                (columns, ConstraintKind::Unique { index: making.oid() }, "key")
            }
            Rule::Check(written) => {
                self.over_table(table, &written.expr, Clause::Check, None).map_err(error)?;
                let columns = self.named_columns(table, &written.text);
                (columns, ConstraintKind::Check { expression: written.text.clone() }, "check")
            }
            Rule::ForeignKey { columns, reference } => {
                let columns =
                    numbers(table, columns, "referenced in foreign key constraint").map_err(error)?;
                let kind = self.reference(making, table, &columns, reference).map_err(error)?;
                (columns, kind, "fkey")
            }
        };
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|number| table.columns.iter().find(|column| column.number == *number))
            .map(|column| column.name.as_str())
            .collect();
        let name = match (&definition.name, suffix) {
            (Some(name), _) => name.clone(),
            (None, "pkey") => free_name(&making.after, &table.schema, &[&table.name], suffix),
            (None, _) => {
                let mut parts = vec![table.name.as_str()];
                if suffix != "check" || names.len() == 1 {
                    parts.extend(names);
                }
                unique_among(table, &free_name(&making.after, &table.schema, &parts, suffix))
            }
        };
        if table.constraints.iter().any(|known| known.name == name) {
            let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
            return Err(error(SqlError::new(SqlState::DUPLICATE_OBJECT, message)));
        }
        let mut constraint = Constraint { oid: making.oid(), name, kind, columns, row_id: false };
        constraint.row_id = new && suffix == "pkey" && is_integer(table, &constraint.columns);
        if let ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } = constraint.kind {
            making.put(key_index(table, &constraint, index, &self.settings.user));
        }
        table.constraints.push(constraint);
        Ok(())
    }

    /// What SQLite is told of keys: an index each, but for the row id.
    pub(crate) fn constraint_indexes(
        &mut self,
        making: &mut Making,
        table: &Relation,
    ) -> Result<(), SqlError> {
        for constraint in &table.constraints {
            self.constraint_index(making, table, constraint);
        }
        Ok(())
    }

    pub(crate) fn constraint_index(
        &mut self,
        making: &mut Making,
        table: &Relation,
        constraint: &Constraint,
    ) {
        let (ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }) = constraint.kind else {
            return;
        };
        if constraint.row_id {
            return;
        }
        let stored = super::stored_as(&table.schema, &constraint.name);
        making.run(format!(
            "CREATE UNIQUE INDEX {} ON {} ({})",
            quoted(&stored),
            quoted(&table.stored_as),
            names_of(table, &constraint.columns)
        ));
    }

    fn reference(
        &mut self,
        making: &Making,
        table: &Relation,
        columns: &[i16],
        reference: &Reference,
    ) -> Result<ConstraintKind, SqlError> {
        let name = &reference.table;
        let schema = self.creation_schema(name).ok();
        let own = schema.as_deref() == Some(table.schema.as_str()) && name.name == table.name;
        let parent = if own {
            table.clone()
        } else {
            match self.find(name) {
                Some(relation) => relation.as_ref().clone(),
                None => match schema.and_then(|schema| making.after.find(&schema, &name.name).cloned()) {
                    Some(relation) => relation.as_ref().clone(),
                    None => return Err(crate::sql::planner::no_relation(name)),
                },
            }
        };
        let to = if reference.columns.is_empty() {
            match parent.primary_key() {
                Some(key) => key.columns.clone(),
                None => {
                    let message = format!("there is no primary key for referenced table \"{}\"", parent.name);
                    return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
                }
            }
        } else {
            numbers(&parent, &reference.columns, "referenced in foreign key constraint")?
        };
        if to.len() != columns.len() {
            let message = "number of referencing and referenced columns for foreign key disagree";
            return Err(SqlError::new(SqlState::INVALID_FOREIGN_KEY, message));
        }
        let is_key = parent.constraints.iter().any(|constraint| {
            let mut key = constraint.columns.clone();
            let mut wanted = to.clone();
            key.sort_unstable();
            wanted.sort_unstable();
            matches!(constraint.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
                && key == wanted
        });
        if !is_key {
            let message = format!(
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                parent.name
            );
            return Err(SqlError::new(SqlState::INVALID_FOREIGN_KEY, message));
        }
        Ok(ConstraintKind::ForeignKey {
            table: parent.oid,
            columns: to,
            on_delete: reference.on_delete,
            on_update: reference.on_update,
            deferred: reference.deferred,
        })
    }

    /// Numbers of the columns that an expression names.
    pub(crate) fn named_columns(&mut self, table: &Relation, text: &str) -> Vec<i16> {
        let before = std::mem::take(&mut self.touched.columns);
        let planned = crate::sql::parse::parse_expression(text)
            .and_then(|expr| self.over_table(table, &expr, Clause::Check, None));
        let named = std::mem::replace(&mut self.touched.columns, before);
        match planned {
            Ok(_) => {
                named.into_iter().filter(|(oid, _)| *oid == table.oid).map(|(_, number)| number).collect()
            }
            Err(_) => Vec::new(),
        }
    }
}

/// The catalogue's entry of a key's index.
fn key_index(table: &Relation, constraint: &Constraint, oid: u32, owner: &str) -> Relation {
    let keys = constraint.columns.iter().map(|number| IndexKey {
        column: *number,
        expression: None,
        descending: false,
        nulls_first: false,
    });
    let kind = RelationKind::Index {
        table: table.oid,
        unique: true,
        keys: keys.collect(),
        predicate: None,
        constraint: true,
    };
    relation(oid, &table.schema, &constraint.name, owner, kind)
}

fn is_integer(table: &Relation, columns: &[i16]) -> bool {
    let [number] = columns else { return false };
    let column = table.columns.iter().find(|column| column.number == *number);
    column.is_some_and(|column| matches!(column.ty.ty, Type::INT2 | Type::INT4 | Type::INT8))
}

/// Not the name of another constraint of the table that is being made.
fn unique_among(table: &Relation, name: &str) -> String {
    let taken = |name: &str| table.constraints.iter().any(|known| known.name == name);
    if !taken(name) {
        return name.to_owned();
    }
    let mut number = 1_u32;
    while taken(&format!("{name}{number}")) {
        number += 1;
    }
    format!("{name}{number}")
}

/// Numbers of columns by their names.
fn numbers(table: &Relation, names: &[String], what: &str) -> Result<Vec<i16>, SqlError> {
    let mut numbers = Vec::new();
    for name in names {
        let Some(column) = table.column(name) else {
            let message = match what {
                "in key" => format!("column \"{name}\" named in key does not exist"),
                _ => format!("column \"{name}\" {what} does not exist"),
            };
            return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
        };
        numbers.push(column.number);
    }
    Ok(numbers)
}
