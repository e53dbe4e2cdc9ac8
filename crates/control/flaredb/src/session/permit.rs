//! Who may do what: a role's own, what it was granted, and what roles that it belongs to were.

use crate::base::catalog::{CatalogChange, Grant, Privilege, is_member};
use crate::base::{Catalog, RelationKind, SqlError, SqlState};
use crate::sql::plan::{Kind, Plan};

/// Refuses what the role may not do. Errors: 42501.
pub(super) fn check(plan: &Plan, catalog: &Catalog, user: &str) -> Result<(), SqlError> {
    if catalog.roles.get(user).is_some_and(|role| role.superuser) {
        return Ok(());
    }
    for access in &plan.accesses {
        let Some(relation) = catalog.relations.get(&access.relation) else { continue };
        let owned = is_member(catalog, user, &relation.owner);
        if !owned && !granted(&relation.grants, catalog, user, access.privilege) {
            let kind = match relation.kind {
                RelationKind::View { .. } => "view",
                RelationKind::Sequence(_) => "sequence",
                _ => "table",
            };
            return Err(denied(kind, &relation.name));
        }
    }
    match &plan.kind {
        Kind::Ddl(ddl) => ddl.changes.iter().try_for_each(|change| may_change(change, catalog, user)),
        Kind::Explain { plan, .. } | Kind::Declare { query: plan, .. } => check(plan, catalog, user),
        _ => Ok(()),
    }
}

fn denied(kind: &str, name: &str) -> SqlError {
    SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for {kind} {name}"))
}

fn granted(grants: &[Grant], catalog: &Catalog, user: &str, privilege: Privilege) -> bool {
    grants.iter().any(|grant| {
        grant.privilege == privilege
            && (grant.grantee == "public" || is_member(catalog, user, &grant.grantee))
    })
}

fn may_change(change: &CatalogChange, catalog: &Catalog, user: &str) -> Result<(), SqlError> {
    let own = |owner: &str, what: &str, name: &str| {
        if is_member(catalog, user, owner) {
            return Ok(());
        }
        let message = format!("must be owner of {what} {name}");
        Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
    };
    match change {
        CatalogChange::PutRelation(relation) => match catalog.relations.get(&relation.oid) {
            Some(before) => own(&before.owner, "relation", &before.name),
            None => match catalog.schemas.get(&relation.schema) {
                Some(schema)
                    if is_member(catalog, user, &schema.owner)
                        || granted(&schema.grants, catalog, user, Privilege::Create) =>
                {
                    Ok(())
                }
                _ => Err(denied("schema", &relation.schema)),
            },
        },
        CatalogChange::DropRelation(oid) => match catalog.relations.get(oid) {
            Some(relation) => own(&relation.owner, "relation", &relation.name),
            None => Ok(()),
        },
        CatalogChange::PutSchema(schema) => match catalog.schemas.get(&schema.name) {
            Some(before) => own(&before.owner, "schema", &before.name),
            None => Err(denied("database", &schema.name)),
        },
        CatalogChange::DropSchema(name) => match catalog.schemas.get(name) {
            Some(schema) => own(&schema.owner, "schema", name),
            None => Ok(()),
        },
        // The planner has asked for CREATEROLE.
        CatalogChange::PutRole(_) | CatalogChange::DropRole(_) => Ok(()),
    }
}
