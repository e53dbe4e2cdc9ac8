//! Names of types, as statements write them, to the types that are here; and what PostgreSQL says of those that
//! are not.

use crate::base::{ColumnType, Element, SqlError, SqlState, Type};
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, IntervalFields, ObjectName, TimezoneInfo,
    TypeModifier,
};

use crate::sql::names::{Name, folded};

/// Header that PostgreSQL counts into the modifiers of strings and numerics.
const HEADER: i32 = 4;
/// Characters of the longest `varchar(n)`.
const LONGEST: u64 = 10_485_760;
/// Types of PostgreSQL's that are not here.
const MISSING: &[&str] = &[
    "bit",
    "varbit",
    "money",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "tsvector",
    "tsquery",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "timetz",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "jsonpath",
    "refcursor",
    "txid_snapshot",
    "pg_snapshot",
    "regprocedure",
    "regoper",
    "regoperator",
    "regconfig",
    "regdictionary",
    "regcollation",
    "tid",
    "cid",
    "xid8",
];

/// The type that a name in a statement means.
pub(crate) fn of(ty: &DataType) -> Result<ColumnType, SqlError> {
    let plain = |element| Ok(ColumnType::from(Type::Scalar(element)));
    match ty {
        DataType::Bool | DataType::Boolean => plain(Element::Bool),
        DataType::Int2(None) | DataType::SmallInt(None) => plain(Element::Int2),
        DataType::Int4(None) | DataType::Int(None) | DataType::Integer(None) => plain(Element::Int4),
        DataType::Int8(None) | DataType::BigInt(None) => plain(Element::Int8),
        DataType::Float4 | DataType::Real => plain(Element::Float4),
        DataType::Float8 | DataType::DoublePrecision => plain(Element::Float8),
        DataType::Float(precision) => float(precision),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info),
        DataType::Text => plain(Element::Text),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            string(Element::Varchar, length.as_ref(), -1)
        }
        DataType::Char(length) | DataType::Character(length) => {
            string(Element::Bpchar, length.as_ref(), 1 + HEADER)
        }
        DataType::Bytea => plain(Element::Bytea),
        DataType::Uuid => plain(Element::Uuid),
        DataType::Date => plain(Element::Date),
        DataType::Timestamp(precision, zone) => timestamp(*precision, zone),
        DataType::Time(precision, zone) => time(*precision, zone),
        DataType::Interval { fields, precision } => interval(fields.as_ref(), *precision),
        DataType::JSON => plain(Element::Json),
        DataType::JSONB => plain(Element::Jsonb),
        DataType::Regclass => plain(Element::Regclass),
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => array(of(inner)?),
        DataType::Collate(inner, name) => {
            check_collation(&Name::of(name)?)?;
            of(inner)
        }
        other => Err(unknown(&other.to_string())),
    }
}

fn unknown(name: &str) -> SqlError {
    let name = name.to_ascii_lowercase();
    let base = name.split(['(', ' ']).next().unwrap_or_default();
    if MISSING.contains(&base) {
        return SqlError::unsupported(format!("the type {base}"));
    }
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

/// An array of it; of arrays, the same: they have any number of dimensions.
pub(crate) fn array(of: ColumnType) -> Result<ColumnType, SqlError> {
    match of.ty {
        Type::Array(_) => Ok(of),
        Type::Scalar(element) if element.array_oid() != 0 => {
            Ok(ColumnType { ty: Type::Array(element), typmod: of.typmod })
        }
        other => Err(unknown(&format!("{}[]", other.name()))),
    }
}

fn string(
    element: Element,
    length: Option<&CharacterLength>,
    otherwise: i32,
) -> Result<ColumnType, SqlError> {
    let ty = Type::Scalar(element);
    let name = if element == Element::Varchar { "varchar" } else { "char" };
    let typmod = match length {
        None => otherwise,
        Some(CharacterLength::Max) => return Err(unknown(name)),
        Some(CharacterLength::IntegerLength { length, .. }) => length_modifier(name, *length)?,
    };
    Ok(ColumnType { ty, typmod })
}

fn length_modifier(name: &str, length: u64) -> Result<i32, SqlError> {
    let invalid = |message: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    match length {
        0 => invalid(format!("length for type {name} must be at least 1")),
        1..=LONGEST => Ok(i32::try_from(length).unwrap_or(0) + HEADER),
        _ => invalid(format!("length for type {name} cannot exceed {LONGEST}")),
    }
}

fn float(precision: &ExactNumberInfo) -> Result<ColumnType, SqlError> {
    let invalid = |message: &str| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    match precision {
        ExactNumberInfo::None | ExactNumberInfo::Precision(25..=53) => Ok(Type::FLOAT8.into()),
        ExactNumberInfo::Precision(0) => invalid("precision for type float must be at least 1 bit"),
        ExactNumberInfo::Precision(1..=24) => Ok(Type::FLOAT4.into()),
        _ => invalid("precision for type float must be less than 54 bits"),
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<ColumnType, SqlError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(Type::NUMERIC.into()),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let invalid = |message: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    if !(1..=1000).contains(&precision) {
        return invalid(format!("NUMERIC precision {precision} must be between 1 and 1000"));
    }
    if !(-1000..=1000).contains(&scale) {
        return invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000"));
    }
    let (precision, scale) = (i32::try_from(precision).unwrap_or(0), i32::try_from(scale).unwrap_or(0));
    Ok(ColumnType { ty: Type::NUMERIC, typmod: ((precision << 16) | (scale & 0x7ff)) + HEADER })
}

/// Digits of a second; more than six are six, as PostgreSQL warns.
fn precision(precision: Option<u64>) -> i32 {
    precision.map_or(-1, |digits| i32::try_from(digits.min(6)).unwrap_or(6))
}

fn timestamp(digits: Option<u64>, zone: &TimezoneInfo) -> Result<ColumnType, SqlError> {
    let ty = match zone {
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => Type::TIMESTAMPTZ,
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => Type::TIMESTAMP,
    };
    Ok(ColumnType { ty, typmod: precision(digits) })
}

fn time(digits: Option<u64>, zone: &TimezoneInfo) -> Result<ColumnType, SqlError> {
    match zone {
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => {
            Err(SqlError::unsupported("the type time with time zone"))
        }
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => {
            Ok(ColumnType { ty: Type::TIME, typmod: precision(digits) })
        }
    }
}

/// The fields that a modifier of an interval keeps, as PostgreSQL numbers them.
fn interval(fields: Option<&IntervalFields>, digits: Option<u64>) -> Result<ColumnType, SqlError> {
    const ALL: i32 = 0x7fff;
    const EXACT: i32 = 0xffff;
    if fields.is_none() && digits.is_none() {
        return Ok(Type::INTERVAL.into());
    }
    let (month, year, day, hour, minute, second) = (1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12);
    let range = match fields {
        None => ALL,
        Some(IntervalFields::Year) => year,
        Some(IntervalFields::Month) => month,
        Some(IntervalFields::Day) => day,
        Some(IntervalFields::Hour) => hour,
        Some(IntervalFields::Minute) => minute,
        Some(IntervalFields::Second) => second,
        Some(IntervalFields::YearToMonth) => year | month,
        Some(IntervalFields::DayToHour) => day | hour,
        Some(IntervalFields::DayToMinute) => day | hour | minute,
        Some(IntervalFields::DayToSecond) => day | hour | minute | second,
        Some(IntervalFields::HourToMinute) => hour | minute,
        Some(IntervalFields::HourToSecond) => hour | minute | second,
        Some(IntervalFields::MinuteToSecond) => minute | second,
    };
    let digits = digits.map_or(EXACT, |digits| i32::try_from(digits.min(6)).unwrap_or(6));
    Ok(ColumnType { ty: Type::INTERVAL, typmod: (range << 16) | digits })
}

/// A type by the name that `pg_type` has for it, or by another that PostgreSQL takes.
pub(crate) fn by_name(name: &str) -> Option<Type> {
    if let Some(element) = name.strip_prefix('_') {
        return Element::all().find(|e| e.name() == element && e.array_oid() != 0).map(Type::Array);
    }
    match name {
        "int2vector" => Some(Type::Int2Vector),
        "oidvector" => Some(Type::OidVector),
        "decimal" => Some(Type::NUMERIC),
        _ => Element::all().find(|element| element.name() == name).map(Type::Scalar),
    }
}

fn custom(name: &ObjectName, modifiers: &[TypeModifier]) -> Result<ColumnType, SqlError> {
    let written = Name::of(name)?;
    let quoted =
        name.0.last().and_then(|part| part.as_ident()).is_some_and(|ident| ident.quote_style.is_some());
    if written.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
        return Err(unknown(&written.shown()).at(written.at));
    }
    // Only in quotes, or with its schema, is it the one-byte type.
    let key = match written.name.as_str() {
        "char" if quoted || written.schema.is_some() => "char",
        "string" => "",
        other => other,
    };
    let Some(ty) = by_name(key) else { return Err(unknown(&written.name).at(written.at)) };
    modified(ty, modifiers).map_err(|error| error.at(written.at))
}

fn modified(ty: Type, modifiers: &[TypeModifier]) -> Result<ColumnType, SqlError> {
    if modifiers.is_empty() {
        return Ok(ty.into());
    }
    let numbers: Option<Vec<i64>> = modifiers
        .iter()
        .map(|modifier| match modifier {
            TypeModifier::Number(number, _) => number.parse().ok(),
            _ => None,
        })
        .collect();
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
    match (ty, numbers.as_deref()) {
        (Type::VARCHAR | Type::BPCHAR, Some([length])) => {
            Ok(ColumnType { ty, typmod: length_modifier(&ty.name(), unsigned(*length))? })
        }
        (Type::NUMERIC, Some([p])) => numeric(&ExactNumberInfo::Precision(unsigned(*p))),
        (Type::NUMERIC, Some([p, s])) => numeric(&ExactNumberInfo::PrecisionAndScale(unsigned(*p), *s)),
        (Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME, Some([digits])) => {
            Ok(ColumnType { ty, typmod: precision(Some(unsigned(*digits))) })
        }
        _ => {
            let message = format!("type modifier is not allowed for type \"{}\"", ty.name());
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

/// The serial types are integers with a sequence: only a new column can have one.
pub(crate) fn serial(ty: &DataType) -> Option<Type> {
    let DataType::Custom(name, modifiers) = ty else { return None };
    let name = name.0.last().and_then(|part| part.as_ident()).map(folded)?;
    match (name.as_str(), modifiers.is_empty()) {
        ("serial" | "serial4", true) => Some(Type::INT4),
        ("bigserial" | "serial8", true) => Some(Type::INT8),
        ("smallserial" | "serial2", true) => Some(Type::INT2),
        _ => None,
    }
}

/// Texts compare by their bytes; a collation that says so is taken.
pub(crate) fn check_collation(name: &Name) -> Result<(), SqlError> {
    if matches!(name.name.as_str(), "default" | "C" | "POSIX" | "ucs_basic" | "C.UTF-8" | "C.utf8") {
        return Ok(());
    }
    let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.name);
    Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        .with_hint("Texts compare by their bytes here: use \"C\" or \"default\".")
        .at(name.at))
}

/// A type as messages show it.
pub(crate) fn shown(ty: Type) -> String {
    match ty {
        Type::Scalar(element) => shown_element(element).to_owned(),
        Type::Array(element) => format!("{}[]", shown_element(element)),
        Type::Int2Vector => "int2vector".to_owned(),
        Type::OidVector => "oidvector".to_owned(),
    }
}

fn shown_element(element: Element) -> &'static str {
    match element {
        Element::Bool => "boolean",
        Element::Int2 => "smallint",
        Element::Int4 => "integer",
        Element::Int8 => "bigint",
        Element::Float4 => "real",
        Element::Float8 => "double precision",
        Element::Varchar => "character varying",
        Element::Bpchar => "character",
        Element::Char => "\"char\"",
        Element::Timestamptz => "timestamp with time zone",
        Element::Timestamp => "timestamp without time zone",
        Element::Time => "time without time zone",
        other => other.name(),
    }
}

/// `pg_type.typcategory`: what PostgreSQL prefers among, and mixes with each other.
pub(crate) fn category(ty: Type) -> char {
    match ty {
        Type::Array(_) | Type::Int2Vector | Type::OidVector => 'A',
        Type::Scalar(element) => match element {
            Element::Bool => 'B',
            Element::Int2 | Element::Int4 | Element::Int8 | Element::Float4 | Element::Float8 => 'N',
            Element::Numeric | Element::Oid | Element::Regclass | Element::Regtype => 'N',
            Element::Regproc | Element::Regnamespace | Element::Regrole => 'N',
            Element::Text | Element::Varchar | Element::Bpchar | Element::Name => 'S',
            Element::Char | Element::NodeTree => 'Z',
            Element::Timestamptz | Element::Timestamp | Element::Date | Element::Time => 'D',
            Element::Interval => 'T',
            Element::Unknown => 'X',
            Element::Void | Element::Record => 'P',
            _ => 'U',
        },
    }
}

/// `pg_type.typispreferred`.
pub(crate) fn is_preferred(ty: Type) -> bool {
    matches!(ty, Type::BOOL | Type::FLOAT8 | Type::OID | Type::TEXT | Type::TIMESTAMPTZ | Type::INTERVAL)
}
