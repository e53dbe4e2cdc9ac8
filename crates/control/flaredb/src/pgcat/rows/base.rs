//! What several relations of the system need of a user's relation.

use crate::base::{Relation, RelationKind};

use crate::pgcat::world::World;

/// `pg_class.relkind`.
pub(super) fn kind(relation: &Relation) -> char {
    match relation.kind {
        RelationKind::Table => 'r',
        RelationKind::View { .. } => 'v',
        RelationKind::Index { .. } => 'i',
        RelationKind::Sequence(_) => 'S',
    }
}

/// All tables.
pub(super) fn tables<'a>(world: &'a World<'_>) -> impl Iterator<Item = &'a Relation> {
    world
        .catalog
        .relations
        .values()
        .map(AsRef::as_ref)
        .filter(|relation: &&Relation| matches!(relation.kind, RelationKind::Table))
}

/// All tables and views.
pub(super) fn with_rows<'a>(world: &'a World<'_>) -> impl Iterator<Item = &'a Relation> {
    world.catalog.relations.values().map(AsRef::as_ref).filter(|relation: &&Relation| {
        matches!(relation.kind, RelationKind::Table | RelationKind::View { .. })
    })
}

/// Columns of every sequence.
pub(super) const SEQUENCE_COLUMNS: [(&str, crate::base::Type); 3] = [
    ("last_value", crate::base::Type::INT8),
    ("log_cnt", crate::base::Type::INT8),
    ("is_called", crate::base::Type::BOOL),
];
