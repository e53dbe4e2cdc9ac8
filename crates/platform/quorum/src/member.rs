//! Who belongs to a group.

use serde::{Deserialize, Serialize};

/// A replica as the others know it. Ids are minted for each addition and never used again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The replica's id; never zero.
    pub id: u64,
    /// Its name; empty until the replica has started for the first time.
    pub name: String,
    /// `host:port` where other replicas reach it.
    pub peer_addresses: Vec<String>,
    /// URLs where clients reach it; empty until it has started.
    pub client_addresses: Vec<String>,
}

impl Member {
    /// Whether the replica has ever told its name to the group.
    pub fn has_started(&self) -> bool {
        !self.name.is_empty()
    }
}
