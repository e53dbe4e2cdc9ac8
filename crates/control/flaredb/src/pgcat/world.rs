//! What the rows are made from.

use crate::base::{Catalog, Settings};

/// What rows are made from.
pub(crate) struct World<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) settings: &'a Settings,
    /// All that the cluster has.
    pub(crate) databases: &'a [Database],
    /// All that are connected.
    pub(crate) sessions: &'a [Backend],
    /// What SHOW ALL shows, by name.
    pub(crate) shown: &'a [Setting],
}

/// A database of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) oid: u32,
    pub(crate) name: String,
    /// A role's name.
    pub(crate) owner: String,
}

/// A client's session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backend {
    /// What a cancel request names.
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) application: String,
    /// Where the client is, without the port. None: on this machine.
    pub(crate) address: Option<String>,
    pub(crate) port: i32,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub(crate) state: String,
    /// What is being run, or was run last.
    pub(crate) query: String,
    /// When the session began: microseconds since 1970.
    pub(crate) started: i64,
    /// When the transaction began, if there is one.
    pub(crate) transaction_started: Option<i64>,
    /// When the statement began.
    pub(crate) query_started: Option<i64>,
    /// When the state last changed.
    pub(crate) state_changed: Option<i64>,
}

/// A setting, as SHOW shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) description: String,
}
