//! `pg_proc`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::cell::{Rows, add, numbers};
use crate::base::rules::{Function, FunctionKind, Gives, Pattern, Volatility};
use crate::base::types::Type;
use crate::pgcat::world::World;
use crate::pgcat::{place, typed};

/// OIDs of the pseudo types of signatures.
const ANY: u32 = 2276;
const ANY_ELEMENT: u32 = 2283;
const ANY_ARRAY: u32 = 2277;
/// What reads types' text.
const CSTRING: u32 = 2275;
/// The language of what is built in.
const INTERNAL: u32 = 12;
/// Functions are numbered from here, in the order of their names. PostgreSQL gives none of its own such an OID.
const FIRST: u32 = 8000;
const HANDLERS: [(&str, u32); 2] = [("heap_tableam_handler", 3), ("bthandler", 330)];

/// A function as `pg_proc` has it.
struct Row {
    oid: u32,
    name: &'static str,
    kind: char,
    set: bool,
    volatility: char,
    result: u32,
    arguments: Vec<u32>,
    variadic: u32,
    optional: i16,
    strict: bool,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut own: Vec<&Function> = crate::functions::functions().iter().collect();
    // Where the tables of functions have taken these in, they are there twice.
    own.extend(crate::pgcat::FUNCTIONS.iter().filter(|one| crate::functions::named(one.name).is_empty()));
    own.sort_by_key(|function| function.name);
    let mut rows: Vec<Row> = own.into_iter().zip(FIRST..).map(|(one, oid)| row(one, oid)).collect();
    rows.extend(typed::all_calls().into_iter().chain(HANDLERS).map(|(name, oid)| internal(name, oid)));
    rows
});

static NAMES: LazyLock<HashMap<u32, &'static str>> =
    LazyLock::new(|| ROWS.iter().map(|row| (row.oid, row.name)).collect());

/// The name of a function of an OID.
pub(crate) fn function_name(oid: u32) -> Option<&'static str> {
    NAMES.get(&oid).copied()
}

/// The OIDs of the functions of a name.
pub(crate) fn functions_named(name: &str) -> Vec<u32> {
    ROWS.iter().filter(|row| row.name == name).map(|row| row.oid).collect()
}

/// The types of a function's arguments and of its result, by OID.
pub(crate) fn signature(oid: u32) -> Option<(&'static [u32], u32, bool)> {
    ROWS.iter().find(|row| row.oid == oid).map(|row| (row.arguments.as_slice(), row.result, row.set))
}

fn row(function: &Function, oid: u32) -> Row {
    let mut arguments: Vec<u32> = function.arguments.iter().map(|pattern| argument(*pattern)).collect();
    let variadic = function.variadic.map_or(0, argument);
    arguments.extend(function.variadic.map(argument));
    Row {
        oid,
        name: function.name,
        kind: match function.kind {
            FunctionKind::Scalar | FunctionKind::SetReturning => 'f',
            FunctionKind::Aggregate => 'a',
            FunctionKind::Window => 'w',
        },
        set: function.kind == FunctionKind::SetReturning,
        volatility: match function.volatility {
            Volatility::Immutable => 'i',
            Volatility::Stable => 's',
            Volatility::Volatile => 'v',
        },
        result: match function.result {
            Gives::Exact(ty) => ty.oid(),
            Gives::Element => ANY_ELEMENT,
            Gives::Array => ANY_ARRAY,
        },
        arguments,
        variadic,
        optional: i16::try_from(function.optional).unwrap_or(i16::MAX),
        strict: function.kind == FunctionKind::Scalar,
    }
}

fn argument(pattern: Pattern) -> u32 {
    match pattern {
        Pattern::Exact(ty) => ty.oid(),
        Pattern::AnyElement => ANY_ELEMENT,
        Pattern::AnyArray => ANY_ARRAY,
        Pattern::Any => ANY,
    }
}

/// A function that nothing calls by its name.
fn internal(name: &'static str, oid: u32) -> Row {
    Row {
        oid,
        name,
        kind: 'f',
        set: false,
        volatility: 'i',
        result: CSTRING,
        arguments: vec![CSTRING],
        variadic: 0,
        optional: 0,
        strict: true,
    }
}

/// `pg_proc`.
pub(super) fn functions(world: &World<'_>, rows: &mut Rows) {
    let owner = place::role(world.catalog, &place::founder(world.catalog));
    for row in ROWS.iter() {
        add!(rows;
            oid: row.oid,
            proname: row.name,
            pronamespace: place::PG_CATALOG,
            proowner: owner,
            prolang: INTERNAL,
            procost: 1.0,
            prorows: if row.set { 1000.0 } else { 0.0 },
            provariadic: row.variadic,
            prokind: row.kind,
            proisstrict: row.strict,
            proretset: row.set,
            provolatile: row.volatility,
            proparallel: 's',
            pronargs: i16::try_from(row.arguments.len()).unwrap_or(i16::MAX),
            pronargdefaults: row.optional,
            prorettype: row.result,
            proargtypes: numbers(&row.arguments),
            prosrc: row.name,
        );
    }
}

/// A type of a signature in the words of the standard.
pub(crate) fn type_words(oid: u32) -> String {
    match oid {
        ANY => "\"any\"".to_owned(),
        ANY_ELEMENT => "anyelement".to_owned(),
        ANY_ARRAY => "anyarray".to_owned(),
        CSTRING => "cstring".to_owned(),
        oid => Type::from_oid(oid).map_or_else(|| "???".to_owned(), crate::pgcat::format_type::plain),
    }
}
