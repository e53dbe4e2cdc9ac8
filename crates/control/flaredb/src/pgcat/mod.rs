//! The catalogue of the system, as PostgreSQL 15 shows it: `pg_catalog` and `information_schema`.
//!
//! [`tables`] says which relations there are and what columns each has; [`rows`] makes their rows out of a
//! [`World`]. The functions that look into the catalogue are SQLite functions whose names begin with `fl_pg_`; they
//! look into what [`Sight::set`] was given last.
//!
//! Text of definitions is what was written, in the shape in which PostgreSQL prints it: parentheses around
//! operators where it has them, but no casts that nobody wrote.

mod acl;
mod call;
mod definition;
mod format_type;
mod names;
mod place;
mod rows;
mod system;
#[cfg(test)]
mod tests;
mod typed;
mod world;

pub(crate) use call::{FUNCTIONS, Sight, casts, register};
pub(crate) use definition::{
    constraint_definition, default_definition, index_definition, sequence_definition, view_definition,
};
pub(crate) use format_type::{format_oid, format_type};
pub(crate) use names::{
    regclass_name, regclass_of, regnamespace_name, regproc_name, regrole_name, regtype_name, regtype_of,
};
pub(crate) use rows::rows;
pub(crate) use system::{System, find, tables};
pub(crate) use world::{Backend, Database, Setting, World};
