//! What `pg_type` and `pg_opclass` say of a type, beside its name, OID and size.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::base::types::{Element, Type};

/// A line for each type that is no array: name, category, preferred, by value, alignment, storage, collation, and
/// name and OID of each of the functions that read and write it as text and as bytes.
const FACTS: &str = include_str!("types.txt");

/// What is said of a type.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) category: &'static str,
    pub(crate) preferred: bool,
    pub(crate) by_value: bool,
    pub(crate) alignment: &'static str,
    pub(crate) storage: &'static str,
    /// OID; 0: none.
    pub(crate) collation: u32,
    /// `typinput`, `typoutput`, `typreceive`, `typsend`: names and OIDs.
    pub(crate) calls: [(&'static str, u32); 4],
}

static BY_NAME: LazyLock<HashMap<&'static str, Facts>> =
    LazyLock::new(|| FACTS.lines().filter_map(facts_of_line).collect());

/// What arrays are read and written by.
pub(crate) const ARRAY_CALLS: [(&str, u32); 4] =
    [("array_in", 750), ("array_out", 751), ("array_recv", 2400), ("array_send", 2401)];
/// What rows are read and written by.
pub(crate) const ROW_CALLS: [(&str, u32); 4] =
    [("record_in", 2290), ("record_out", 2291), ("record_recv", 2402), ("record_send", 2403)];

fn facts_of_line(line: &'static str) -> Option<(&'static str, Facts)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let category = words.next()?;
    let (preferred, by_value) = (words.next()? == "1", words.next()? == "1");
    let (alignment, storage, collation) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let mut calls = [("-", 0); 4];
    for call in &mut calls {
        *call = (words.next()?, words.next()?.parse().ok()?);
    }
    Some((name, Facts { category, preferred, by_value, alignment, storage, collation, calls }))
}

/// Of any type.
pub(crate) fn facts(ty: Type) -> Facts {
    let own = |name: &str| BY_NAME.get(name).cloned().unwrap_or_else(|| of_arrays("i", 0));
    match ty {
        Type::Scalar(element) => own(element.name()),
        Type::Int2Vector => own("int2vector"),
        Type::OidVector => own("oidvector"),
        Type::Array(element) => {
            let of = own(element.name());
            of_arrays(if of.alignment == "d" { "d" } else { "i" }, of.collation)
        }
    }
}

fn of_arrays(alignment: &'static str, collation: u32) -> Facts {
    let (category, storage, calls) = ("A", "x", ARRAY_CALLS);
    Facts { category, preferred: false, by_value: false, alignment, storage, collation, calls }
}

/// Every function that reads or writes a type, once.
pub(crate) fn all_calls() -> Vec<(&'static str, u32)> {
    let mut all: Vec<(&'static str, u32)> = BY_NAME.values().flat_map(|facts| facts.calls).collect();
    all.extend(ARRAY_CALLS);
    all.extend(ROW_CALLS);
    all.retain(|(_, oid)| *oid != 0);
    all.sort_by_key(|(_, oid)| *oid);
    all.dedup();
    all
}

/// OID, name, family and type of the classes that order types in a btree unless another is named.
pub(crate) const CLASSES: &[(u32, &str, u32, u32)] = &[
    (1978, "int4_ops", 1976, 23),
    (1979, "int2_ops", 1976, 21),
    (1981, "oid_ops", 1989, 26),
    (3122, "date_ops", 434, 1082),
    (3123, "float8_ops", 1970, 701),
    (3124, "int8_ops", 1976, 20),
    (3125, "numeric_ops", 1988, 1700),
    (3126, "text_ops", 1994, 25),
    (3127, "timestamptz_ops", 434, 1184),
    (3128, "timestamp_ops", 434, 1114),
    (10000, "array_ops", 397, 2277),
    (10003, "bool_ops", 424, 16),
    (10004, "bpchar_ops", 426, 1042),
    (10006, "bytea_ops", 428, 17),
    (10007, "char_ops", 429, 18),
    (10012, "float4_ops", 1970, 700),
    (10022, "interval_ops", 1982, 1186),
    (10028, "name_ops", 1994, 19),
    (10032, "oidvector_ops", 1991, 30),
    (10034, "record_ops", 2994, 2249),
    (10038, "time_ops", 1996, 1083),
    (10065, "uuid_ops", 2968, 2950),
    (10067, "pg_lsn_ops", 3253, 3220),
    (10088, "jsonb_ops", 4033, 3802),
];

/// The class that orders a type; that of texts for what has none.
pub(crate) fn class(ty: Type) -> u32 {
    const ARRAYS: u32 = 10000;
    const TEXTS: u32 = 3126;
    let wanted = match ty {
        Type::Array(_) => return ARRAYS,
        Type::Scalar(
            Element::Regclass
            | Element::Regtype
            | Element::Regproc
            | Element::Regnamespace
            | Element::Regrole,
        ) => Type::OID.oid(),
        ty => ty.oid(),
    };
    CLASSES.iter().find_map(|(oid, _, _, of)| (*of == wanted).then_some(*oid)).unwrap_or(TEXTS)
}
