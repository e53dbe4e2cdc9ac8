//! The quota: what would make the store larger is refused before it is replicated, once there is no room.
//!
//! What counts is what the file takes from the disk, its free pages too, and what is in memory and will go
//! there: see [`crate::store::Size::total`]. Each member counts its own; the alarm of one of them, raised in
//! the log, closes the door for all, until somebody has made room and ends it.

use std::sync::Arc;

use kit::Context;
use quorum::Group;
use tokio::sync::Mutex;

use crate::convert::Rejection;
use crate::machine::{Alarm, Alarms, encode};
use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::{AlarmRequest, AlarmType};
use crate::proto::internal::command::Operation;
use crate::store::Store;

/// etcd's default, in bytes.
const DEFAULT: u64 = 2 << 30;

/// One member's quota.
pub(crate) struct Quota {
    context: Context,
    store: Arc<Store>,
    alarms: Arc<Alarms>,
    group: Group,
    /// None: as much as there is.
    limit: Option<u64>,
    /// Held by the one who raises the alarm.
    raising: Mutex<()>,
}

impl Quota {
    /// `bytes` as it is configured: 0 for etcd's default, negative for none.
    pub(crate) fn new(
        context: &Context,
        store: &Arc<Store>,
        alarms: &Arc<Alarms>,
        group: &Group,
        bytes: i64,
    ) -> Self {
        let (context, store, alarms, group) = (context.clone(), store.clone(), alarms.clone(), group.clone());
        Self { context, store, alarms, group, limit: limit(bytes), raising: Mutex::default() }
    }

    /// Lets a request in that adds so many bytes, about, or raises the alarm.
    pub(super) async fn admit(&self, cost: u64) -> Result<(), Rejection> {
        if self.has_room_for(cost) {
            return Ok(());
        }
        self.raise().await;
        Err(Rejection::NoSpace)
    }

    fn has_room_for(&self, cost: u64) -> bool {
        cost == 0 || self.limit.is_none_or(|limit| self.store.size().total().saturating_add(cost) < limit)
    }

    async fn raise(&self) {
        let (kind, member_id) = (AlarmType::Nospace, self.group.id());
        // Thousands may be refused at once: one of them says so.
        let Ok(_one) = self.raising.try_lock() else { return };
        if self.alarms.is_raised(Alarm::new(kind, member_id)) {
            return;
        }
        let size = self.store.size();
        tracing::warn!(
            file = size.file,
            unflushed = size.unflushed,
            quota = self.limit,
            "the store has reached its quota: compact it, defragment every member, then disarm the alarm"
        );
        let request = AlarmRequest { action: AlarmAction::Activate.into(), member_id, alarm: kind.into() };
        let command = encode(self.context.entropy().id(), Operation::Alarm(request));
        if let Err(e) = self.group.propose(command).await {
            tracing::debug!(error = %e, "the alarm could not be raised yet; the next request tries again");
        }
    }

    /// Looks after every change of the file: a member that no client talks to may be the one without room.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut sizes = self.store.file_sizes();
        while self.limit.is_some() {
            if !self.has_room_for(1) {
                self.raise().await;
            }
            if sizes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn limit(bytes: i64) -> Option<u64> {
    match bytes {
        0 => Some(DEFAULT),
        bytes => u64::try_from(bytes).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_etcds_quota_and_less_than_nothing_none() {
        assert_eq!(limit(0), Some(2 * 1024 * 1024 * 1024));
        assert_eq!(limit(-1), None);
        assert_eq!(limit(5), Some(5));
    }
}
