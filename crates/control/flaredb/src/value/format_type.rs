//! Types as PostgreSQL writes them.

use crate::base::types::{ColumnType, Element, Type};
use crate::value::numeric::convert::modifier;

/// Fields that an interval is restricted to, by its modifier.
const FIELDS: &[(i32, &str)] = &[
    (1 << 2, " year"),
    (1 << 1, " month"),
    (1 << 3, " day"),
    (1 << 10, " hour"),
    (1 << 11, " minute"),
    (1 << 12, " second"),
    (1 << 2 | 1 << 1, " year to month"),
    (1 << 3 | 1 << 10, " day to hour"),
    (1 << 3 | 1 << 10 | 1 << 11, " day to minute"),
    (1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, " day to second"),
    (1 << 10 | 1 << 11, " hour to minute"),
    (1 << 10 | 1 << 11 | 1 << 12, " hour to second"),
    (1 << 11 | 1 << 12, " minute to second"),
];

/// The type's name in SQL, with its modifier.
pub(crate) fn format_type(ty: ColumnType) -> String {
    match ty.ty {
        Type::Scalar(element) => scalar(element, ty.typmod),
        Type::Array(element) => format!("{}[]", scalar(element, ty.typmod)),
        other => other.name(),
    }
}

fn scalar(element: Element, typmod: i32) -> String {
    let length = if typmod < 0 { String::new() } else { format!("({})", typmod - 4) };
    let precision = if typmod < 0 { String::new() } else { format!("({typmod})") };
    match element {
        Element::Bool => "boolean".to_owned(),
        Element::Int2 => "smallint".to_owned(),
        Element::Int4 => "integer".to_owned(),
        Element::Int8 => "bigint".to_owned(),
        Element::Float4 => "real".to_owned(),
        Element::Float8 => "double precision".to_owned(),
        Element::Varchar => format!("character varying{length}"),
        Element::Bpchar if typmod < 0 => "bpchar".to_owned(),
        Element::Bpchar => format!("character{length}"),
        Element::Char => "\"char\"".to_owned(),
        Element::Numeric if typmod >= 0 => {
            let (precision, scale) = modifier(typmod);
            format!("numeric({precision},{scale})")
        }
        Element::Timestamptz => format!("timestamp{precision} with time zone"),
        Element::Timestamp => format!("timestamp{precision} without time zone"),
        Element::Time => format!("time{precision} without time zone"),
        Element::Interval if typmod >= 0 => interval(typmod),
        other => other.name().to_owned(),
    }
}

fn interval(typmod: i32) -> String {
    let (range, precision) = (typmod >> 16 & 0x7fff, typmod & 0xffff);
    let fields = FIELDS.iter().find(|(fields, _)| *fields == range).map_or("", |(_, name)| name);
    if precision == 0xffff { format!("interval{fields}") } else { format!("interval{fields}({precision})") }
}
