//! Reads that see everything acknowledged before them.

use openraft::ReadPolicy;
use tokio::time::timeout_at;

use super::Group;
use super::standing::REMOVED;
use crate::error::ReadError;

impl Group {
    /// Returns once the local state has everything that was acknowledged, on any replica, before
    /// this call.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        self.inner.reads.wait().await
    }

    /// One round for all the readers that wait. A removed replica will never catch up: they may ask another.
    pub(crate) async fn confirm(&self) -> Result<(), ReadError> {
        let mut removal = self.removal();
        tokio::select! {
            biased;
            Ok(_) = removal.wait_for(|gone| *gone) => Err(ReadError::Stopped(REMOVED.into())),
            confirmed = self.confirm_and_catch_up() => confirmed,
        }
    }

    /// The leader shows that it still leads and names its commit index; then this replica catches up to it.
    async fn confirm_and_catch_up(&self) -> Result<(), ReadError> {
        let deadline = self.deadline();
        let index = loop {
            let confirmed = match self.leader() {
                Some(leader) if leader == self.id() => {
                    timeout_at(deadline, self.read_index_here()).await.unwrap_or(Err(None))
                }
                Some(leader) => self.forward_read_index(leader, deadline).await,
                None => Err(None),
            };
            match confirmed {
                Ok(index) => break index,
                Err(_) if self.await_leader(deadline).await => {}
                Err(_) => return Err(ReadError::NoLeader),
            }
        };
        let mut applied = self.inner.applied.clone();
        match timeout_at(deadline, applied.wait_for(|at| *at >= index)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ReadError::Stopped("the state machine has stopped".into())),
            Err(_) => Err(ReadError::Lagging),
        }
    }

    /// The commit index of a leadership confirmed by a quorum after this call; otherwise who leads.
    pub(crate) async fn read_index_here(&self) -> Result<u64, Option<u64>> {
        if self.has_bug("serve a read without confirming the leadership") {
            return Ok(self.status().committed);
        }
        match self.inner.raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(_) => Err(self.other_leader()),
        }
    }
}
