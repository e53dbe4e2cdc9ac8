//! Definitions, comments and names of what an OID is.

use rusqlite::types::Value;

use super::{Looking, Seen, boolean, looking, oid, optional};
use crate::base::{RelationKind, SqlError, SqlState};
use crate::functions::call::{Answer, Call};
use crate::pgcat::acl::{self, Object};
use crate::pgcat::{definition, names, place, rows};

/// What SQLite calls. A flag `pretty` stands last.
pub(super) const LOOKING: &[Looking] = &[
    looking("fl_pg_get_constraintdef", 2, constraint),
    looking("fl_pg_get_indexdef", 3, index),
    looking("fl_pg_get_viewdef", 1, view),
    looking("fl_pg_get_ruledef", 2, rule),
    looking("fl_pg_get_expr", 2, |call, _| Ok(definition::condition(call.text(0)?, call.bool(1)?).into())),
    looking("fl_pg_get_userbyid", 1, role),
    looking("fl_pg_get_serial_sequence", 2, serial_sequence),
    looking("fl_pg_obj_description", 2, comment),
    looking("fl_pg_col_description", 2, column_comment),
    looking("fl_pg_get_function_result", 1, result),
    looking("fl_pg_get_function_arguments", 1, arguments),
    looking("fl_pg_relation_is_publishable", 1, |call, seen| {
        let relation = seen.catalog.relations.get(&oid(call, 0)?);
        Ok(relation.map_or(Value::Null, |relation| boolean(relation.kind == RelationKind::Table)))
    }),
    looking("fl_pg_acldefault", 2, default_acl),
    looking("fl_pg_size_pretty", 1, |call, _| Ok(pretty_size(call.int(0)?).into())),
];

fn constraint(call: &Call<'_>, seen: &Seen) -> Answer {
    let (catalog, settings) = (&seen.catalog, &seen.settings);
    let found = place::constraint(catalog, oid(call, 0)?);
    let pretty = call.bool(1)?;
    optional(found.map(|(table, constraint)| {
        definition::constraint_definition(catalog, settings, table, constraint, pretty)
    }))
}

/// The whole index with column 0, or the column.
fn index(call: &Call<'_>, seen: &Seen) -> Answer {
    let (number, pretty) = (call.int(1)?, call.bool(2)?);
    let Some(index) = seen.catalog.relations.get(&oid(call, 0)?) else { return Ok(Value::Null) };
    if number == 0 {
        return optional(definition::index_definition(&seen.catalog, &seen.settings, index, pretty));
    }
    let (RelationKind::Index { keys, .. }, Some(table)) =
        (&index.kind, place::table_of(&seen.catalog, index))
    else {
        return Ok(Value::Null);
    };
    let key = usize::try_from(number - 1).ok().and_then(|at| keys.get(at));
    Ok(key.map(|key| definition::key_definition(table, key, pretty)).unwrap_or_default().into())
}

/// By OID, or by name.
fn view(call: &Call<'_>, seen: &Seen) -> Answer {
    let of = match call.value(0) {
        rusqlite::types::ValueRef::Integer(_) => oid(call, 0)?,
        _ => names::regclass_of(&seen.catalog, &seen.settings, call.text(0)?)?,
    };
    optional(seen.catalog.relations.get(&of).and_then(|relation| match &relation.kind {
        RelationKind::View { definition } => Some(definition::view_definition(definition)),
        _ => None,
    }))
}

fn rule(call: &Call<'_>, seen: &Seen) -> Answer {
    let (of, pretty) = (oid(call, 0)?, call.bool(1)?);
    optional(seen.catalog.relations.values().find(|one| place::rule(one.oid) == of).and_then(|view| {
        let RelationKind::View { definition } = &view.kind else { return None };
        let name = match pretty {
            true => names::regclass_name(&seen.catalog, &seen.settings, view.oid),
            false => names::qualified(&view.schema, &view.name),
        };
        let definition = definition::view_definition(definition);
        Some(format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {definition}"))
    }))
}

fn role(call: &Call<'_>, seen: &Seen) -> Answer {
    let oid = oid(call, 0)?;
    let role = place::role_of(&seen.catalog, oid).map(|role| role.name.clone());
    Ok(role.unwrap_or_else(|| format!("unknown (OID={oid})")).into())
}

fn serial_sequence(call: &Call<'_>, seen: &Seen) -> Answer {
    let (of, column) = (call.text(0)?, call.text(1)?);
    let table = names::regclass_of(&seen.catalog, &seen.settings, of)?;
    let Some(table) = seen.catalog.relations.get(&table) else { return Ok(Value::Null) };
    let Some(found) = table.column(column) else {
        return Err(no_column(column, &table.name));
    };
    let sequence = place::sequence_of(&seen.catalog, table.oid, found.number);
    optional(sequence.map(|sequence| names::qualified(&sequence.schema, &sequence.name)))
}

/// 42703.
pub(super) fn no_column(column: &str, relation: &str) -> SqlError {
    let message = format!("column \"{column}\" of relation \"{relation}\" does not exist");
    SqlError::new(SqlState::UNDEFINED_COLUMN, message)
}

/// Only relations have comments; those of other catalogues are none.
fn comment(call: &Call<'_>, seen: &Seen) -> Answer {
    let class = call.text(1)?;
    if class != "pg_class" && !class.is_empty() {
        return Ok(Value::Null);
    }
    optional(seen.catalog.relations.get(&oid(call, 0)?).and_then(|relation| relation.comment.clone()))
}

fn column_comment(call: &Call<'_>, seen: &Seen) -> Answer {
    let number = call.int(1)?;
    let relation = seen.catalog.relations.get(&oid(call, 0)?);
    let column = relation.and_then(|one| one.columns.iter().find(|one| i64::from(one.number) == number));
    optional(column.and_then(|column| column.comment.clone()))
}

fn result(call: &Call<'_>, _seen: &Seen) -> Answer {
    optional(rows::signature(oid(call, 0)?).map(|(_, result, set)| {
        let result = rows::type_words(result);
        if set { format!("SETOF {result}") } else { result }
    }))
}

fn arguments(call: &Call<'_>, _seen: &Seen) -> Answer {
    optional(rows::signature(oid(call, 0)?).map(|(arguments, ..)| {
        arguments.iter().map(|one| rows::type_words(*one)).collect::<Vec<_>>().join(", ")
    }))
}

/// What everybody and an owner may do from the start, by the letter of the kind of object.
fn default_acl(call: &Call<'_>, seen: &Seen) -> Answer {
    let object = match call.text(0)? {
        "r" => Object::Table,
        "s" => Object::Sequence,
        "n" => Object::Schema,
        "d" => Object::Database,
        "f" => Object::Function,
        "T" => Object::Type,
        "c" => return Ok("[]".to_owned().into()),
        other => {
            let message = format!("unrecognized object type abbreviation: {other}");
            return Err(SqlError::new(SqlState::INTERNAL_ERROR, message));
        }
    };
    let owner = oid(call, 1)?;
    let owner =
        place::role_of(&seen.catalog, owner).map_or_else(|| owner.to_string(), |one| one.name.clone());
    Ok(serde_json::to_string(&acl::default_items(object, &owner)).unwrap_or_default().into())
}

/// `8192 bytes`, `24 kB`: the largest unit of which there are ten or more.
fn pretty_size(bytes: i64) -> String {
    const BYTES: u64 = 10 * 1024;
    const HALVES: u64 = 20 * 1024 - 1;
    if bytes.unsigned_abs() < BYTES {
        return format!("{bytes} bytes");
    }
    // Halves of the unit, so that the last step can round.
    let mut halves = bytes / 512;
    let units = ["kB", "MB", "GB", "TB"];
    for unit in units {
        if halves.unsigned_abs() < HALVES {
            return format!("{} {unit}", (halves + halves.signum()) / 2);
        }
        halves /= 1024;
    }
    format!("{} PB", (halves + halves.signum()) / 2)
}
