//! What is the same in every database.

use super::cell::{Rows, add};
use crate::pgcat::place::PG_CATALOG;
use crate::pgcat::world::World;

/// The role that a cluster begins with.
const FOUNDER: u32 = 10;

/// `pg_am`.
pub(super) fn access_methods(_world: &World<'_>, rows: &mut Rows) {
    add!(rows; oid: 2, amname: "heap", amhandler: 3, amtype: 't');
    add!(rows; oid: 403, amname: "btree", amhandler: 330, amtype: 'i');
}

/// `pg_collation`.
pub(super) fn collations(_world: &World<'_>, rows: &mut Rows) {
    for (oid, name, provider, locale) in
        [(100, "default", 'd', None), (950, "C", 'c', Some("C")), (951, "POSIX", 'c', Some("POSIX"))]
    {
        add!(rows;
            oid: oid,
            collname: name,
            collnamespace: PG_CATALOG,
            collowner: FOUNDER,
            collprovider: provider,
            collisdeterministic: true,
            collencoding: -1,
            collcollate: locale,
            collctype: locale,
        );
    }
}

/// `pg_language`.
pub(super) fn languages(_world: &World<'_>, rows: &mut Rows) {
    for (oid, name, trusted, validator) in
        [(12, "internal", false, 2246), (13, "c", false, 2247), (14, "sql", true, 2248)]
    {
        add!(rows;
            oid: oid,
            lanname: name,
            lanowner: FOUNDER,
            lanpltrusted: trusted,
            lanvalidator: validator,
        );
    }
}

/// `pg_tablespace`.
pub(super) fn tablespaces(_world: &World<'_>, rows: &mut Rows) {
    for (oid, name) in [(1663, "pg_default"), (1664, "pg_global")] {
        add!(rows; oid: oid, spcname: name, spcowner: FOUNDER);
    }
}

/// `pg_timezone_names` and `pg_timezone_abbrevs`: those whose offset never changes, as others' depends on a clock.
pub(super) fn zones(_world: &World<'_>, rows: &mut Rows) {
    let names: &[(&str, &str)] = match rows.name {
        "pg_timezone_names" => &[("Etc/GMT", "GMT"), ("Etc/UTC", "UTC"), ("GMT", "GMT"), ("UTC", "UTC")],
        _ => &[("", "GMT"), ("", "UTC"), ("", "Z")],
    };
    for (name, abbreviation) in names {
        add!(rows; name: *name, abbrev: *abbreviation, utc_offset: "0 0 0", is_dst: false);
    }
}
