//! Names: folded as PostgreSQL folds them, quoted as SQLite wants them, and which words are reserved.

use std::fmt::Write as _;

use crate::base::{SqlError, SqlState};
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use crate::sql::parse::position;

/// Bytes of a name; what is longer is cut, as PostgreSQL does.
const LONGEST: usize = 63;

/// A name that may have a schema before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    /// Where it stands, in characters from 1.
    pub(crate) at: u32,
}

impl Name {
    /// From the tree of the parser.
    pub(crate) fn of(name: &ObjectName) -> Result<Self, SqlError> {
        let mut parts = Vec::new();
        let mut at = 0;
        for part in &name.0 {
            let ObjectNamePart::Identifier(ident) = part else {
                return Err(SqlError::unsupported("a name made by a function"));
            };
            if parts.is_empty() {
                at = position(ident.span);
            }
            parts.push(folded(ident));
        }
        let last = parts.pop().unwrap_or_default();
        if parts.len() > 2 {
            let message = format!("improper relation name (too many dotted names): {name}");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at));
        }
        Ok(Self { schema: parts.pop(), name: last, at })
    }

    /// As messages quote it.
    pub(crate) fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The name that an identifier stands for: lower case unless quoted, cut to 63 bytes.
pub(crate) fn folded(ident: &Ident) -> String {
    let name =
        if ident.quote_style.is_none() { ident.value.to_ascii_lowercase() } else { ident.value.clone() };
    cut(name)
}

/// Cut to 63 bytes.
pub(crate) fn cut(mut name: String) -> String {
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

/// As SQLite's identifier, always in quotes.
pub(crate) fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars() {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// As PostgreSQL's identifier, in quotes only where it needs them.
pub(crate) fn as_written(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name)
        && !TYPE_FUNC_NAMES.contains(&name)
        && !COL_NAMES.contains(&name);
    if plain { name.to_owned() } else { quoted(name) }
}

/// A string constant, of SQLite and of PostgreSQL alike.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        if c == '\'' {
            literal.push('\'');
        }
        literal.push(c);
    }
    literal.push('\'');
    literal
}

/// Bytes as SQLite's constant.
pub(crate) fn blob(bytes: &[u8]) -> String {
    let mut literal = String::with_capacity(bytes.len() * 2 + 3);
    literal.push_str("x'");
    for byte in bytes {
        let _ = write!(literal, "{byte:02x}");
    }
    literal.push('\'');
    literal
}

/// Whether a word may be no name at all (PostgreSQL's documentation, appendix C: reserved).
pub(crate) fn is_reserved(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    RESERVED.binary_search(&word.as_str()).is_ok()
}

/// Reserved, in order.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// Reserved, except as the name of a function or a type.
const TYPE_FUNC_NAMES: &[&str] = &[
    "authorization",
    "binary",
    "collation",
    "concurrently",
    "cross",
    "current_schema",
    "freeze",
    "full",
    "ilike",
    "inner",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "natural",
    "notnull",
    "outer",
    "overlaps",
    "right",
    "similar",
    "tablesample",
    "verbose",
];

/// Not reserved, but no names of functions or types.
const COL_NAMES: &[&str] = &[
    "between",
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "coalesce",
    "dec",
    "decimal",
    "exists",
    "extract",
    "float",
    "greatest",
    "grouping",
    "inout",
    "int",
    "integer",
    "interval",
    "least",
    "national",
    "nchar",
    "none",
    "normalize",
    "nullif",
    "numeric",
    "out",
    "overlay",
    "position",
    "precision",
    "real",
    "row",
    "setof",
    "smallint",
    "substring",
    "time",
    "timestamp",
    "treat",
    "trim",
    "values",
    "varchar",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_in_order() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("Select") && !is_reserved("name"));
    }

    #[test]
    fn names_fold_and_are_cut_between_characters() {
        assert_eq!(folded(&Ident::new("AbÄ")), "abÄ");
        assert_eq!(folded(&Ident::with_quote('"', "AbC")), "AbC");
        assert_eq!(cut("é".repeat(40)).len(), 62);
    }

    #[test]
    fn quotes_within_are_doubled() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(as_written("order"), "\"order\"");
        assert_eq!(as_written("a1"), "a1");
    }
}
