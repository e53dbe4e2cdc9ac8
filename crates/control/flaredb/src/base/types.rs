//! PostgreSQL's types, and how each is kept in SQLite.
//!
//! | type | in SQLite | as |
//! |---|---|---|
//! | bool | INTEGER | 0 or 1 |
//! | int2, int4, int8, oid | INTEGER | itself |
//! | float4, float8 | REAL | itself; NaN is refused (SQLite would make it NULL) |
//! | numeric | TEXT | PostgreSQL's text, scale kept (`12.30`); compared by the collation `pg_numeric` |
//! | text, varchar, bpchar, name, "char" | TEXT | UTF-8 without NUL; bpchar without its trailing blanks |
//! | bytea | BLOB | itself |
//! | uuid | TEXT | lower case, 36 characters |
//! | timestamptz, timestamp | INTEGER | microseconds since 1970-01-01 (UTC, or local); `infinity` is i64's end |
//! | date | INTEGER | days since 1970-01-01; `infinity` is i32's end |
//! | time | INTEGER | microseconds since midnight |
//! | interval | TEXT | `months days microseconds`, three integers; compared by the collation `pg_interval` |
//! | json | TEXT | as it was written |
//! | jsonb | TEXT | canonical: PostgreSQL's own text of the value |
//! | arrays | TEXT | a JSON array of the elements as they are kept (a BLOB as a string `\x…`) |

use serde::{Deserialize, Serialize};

/// A type that is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Element {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Varchar,
    /// `character(n)`.
    Bpchar,
    Name,
    /// `"char"`: one byte.
    Char,
    Bytea,
    Uuid,
    Timestamptz,
    Timestamp,
    Date,
    Time,
    Interval,
    Json,
    Jsonb,
    Oid,
    Regclass,
    Regtype,
    Regproc,
    Regnamespace,
    Regrole,
    /// A literal or parameter whose type nothing has decided yet.
    Unknown,
    /// What a function without a result gives.
    Void,
    Record,
    /// `pg_node_tree`, shown as text.
    NodeTree,
    /// `aclitem`, shown as text.
    Aclitem,
    /// `xid`, an integer.
    Xid,
    /// `pg_lsn`, shown as text.
    Lsn,
}

/// A type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Type {
    /// One value.
    Scalar(Element),
    /// Any number of them, in any number of dimensions.
    Array(Element),
    /// `int2vector`: an array that counts from zero, and has a text form of its own.
    Int2Vector,
    /// `oidvector`.
    OidVector,
}

/// A type with its modifier: `varchar(20)`, `numeric(10,2)`, `timestamptz(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ColumnType {
    /// The type.
    pub(crate) ty: Type,
    /// PostgreSQL's `atttypmod`: -1 for none.
    pub(crate) typmod: i32,
}

/// Name, OID, OID of the array type (0: none), `typlen`, in the order of [`Element`].
const ELEMENTS: &[(Element, &str, u32, u32, i16)] = &[
    (Element::Bool, "bool", 16, 1000, 1),
    (Element::Int2, "int2", 21, 1005, 2),
    (Element::Int4, "int4", 23, 1007, 4),
    (Element::Int8, "int8", 20, 1016, 8),
    (Element::Float4, "float4", 700, 1021, 4),
    (Element::Float8, "float8", 701, 1022, 8),
    (Element::Numeric, "numeric", 1700, 1231, -1),
    (Element::Text, "text", 25, 1009, -1),
    (Element::Varchar, "varchar", 1043, 1015, -1),
    (Element::Bpchar, "bpchar", 1042, 1014, -1),
    (Element::Name, "name", 19, 1003, 64),
    (Element::Char, "char", 18, 1002, 1),
    (Element::Bytea, "bytea", 17, 1001, -1),
    (Element::Uuid, "uuid", 2950, 2951, 16),
    (Element::Timestamptz, "timestamptz", 1184, 1185, 8),
    (Element::Timestamp, "timestamp", 1114, 1115, 8),
    (Element::Date, "date", 1082, 1182, 4),
    (Element::Time, "time", 1083, 1183, 8),
    (Element::Interval, "interval", 1186, 1187, 16),
    (Element::Json, "json", 114, 199, -1),
    (Element::Jsonb, "jsonb", 3802, 3807, -1),
    (Element::Oid, "oid", 26, 1028, 4),
    (Element::Regclass, "regclass", 2205, 2210, 4),
    (Element::Regtype, "regtype", 2206, 2211, 4),
    (Element::Regproc, "regproc", 24, 1008, 4),
    (Element::Regnamespace, "regnamespace", 4089, 4090, 4),
    (Element::Regrole, "regrole", 4096, 4097, 4),
    (Element::Unknown, "unknown", 705, 0, -2),
    (Element::Void, "void", 2278, 0, 4),
    (Element::Record, "record", 2249, 2287, -1),
    (Element::NodeTree, "pg_node_tree", 194, 0, -1),
    (Element::Aclitem, "aclitem", 1033, 1034, 12),
    (Element::Xid, "xid", 28, 1011, 4),
    (Element::Lsn, "pg_lsn", 3220, 3221, 8),
];

/// OIDs of the vectors and of their array types.
const INT2VECTOR: (u32, u32) = (22, 1006);
const OIDVECTOR: (u32, u32) = (30, 1013);

impl Element {
    /// Every one.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ELEMENTS.iter().map(|(element, ..)| *element)
    }

    fn row(self) -> &'static (Element, &'static str, u32, u32, i16) {
        &ELEMENTS[self as usize]
    }

    /// `pg_type.typname`.
    pub(crate) fn name(self) -> &'static str {
        self.row().1
    }

    /// `pg_type.oid`.
    pub(crate) fn oid(self) -> u32 {
        self.row().2
    }

    /// `pg_type.typarray`; 0: none.
    pub(crate) fn array_oid(self) -> u32 {
        self.row().3
    }

    /// `pg_type.typlen`.
    pub(crate) fn size(self) -> i16 {
        self.row().4
    }
}

impl Type {
    pub(crate) const BOOL: Self = Self::Scalar(Element::Bool);
    pub(crate) const INT2: Self = Self::Scalar(Element::Int2);
    pub(crate) const INT4: Self = Self::Scalar(Element::Int4);
    pub(crate) const INT8: Self = Self::Scalar(Element::Int8);
    pub(crate) const FLOAT4: Self = Self::Scalar(Element::Float4);
    pub(crate) const FLOAT8: Self = Self::Scalar(Element::Float8);
    pub(crate) const NUMERIC: Self = Self::Scalar(Element::Numeric);
    pub(crate) const TEXT: Self = Self::Scalar(Element::Text);
    pub(crate) const VARCHAR: Self = Self::Scalar(Element::Varchar);
    pub(crate) const BPCHAR: Self = Self::Scalar(Element::Bpchar);
    pub(crate) const NAME: Self = Self::Scalar(Element::Name);
    pub(crate) const CHAR: Self = Self::Scalar(Element::Char);
    pub(crate) const BYTEA: Self = Self::Scalar(Element::Bytea);
    pub(crate) const UUID: Self = Self::Scalar(Element::Uuid);
    pub(crate) const TIMESTAMPTZ: Self = Self::Scalar(Element::Timestamptz);
    pub(crate) const TIMESTAMP: Self = Self::Scalar(Element::Timestamp);
    pub(crate) const DATE: Self = Self::Scalar(Element::Date);
    pub(crate) const TIME: Self = Self::Scalar(Element::Time);
    pub(crate) const INTERVAL: Self = Self::Scalar(Element::Interval);
    pub(crate) const JSON: Self = Self::Scalar(Element::Json);
    pub(crate) const JSONB: Self = Self::Scalar(Element::Jsonb);
    pub(crate) const OID: Self = Self::Scalar(Element::Oid);
    pub(crate) const REGCLASS: Self = Self::Scalar(Element::Regclass);
    pub(crate) const REGTYPE: Self = Self::Scalar(Element::Regtype);
    pub(crate) const REGPROC: Self = Self::Scalar(Element::Regproc);
    pub(crate) const UNKNOWN: Self = Self::Scalar(Element::Unknown);
    pub(crate) const VOID: Self = Self::Scalar(Element::Void);
    pub(crate) const RECORD: Self = Self::Scalar(Element::Record);

    /// `pg_type.oid`.
    pub(crate) fn oid(self) -> u32 {
        match self {
            Self::Scalar(element) => element.oid(),
            Self::Array(element) => element.array_oid(),
            Self::Int2Vector => INT2VECTOR.0,
            Self::OidVector => OIDVECTOR.0,
        }
    }

    /// The type of this OID. None: no type that is known here.
    pub(crate) fn from_oid(oid: u32) -> Option<Self> {
        if oid == 0 {
            return None;
        }
        if oid == INT2VECTOR.0 {
            return Some(Self::Int2Vector);
        }
        if oid == OIDVECTOR.0 {
            return Some(Self::OidVector);
        }
        ELEMENTS.iter().find_map(|(element, _, scalar, array, _)| match oid {
            _ if oid == *scalar => Some(Self::Scalar(*element)),
            _ if oid == *array => Some(Self::Array(*element)),
            _ => None,
        })
    }

    /// `pg_type.typname`: arrays begin with an underscore.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Scalar(element) => element.name().to_owned(),
            Self::Array(element) => format!("_{}", element.name()),
            Self::Int2Vector => "int2vector".to_owned(),
            Self::OidVector => "oidvector".to_owned(),
        }
    }

    /// `pg_type.typlen`.
    pub(crate) fn size(self) -> i16 {
        match self {
            Self::Scalar(element) => element.size(),
            Self::Array(_) | Self::Int2Vector | Self::OidVector => -1,
        }
    }

    /// What it holds many of, if it does.
    pub(crate) fn element(self) -> Option<Element> {
        match self {
            Self::Scalar(_) => None,
            Self::Array(element) => Some(element),
            Self::Int2Vector => Some(Element::Int2),
            Self::OidVector => Some(Element::Oid),
        }
    }
}

impl From<Type> for ColumnType {
    fn from(ty: Type) -> Self {
        Self { ty, typmod: -1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_elements() {
        for (place, (element, ..)) in ELEMENTS.iter().enumerate() {
            assert_eq!(*element as usize, place);
            assert_eq!(Type::from_oid(element.oid()), Some(Type::Scalar(*element)));
            if element.array_oid() != 0 {
                assert_eq!(Type::from_oid(element.array_oid()), Some(Type::Array(*element)));
            }
        }
        assert_eq!(Type::from_oid(0), None);
        assert_eq!(Type::from_oid(4_000_000), None);
    }
}
