//! `pg_roles` and its like.

use super::cell::{Rows, add, numbers};
use crate::pgcat::world::World;
use crate::pgcat::{acl, place};

/// What stands in place of a password.
const HIDDEN: &str = "********";

/// `pg_roles`, and `pg_authid`, which shows no verifier either.
pub(super) fn roles(world: &World<'_>, rows: &mut Rows) {
    for role in world.catalog.roles.values() {
        let id = (rows.name == "pg_authid").then_some(role.oid);
        // `pg_authid` begins with the OID, `pg_roles` ends with it; what a relation does not have is left out.
        match id {
            Some(oid) => add!(rows;
                oid: oid,
                rolname: &role.name,
                rolsuper: role.superuser,
                rolinherit: role.inherit,
                rolcreaterole: role.create_role,
                rolcreatedb: role.create_db,
                rolcanlogin: role.login,
                rolreplication: role.superuser,
                rolbypassrls: role.superuser,
                rolconnlimit: role.connection_limit,
                rolvaliduntil: role.valid_until,
            ),
            None => add!(rows;
                rolname: &role.name,
                rolsuper: role.superuser,
                rolinherit: role.inherit,
                rolcreaterole: role.create_role,
                rolcreatedb: role.create_db,
                rolcanlogin: role.login,
                rolreplication: role.superuser,
                rolconnlimit: role.connection_limit,
                rolpassword: HIDDEN,
                rolvaliduntil: role.valid_until,
                rolbypassrls: role.superuser,
                oid: role.oid,
            ),
        }
    }
}

/// `pg_user`.
pub(super) fn users(world: &World<'_>, rows: &mut Rows) {
    for role in world.catalog.roles.values().filter(|role| role.login) {
        add!(rows;
            usename: &role.name,
            usesysid: role.oid,
            usecreatedb: role.create_db,
            usesuper: role.superuser,
            userepl: role.superuser,
            usebypassrls: role.superuser,
            passwd: HIDDEN,
            valuntil: role.valid_until,
        );
    }
}

/// `pg_group`.
pub(super) fn groups(world: &World<'_>, rows: &mut Rows) {
    for group in world.catalog.roles.values().filter(|role| !role.login) {
        let members = world.catalog.roles.values().filter(|role| role.member_of.contains(&group.name));
        let members: Vec<u32> = members.map(|role| role.oid).collect();
        add!(rows; groname: &group.name, grosysid: group.oid, grolist: numbers(&members));
    }
}

/// `pg_auth_members`.
pub(super) fn members(world: &World<'_>, rows: &mut Rows) {
    let founder = place::role(world.catalog, &place::founder(world.catalog));
    for role in world.catalog.roles.values() {
        for of in &role.member_of {
            let of = acl::grantee(world.catalog, of);
            add!(rows; roleid: of, member: role.oid, grantor: founder, admin_option: false);
        }
    }
}
