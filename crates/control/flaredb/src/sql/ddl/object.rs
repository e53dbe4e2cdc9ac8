//! Schemas, sequences, comments, TRUNCATE.

use crate::base::catalog::{CatalogChange, Schema, SequenceOptions};
use crate::base::{ColumnType, ConstraintKind, RelationKind, SqlError, SqlState, Type};

use super::{Making, relation};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;
use crate::sql::tree::{AlterSequence, Commented, CreateSequence, SequenceOption, Truncate};
use crate::sql::types;

/// As PostgreSQL counts if nothing is said.
pub(crate) fn default_options(ty: ColumnType) -> Result<SequenceOptions, SqlError> {
    let max = match ty.ty {
        Type::INT2 => i64::from(i16::MAX),
        Type::INT4 => i64::from(i32::MAX),
        Type::INT8 => i64::MAX,
        _ => {
            let message = "sequence type must be smallint, integer, or bigint";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    };
    Ok(SequenceOptions { ty, start: 1, increment: 1, min: 1, max, cycle: false, owned_by: None })
}

/// With what is said. Errors: 22023.
pub(crate) fn apply_options(
    counts: &mut SequenceOptions,
    options: &[SequenceOption],
) -> Result<(), SqlError> {
    let invalid = |message: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    let (mut min, mut max, mut start) = (None, None, None);
    for option in options {
        match option {
            SequenceOption::As(ty) => {
                let fresh = default_options(types::of(ty)?)?;
                (counts.ty, counts.max) = (fresh.ty, fresh.max);
            }
            SequenceOption::Increment(by) => counts.increment = *by,
            SequenceOption::Min(value) => min = *value,
            SequenceOption::Max(value) => max = *value,
            SequenceOption::Start(value) => start = Some(*value),
            SequenceOption::Cycle(cycle) => counts.cycle = *cycle,
            SequenceOption::Restart(_)
            | SequenceOption::OwnedBy(_)
            | SequenceOption::Cache
            | SequenceOption::Name(_) => {}
        }
    }
    if counts.increment == 0 {
        return invalid("INCREMENT must not be zero".to_owned());
    }
    if counts.increment < 0 && min.is_none() && max.is_none() {
        (counts.min, counts.max) = (-counts.max, -1);
        counts.start = -1;
    }
    counts.min = min.unwrap_or(counts.min);
    counts.max = max.unwrap_or(counts.max);
    if counts.min >= counts.max {
        return invalid(format!("MINVALUE ({}) must be less than MAXVALUE ({})", counts.min, counts.max));
    }
    let first = if counts.increment > 0 { counts.min } else { counts.max };
    counts.start = start.unwrap_or(if min.is_some() || max.is_some() { first } else { counts.start });
    if counts.start < counts.min {
        return invalid(format!(
            "START value ({}) cannot be less than MINVALUE ({})",
            counts.start, counts.min
        ));
    }
    if counts.start > counts.max {
        return invalid(format!(
            "START value ({}) cannot be greater than MAXVALUE ({})",
            counts.start, counts.max
        ));
    }
    Ok(())
}

impl Planner<'_> {
    pub(crate) fn create_schema(
        &mut self,
        making: &mut Making,
        name: &str,
        if_not_exists: bool,
        owner: Option<&str>,
    ) -> Result<&'static str, SqlError> {
        if self.catalog.schemas.contains_key(name) {
            let message = format!("schema \"{name}\" already exists");
            if !if_not_exists {
                return Err(SqlError::new(SqlState::DUPLICATE_SCHEMA, message));
            }
            making.notice(SqlState::DUPLICATE_SCHEMA, format!("{message}, skipping"));
            return Ok("CREATE SCHEMA");
        }
        if name.starts_with("pg_") || name == "information_schema" {
            let message = format!("unacceptable schema name \"{name}\"");
            return Err(SqlError::new(SqlState::RESERVED_NAME, message)
                .with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        let owner = owner.unwrap_or(&self.settings.user).to_owned();
        let oid = making.oid();
        making.change(CatalogChange::PutSchema(Schema {
            oid,
            name: name.to_owned(),
            owner,
            grants: Vec::new(),
        }));
        Ok("CREATE SCHEMA")
    }

    pub(crate) fn create_sequence(
        &mut self,
        making: &mut Making,
        create: &CreateSequence,
    ) -> Result<&'static str, SqlError> {
        let (schema, taken) = self.new_name(making, &create.name)?;
        if let Some(taken) = taken {
            if !create.if_not_exists {
                return Err(taken.at(create.name.at));
            }
            let message = format!("relation \"{}\" already exists, skipping", create.name.name);
            making.notice(SqlState::DUPLICATE_TABLE, message);
            return Ok("CREATE SEQUENCE");
        }
        let mut counts = default_options(Type::INT8.into())?;
        apply_options(&mut counts, &create.options)?;
        counts.owned_by = self.owner_of(&create.options)?.unwrap_or(None);
        let oid = making.oid();
        let kind = RelationKind::Sequence(counts);
        making.put(relation(oid, &schema, &create.name.name, &self.settings.user, kind));
        Ok("CREATE SEQUENCE")
    }

    #[expect(clippy::option_option, reason = "nothing said, or NONE said")]
    fn owner_of(&self, options: &[SequenceOption]) -> Result<Option<Option<(u32, i16)>>, SqlError> {
        for option in options {
            match option {
                SequenceOption::OwnedBy(None) => return Ok(Some(None)),
                SequenceOption::OwnedBy(Some((table, column))) => {
                    let table = self.table(table, "own by")?;
                    let Some(column) = table.column(column) else {
                        let message =
                            format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
                        return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
                    };
                    return Ok(Some(Some((table.oid, column.number))));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    pub(crate) fn alter_sequence(
        &mut self,
        making: &mut Making,
        alter: &AlterSequence,
    ) -> Result<&'static str, SqlError> {
        let Some(found) = self.find(&alter.name) else {
            if alter.if_exists {
                let message = format!("relation \"{}\" does not exist, skipping", alter.name.name);
                making.notice(SqlState::UNDEFINED_TABLE, message);
                return Ok("ALTER SEQUENCE");
            }
            return Err(crate::sql::planner::no_relation(&alter.name));
        };
        let mut sequence = found.as_ref().clone();
        let RelationKind::Sequence(counts) = &mut sequence.kind else {
            let message = format!("\"{}\" is not a sequence", sequence.name);
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        apply_options(counts, &alter.options)?;
        if let Some(owner) = self.owner_of(&alter.options)? {
            counts.owned_by = owner;
        }
        for option in &alter.options {
            if let SequenceOption::Restart(at) = option {
                making.sequences.push((sequence.oid, at.unwrap_or(counts.start), false));
                making.run(format!("SELECT fl_setval({}, {}, 0)", sequence.oid, at.unwrap_or(counts.start)));
            }
        }
        making.put(sequence);
        Ok("ALTER SEQUENCE")
    }

    pub(crate) fn comment(
        &mut self,
        making: &mut Making,
        on: &Commented,
        text: Option<&str>,
    ) -> Result<&'static str, SqlError> {
        let (name, column) = match on {
            Commented::Relation(_, name) => (name, None),
            Commented::Column(name, column) => (name, Some(column)),
        };
        let mut relation = self.relation(name)?.as_ref().clone();
        match column {
            None => relation.comment = text.map(str::to_owned),
            Some(column) => {
                let Some(found) = relation.columns.iter_mut().find(|known| known.name == *column) else {
                    let message = format!("column \"{column}\" of relation \"{}\" does not exist", name.name);
                    return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
                };
                found.comment = text.map(str::to_owned);
            }
        }
        making.put(relation);
        Ok("COMMENT")
    }

    pub(crate) fn truncate(
        &mut self,
        making: &mut Making,
        truncate: &Truncate,
    ) -> Result<&'static str, SqlError> {
        let mut tables = Vec::new();
        for name in &truncate.tables {
            tables.push(self.table(name, "truncate")?.clone());
        }
        let mut place = 0;
        while let Some(table) = tables.get(place).cloned() {
            place += 1;
            for other in self.catalog.relations.values() {
                let refers = other.constraints.iter().any(|constraint| {
                    matches!(&constraint.kind, ConstraintKind::ForeignKey { table: to, .. } if *to == table.oid)
                });
                if !refers || tables.iter().any(|known| known.oid == other.oid) {
                    continue;
                }
                if !truncate.cascade {
                    let message = "cannot truncate a table referenced in a foreign key constraint";
                    return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                        .with_detail(format!("Table \"{}\" references \"{}\".", other.name, table.name))
                        .with_hint(format!(
                            "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                            other.name
                        )));
                }
                tables.push(other.clone());
            }
        }
        // Those that refer to others go first.
        for table in tables.iter().rev() {
            self.access(table.oid, crate::base::catalog::Privilege::Truncate);
            making.run(format!("DELETE FROM {}", quoted(&table.stored_as)));
            making.destroyed.push(super::drop::shown(table));
            if truncate.restart {
                for sequence in self.catalog.relations.values() {
                    if let RelationKind::Sequence(counts) = &sequence.kind
                        && counts.owned_by.is_some_and(|(oid, _)| oid == table.oid)
                    {
                        making.run(format!("SELECT fl_setval({}, {}, 0)", sequence.oid, counts.start));
                    }
                }
            }
        }
        Ok("TRUNCATE TABLE")
    }
}
