//! Types in the words of the standard: `character varying(20)`, `timestamp(3) with time zone[]`.

use crate::base::types::{ColumnType, Element, Type};

/// Words of the standard for PostgreSQL's names.
const WORDS: &[(Element, &str)] = &[
    (Element::Bool, "boolean"),
    (Element::Int2, "smallint"),
    (Element::Int4, "integer"),
    (Element::Int8, "bigint"),
    (Element::Float4, "real"),
    (Element::Float8, "double precision"),
    (Element::Varchar, "character varying"),
    (Element::Bpchar, "character"),
    (Element::Char, "\"char\""),
    (Element::Timestamptz, "timestamp with time zone"),
    (Element::Timestamp, "timestamp without time zone"),
    (Element::Time, "time without time zone"),
];

/// Bytes of a header that a modifier counts with the length.
const HEADER: i32 = 4;

/// A type with its modifier, as the standard writes it.
pub(crate) fn format_type(ty: ColumnType) -> String {
    match ty.ty {
        Type::Scalar(Element::Bpchar) if ty.typmod < HEADER => "bpchar".to_owned(),
        Type::Array(Element::Bpchar) if ty.typmod < HEADER => "bpchar[]".to_owned(),
        Type::Scalar(element) => modified(element, ty.typmod),
        Type::Array(element) => format!("{}[]", modified(element, ty.typmod)),
        Type::Int2Vector | Type::OidVector => ty.ty.name(),
    }
}

/// A type without a modifier, as `regtype` writes it.
pub(crate) fn plain(ty: Type) -> String {
    match ty {
        Type::Scalar(element) => word(element).to_owned(),
        Type::Array(element) => format!("{}[]", word(element)),
        Type::Int2Vector | Type::OidVector => ty.name(),
    }
}

/// What `format_type(oid, typmod)` gives for a type that is no relation's; no modifier is NULL.
pub(crate) fn format_oid(oid: u32, typmod: Option<i32>) -> String {
    match (Type::from_oid(oid), typmod) {
        _ if oid == 0 => "-".to_owned(),
        (None, _) => "???".to_owned(),
        (Some(ty), None) => plain(ty),
        (Some(ty), Some(typmod)) => format_type(ColumnType { ty, typmod }),
    }
}

/// The type that words of the standard, or PostgreSQL's own name, mean: in lower case, without modifiers.
pub(crate) fn named(words: &str) -> Option<Type> {
    if let Some(element) = words.strip_suffix("[]") {
        return match named(element.trim_end())? {
            Type::Scalar(element) if element.array_oid() != 0 => Some(Type::Array(element)),
            _ => None,
        };
    }
    let short = match words {
        "int" => Some(Element::Int4),
        "decimal" | "dec" => Some(Element::Numeric),
        "float" => Some(Element::Float8),
        "char" | "nchar" | "national character" => Some(Element::Bpchar),
        "char varying" | "national character varying" => Some(Element::Varchar),
        "\"char\"" => Some(Element::Char),
        _ => WORDS.iter().find_map(|(element, word)| (*word == words).then_some(*element)),
    };
    short.map(Type::Scalar).or_else(|| super::system::type_named(words))
}

fn word(element: Element) -> &'static str {
    let word = WORDS.iter().find_map(|(of, word)| (*of == element).then_some(*word));
    word.unwrap_or_else(|| element.name())
}

/// A type that is no array, with its modifier.
fn modified(element: Element, typmod: i32) -> String {
    let word = word(element);
    match element {
        Element::Varchar | Element::Bpchar if typmod >= HEADER => format!("{word}({})", typmod - HEADER),
        Element::Numeric if typmod >= HEADER => {
            let (precision, scale) = numeric(typmod);
            format!("{word}({precision},{scale})")
        }
        Element::Timestamp | Element::Timestamptz | Element::Time if typmod >= 0 => {
            let (first, rest) = word.split_once(' ').unwrap_or((word, ""));
            format!("{first}({typmod}) {rest}")
        }
        Element::Interval if typmod >= 0 => interval(typmod),
        _ => word.to_owned(),
    }
}

/// Precision and scale of a `numeric`'s modifier.
pub(crate) fn numeric(typmod: i32) -> (i32, i32) {
    let packed = typmod - HEADER;
    ((packed >> 16) & 0xffff, ((packed & 0x7ff) ^ 1024) - 1024)
}

/// The most characters that a text's modifier allows.
pub(crate) fn longest(ty: ColumnType) -> Option<i32> {
    let counted = matches!(ty.ty, Type::VARCHAR | Type::BPCHAR);
    (counted && ty.typmod >= HEADER).then(|| ty.typmod - HEADER)
}

/// `interval year to month`, `interval(3)`. The upper half holds a bit for each field, the lower the precision.
fn interval(typmod: i32) -> String {
    const YEAR: i32 = 1 << 2;
    const MONTH: i32 = 1 << 1;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    const FULL: i32 = 0xffff;
    let (fields, precision) = ((typmod >> 16) & 0x7fff, typmod & FULL);
    let fields = match fields {
        _ if fields == YEAR => " year",
        _ if fields == MONTH => " month",
        _ if fields == DAY => " day",
        _ if fields == HOUR => " hour",
        _ if fields == MINUTE => " minute",
        _ if fields == SECOND => " second",
        _ if fields == YEAR | MONTH => " year to month",
        _ if fields == DAY | HOUR => " day to hour",
        _ if fields == DAY | HOUR | MINUTE => " day to minute",
        _ if fields == DAY | HOUR | MINUTE | SECOND => " day to second",
        _ if fields == HOUR | MINUTE => " hour to minute",
        _ if fields == HOUR | MINUTE | SECOND => " hour to second",
        _ if fields == MINUTE | SECOND => " minute to second",
        _ => "",
    };
    if precision == FULL { format!("interval{fields}") } else { format!("interval{fields}({precision})") }
}
