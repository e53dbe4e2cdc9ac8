//! Waiting in the queue, and leaving it whatever becomes of the client.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::super::{Api, CALLER};
use super::ticket::{Ticket, Wish};
use crate::convert::Rejection;
use crate::proto::etcdserverpb::ResponseHeader;

/// How often it is tried to leave the queue, and the pause between. Each try lasts as long as any request.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// A ticket whose turn has come.
pub(super) struct Turn {
    pub(super) ticket: Ticket,
    /// Of the look that showed it.
    pub(super) header: Option<ResponseHeader>,
}

impl Api {
    /// Queues up and waits. If the client goes away, before the answer or with it, so does the key.
    pub(super) async fn take_turn(&self, wish: Wish) -> Result<Turn, Rejection> {
        let permit = self.waiters().try_acquire_owned().map_err(|_| Rejection::TooManyRequests)?;
        let caller = CALLER.try_with(Clone::clone).unwrap_or_default();
        let (answer, turn) = oneshot::channel();
        let api = self.clone();
        self.context.tasks().spawn(CALLER.scope(caller, async move {
            let _permit = permit;
            api.wait_in_queue(wish, answer).await;
        }));
        turn.await.map_err(|_| Rejection::Stopped)?
    }

    async fn wait_in_queue(&self, wish: Wish, mut answer: oneshot::Sender<Result<Turn, Rejection>>) {
        // To its end: what is half made could not be undone.
        let ticket = match self.queue_up(&wish).await {
            Ok(ticket) => ticket,
            Err(rejection) => return drop(answer.send(Err(rejection))),
        };
        let waited = tokio::select! {
            biased;
            () = answer.closed() => Err(Rejection::DeadlineExceeded),
            waited = self.settle(&ticket, &wish) => waited,
        };
        let outcome = waited.map(|header| Turn { ticket: ticket.clone(), header });
        let failed = outcome.is_err();
        if answer.send(outcome).is_err() || failed {
            self.leave(&ticket).await;
        }
    }

    /// A key of an earlier campaign gets this one's value.
    async fn settle(&self, ticket: &Ticket, wish: &Wish) -> Result<Option<ResponseHeader>, Rejection> {
        if let (Some(found), Some(wanted)) = (&ticket.found, &wish.value)
            && found != wanted
        {
            self.proclaim(&ticket.key, ticket.revision, wanted.clone(), ticket.lease.id).await?;
        }
        self.await_turn(ticket, wish.lost).await
    }

    async fn leave(&self, ticket: &Ticket) {
        for _ in 0..ATTEMPTS {
            match self.leave_queue(ticket).await {
                // There is nothing left, or nothing that this caller may touch.
                Ok(()) | Err(Rejection::LeaseNotFound | Rejection::Auth(_)) => return,
                Err(e) => tracing::debug!(why = e.text(), "the queue could not be left yet"),
            }
            sleep(PAUSE).await;
        }
        tracing::warn!("a key of a lock or an election is left to end with its lease");
    }
}
