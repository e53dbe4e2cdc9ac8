//! A member of a new cluster from a backup.

use std::io::ErrorKind;
use std::path::Path;

use kit::Context;
use quorum::rescue::found;
use serde::Serialize;

use super::{RescueError, backup, hold, io_at};
use crate::config::{Config, InitialMember};
use crate::node::{GROUP, Identity, Origin, SERVICE, as_member, wal_options};
use crate::store::{ImageSummary, restore_image};

/// How a backup becomes a cluster. The same on every founder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreOptions {
    /// By how much revisions jump: more than the lost cluster can have made since the backup.
    pub bump: u64,
    /// Tells clusters apart that are restored from one backup: another one each time.
    pub generation: u64,
    /// This member founds the cluster alone; others join it.
    pub alone: bool,
}

impl Default for RestoreOptions {
    /// A jump of a thousand million, which is what etcd's documents advise.
    fn default() -> Self {
        Self { bump: 1_000_000_000, generation: 1, alone: false }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The new cluster's id, in hexadecimal.
    pub cluster: String,
    /// This member's.
    pub member: String,
    /// Where its revisions begin.
    pub revision: i64,
    /// Who founds the cluster: each restores the same backup with the same settings.
    pub founders: Vec<String>,
}

/// Makes the data directory that a configuration names that of a founder of a new cluster. Verifies the backup
/// first; what was interrupted begins anew.
pub async fn restore(
    context: &Context,
    config: &Config,
    file: &Path,
    options: &RestoreOptions,
) -> Result<Restored, RescueError> {
    // Nothing is there before it is known to be good.
    let plan = plan(context, config, file).await?;
    let _held = hold(context, &config.data_dir)?;
    carry_out(context, config, plan, options).await
}

/// A backup that is good, and who restores it.
pub(super) struct Plan<'a> {
    file: &'a Path,
    checked: ImageSummary,
    own: &'a InitialMember,
}

pub(super) async fn plan<'a>(
    context: &Context,
    config: &'a Config,
    file: &'a Path,
) -> Result<Plan<'a>, RescueError> {
    let checked = blocking(context, file, backup::summary).await?;
    let own = config.as_founder().ok_or_else(|| RescueError::NotAFounder(config.name.clone()))?;
    Ok(Plan { file, checked, own })
}

/// For whoever holds the directory.
pub(super) async fn carry_out(
    context: &Context,
    config: &Config,
    plan: Plan<'_>,
    options: &RestoreOptions,
) -> Result<Restored, RescueError> {
    let Plan { file, checked, own } = plan;
    let (data, raft) = (&config.data_dir, config.raft_dir());
    if Identity::is_unfinished(context, data)? {
        remove_if_there(&raft)?;
    } else {
        refuse_unless_empty(data, &raft)?;
    }
    let origin = Origin { image: checked.id(), generation: options.generation, alone: options.alone };
    let identity = Identity::founder(&SERVICE, &config.cluster_token, own, Some(origin));
    // Until the last step the directory says that nobody may start from it.
    identity.begin(context, data)?;
    let named = config.initial_members.iter().filter(|m| !options.alone || m.name == config.name);
    let founders: Vec<_> = named.map(|m| as_member(m, &config.cluster_token, Some(origin))).collect();
    let position = found(context, &raft, wal_options(config), GROUP, &founders).await?;
    let (owned, dir, bump) = (context.clone(), data.clone(), options.bump);
    let revision = blocking(context, file, move |file| {
        Ok(restore_image(&owned, &dir, &mut backup::open(file)?, &checked, (bump, position))?)
    })
    .await?;
    identity.write(context, data)?;
    let hex = |id: u64| format!("{id:x}");
    let founders = founders.into_iter().map(|member| member.name).collect();
    Ok(Restored { cluster: hex(identity.cluster), member: hex(identity.member), revision, founders })
}

async fn blocking<T: Send + 'static>(
    context: &Context,
    file: &Path,
    work: impl FnOnce(&Path) -> Result<T, RescueError> + Send + 'static,
) -> Result<T, RescueError> {
    let file = file.to_owned();
    context.blocking(move || work(&file)).await.ok_or(RescueError::Panicked)?
}

fn remove_if_there(dir: &Path) -> Result<(), RescueError> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io_at(dir)(e)),
        _ => Ok(()),
    }
}

fn refuse_unless_empty(data: &Path, raft: &Path) -> Result<(), RescueError> {
    let found = [
        (data.join("member.toml"), "a member"),
        (data.join("store.redb"), "a store"),
        (raft.to_owned(), "a log"),
    ];
    match found.iter().find(|(path, _)| path.exists()) {
        Some((_, what)) => Err(RescueError::NotEmpty { path: data.to_owned(), what }),
        None => Ok(()),
    }
}
