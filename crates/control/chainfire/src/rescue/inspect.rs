//! What a data directory holds.

use kit::Context;
use quorum::rescue;
use serde::Serialize;

use super::RescueError;
use crate::config::Config;
use crate::node::{GROUP, Identity, SERVICE, wal_options};
use crate::store::Store;

/// A stopped member, as its files show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Its cluster, in hexadecimal.
    pub cluster: String,
    /// Its id.
    pub member: String,
    /// The latest revision that is on disk; the log may hold more.
    pub revision: i64,
    /// The latest compaction; -1: none.
    pub compact_revision: i64,
    /// The last entry of the log that is in the store on disk.
    pub applied: u64,
    /// The last entry in the log; none: the log is damaged.
    pub last: Option<u64>,
    /// What is wrong with the log.
    pub damage: Option<String>,
    /// The members, by name, as far as this one knows; `*` marks those without a vote.
    pub members: Vec<String>,
}

/// Looks at the files of a member that does not run. Cuts a torn tail off its log, as a start would.
pub async fn inspect(context: &Context, config: &Config) -> Result<Inspection, RescueError> {
    let nobody = || RescueError::Nobody { path: config.data_dir.clone() };
    let known =
        Identity::read(&SERVICE, context, &config.data_dir, config.expected_cluster())?.ok_or_else(nobody)?;
    let store = Store::open_in(context, &config.data_dir, (&config.store).into())?;
    let raft = config.raft_dir();
    let looked = rescue::look(context, &raft, wal_options(config), GROUP, store.position()).await;
    let (remains, damage) = match looked {
        Ok(remains) => (Some(remains), None),
        Err(e) => (None, Some(e.to_string())),
    };
    let members = remains.iter().flat_map(|remains| {
        remains.members.iter().map(|member| {
            let name = if member.name.is_empty() { format!("{:x}", member.id) } else { member.name.clone() };
            if remains.voters.contains(&member.id) { name } else { name + "*" }
        })
    });
    let hex = |id: u64| format!("{id:x}");
    Ok(Inspection {
        cluster: hex(known.cluster),
        member: hex(known.member),
        revision: store.view().head(),
        compact_revision: store.compacted(),
        applied: remains.as_ref().map_or(0, |remains| remains.applied),
        last: remains.as_ref().map(|remains| remains.last),
        damage,
        members: members.collect(),
    })
}
