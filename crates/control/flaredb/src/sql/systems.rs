//! Tables of the system: what names in `pg_catalog` and `information_schema` mean.

pub(crate) use crate::pgcat::System;

use crate::sql::names::Name;

/// The table of this name; a bare name is one of `pg_catalog`.
pub(crate) fn find(name: &Name) -> Option<&'static System> {
    crate::pgcat::find(name.schema.as_deref(), &name.name)
}

/// What it is called in SQLite, where it is temporary.
pub(crate) fn stored_as(system: &System) -> String {
    format!("{}.{}", system.schema, system.name)
}
