//! Which databases there are, and which members hold them: a few keys in ChainFire.
//!
//! - `/flaredb/members/<name>`: a member and its addresses, written by itself.
//! - `/flaredb/databases/<name>`: a [`Record`].
//! - `/flaredb/groups`: the last group number that was given out; none is given out twice.
//!
//! A record is what is wanted; which replicas a group has, the group itself decides. The database that is always there
//! is not in the directory, so that a member starts without it.
//!
//! - `place`: who shall hold a new database, who shall lead it. Pure.
//! - `client`: the keys.

mod client;
mod place;

use serde::{Deserialize, Serialize};

pub(crate) use self::client::{Directory, DirectoryError};
pub(crate) use self::place::{Lead, choose, relieve};

/// Raised when a version that reads it would misread it.
pub(crate) const FORMAT: u32 = 1;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its group's number, in hexadecimal where people see it.
    pub(crate) group: u64,
    /// The role that made it, and owns it.
    pub(crate) owner: String,
    /// Who holds it.
    pub(crate) seats: Vec<Seat>,
}

/// A member's place in a database's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The member's name.
    pub(crate) member: String,
    /// Its id in this group.
    pub(crate) id: u64,
    /// `host:port` of its replication.
    pub(crate) peer: String,
    /// It came to a group that was there already.
    #[serde(default)]
    pub(crate) joined: bool,
}

/// A member that can hold databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) format: u32,
    /// Its name.
    pub(crate) name: String,
    /// `host:port` of its replication.
    pub(crate) peer: String,
    /// `host:port` of its clients.
    pub(crate) client: String,
}

impl Record {
    /// The place of a member in it.
    pub(crate) fn seat(&self, member: &str) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.member == member)
    }
}
