//! What COPY reads and writes.

use crate::base::catalog::Privilege;
use crate::base::{Column, ColumnType, Relation, SqlError};

use super::no_column;
use crate::sql::expr::typed::{Form, Typed};
use crate::sql::names::{Name, quoted};
use crate::sql::plan::OutputColumn;
use crate::sql::planner::Planner;

/// The table, what a line holds, and an INSERT of one.
type CopyInto = (u32, Vec<(String, ColumnType)>, String);

impl Planner<'_> {
    pub(crate) fn copy_in(&mut self, name: &Name, columns: &[String]) -> Result<CopyInto, SqlError> {
        let relation = self.table(name, "copy to")?.clone();
        let named = self.copied_columns(&relation, name, columns)?;
        self.access(relation.oid, Privilege::Insert);
        let mut values = std::collections::BTreeMap::new();
        for (place, column) in named.iter().enumerate() {
            self.access_column((relation.oid, column.number), Privilege::Insert);
            let value = Typed::plain(format!("?{}", place + 1), column.ty, Form::Other, 0);
            values.insert(column.number, self.guarded(&relation, column, value)?.sql);
        }
        let row = self.full_row(&relation, values)?;
        let stored: Vec<String> =
            super::insert::stored(&relation).map(|column| quoted(&column.name)).collect();
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&relation.stored_as),
            stored.join(", "),
            row.join(", ")
        );
        let columns = named.into_iter().map(|column| (column.name, column.ty)).collect();
        Ok((relation.oid, columns, insert))
    }

    pub(crate) fn copy_out(
        &mut self,
        name: &Name,
        columns: &[String],
    ) -> Result<(String, Vec<OutputColumn>), SqlError> {
        let relation = self.table(name, "copy from")?.clone();
        let named = self.copied_columns(&relation, name, columns)?;
        self.access(relation.oid, Privilege::Select);
        let mut outputs = Vec::new();
        for column in &named {
            self.access_column((relation.oid, column.number), Privilege::Select);
            let origin = Some((relation.oid, column.number));
            outputs.push(OutputColumn { name: column.name.clone(), ty: column.ty, origin });
        }
        let list: Vec<String> = named.iter().map(|column| quoted(&column.name)).collect();
        let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
        Ok((format!("SELECT {list} FROM {}", quoted(&relation.stored_as)), outputs))
    }

    fn copied_columns(
        &self,
        relation: &Relation,
        name: &Name,
        columns: &[String],
    ) -> Result<Vec<Column>, SqlError> {
        if columns.is_empty() {
            return Ok(super::insert::stored(relation).cloned().collect());
        }
        columns
            .iter()
            .map(|column| {
                let written = Name { schema: None, name: column.clone(), at: name.at };
                relation.column(column).cloned().ok_or_else(|| no_column(relation, &written))
            })
            .collect()
    }
}
