//! From PostgreSQL's SQL to SQLite's.

pub(crate) mod copy;
mod ddl;
mod expr;
mod names;
mod parse;
pub(crate) mod plan;
mod planned;
mod planner;
mod query;
mod scope;
pub(crate) mod session;
pub(crate) mod systems;
pub(crate) mod tree;
mod types;
mod write;

pub(crate) use self::parse::{Limits, Parsed, parse, parse_within};
pub(crate) use self::planned::{plan, plan_arguments};
