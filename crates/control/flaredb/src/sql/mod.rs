//! From PostgreSQL's SQL to SQLite's.

pub(crate) mod copy;
mod names;
mod parse;
pub(crate) mod session;
pub(crate) mod tree;
mod types;

pub(crate) use self::parse::{Limits, Parsed, parse, parse_within};
