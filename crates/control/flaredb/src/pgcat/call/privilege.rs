//! `has_table_privilege` and its like.

use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};

use super::describe::no_column;
use super::{Looking, Seen, boolean, looking, oid};
use crate::base::catalog::{Grant, Privilege, Role};
use crate::base::{RelationKind, SqlError, SqlState};
use crate::functions::call::{Answer, Call};
use crate::pgcat::acl::{self, Object};
use crate::pgcat::{names, place, system};

/// What SQLite calls: what kind of object, role, object and privileges. A role or an object is a name or an OID; a
/// role may be left out. A column stands behind its table.
pub(super) const LOOKING: &[Looking] = &[
    looking("fl_pg_may", 3, |call, seen| may(call, seen, me(seen)?, 1)),
    looking("fl_pg_may", 4, |call, seen| may(call, seen, role(call, seen, 1)?, 2)),
    looking("fl_pg_may_column", 3, |call, seen| column(call, seen, me(seen)?, 0)),
    looking("fl_pg_may_column", 4, |call, seen| column(call, seen, role(call, seen, 0)?, 1)),
    looking("fl_pg_has_role", 2, |call, seen| has_role(call, seen, me(seen)?, 0)),
    looking("fl_pg_has_role", 3, |call, seen| has_role(call, seen, role(call, seen, 0)?, 1)),
];

/// The role that asks.
fn me(seen: &Seen) -> Result<Option<Arc<Role>>, SqlError> {
    named_role(seen, &seen.settings.user)
}

fn named_role(seen: &Seen, name: &str) -> Result<Option<Arc<Role>>, SqlError> {
    seen.catalog.roles.get(name).cloned().map(Some).ok_or_else(|| names::no_role(name))
}

/// A role by name or OID. None: there is none of this OID.
fn role(call: &Call<'_>, seen: &Seen, place: usize) -> Result<Option<Arc<Role>>, SqlError> {
    match call.value(place) {
        ValueRef::Integer(_) => Ok(place::role_of(&seen.catalog, oid(call, place)?).cloned()),
        _ => named_role(seen, call.text(place)?),
    }
}

/// An object: its owner and what is granted on it.
struct Owned {
    owner: String,
    grants: Vec<Grant>,
}

/// Of the system: everybody may use it.
fn of_system(seen: &Seen, privileges: &[Privilege]) -> Owned {
    let owner = place::founder(&seen.catalog);
    let grants = privileges
        .iter()
        .map(|privilege| Grant {
            grantee: "public".to_owned(),
            grantor: owner.clone(),
            privilege: *privilege,
            grantable: false,
        })
        .collect();
    Owned { owner, grants }
}

fn relation(seen: &Seen, oid: u32) -> Option<Owned> {
    if let Some(relation) = seen.catalog.relations.get(&oid) {
        return Some(Owned { owner: relation.owner.clone(), grants: relation.grants.clone() });
    }
    system::by_oid(oid).map(|_| of_system(seen, &[Privilege::Select]))
}

fn relation_oid(call: &Call<'_>, seen: &Seen, place: usize) -> Result<u32, SqlError> {
    match call.value(place) {
        ValueRef::Integer(_) => oid(call, place),
        _ => names::regclass_of(&seen.catalog, &seen.settings, call.text(place)?),
    }
}

fn schema(call: &Call<'_>, seen: &Seen, place: usize) -> Result<Option<Owned>, SqlError> {
    let name = match call.value(place) {
        ValueRef::Integer(_) => match place::schema_name(&seen.catalog, oid(call, place)?) {
            Some(name) => name.to_owned(),
            None => return Ok(None),
        },
        _ => call.text(place)?.to_owned(),
    };
    if let Some(schema) = seen.catalog.schemas.get(&name) {
        return Ok(Some(Owned { owner: schema.owner.clone(), grants: schema.grants.clone() }));
    }
    match place::schema(&seen.catalog, &name) {
        0 => Err(names::no_schema(&name)),
        _ => Ok(Some(of_system(seen, &[Privilege::Usage]))),
    }
}

/// `kind, role?, object, privileges`; `place` is the object's.
fn may(call: &Call<'_>, seen: &Seen, role: Option<Arc<Role>>, place: usize) -> Answer {
    let object = match call.text(0)? {
        "table" => Object::Table,
        "sequence" => Object::Sequence,
        "schema" => Object::Schema,
        "database" => Object::Database,
        "function" => Object::Function,
        _ => Object::Type,
    };
    let owned = match object {
        Object::Table => relation(seen, relation_oid(call, seen, place)?),
        Object::Sequence => sequence(seen, relation_oid(call, seen, place)?)?,
        Object::Schema => schema(call, seen, place)?,
        // Who may use the others is not noted anywhere: what everybody may from the start.
        Object::Database | Object::Function | Object::Type => Some(of_system(seen, object.of_everybody())),
    };
    let wanted = wanted(object, call.text(place + 1)?)?;
    Ok(answer(seen, role, owned, &wanted))
}

fn sequence(seen: &Seen, oid: u32) -> Result<Option<Owned>, SqlError> {
    match seen.catalog.relations.get(&oid) {
        Some(one) if !matches!(one.kind, RelationKind::Sequence(_)) => {
            let message = format!("\"{}\" is not a sequence", one.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        _ => Ok(relation(seen, oid)),
    }
}

/// NULL if there is no such role or object.
fn answer(seen: &Seen, role: Option<Arc<Role>>, owned: Option<Owned>, wanted: &[(Privilege, bool)]) -> Value {
    let (Some(role), Some(owned)) = (role, owned) else { return Value::Null };
    let any = wanted.iter().any(|(privilege, handing)| {
        acl::may(&seen.catalog, &role, (&owned.owner, &owned.grants), *privilege, *handing)
    });
    boolean(any)
}

/// `select, insert with grant option`: one of these is enough.
fn wanted(object: Object, text: &str) -> Result<Vec<(Privilege, bool)>, SqlError> {
    const HANDING: &str = " with grant option";
    let one = |word: &str| {
        let lower = word.trim().to_ascii_lowercase();
        let (name, handing) = match lower.strip_suffix(HANDING) {
            Some(name) => (name, true),
            None => (lower.as_str(), false),
        };
        let privilege = acl::named(name.trim()).filter(|privilege| object.all().contains(privilege));
        privilege.map(|privilege| (privilege, handing)).ok_or_else(|| unrecognized(word.trim()))
    };
    text.split(',').map(one).collect()
}

/// 22023.
fn unrecognized(word: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized privilege type: \"{word}\""))
}

/// `role?, table, column, privileges`; `place` is the table's. What may be done to a table may be to its columns.
fn column(call: &Call<'_>, seen: &Seen, role: Option<Arc<Role>>, place: usize) -> Answer {
    let oid = relation_oid(call, seen, place)?;
    let wanted = wanted(Object::Table, call.text(place + 2)?)?;
    let Some(table) = seen.catalog.relations.get(&oid) else {
        return Ok(answer(seen, role, relation(seen, oid), &wanted));
    };
    match call.value(place + 1) {
        ValueRef::Integer(number) => {
            if !table.columns.iter().any(|column| i64::from(column.number) == number) {
                return Ok(Value::Null);
            }
        }
        _ => {
            let name = call.text(place + 1)?;
            table.column(name).ok_or_else(|| no_column(name, &table.name))?;
        }
    }
    Ok(answer(seen, role, relation(seen, oid), &wanted))
}

/// `role?, other role, USAGE or MEMBER`; `place` is the other role's.
fn has_role(call: &Call<'_>, seen: &Seen, who: Option<Arc<Role>>, place: usize) -> Answer {
    let of = role(call, seen, place)?;
    let words = call.text(place + 1)?;
    let mut any = false;
    let (Some(who), Some(of)) = (who, of) else { return Ok(Value::Null) };
    for word in words.split(',') {
        let lower = word.trim().to_ascii_lowercase();
        let kind = lower.split(' ').next().unwrap_or_default();
        let inherited = match kind {
            "usage" => true,
            "member" | "set" => false,
            _ => return Err(unrecognized(word.trim())),
        };
        // Only superusers hand on membership.
        any |=
            who.superuser || kind == lower && acl::is_member(&seen.catalog, &who.name, &of.name, inherited);
    }
    Ok(boolean(any))
}
