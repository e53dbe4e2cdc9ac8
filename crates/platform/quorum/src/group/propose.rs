//! Proposals: to the leader, wherever it is, and never twice.

use std::time::Duration;

use bytes::Bytes;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use super::standing::REMOVED;
use super::{Accepted, Group, Refused};
use crate::error::ProposeError;
use crate::types::{Payload, Types};

/// How long to wait for news of a leader before asking the last known one again.
const RETRY: Duration = Duration::from_millis(20);

impl Group {
    /// Replicates a command and gives the state machine's reply to it. Any replica will do.
    ///
    /// Retries only what was certainly not taken, until the options' request timeout.
    pub async fn propose(&self, payload: Bytes) -> Result<Bytes, ProposeError> {
        Ok(self.propose_timed(payload).await?.reply)
    }

    /// As [`Self::propose`], and says where the time went if it was slow.
    pub async fn propose_timed(&self, payload: Bytes) -> Result<Accepted, ProposeError> {
        let limit = self.inner.options.max_proposal_bytes;
        if payload.len() > limit {
            return Err(ProposeError::TooLarge { size: payload.len(), limit });
        }
        let _permit = self.inner.inflight.try_acquire().map_err(|_| ProposeError::Overloaded)?;
        let deadline = self.deadline();
        loop {
            if self.is_removed() {
                return Err(ProposeError::Stopped(REMOVED.into()));
            }
            match self.try_propose(payload.clone(), deadline).await {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::Failed(e)) => return Err(e),
                Err(Refused::NotLeader(_)) if self.await_leader(deadline).await => {}
                Err(Refused::NotLeader(_)) => return Err(ProposeError::NoLeader),
            }
        }
    }

    /// Proposes here, and only if this replica leads in this term: otherwise nothing is proposed, now or later.
    /// The entry bears the term, unless the leadership is lost and won again in this very moment; whoever must be
    /// certain has the state machine compare.
    pub async fn propose_in(&self, term: u64, payload: Bytes) -> Result<Accepted, ProposeError> {
        let limit = self.inner.options.max_proposal_bytes;
        if payload.len() > limit {
            return Err(ProposeError::TooLarge { size: payload.len(), limit });
        }
        let _permit = self.inner.inflight.try_acquire().map_err(|_| ProposeError::Overloaded)?;
        let leadership = *self.inner.leadership.borrow();
        if self.is_removed() || !leadership.is_leader || leadership.term != term {
            return Err(ProposeError::NoLeader);
        }
        match timeout_at(self.deadline(), self.propose_here(payload)).await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err(Refused::NotLeader(_))) => Err(ProposeError::NoLeader),
            Ok(Err(Refused::Failed(e))) => Err(e),
            Err(_) => Err(ProposeError::Unknown("timed out".into())),
        }
    }

    async fn try_propose(
        &self,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Accepted, Refused<ProposeError>> {
        match self.leader() {
            None => Err(Refused::NotLeader(None)),
            Some(leader) if leader != self.id() => self.forward_proposal(leader, payload, deadline).await,
            Some(_) => match timeout_at(deadline, self.propose_here(payload)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Refused::Failed(ProposeError::Unknown("timed out".into()))),
            },
        }
    }

    /// Proposes where this replica leads; otherwise does nothing and says so. While the leadership changes
    /// hands, it waits for that.
    pub(crate) async fn propose_here(&self, payload: Bytes) -> Result<Accepted, Refused<ProposeError>> {
        let begun = Instant::now();
        let _open = self.inner.gate.read().await;
        match self.inner.raft.client_write(Payload(payload)).await {
            Ok(written) => {
                let slow = begun.elapsed() >= self.inner.options.slow_proposal;
                let stages = if slow { self.inner.trail.stages(written.log_id.index(), begun) } else { None };
                Ok(Accepted { reply: written.data, stages })
            }
            Err(RaftError::APIError(e)) => Err(refused(e)),
            Err(RaftError::Fatal(e)) => Err(Refused::Failed(ProposeError::Unknown(e.to_string()))),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.inner.options.request_timeout
    }

    /// Waits for news of a leader, or a moment. False when the deadline has passed, or no news will come
    /// any more because this replica is stopping: without that a request would spin until its deadline.
    pub(super) async fn await_leader(&self, deadline: Instant) -> bool {
        let mut leadership = self.inner.leadership.clone();
        leadership.mark_unchanged();
        let pause = RETRY + self.inner.context.entropy().jitter(RETRY);
        // Both ends of the wait mean the same: look again.
        let news = timeout_at(deadline.min(Instant::now() + pause), leadership.changed()).await;
        !matches!(news, Ok(Err(_))) && Instant::now() < deadline
    }
}

fn refused(e: ClientWriteError<Types>) -> Refused<ProposeError> {
    match e {
        ClientWriteError::ForwardToLeader(to) => Refused::NotLeader(to.leader_id),
        ClientWriteError::LogEntryDiscarded(_) => {
            Refused::Failed(ProposeError::Unknown("the leader changed before the entry was committed".into()))
        }
        other => Refused::Failed(ProposeError::Unknown(other.to_string())),
    }
}
