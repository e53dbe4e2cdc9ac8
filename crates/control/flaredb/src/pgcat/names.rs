//! Names and OIDs: what `regclass` and its like read and write, and which names need their schema.

use crate::base::{Catalog, Settings, SqlError, SqlState, Type};
use crate::functions::text::quote::quoted_name;

use super::{format_type, place, system};

/// Schemas that a bare name is looked up in, in order: those of the path, and `pg_catalog` before them unless it is
/// one of them.
pub(crate) fn path(catalog: &Catalog, settings: &Settings) -> Vec<String> {
    let mut path = given_path(catalog, settings);
    if !path.iter().any(|schema| schema == "pg_catalog") {
        path.insert(0, "pg_catalog".to_owned());
    }
    path
}

/// The schemas of `search_path` that there are.
pub(crate) fn given_path(catalog: &Catalog, settings: &Settings) -> Vec<String> {
    let mut path = Vec::new();
    for schema in &settings.search_path {
        let schema = if schema == "$user" { &settings.user } else { schema };
        if place::schema(catalog, schema) != 0 && !path.contains(schema) {
            path.push(schema.clone());
        }
    }
    path
}

/// The relation of a schema and a name, also one of the system.
fn find(catalog: &Catalog, schema: &str, name: &str) -> Option<u32> {
    let system = || system::find(Some(schema), name).map(|system| system.oid);
    catalog.find(schema, name).map(|relation| relation.oid).or_else(system)
}

/// The relation that a bare name means.
pub(crate) fn visible(catalog: &Catalog, settings: &Settings, name: &str) -> Option<u32> {
    path(catalog, settings).iter().find_map(|schema| find(catalog, schema, name))
}

/// Schema and name of a relation, also of one of the system.
pub(crate) fn relation(catalog: &Catalog, oid: u32) -> Option<(&str, &str)> {
    match catalog.relations.get(&oid) {
        Some(relation) => Some((&relation.schema, &relation.name)),
        None => system::by_oid(oid).map(|system| (system.schema, system.name)),
    }
}

/// `regclass` as text: with its schema if a bare name would not find it; the number if there is no such relation.
pub(crate) fn regclass_name(catalog: &Catalog, settings: &Settings, oid: u32) -> String {
    match relation(catalog, oid) {
        None if oid == 0 => "-".to_owned(),
        None => oid.to_string(),
        Some((_, name)) if visible(catalog, settings, name) == Some(oid) => quoted_name(name),
        Some((schema, name)) => qualified(schema, name),
    }
}

/// With its schema.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted_name(schema), quoted_name(name))
}

/// `regtype` as text.
pub(crate) fn regtype_name(catalog: &Catalog, settings: &Settings, oid: u32) -> String {
    let row = place::relation_of_row_type(oid).filter(|of| relation(catalog, *of).is_some());
    match (row, Type::from_oid(oid)) {
        (Some(relation), _) => regclass_name(catalog, settings, relation),
        (None, Some(ty)) => format_type::plain(ty),
        (None, None) if oid == 0 => "-".to_owned(),
        (None, None) => oid.to_string(),
    }
}

/// `regnamespace` as text.
pub(crate) fn regnamespace_name(catalog: &Catalog, oid: u32) -> String {
    named_or_number(place::schema_name(catalog, oid), oid)
}

/// `regrole` as text.
pub(crate) fn regrole_name(catalog: &Catalog, oid: u32) -> String {
    named_or_number(place::role_of(catalog, oid).map(|role| role.name.as_str()), oid)
}

/// `regproc` as text.
pub(crate) fn regproc_name(oid: u32) -> String {
    named_or_number(super::rows::function_name(oid), oid)
}

fn named_or_number(name: Option<&str>, oid: u32) -> String {
    match name {
        Some(name) => quoted_name(name),
        None if oid == 0 => "-".to_owned(),
        None => oid.to_string(),
    }
}

/// The parts of a name with dots, folded. Error: 42602, it is none.
pub(crate) fn parts(text: &str) -> Result<Vec<String>, SqlError> {
    let refused = || SqlError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(refused)?,
            None => {
                let end = rest.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(rest.len());
                let (part, behind) = rest.split_at(end);
                (part.to_ascii_lowercase(), behind)
            }
        };
        if part.is_empty() {
            return Err(refused());
        }
        parts.push(part);
        rest = behind.trim_start();
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(refused()),
        }
    }
}

/// Up to the closing quote, and what is behind it.
fn quoted_part(mut rest: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    loop {
        let (before, behind) = rest.split_once('"')?;
        part.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, behind)),
        }
    }
}

/// The OID that a text of digits is; 0 for `-`.
fn number(text: &str) -> Option<u32> {
    if text == "-" {
        return Some(0);
    }
    text.parse().ok()
}

/// `regclass` from text. Errors: 42P01 and 3F000 if there is none, 42602 if the text is no name.
pub(crate) fn regclass_of(catalog: &Catalog, settings: &Settings, text: &str) -> Result<u32, SqlError> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let missing =
        |name: &str| SqlError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
    let mut parts = parts(text)?;
    if parts.len() > 3 {
        let message = format!("improper relation name (too many dotted names): {}", parts.join("."));
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    let name = parts.pop().unwrap_or_default();
    match parts.pop() {
        None => visible(catalog, settings, &name).ok_or_else(|| missing(&name)),
        Some(schema) if place::schema(catalog, &schema) == 0 => Err(no_schema(&schema)),
        Some(schema) => find(catalog, &schema, &name).ok_or_else(|| missing(&format!("{schema}.{name}"))),
    }
}

/// `regtype` from text: a type, or a relation for its row type. Error: 42704, there is none.
pub(crate) fn regtype_of(catalog: &Catalog, settings: &Settings, text: &str) -> Result<u32, SqlError> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let words = without_modifier(text);
    let bare = words.strip_prefix("pg_catalog.").unwrap_or(&words);
    if let Some(ty) = format_type::named(bare) {
        return Ok(ty.oid());
    }
    match regclass_of(catalog, settings, text) {
        Ok(oid) => Ok(place::row_type(oid)),
        Err(_) => {
            let message = format!("type \"{text}\" does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}

/// In lower case, with single blanks, and without what is in parentheses.
fn without_modifier(text: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for c in text.trim().chars() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ if inside => {}
            ' ' if words.ends_with(' ') => {}
            c => words.push(c.to_ascii_lowercase()),
        }
    }
    words.trim_end().to_owned()
}

/// `regnamespace` from text. Error: 3F000, there is none.
pub(crate) fn regnamespace_of(catalog: &Catalog, text: &str) -> Result<u32, SqlError> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let name = parts(text)?.pop().unwrap_or_default();
    match place::schema(catalog, &name) {
        0 => Err(no_schema(&name)),
        oid => Ok(oid),
    }
}

/// `regrole` from text. Error: 42704, there is none.
pub(crate) fn regrole_of(catalog: &Catalog, text: &str) -> Result<u32, SqlError> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let name = parts(text)?.pop().unwrap_or_default();
    match place::role(catalog, &name) {
        0 => Err(no_role(&name)),
        oid => Ok(oid),
    }
}

/// `regproc` from text. Errors: 42883 if there is none, 42725 if there are several.
pub(crate) fn regproc_of(text: &str) -> Result<u32, SqlError> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let name = parts(text)?.pop().unwrap_or_default();
    match super::rows::functions_named(&name).as_slice() {
        [] => {
            let message = format!("function \"{text}\" does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
        }
        [oid] => Ok(*oid),
        _ => {
            let message = format!("more than one function named \"{text}\"");
            Err(SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message))
        }
    }
}

/// 3F000.
pub(crate) fn no_schema(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}

/// 42704.
pub(crate) fn no_role(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}
