//! A cluster of one from the only member that is left.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use kit::client::connect;
use quorum::{Member, rescue};
use serde::Serialize;

use super::restore::{RestoreOptions, Restored, carry_out, plan};
use super::{RescueError, hold, io_at, set_aside};
use crate::auth::Authority;
use crate::config::Config;
use crate::lessor::Lessor;
use crate::machine::{Alarms, Machine};
use crate::node::{GROUP, Identity, SERVICE, wal_options};
use crate::store::Store;

/// How long a member that may be alive has to answer.
const KNOCK: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The cluster of one.
    #[serde(flatten)]
    pub restored: Restored,
    /// Where the old files are.
    pub before: PathBuf,
    /// The latest revision that this member had.
    pub last_revision: i64,
    /// Entries of its log that it did not know to be committed, and took all the same.
    pub unconfirmed: u64,
    /// The members that are given up.
    pub given_up: Vec<String>,
}

/// Makes the member that a configuration names, which does not run, the only one of a new cluster. What only the
/// others had is lost. Refused while a majority of the others can be reached.
pub async fn recover(
    context: &Context,
    config: &Config,
    options: &RestoreOptions,
) -> Result<Recovered, RescueError> {
    let data = &config.data_dir;
    let nobody = || RescueError::Nobody { path: data.clone() };
    let known = Identity::read(&SERVICE, context, data, config.expected_cluster())?.ok_or_else(nobody)?;
    let _held = hold(context, data)?;
    let (image, taken) = take_all(context, config, known).await?;
    let others: Vec<&Member> = taken.voters.iter().filter(|voter| voter.id != known.member).collect();
    if let Err(alive) = refuse_if_alive(context, config, &others).await {
        std::fs::remove_file(&image).map_err(io_at(&image))?;
        return Err(alive);
    }
    let before = set_aside(context, data, &config.raft_dir(), known)?;
    // From here on `restore` with this image is what is left to do, should this be interrupted.
    let kept = before.join("state.image");
    std::fs::rename(&image, &kept).map_err(io_at(&image))?;
    let options = RestoreOptions { alone: true, ..options.clone() };
    let restored = carry_out(context, config, plan(context, config, &kept).await?, &options).await?;
    let mut given_up: Vec<String> = others.iter().map(|member| member.name.clone()).collect();
    given_up.sort_unstable();
    let Taken { revision: last_revision, unconfirmed, .. } = taken;
    Ok(Recovered { restored, before, last_revision, unconfirmed, given_up })
}

struct Taken {
    voters: Vec<Member>,
    revision: i64,
    unconfirmed: u64,
}

/// Applies all of the log to the store and writes an image of that.
async fn take_all(
    context: &Context,
    config: &Config,
    known: Identity,
) -> Result<(PathBuf, Taken), RescueError> {
    let store = Store::open_in(context, &config.data_dir, (&config.store).into())?;
    let authority = Authority::open(&store.view(), context.clock().unix(), config.auth.token_ttl)?;
    let alarms = Alarms::open(&store.view(), known.member)?;
    let mut machine = Machine::new(store.clone(), Arc::new(Lessor::default()), authority, alarms);
    let (raft, wal) = (config.raft_dir(), wal_options(config));
    let before = rescue::look(context, &raft, wal.clone(), GROUP, store.position()).await?;
    let remains = rescue::catch_up(context, &raft, wal, GROUP, &mut machine).await?;
    let voters = remains.members.iter().filter(|member| remains.voters.contains(&member.id));
    let taken = Taken {
        voters: voters.cloned().collect(),
        revision: store.view().head(),
        unconfirmed: remains.last.saturating_sub(before.applied),
    };
    let path = config.data_dir.join("recovering.image");
    let (owned, target) = (store.clone(), path.clone());
    let written = context.blocking(move || write(&owned, &target));
    written.await.ok_or(RescueError::Panicked)?.map_err(io_at(&path))?;
    Ok((path, taken))
}

fn write(store: &Store, path: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let mut image = store.export();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = image.read(&mut buffer)?;
        if n == 0 {
            return file.sync_all();
        }
        io::Write::write_all(&mut file, &buffer[..n])?;
    }
}

/// A quorum that is there must not be left behind: two clusters would serve what was one.
async fn refuse_if_alive(context: &Context, config: &Config, others: &[&Member]) -> Result<(), RescueError> {
    let identity = match &config.tls {
        Some(tls) => Some(kit::tls::Identity::load(context, tls)?),
        None => None,
    };
    let tls = identity.map(|identity| identity.client(config.peer.allow.clone()));
    let mut alive = Vec::new();
    for member in others {
        for address in &member.peer_addresses {
            if connect(context, address, tls.as_ref(), KNOCK).await.is_ok() {
                alive.push(member.name.clone());
                break;
            }
        }
    }
    // This member and those are a quorum of the voters, or those alone are.
    if alive.is_empty() || (alive.len() + 1) * 2 <= others.len() + 1 {
        return Ok(());
    }
    let (answering, names) = (alive.len(), alive.join(", "));
    Err(RescueError::StillThere { answering, others: others.len(), names })
}
