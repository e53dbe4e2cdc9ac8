//! RangeStream: a range in parts, all at one revision (etcd 3.7).
//!
//! Each part is read when the client has room for it, from the store as it is then: nothing is held in
//! between, neither memory nor the store's past. What is compacted meanwhile ends the stream.

use std::pin::Pin;

use futures::{Stream, StreamExt, TryFutureExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::{Api, CALLER, unexpected};
use crate::auth::Caller;
use crate::convert::{Checks, Rejection};
use crate::machine::{Part, PartSize, Reader};
use crate::proto::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use crate::store::{Span, View};

/// What one part holds: it is read at one go, and waits in memory until it is sent.
const PART: PartSize = PartSize { keys: 1000, bytes: 256 << 10 };

/// The parts of one range.
pub(crate) type Parts = Pin<Box<dyn Stream<Item = Result<RangeStreamResponse, Status>> + Send>>;

/// A range on its way.
struct Reading {
    api: Api,
    caller: Option<Caller>,
    /// The rest: its key moves on.
    request: RangeRequest,
    /// The store's revision when it began; 0 before.
    head: i64,
    /// Keys that may still be sent.
    room: usize,
    sent: i64,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

/// A part, and what only the last one says.
struct Step {
    part: Part,
    head: i64,
    /// Keys that come after the last part.
    left: i64,
}

impl Api {
    pub(super) async fn serve_range_stream(&self, request: RangeRequest) -> Result<Parts, Rejection> {
        Checks::range_stream(&request)?;
        let permit = self.waiters().try_acquire_owned().map_err(|_| Rejection::TooManyRequests)?;
        if !request.serializable {
            self.barrier().await?;
        }
        let reading = Reading {
            api: self.clone(),
            caller: CALLER.try_with(Clone::clone).unwrap_or_default(),
            room: usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX),
            request,
            head: 0,
            sent: 0,
            over: false,
            _permit: permit,
        };
        // The first part now: what is wrong with the request shows before the stream begins.
        let (first, reading) = reading.next().await?.ok_or_else(unexpected)?;
        let rest = stream::try_unfold(reading, |reading| reading.next().map_err(Status::from));
        Ok(Box::pin(stream::iter([Ok(first)]).chain(rest)))
    }
}

impl Reading {
    /// The next part. Only the last one has a header, and says what there is beyond it.
    async fn next(mut self) -> Result<Option<(RangeStreamResponse, Self)>, Rejection> {
        if self.over {
            return Ok(None);
        }
        let step = self.read().await?;
        self.head = step.head;
        self.room = self.room.saturating_sub(step.part.kvs.len());
        self.sent = self.sent.saturating_add_unsigned(step.part.kvs.len() as u64);
        let mut answer = RangeResponse { kvs: step.part.kvs, ..Default::default() };
        match step.part.next {
            Some(next) if self.room > 0 => self.request.key = next,
            next => {
                self.over = true;
                answer.header = self.api.header_at(self.head);
                answer.more = next.is_some();
                answer.count = self.sent + step.left;
            }
        }
        Ok(Some((RangeStreamResponse { range_response: Some(answer) }, self)))
    }

    async fn read(&self) -> Result<Step, Rejection> {
        let (key, end) = (self.request.key.clone(), self.request.range_end.clone());
        let (request, head, room) = (self.request.clone(), self.head, self.room);
        let look = self.api.read(false, move |view, compacted| step(view, compacted, &request, head, room));
        let permitted = self.api.read_as_permitted(|guard| Ok(guard.read(&key, &end)?), look);
        CALLER.scope(self.caller.clone(), permitted).await
    }
}

/// Reads one part. What names no revision is read at the one that was the latest when it began.
fn step(
    view: &View,
    compacted: i64,
    request: &RangeRequest,
    head: i64,
    room: usize,
) -> Result<Step, Rejection> {
    let head = if head == 0 { view.head() } else { head };
    let at = if request.revision > 0 { request.revision } else { head };
    let reader = Reader::new(view, view.head(), compacted);
    let span = Span::new(request.key.clone(), request.range_end.clone());
    if request.count_only {
        return Ok(Step { part: Part::default(), head, left: reader.count(&span, at)? });
    }
    let size = PartSize { keys: PART.keys.min(room), ..PART };
    let part = reader.part(&span, at, request.keys_only, size)?;
    let left = match &part.next {
        Some(next) if part.kvs.len() >= room => {
            reader.count(&Span::new(next.clone(), request.range_end.clone()), at)?
        }
        _ => 0,
    };
    Ok(Step { part, head, left })
}
