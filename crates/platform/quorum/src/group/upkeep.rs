//! What a replica does without being asked. Each round looks and acts; nothing is remembered.

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Group;
use crate::membership::Change;
use crate::wal::Wal;

impl Group {
    pub(super) fn start_upkeep(&self, wal: Wal) {
        let group = self.clone();
        self.inner.context.tasks().spawn(async move {
            let mut rounds = interval(group.inner.options.election);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut leadership = group.leadership();
            loop {
                // With a new leader at once: a group that was just founded should soon know its members.
                tokio::select! {
                    biased;
                    changed = leadership.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        group.has_begun().await;
                    }
                    _ = rounds.tick() => {}
                }
                group.publish_self().await;
                group.finish_joint_change().await;
                group.release_log(&wal).await;
            }
        });
    }

    /// Waits, not for long, until the group's first membership is committed: no other can be proposed before.
    async fn has_begun(&self) {
        let mut applied = self.inner.applied.clone();
        let _ = timeout(self.inner.options.election, applied.wait_for(|index| *index > 0)).await;
    }

    /// Tells the group this replica's name and addresses if it knows others.
    async fn publish_self(&self) {
        let status = self.status();
        let Some(known) = status.member(self.id()) else { return };
        let mut mine = self.inner.member.clone();
        if mine.peer_addresses.is_empty() {
            mine.peer_addresses.clone_from(&known.peer_addresses);
        }
        if mine == *known || status.leadership.leader.is_none() || status.changing {
            return;
        }
        if let Err(e) = self.change(Change::Update(mine)).await {
            tracing::debug!(error = %e, "the group does not know this replica's addresses yet; trying again");
        }
    }

    /// Lets go of log that holds up more segments than there should be, and of no more: what is left is what
    /// a replica that was away catches up from. Only what is durable in the state may go.
    async fn release_log(&self, wal: &Wal) {
        use openraft::async_runtime::watch::WatchReceiver;
        let group = self.inner.links.group;
        let Some(held) = wal.pinning().into_iter().find(|held| held.group == group) else { return };
        let durable = self.inner.raft.metrics().borrow_watched().snapshot.map(|id| id.index());
        let trigger = self.inner.raft.trigger();
        let flushed = match durable {
            Some(index) if index >= held.excess => Ok(()),
            _ => trigger.snapshot().await,
        };
        let purged = match durable {
            Some(index) => trigger.purge_log(index.min(held.excess)).await,
            None => Ok(()),
        };
        if let Err(e) = flushed.and(purged) {
            tracing::warn!(error = %e, "the log could not be shortened");
        }
    }
}
