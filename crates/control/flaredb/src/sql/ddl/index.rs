//! CREATE INDEX.

use crate::base::catalog::IndexKey;
use crate::base::{RelationKind, SqlError, SqlState};
use sqlparser::ast::Expr;

use super::{Making, free_name, relation};
use crate::sql::names::{folded, quoted};
use crate::sql::planner::Planner;
use crate::sql::scope::Clause;
use crate::sql::tree::CreateIndex;

impl Planner<'_> {
    pub(crate) fn create_index(
        &mut self,
        making: &mut Making,
        create: &CreateIndex,
    ) -> Result<&'static str, SqlError> {
        let table = self.table(&create.table, "create index on")?.as_ref().clone();
        let (mut keys, mut parts, mut names) = (Vec::new(), Vec::new(), vec![table.name.as_str()]);
        for part in &create.keys {
            let mut expr = &part.key.expr;
            while let Expr::Nested(inner) = expr {
                expr = inner;
            }
            let column = match expr {
                Expr::Identifier(ident) => table.column(&folded(ident)),
                _ => None,
            };
            let value = self.over_table(&table, &part.key.expr, Clause::Index, None)?;
            crate::sql::expr::sortable(&value)?;
            let direction = if part.descending { " DESC" } else { "" };
            parts.push(format!("{}{direction}", crate::sql::expr::collated(&value)));
            names.push(column.map_or("expr", |column| column.name.as_str()));
            keys.push(IndexKey {
                column: column.map_or(0, |column| column.number),
                expression: column.is_none().then(|| part.key.text.clone()),
                descending: part.descending,
                nulls_first: part.nulls_first,
            });
        }
        let name = match &create.name {
            Some(name) => name.clone(),
            None => free_name(&making.after, &table.schema, &names, "idx"),
        };
        if making.after.find(&table.schema, &name).is_some() {
            let message = format!("relation \"{name}\" already exists");
            if !create.if_not_exists {
                return Err(SqlError::new(SqlState::DUPLICATE_TABLE, message));
            }
            making.notice(SqlState::DUPLICATE_TABLE, format!("{message}, skipping"));
            return Ok("CREATE INDEX");
        }
        let filter = match &create.predicate {
            None => String::new(),
            Some(written) => {
                format!(" WHERE {}", self.over_table(&table, &written.expr, Clause::Predicate, None)?.sql)
            }
        };
        let oid = making.oid();
        let kind = RelationKind::Index {
            table: table.oid,
            unique: create.unique,
            keys,
            predicate: create.predicate.as_ref().map(|written| written.text.clone()),
            constraint: false,
        };
        let index = relation(oid, &table.schema, &name, &self.settings.user, kind);
        let unique = if create.unique { "UNIQUE " } else { "" };
        making.run(format!(
            "CREATE {unique}INDEX {} ON {} ({}){filter}",
            quoted(&index.stored_as),
            quoted(&table.stored_as),
            parts.join(", ")
        ));
        making.put(index);
        Ok("CREATE INDEX")
    }
}
