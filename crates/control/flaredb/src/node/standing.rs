//! What a member does about its own removal: it marks its directory, so that it never comes back as who it was, and
//! ends in order.

use kit::Context;
use quorum::identity::Identity;
use quorum::{Group, Standing};

use super::databases::Databases;
use super::{SERVICE, StartError};
use crate::config::Config;

/// Asks the others whether this member was removed while it was away, for at most one election. Without an answer it
/// starts: without a majority it can do no harm, and it is told as soon as there is one.
pub(super) async fn check(
    context: &Context,
    config: &Config,
    identity: Identity,
    group: &Group,
) -> Result<(), StartError> {
    match group.standing(config.raft.election).await {
        Standing::Removed => Err(identity.retire(&SERVICE, context, &config.data_dir).into()),
        Standing::Member | Standing::Unknown => Ok(()),
    }
}

/// Ends the process when this member is removed, as it would when asked to.
pub(super) async fn leave_when_removed(context: Context, config: Config, identity: Identity, group: Group) {
    let mut removal = group.removal();
    if removal.wait_for(|gone| *gone).await.is_err() {
        return;
    }
    let marked = context.clone();
    let told = context.blocking(move || identity.retire(&SERVICE, &marked, &config.data_dir)).await;
    tracing::warn!("this member ends: {}", told.map_or_else(String::new, |told| told.to_string()));
    context.tasks().stop();
}

/// Hands leaderships over before the process stops, so that nobody has to wait for an election.
pub(super) async fn hand_over(databases: Databases) {
    let handing = databases.all().into_iter().map(|(name, replica)| async move {
        if let Err(e) = replica.group().hand_over().await {
            tracing::info!(database = name, error = %e, "stopping without having handed the leadership over");
        }
    });
    futures::future::join_all(handing).await;
}
