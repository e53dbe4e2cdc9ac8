//! A key in the queue for a lock or for leadership.

use bytes::Bytes;

use super::super::{Api, unexpected};
use super::follow::{Follower, News};
use super::{SESSION_TTL, by_creation, created_at, delete, get, get_key, key_of, prefix, put, recipe_error};
use crate::convert::Rejection;
use crate::proto::etcdserverpb::range_request::SortOrder;
use crate::proto::etcdserverpb::response_op::Response as Answer;
use crate::proto::etcdserverpb::{
    LeaseGrantRequest, LeaseRevokeRequest, RangeResponse, ResponseHeader, ResponseOp, TxnRequest,
};
use crate::store::Span;

/// What one asks for.
pub(super) struct Wish {
    pub(super) name: Bytes,
    /// 0: a fresh one.
    pub(super) lease: i64,
    /// What the key is to say, if anything in particular.
    pub(super) value: Option<Bytes>,
    /// What is said to one whose key went away while it waited.
    pub(super) lost: &'static str,
}

/// A key in the queue.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) prefix: Bytes,
    pub(super) key: Bytes,
    /// The revision that created the key.
    pub(super) revision: i64,
    pub(super) lease: Lease,
    /// Of the answer that made or found the key.
    pub(super) header: Option<ResponseHeader>,
    /// The value that the key had already.
    pub(super) found: Option<Bytes>,
    /// Nobody was ahead.
    pub(super) first: bool,
}

/// The lease of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) id: i64,
    /// It was made for this request.
    pub(super) fresh: bool,
}

impl Api {
    /// The lease that was named, or a fresh one. As in etcd, that the named one exists shows when it is used.
    pub(super) async fn session(&self, lease: i64) -> Result<Lease, Rejection> {
        if lease != 0 {
            return Ok(Lease { id: lease, fresh: false });
        }
        let id = self.serve_grant(LeaseGrantRequest { ttl: SESSION_TTL, id: 0 }).await?.id;
        Ok(Lease { id, fresh: true })
    }

    /// Takes back a lease that nobody knows about. If that fails, it ends by itself.
    pub(super) async fn give_up(&self, lease: Lease) {
        if lease.fresh
            && let Err(e) = self.serve_revoke(LeaseRevokeRequest { id: lease.id }).await
        {
            tracing::debug!(why = e.text(), "a session's lease is left to end by itself");
        }
    }

    /// Puts a key into the queue, unless the lease has one there already.
    pub(super) async fn queue_up(&self, wish: &Wish) -> Result<Ticket, Rejection> {
        let lease = self.session(wish.lease).await?;
        let queued = self.queue_up_with(wish, lease).await;
        if queued.is_err() {
            self.give_up(lease).await;
        }
        queued
    }

    async fn queue_up_with(&self, wish: &Wish, lease: Lease) -> Result<Ticket, Rejection> {
        let prefix = prefix(&wish.name);
        let key = key_of(&prefix, lease.id);
        let oldest = || get(by_creation(&prefix, SortOrder::Ascend, 0));
        let txn = TxnRequest {
            compare: vec![created_at(&key, 0)],
            success: vec![put(&key, wish.value.clone().unwrap_or_default(), lease.id), oldest()],
            failure: vec![get_key(&key), oldest()],
        };
        let response = self.serve_txn(txn).await?;
        let now = response.header.as_ref().map_or(0, |header| header.revision);
        let [mine, oldest] = <[ResponseOp; 2]>::try_from(response.responses).map_err(|_| unexpected())?;
        let (revision, found) = match mine.response {
            Some(Answer::ResponseRange(range)) => {
                let kv = range.kvs.into_iter().next().ok_or_else(unexpected)?;
                (kv.create_revision, Some(kv.value))
            }
            _ => (now, None),
        };
        let first = range_of(oldest)?.kvs.first().is_none_or(|kv| kv.create_revision == revision);
        Ok(Ticket { prefix, key, revision, lease, header: response.header, found, first })
    }

    /// Waits until every key that was there before is gone. Gives the header of the look that showed it.
    pub(super) async fn await_turn(
        &self,
        ticket: &Ticket,
        lost: &'static str,
    ) -> Result<Option<ResponseHeader>, Rejection> {
        if ticket.first {
            return Ok(ticket.header);
        }
        loop {
            let (header, ahead) = self.look_ahead(ticket, lost).await?;
            let Some(ahead) = ahead else { return Ok(header) };
            let after = header.as_ref().map_or(0, |header| header.revision) + 1;
            let watched = [ahead, ticket.key.clone()].map(|key| Span::new(key, Bytes::new()));
            // Whichever goes first: the key ahead, or one's own because its lease is over.
            await_deletion(Follower::new(self, watched, after)).await?;
        }
    }

    /// The last key before one's own, as everybody sees it now, and one's own is still there.
    async fn look_ahead(
        &self,
        ticket: &Ticket,
        lost: &'static str,
    ) -> Result<(Option<ResponseHeader>, Option<Bytes>), Rejection> {
        let ahead = by_creation(&ticket.prefix, SortOrder::Descend, ticket.revision - 1);
        let looks = TxnRequest { success: vec![get(ahead), get_key(&ticket.key)], ..Default::default() };
        let mut response = self.read_in_txn(looks).await?;
        self.stamp(&mut response.header);
        let [ahead, mine] = <[ResponseOp; 2]>::try_from(response.responses).map_err(|_| unexpected())?;
        let mine = range_of(mine)?.kvs;
        if mine.first().is_none_or(|kv| kv.create_revision != ticket.revision) {
            return Err(recipe_error(lost));
        }
        Ok((response.header, range_of(ahead)?.kvs.into_iter().next().map(|kv| kv.key)))
    }

    /// Leaves the queue. Only the key that this ticket is about is deleted, not one made since.
    pub(super) async fn leave_queue(&self, ticket: &Ticket) -> Result<(), Rejection> {
        if ticket.lease.fresh {
            self.serve_revoke(LeaseRevokeRequest { id: ticket.lease.id }).await?;
            return Ok(());
        }
        let txn = TxnRequest {
            compare: vec![created_at(&ticket.key, ticket.revision)],
            success: vec![delete(&ticket.key)],
            failure: Vec::new(),
        };
        self.serve_txn(txn).await.map(drop)
    }
}

async fn await_deletion(mut follower: Follower) -> Result<(), Rejection> {
    loop {
        let (news, next) = follower.next().await?;
        match news {
            News::Changes(events) if !events.iter().any(|event| event.deleted) => follower = next,
            News::Changes(_) | News::Lost => return Ok(()),
        }
    }
}

fn range_of(answer: ResponseOp) -> Result<RangeResponse, Rejection> {
    match answer.response {
        Some(Answer::ResponseRange(range)) => Ok(range),
        _ => Err(unexpected()),
    }
}
