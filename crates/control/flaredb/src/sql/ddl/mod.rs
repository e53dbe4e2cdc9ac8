//! Definitions: what becomes of the catalogue, and what SQLite is told.
//!
//! A table's rules stand in its `CREATE TABLE`, which [`table::sql`] writes from the catalogue alone: so a change of
//! them is a new catalogue entry and the same text anew. Keys are indexes of their own, but for a primary key of one
//! integer, which is SQLite's row id.

mod alter;
mod column;
pub(crate) mod constraint;
pub(crate) mod drop;
mod index;
pub(crate) mod object;
mod role;
pub(crate) mod table;
mod view;

use crate::base::catalog::{CatalogChange, Grant, Privilege};
use crate::base::{Catalog, Relation, RelationKind, SqlError, SqlState};

use crate::sql::names::Name;
use crate::sql::plan::{Class, Ddl, Proof};
use crate::sql::planner::Planner;
use crate::sql::tree;

/// A definition in the making.
pub(crate) struct Making {
    /// The catalogue with what has been changed so far.
    pub(crate) after: Catalog,
    pub(crate) changes: Vec<CatalogChange>,
    pub(crate) statements: Vec<String>,
    pub(crate) proofs: Vec<Proof>,
    pub(crate) destroyed: Vec<String>,
    pub(crate) notices: Vec<SqlError>,
    pub(crate) passwords: Vec<(String, String)>,
    pub(crate) sequences: Vec<(u32, i64, bool)>,
    pub(crate) rows: bool,
    next_oid: u32,
}

impl Making {
    fn new(catalog: &Catalog) -> Self {
        Self {
            after: catalog.clone(),
            changes: Vec::new(),
            statements: Vec::new(),
            proofs: Vec::new(),
            destroyed: Vec::new(),
            notices: Vec::new(),
            passwords: Vec::new(),
            sequences: Vec::new(),
            rows: false,
            next_oid: catalog.next_oid.max(crate::base::catalog::FIRST_OID),
        }
    }

    /// An OID that nothing has.
    pub(crate) fn oid(&mut self) -> u32 {
        let oid = self.next_oid;
        self.next_oid += 1;
        oid
    }

    /// The catalogue changes so.
    pub(crate) fn change(&mut self, change: CatalogChange) {
        self.after.take(change.clone());
        self.changes.push(change);
    }

    /// There is such a relation now.
    pub(crate) fn put(&mut self, relation: Relation) {
        self.change(CatalogChange::PutRelation(relation));
    }

    /// SQLite is told so.
    pub(crate) fn run(&mut self, sql: String) {
        self.statements.push(sql);
    }

    /// Told beside the answer.
    pub(crate) fn notice(&mut self, state: SqlState, message: String) {
        self.notices.push(SqlError::new(state, message));
    }

    fn finish(self, tag: &'static str) -> Ddl {
        let class = if !self.destroyed.is_empty() {
            Class::Destructive { objects: self.destroyed }
        } else if !self.proofs.is_empty() {
            Class::Guarded { proofs: self.proofs }
        } else {
            Class::Additive
        };
        Ddl {
            tag,
            statements: self.statements,
            changes: self.changes,
            next_oid: self.next_oid,
            class,
            notices: self.notices,
            passwords: self.passwords,
            rows: self.rows,
            sequences: self.sequences,
        }
    }
}

impl Planner<'_> {
    /// A definition.
    pub(crate) fn define(&mut self, ddl: &tree::Ddl) -> Result<Ddl, SqlError> {
        let mut making = Making::new(self.catalog);
        let tag = match ddl {
            tree::Ddl::CreateTable(create) => self.create_table(&mut making, create)?,
            tree::Ddl::CreateTableAs(create) => self.create_table_as(&mut making, create)?,
            tree::Ddl::CreateIndex(create) => self.create_index(&mut making, create)?,
            tree::Ddl::CreateView(create) => self.create_view(&mut making, create)?,
            tree::Ddl::CreateSequence(create) => self.create_sequence(&mut making, create)?,
            tree::Ddl::CreateSchema { name, if_not_exists, owner } => {
                self.create_schema(&mut making, name, *if_not_exists, owner.as_deref())?
            }
            tree::Ddl::AlterTable(alter) => self.alter_table(&mut making, alter)?,
            tree::Ddl::AlterSequence(alter) => self.alter_sequence(&mut making, alter)?,
            tree::Ddl::AlterSchema { .. } => return Err(SqlError::unsupported("ALTER SCHEMA")),
            tree::Ddl::Drop(drop) => self.drop(&mut making, drop)?,
            tree::Ddl::Truncate(truncate) => self.truncate(&mut making, truncate)?,
            tree::Ddl::Comment { on, text } => self.comment(&mut making, on, text.as_deref())?,
            tree::Ddl::Grant(grant) => self.grant(&mut making, grant)?,
            tree::Ddl::GrantRole(grant) => self.grant_role(&mut making, grant)?,
            tree::Ddl::CreateRole(role) => self.create_role(&mut making, role)?,
            tree::Ddl::AlterRole(role) => self.alter_role(&mut making, role)?,
            tree::Ddl::RenameRole { .. } => return Err(SqlError::unsupported("renaming a role")),
            tree::Ddl::DropRole { names, if_exists } => self.drop_role(&mut making, names, *if_exists)?,
            tree::Ddl::Database(_) => return Err(SqlError::unsupported("a database within a statement")),
        };
        Ok(making.finish(tag))
    }

    /// A name for something new. Errors: 42P07 if it is taken.
    pub(crate) fn new_name(
        &self,
        making: &Making,
        name: &Name,
    ) -> Result<(String, Option<SqlError>), SqlError> {
        let schema = self.creation_schema(name)?;
        let taken = making.after.find(&schema, &name.name).map(|_| {
            SqlError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{}\" already exists", name.name))
        });
        Ok((schema, taken))
    }
}

/// What a relation is called in SQLite.
pub(crate) fn stored_as(schema: &str, name: &str) -> String {
    if schema == "public" { name.to_owned() } else { format!("{schema}.{name}") }
}

/// A relation that has nothing yet.
pub(crate) fn relation(oid: u32, schema: &str, name: &str, owner: &str, kind: RelationKind) -> Relation {
    Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        stored_as: stored_as(schema, name),
        kind,
        owner: owner.to_owned(),
        columns: Vec::new(),
        constraints: Vec::new(),
        grants: Vec::new(),
        comment: None,
    }
}

/// A name made of these that no relation of the schema has, as PostgreSQL makes them: `t_a_key`, `t_a_key1`.
pub(crate) fn free_name(catalog: &Catalog, schema: &str, parts: &[&str], suffix: &str) -> String {
    let base = crate::sql::names::cut(parts.join("_"));
    let mut number = 0_u32;
    loop {
        let end = if number == 0 { format!("_{suffix}") } else { format!("_{suffix}{number}") };
        let mut name = base.clone();
        while name.len() + end.len() > 63 {
            name.pop();
        }
        name.push_str(&end);
        let taken = catalog.find(schema, &name).is_some()
            || catalog.relations.values().any(|other| {
                other.schema == schema && other.constraints.iter().any(|known| known.name == name)
            });
        if !taken {
            return name;
        }
        number += 1;
    }
}

/// A grant by the owner.
pub(crate) fn granted(grantee: &str, grantor: &str, privilege: Privilege, grantable: bool) -> Grant {
    Grant { grantee: grantee.to_owned(), grantor: grantor.to_owned(), privilege, grantable }
}
