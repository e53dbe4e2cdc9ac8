//! DROP.

use crate::base::catalog::CatalogChange;
use crate::base::{ConstraintKind, Relation, RelationKind, SqlError, SqlState};

use super::Making;
use crate::sql::names::quoted;
use crate::sql::planner::Planner;
use crate::sql::tree::{Drop, Kind};

impl Planner<'_> {
    pub(crate) fn drop(&mut self, making: &mut Making, drop: &Drop) -> Result<&'static str, SqlError> {
        let (tag, word) = match drop.kind {
            Kind::Table => ("DROP TABLE", "table"),
            Kind::View => ("DROP VIEW", "view"),
            Kind::Index => ("DROP INDEX", "index"),
            Kind::Sequence => ("DROP SEQUENCE", "sequence"),
            Kind::Schema => return self.drop_schema(making, drop),
        };
        for name in &drop.names {
            let Some(relation) = self.find(name) else {
                let message = format!("{word} \"{}\" does not exist", name.name);
                if drop.if_exists {
                    making.notice(SqlState::UNDEFINED_TABLE, format!("{message}, skipping"));
                    continue;
                }
                return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message));
            };
            let relation = relation.as_ref().clone();
            if !is_of(&relation, drop.kind) {
                let message = format!(
                    "\"{}\" is not a{} {word}",
                    relation.name,
                    if word == "index" { "n" } else { "" }
                );
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            self.drop_relation(making, &relation, drop.cascade)?;
        }
        Ok(tag)
    }

    fn drop_schema(&mut self, making: &mut Making, drop: &Drop) -> Result<&'static str, SqlError> {
        for name in &drop.names {
            let name = &name.name;
            if !self.catalog.schemas.contains_key(name) {
                let message = format!("schema \"{name}\" does not exist");
                if drop.if_exists {
                    making.notice(SqlState::INVALID_SCHEMA_NAME, format!("{message}, skipping"));
                    continue;
                }
                return Err(SqlError::new(SqlState::INVALID_SCHEMA_NAME, message));
            }
            let inside: Vec<Relation> = self
                .catalog
                .relations
                .values()
                .filter(|relation| relation.schema == *name)
                .map(|relation| relation.as_ref().clone())
                .collect();
            if !inside.is_empty() && !drop.cascade {
                return Err(in_use(&format!("schema {name}"), &inside));
            }
            for relation in inside {
                if making.after.relations.contains_key(&relation.oid) {
                    self.drop_relation(making, &relation, true)?;
                }
            }
            making.change(CatalogChange::DropSchema(name.clone()));
        }
        Ok("DROP SCHEMA")
    }

    /// It goes, and what cannot be without it.
    pub(crate) fn drop_relation(
        &mut self,
        making: &mut Making,
        relation: &Relation,
        cascade: bool,
    ) -> Result<(), SqlError> {
        if let RelationKind::Index { table, constraint: true, .. } = &relation.kind {
            let table =
                making.after.relations.get(table).map_or_else(String::new, |table| table.name.clone());
            let message = format!(
                "cannot drop index {} because constraint {} on table {table} requires it",
                relation.name, relation.name
            );
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_hint(format!("You can drop constraint {} on table {table} instead.", relation.name)));
        }
        let dependents = self.dependents(making, relation);
        if !dependents.is_empty() && !cascade {
            let kind = kind_word(relation);
            return Err(in_use(&format!("{kind} {}", relation.name), &dependents));
        }
        // What refers to a table stays, without the reference; views go.
        for dependent in dependents {
            match dependent.kind {
                RelationKind::View { .. } => self.drop_relation(making, &dependent, true)?,
                _ => self.drop_references(making, &dependent, relation.oid)?,
            }
        }
        self.drop_owned(making, relation);
        Ok(())
    }

    fn drop_owned(&mut self, making: &mut Making, relation: &Relation) {
        let owned: Vec<u32> = making
            .after
            .relations
            .values()
            .filter(|other| match &other.kind {
                RelationKind::Index { table, .. } => *table == relation.oid,
                RelationKind::Sequence(counts) => counts.owned_by.is_some_and(|(oid, _)| oid == relation.oid),
                _ => false,
            })
            .map(|other| other.oid)
            .collect();
        for oid in owned {
            making.change(CatalogChange::DropRelation(oid));
        }
        match &relation.kind {
            RelationKind::Table => {
                making.run(format!("DROP TABLE {}", quoted(&relation.stored_as)));
                making.destroyed.push(shown(relation));
            }
            RelationKind::Index { .. } => making.run(format!("DROP INDEX {}", quoted(&relation.stored_as))),
            RelationKind::View { .. } | RelationKind::Sequence(_) => {}
        }
        making.change(CatalogChange::DropRelation(relation.oid));
    }

    /// A table without its references to another.
    fn drop_references(&mut self, making: &mut Making, table: &Relation, to: u32) -> Result<(), SqlError> {
        let mut table = table.clone();
        table.constraints.retain(
            |constraint| !matches!(&constraint.kind, ConstraintKind::ForeignKey { table, .. } if *table == to),
        );
        self.redefine(making, &table)
    }

    /// Views that read it, and tables that refer to it or draw from it.
    fn dependents(&mut self, making: &Making, relation: &Relation) -> Vec<Relation> {
        let mut found = Vec::new();
        for other in making.after.relations.values() {
            if other.oid == relation.oid {
                continue;
            }
            let depends = match &other.kind {
                RelationKind::View { definition } => self.view_reads(definition).contains(&relation.oid),
                RelationKind::Table => other.constraints.iter().any(|constraint| {
                    matches!(&constraint.kind, ConstraintKind::ForeignKey { table, .. } if *table == relation.oid)
                }),
                _ => false,
            };
            if depends {
                found.push(other.as_ref().clone());
            }
        }
        found
    }

    /// The relations that a view's query reads.
    fn view_reads(&mut self, definition: &str) -> std::collections::BTreeSet<u32> {
        let before = std::mem::take(&mut self.touched.reads);
        if let Ok(parsed) = crate::sql::parse(definition)
            && let [parsed] = parsed.as_slice()
            && let crate::sql::tree::Statement::Query(query) = &parsed.statement
        {
            // What cannot be planned any more reads nothing that is known.
            let _ = self.as_view(|planner| planner.query(query));
        }
        std::mem::replace(&mut self.touched.reads, before)
    }
}

fn is_of(relation: &Relation, kind: Kind) -> bool {
    matches!(
        (&relation.kind, kind),
        (RelationKind::Table, Kind::Table)
            | (RelationKind::View { .. }, Kind::View)
            | (RelationKind::Index { .. }, Kind::Index)
            | (RelationKind::Sequence(_), Kind::Sequence)
    )
}

fn kind_word(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Table => "table",
        RelationKind::View { .. } => "view",
        RelationKind::Index { .. } => "index",
        RelationKind::Sequence(_) => "sequence",
    }
}

/// As an acknowledgement names it.
pub(crate) fn shown(relation: &Relation) -> String {
    if relation.schema == "public" {
        relation.name.clone()
    } else {
        format!("{}.{}", relation.schema, relation.name)
    }
}

fn in_use(what: &str, by: &[Relation]) -> SqlError {
    let message = format!("cannot drop {what} because other objects depend on it");
    let lines: Vec<String> =
        by.iter().map(|other| format!("{} {} depends on {what}", kind_word(other), other.name)).collect();
    SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(lines.join("\n"))
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
}
