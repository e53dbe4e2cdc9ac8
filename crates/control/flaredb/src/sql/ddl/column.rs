//! Columns to be: types, defaults, identity, generation.

use crate::base::catalog::{Expression, Identity, SequenceOptions};
use crate::base::{Column, ColumnType, Relation, RelationKind, SqlError, SqlState, Type};
use sqlparser::ast::DataType;

use super::table::plain_column;
use super::{Making, free_name, relation};
use crate::sql::planner::Planner;
use crate::sql::scope::Clause;
use crate::sql::tree::{ColumnDef, ColumnRule, SequenceOption, Written};
use crate::sql::types;

impl Planner<'_> {
    /// A column of a new table, or one more of an old one. Its sequence, if it has one, comes with it.
    pub(crate) fn new_column(
        &mut self,
        making: &mut Making,
        table: &Relation,
        definition: &ColumnDef,
    ) -> Result<Column, SqlError> {
        if table.column(&definition.name).is_some() {
            let message = format!("column \"{}\" specified more than once", definition.name);
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message).at(definition.at));
        }
        let number = table.columns.iter().map(|column| column.number).max().unwrap_or(0) + 1;
        let (ty, serial) = self.column_type(&definition.ty, definition.at)?;
        let mut column = plain_column(number, &definition.name, ty);
        if serial {
            let oid = self.own_sequence(making, table, &column, &[])?;
            let written = format!("nextval('{}'::regclass)", self.sequence_name(making, oid));
            column.default = Some(Expression { written, evaluated: format!("fl_nextval({oid})") });
            column.not_null = true;
        }
        for rule in &definition.rules {
            self.column_rule(making, table, &mut column, rule)?;
        }
        Ok(column)
    }

    fn column_rule(
        &mut self,
        making: &mut Making,
        table: &Relation,
        column: &mut Column,
        rule: &ColumnRule,
    ) -> Result<(), SqlError> {
        match rule {
            ColumnRule::NotNull => column.not_null = true,
            ColumnRule::Null => {}
            ColumnRule::Default(default) => column.default = self.default_expression(column, default)?,
            ColumnRule::Identity { always, options } => {
                if !matches!(column.ty.ty, Type::INT2 | Type::INT4 | Type::INT8) {
                    let message = "identity column type must be smallint, integer, or bigint";
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
                self.own_sequence(making, table, column, options)?;
                column.identity = Some(if *always { Identity::Always } else { Identity::ByDefault });
                column.not_null = true;
            }
            // Once all columns are there.
            ColumnRule::Generated(_) | ColumnRule::Constraint(_) => {}
        }
        Ok(())
    }

    /// What needs the other columns: generated ones.
    pub(crate) fn finish_columns(
        &mut self,
        _making: &mut Making,
        table: &mut Relation,
        definitions: &[ColumnDef],
    ) -> Result<(), SqlError> {
        for definition in definitions {
            for rule in &definition.rules {
                let ColumnRule::Generated(written) = rule else { continue };
                let Some(column) = table.column(&definition.name).cloned() else { continue };
                let value = self.over_table(
                    table,
                    &written.expr,
                    Clause::Generated,
                    Some((&column.name, column.ty)),
                )?;
                let generated = Expression { written: written.text.clone(), evaluated: value.sql };
                for known in table.columns.iter_mut().filter(|known| known.number == column.number) {
                    known.generated = Some(generated.clone());
                }
            }
        }
        Ok(())
    }

    /// A type; the serial ones are integers with a sequence.
    fn column_type(&self, ty: &DataType, at: u32) -> Result<(ColumnType, bool), SqlError> {
        if let Some(ty) = types::serial(ty) {
            return Ok((ty.into(), true));
        }
        let ty =
            types::of(ty).map_err(|error| if error.position.is_some() { error } else { error.at(at) })?;
        if matches!(ty.ty, Type::UNKNOWN | Type::VOID | Type::RECORD) {
            let message = format!("column has pseudo-type {}", types::shown(ty.ty));
            return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message).at(at));
        }
        Ok((ty, false))
    }

    /// A default; none if it is NULL.
    pub(crate) fn default_expression(
        &mut self,
        column: &Column,
        written: &Written,
    ) -> Result<Option<Expression>, SqlError> {
        let nothing = relation(0, "", "", "", RelationKind::Table);
        let value =
            self.over_table(&nothing, &written.expr, Clause::Default, Some((&column.name, column.ty)))?;
        if value.form == crate::sql::expr::Form::Null {
            return Ok(None);
        }
        Ok(Some(Expression { written: written.text.clone(), evaluated: value.sql }))
    }

    /// A sequence that goes with a column.
    pub(crate) fn own_sequence(
        &mut self,
        making: &mut Making,
        table: &Relation,
        column: &Column,
        options: &[SequenceOption],
    ) -> Result<u32, SqlError> {
        let oid = making.oid();
        let name = free_name(&making.after, &table.schema, &[&table.name, &column.name], "seq");
        let mut counts = super::object::default_options(column.ty)?;
        super::object::apply_options(&mut counts, options)?;
        counts.owned_by = Some((table.oid, column.number));
        let kind = RelationKind::Sequence(SequenceOptions { ..counts });
        let sequence = relation(oid, &table.schema, &name, &self.settings.user, kind);
        making.put(sequence);
        Ok(oid)
    }

    fn sequence_name(&self, making: &Making, oid: u32) -> String {
        let Some(sequence) = making.after.relations.get(&oid) else { return String::new() };
        let name = crate::sql::names::as_written(&sequence.name);
        if sequence.schema == "public" { name } else { format!("{}.{name}", sequence.schema) }
    }
}
