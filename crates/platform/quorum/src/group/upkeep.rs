//! What a replica does without being asked. Each round looks and acts; nothing is remembered.

use tokio::time::{MissedTickBehavior, interval};

use super::Group;
use crate::membership::Change;
use crate::wal::Wal;

impl Group {
    pub(super) fn start_upkeep(&self, wal: Wal) {
        let group = self.clone();
        self.inner.context.tasks().spawn(async move {
            let mut rounds = interval(group.inner.options.election);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                rounds.tick().await;
                group.publish_self().await;
                group.finish_joint_change().await;
                group.release_log(&wal).await;
            }
        });
    }

    /// Tells the group this replica's name and addresses if it knows others.
    async fn publish_self(&self) {
        let status = self.status();
        let mine = &self.inner.member;
        let outdated = status.member(mine.id).is_some_and(|known| known != mine);
        if !outdated || status.leadership.leader.is_none() || status.changing {
            return;
        }
        if let Err(e) = self.change(Change::Update(mine.clone())).await {
            tracing::debug!(error = %e, "the group does not know this replica's addresses yet; trying again");
        }
    }

    /// Lets go of log that holds up whole segments: makes the state durable, then purges up to it.
    async fn release_log(&self, wal: &Wal) {
        let group = self.inner.links.group;
        if !wal.pinning().iter().any(|held| held.group == group) {
            return;
        }
        let trigger = self.inner.raft.trigger();
        let durable = self.inner.raft.metrics();
        let upto = {
            use openraft::async_runtime::watch::WatchReceiver;
            durable.borrow_watched().snapshot.map(|id| id.index())
        };
        let flushed = trigger.snapshot().await;
        let purged = match upto {
            Some(index) => trigger.purge_log(index).await,
            None => Ok(()),
        };
        if let Err(e) = flushed.and(purged) {
            tracing::warn!(error = %e, "the log could not be shortened");
        }
    }
}
