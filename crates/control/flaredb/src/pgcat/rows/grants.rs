//! `information_schema`: who may do what.

use super::base::with_rows;
use super::cell::{Rows, add, yes};
use crate::base::Relation;
use crate::base::catalog::{Grant, Privilege};
use crate::pgcat::acl::{self, Object};
use crate::pgcat::world::World;

/// Everything that is granted on a relation: the owner's own rights too.
fn granted(relation: &Relation) -> Vec<Grant> {
    let owner = &relation.owner;
    let mut all: Vec<Grant> = Vec::new();
    if !relation.grants.iter().any(|grant| grant.grantee == *owner) {
        all.extend(Object::of(&relation.kind).all().iter().map(|privilege| Grant {
            grantee: owner.clone(),
            grantor: owner.clone(),
            privilege: *privilege,
            grantable: true,
        }));
    }
    all.extend(relation.grants.iter().cloned());
    all
}

/// The standard's word for everybody.
fn grantee(name: &str) -> &str {
    if name == "public" { "PUBLIC" } else { name }
}

/// `information_schema.table_privileges` and `role_table_grants`.
pub(super) fn of_tables(world: &World<'_>, rows: &mut Rows) {
    for relation in with_rows(world) {
        for grant in granted(relation) {
            add!(rows;
                grantor: &grant.grantor,
                grantee: grantee(&grant.grantee),
                table_catalog: &world.settings.database,
                table_schema: &relation.schema,
                table_name: &relation.name,
                privilege_type: acl::word(grant.privilege),
                is_grantable: yes(grant.grantable),
                with_hierarchy: yes(grant.privilege == Privilege::Select),
            );
        }
    }
}

/// `information_schema.column_privileges` and `role_column_grants`: those of tables hold for each column.
pub(super) fn of_columns(world: &World<'_>, rows: &mut Rows) {
    use Privilege::{Insert, References, Select, Update};
    for relation in with_rows(world) {
        for grant in granted(relation) {
            if !matches!(grant.privilege, Insert | References | Select | Update) {
                continue;
            }
            for column in &relation.columns {
                add!(rows;
                    grantor: &grant.grantor,
                    grantee: grantee(&grant.grantee),
                    table_catalog: &world.settings.database,
                    table_schema: &relation.schema,
                    table_name: &relation.name,
                    column_name: &column.name,
                    privilege_type: acl::word(grant.privilege),
                    is_grantable: yes(grant.grantable),
                );
            }
        }
    }
}

/// `information_schema.enabled_roles`.
pub(super) fn enabled_roles(world: &World<'_>, rows: &mut Rows) {
    for role in world.catalog.roles.values() {
        if acl::is_member(world.catalog, &world.settings.user, &role.name, false) {
            add!(rows; role_name: &role.name);
        }
    }
}

/// `information_schema.applicable_roles`.
pub(super) fn applicable_roles(world: &World<'_>, rows: &mut Rows) {
    for role in world.catalog.roles.values() {
        if !acl::is_member(world.catalog, &world.settings.user, &role.name, false) {
            continue;
        }
        for of in &role.member_of {
            add!(rows; grantee: &role.name, role_name: of, is_grantable: "NO");
        }
    }
}
