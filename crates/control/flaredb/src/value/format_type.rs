//! Types as `format_type` and `\d` show them.

use crate::base::{ColumnType, Element, Type};

/// With its modifier: `character varying(20)`, `timestamp(3) with time zone`, `integer[]`.
pub(crate) fn format_type(column: ColumnType) -> String {
    match column.ty {
        Type::Scalar(element) => scalar(element, column.typmod),
        Type::Array(element) => format!("{}[]", scalar(element, column.typmod)),
        Type::Int2Vector => "int2vector".to_owned(),
        Type::OidVector => "oidvector".to_owned(),
    }
}

fn scalar(element: Element, typmod: i32) -> String {
    let length = |name: &str| match typmod {
        4.. => format!("{name}({})", typmod - 4),
        _ => name.to_owned(),
    };
    let digits = |name: &str, zone: &str| match typmod {
        0.. => format!("{name}({typmod}){zone}"),
        _ => format!("{name}{zone}"),
    };
    match element {
        Element::Bool => "boolean".to_owned(),
        Element::Int2 => "smallint".to_owned(),
        Element::Int4 => "integer".to_owned(),
        Element::Int8 => "bigint".to_owned(),
        Element::Float4 => "real".to_owned(),
        Element::Float8 => "double precision".to_owned(),
        Element::Varchar => length("character varying"),
        Element::Bpchar if typmod < 0 => "bpchar".to_owned(),
        Element::Bpchar => length("character"),
        Element::Char => "\"char\"".to_owned(),
        Element::Numeric => match super::fit::numeric_modifier(typmod) {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        },
        Element::Timestamptz => digits("timestamp", " with time zone"),
        Element::Timestamp => digits("timestamp", " without time zone"),
        Element::Time => digits("time", " without time zone"),
        Element::Interval if typmod >= 0 && typmod & 0xffff != 0xffff => {
            format!("interval({})", typmod & 0xffff)
        }
        other => other.name().to_owned(),
    }
}
