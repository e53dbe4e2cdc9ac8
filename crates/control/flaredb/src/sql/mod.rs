//! From PostgreSQL's SQL to SQLite's.

pub(crate) mod copy;
mod expr;
mod names;
mod parse;
pub(crate) mod plan;
mod planner;
mod query;
mod scope;
pub(crate) mod session;
pub(crate) mod systems;
pub(crate) mod tree;
mod types;

pub(crate) use self::parse::{Limits, Parsed, parse, parse_within};
