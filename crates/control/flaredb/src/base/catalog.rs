//! What a database holds: its schemas, relations, columns, constraints, sequences, roles.
//!
//! A catalogue is immutable: a change makes a new one of a higher version. It is kept in the database itself, a
//! row of JSON for each object, so that it is replicated, backed up and rolled back with the data it describes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::types::ColumnType;

/// Everything, as of one version. Cheap to clone behind an `Arc`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Catalog {
    /// Rises with every change. A plan made for one version is not valid for another.
    pub(crate) version: u64,
    /// The next OID to be given out; those of users begin at 16384 as PostgreSQL's do.
    pub(crate) next_oid: u32,
    /// By name.
    pub(crate) schemas: BTreeMap<String, Arc<Schema>>,
    /// By OID.
    pub(crate) relations: BTreeMap<u32, Arc<Relation>>,
    /// By name.
    pub(crate) roles: BTreeMap<String, Arc<Role>>,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) owner: String,
    /// Who may do what, beside the owner.
    #[serde(default)]
    pub(crate) grants: Vec<Grant>,
}

/// A table, a view, an index or a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: RelationKind,
    pub(crate) owner: String,
    /// What it is called in SQLite: the name for those of `public`, `schema.name` for others.
    pub(crate) stored_as: String,
    /// In the order of their numbers. Those of a sequence are none.
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
    /// Of a table.
    #[serde(default)]
    pub(crate) constraints: Vec<Constraint>,
    /// Who may do what, beside the owner.
    #[serde(default)]
    pub(crate) grants: Vec<Grant>,
    /// `COMMENT ON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

/// What a relation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RelationKind {
    /// Rows.
    Table,
    /// A query with a name.
    View {
        /// As PostgreSQL's SQL, as it was written.
        definition: String,
    },
    /// An index.
    Index {
        /// The table's OID.
        table: u32,
        unique: bool,
        /// Columns or expressions, in order.
        keys: Vec<IndexKey>,
        /// The `WHERE` of a partial index, as PostgreSQL's SQL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        predicate: Option<String>,
        /// Whether it stands for a primary key or unique constraint of the table, which goes with it.
        constraint: bool,
    },
    /// A counter.
    Sequence(SequenceOptions),
}

/// A part of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexKey {
    /// The column's number; 0 for an expression.
    pub(crate) column: i16,
    /// The expression, as PostgreSQL's SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expression: Option<String>,
    #[serde(default)]
    pub(crate) descending: bool,
    #[serde(default)]
    pub(crate) nulls_first: bool,
}

/// How a sequence counts. Its position is kept beside the data, not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SequenceOptions {
    pub(crate) ty: ColumnType,
    pub(crate) start: i64,
    pub(crate) increment: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) cycle: bool,
    /// The table's OID and column's number that it goes with, if any (`OWNED BY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owned_by: Option<(u32, i16)>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// From 1; numbers of dropped columns are not given out again.
    pub(crate) number: i16,
    pub(crate) name: String,
    pub(crate) ty: ColumnType,
    #[serde(default)]
    pub(crate) not_null: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Expression>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Identity>,
    /// `GENERATED ALWAYS AS (…) STORED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generated: Option<Expression>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

/// An expression, as it was written and as it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expression {
    /// PostgreSQL's SQL.
    pub(crate) written: String,
    /// SQLite's SQL, giving the value as it is kept.
    pub(crate) evaluated: String,
}

/// Who gives an identity column its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Identity {
    /// The sequence, unless OVERRIDING SYSTEM VALUE is said.
    Always,
    /// The sequence, if nobody else does.
    ByDefault,
}

/// A rule of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Constraint {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) kind: ConstraintKind,
    /// Numbers of the columns it is about, in its order.
    pub(crate) columns: Vec<i16>,
    /// Of a primary key: its only column is SQLite's row id.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) row_id: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_false(it: &bool) -> bool {
    !*it
}

/// What a constraint demands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConstraintKind {
    /// By the index of this OID.
    PrimaryKey { index: u32 },
    /// By the index of this OID.
    Unique { index: u32 },
    /// As PostgreSQL's SQL.
    Check { expression: String },
    /// To the columns of another table.
    ForeignKey { table: u32, columns: Vec<i16>, on_delete: Action, on_update: Action, deferred: bool },
}

/// What a foreign key does when what it refers to goes or changes.
#[expect(clippy::enum_variant_names, reason = "the standard's words")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// Somebody who may be let in, or a group of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) superuser: bool,
    pub(crate) login: bool,
    pub(crate) inherit: bool,
    pub(crate) create_role: bool,
    pub(crate) create_db: bool,
    /// `SCRAM-SHA-256$…`; none: no password lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verifier: Option<String>,
    /// Connections at a time; -1: no limit.
    pub(crate) connection_limit: i32,
    /// Until when the password is good: microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<i64>,
    /// Roles that it belongs to.
    #[serde(default)]
    pub(crate) member_of: Vec<String>,
}

/// What one role may do to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// `public`: everybody.
    pub(crate) grantee: String,
    pub(crate) grantor: String,
    pub(crate) privilege: Privilege,
    /// It may be handed on.
    #[serde(default)]
    pub(crate) grantable: bool,
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Usage,
    Create,
    Connect,
    Temporary,
    Execute,
}

/// The first OID of a user's object.
pub(crate) const FIRST_OID: u32 = 16384;

impl Catalog {
    /// The relation of a schema and a name.
    pub(crate) fn find(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.relations.values().find(|relation| relation.name == name && relation.schema == schema)
    }

    /// The indexes of a table.
    pub(crate) fn indexes_of(&self, table: u32) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values().filter(
            move |relation| matches!(relation.kind, RelationKind::Index { table: of, .. } if of == table),
        )
    }
}

impl Relation {
    /// The column of a name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The numbers of the columns of the primary key.
    pub(crate) fn primary_key(&self) -> Option<&Constraint> {
        self.constraints
            .iter()
            .find(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }))
    }
}

/// Whether a role is another, or belongs to it by way of any number of others.
pub(crate) fn is_member(catalog: &Catalog, role: &str, of: &str) -> bool {
    let (mut seen, mut next) = (std::collections::BTreeSet::new(), vec![role.to_owned()]);
    while let Some(name) = next.pop() {
        if name == of {
            return true;
        }
        if seen.insert(name.clone())
            && let Some(role) = catalog.roles.get(&name)
        {
            next.extend(role.member_of.iter().cloned());
        }
    }
    false
}

/// A change of the catalogue, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CatalogChange {
    /// There is such a schema now, or it is so now.
    PutSchema(Schema),
    /// By name.
    DropSchema(String),
    /// There is such a relation now, or it is so now.
    PutRelation(Relation),
    /// By OID.
    DropRelation(u32),
    /// There is such a role now, or it is so now.
    PutRole(Role),
    /// By name.
    DropRole(String),
}

impl Catalog {
    /// The catalogue after these changes: one version higher.
    #[must_use]
    pub(crate) fn after(&self, changes: &[CatalogChange], next_oid: u32) -> Self {
        let mut after = self.clone();
        after.version += 1;
        after.next_oid = after.next_oid.max(next_oid);
        for change in changes {
            after.take(change.clone());
        }
        after
    }

    /// Takes one change in, and leaves the version as it is.
    pub(crate) fn take(&mut self, change: CatalogChange) {
        match change {
            CatalogChange::PutSchema(schema) => {
                self.schemas.insert(schema.name.clone(), Arc::new(schema));
            }
            CatalogChange::DropSchema(name) => {
                self.schemas.remove(&name);
            }
            CatalogChange::PutRelation(relation) => {
                self.relations.insert(relation.oid, Arc::new(relation));
            }
            CatalogChange::DropRelation(oid) => {
                self.relations.remove(&oid);
            }
            CatalogChange::PutRole(role) => {
                self.roles.insert(role.name.clone(), Arc::new(role));
            }
            CatalogChange::DropRole(name) => {
                self.roles.remove(&name);
            }
        }
    }
}
