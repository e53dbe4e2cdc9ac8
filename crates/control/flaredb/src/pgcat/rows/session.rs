//! What the cluster and its sessions are: databases, settings, who is connected.

use super::base::tables;
use super::cell::{Rows, add};
use crate::pgcat::place;
use crate::pgcat::world::World;

/// `pg_encoding_to_char` of this is `UTF8`.
const UTF8: i32 = 6;
/// `pg_default`.
const TABLESPACE: u32 = 1663;

/// `pg_database`.
pub(super) fn databases(world: &World<'_>, rows: &mut Rows) {
    for database in world.databases {
        add!(rows;
            oid: database.oid,
            datname: &database.name,
            datdba: place::role(world.catalog, &database.owner),
            encoding: UTF8,
            datlocprovider: 'c',
            datallowconn: true,
            datconnlimit: -1,
            dattablespace: TABLESPACE,
            datcollate: "C.UTF-8",
            datctype: "C.UTF-8",
        );
    }
}

/// `pg_settings`.
pub(super) fn settings(world: &World<'_>, rows: &mut Rows) {
    for setting in world.shown {
        let ty = match setting.value.as_str() {
            "on" | "off" => "bool",
            value if value.parse::<i64>().is_ok() => "integer",
            _ => "string",
        };
        add!(rows;
            name: &setting.name,
            setting: &setting.value,
            category: "Client Connection Defaults",
            short_desc: &setting.description,
            context: "user",
            vartype: ty,
            source: "default",
            boot_val: &setting.value,
            reset_val: &setting.value,
        );
    }
}

/// `pg_stat_activity`.
pub(super) fn activity(world: &World<'_>, rows: &mut Rows) {
    for session in world.sessions {
        let database = world.databases.iter().find(|database| database.name == session.database);
        add!(rows;
            datid: database.map(|database| database.oid),
            datname: &session.database,
            pid: session.pid,
            leader_pid: None::<i32>,
            usesysid: place::role(world.catalog, &session.user),
            usename: &session.user,
            application_name: &session.application,
            client_addr: session.address.as_ref(),
            client_port: session.port,
            backend_start: session.started,
            xact_start: session.transaction_started,
            query_start: session.query_started,
            state_change: session.state_changed,
            state: &session.state,
            backend_xid: None::<i64>,
            backend_xmin: None::<i64>,
            query_id: None::<i64>,
            query: &session.query,
            backend_type: "client backend",
        );
    }
}

/// `pg_stat_database`: nothing is counted, but who is connected.
pub(super) fn database_figures(world: &World<'_>, rows: &mut Rows) {
    for database in world.databases {
        let sessions = world.sessions.iter().filter(|session| session.database == database.name).count();
        let sessions = i32::try_from(sessions).unwrap_or(i32::MAX);
        add!(rows; datid: database.oid, datname: &database.name, numbackends: sessions);
    }
}

/// `pg_stat_user_tables` and its like: nothing is counted.
pub(super) fn table_figures(world: &World<'_>, rows: &mut Rows) {
    for table in tables(world) {
        add!(rows; relid: table.oid, schemaname: &table.schema, relname: &table.name);
    }
}
