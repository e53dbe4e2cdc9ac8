//! The catalogue of the system, as PostgreSQL shows it.

use crate::base::Type;

/// A table of the system.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) oid: u32,
    pub(crate) schema: &'static str,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Type)],
}

/// The table of a name; of `pg_catalog` if no schema is told.
pub(crate) fn find(_schema: Option<&str>, _name: &str) -> Option<&'static System> {
    None
}
