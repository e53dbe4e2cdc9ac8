//! Entries that a leader sends, on their way into the engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::service::{invalid, stopped};
use crate::group::Group;
use crate::types::{LogId, RaftEntry, Runtime, Types};
use crate::wire::{self, Malformed, proto};

/// Answers to a stream of appends.
pub(super) type Replies = Pin<Box<dyn Stream<Item = Result<proto::AppendReply, Status>> + Send>>;

/// Takes a stream for the group that its first request names. It lives as long as its connection, and would
/// hold up the end of the process: so it ends when that is `stopping`.
pub(super) fn take(
    named: impl Fn(Option<proto::Route>) -> Result<Group, Status> + Send + 'static,
    mut requests: Streaming<proto::AppendRequest>,
    stopping: CancellationToken,
) -> Replies {
    // Answered before the first request is read: who opens it may have nothing to send yet.
    let replies = async_stream::try_stream! {
        let Some(first) = until(&stopping, requests.message()).await.unwrap_or(Ok(None))? else { return };
        let group = named(first.route)?;
        let refused = Arc::new(Mutex::new(None));
        let accepted = accept(group.clone(), first, requests, refused.clone(), stopping.clone());
        // The engine spawns a task here, and draws its seed from the task that it is called in.
        let seed = group.context().entropy().next_u64();
        let outcomes = Runtime::scope(seed, async { group.engine().stream_append(accepted) }).await;
        let mut outcomes = std::pin::pin!(outcomes);
        while let Some(Some(outcome)) = until(&stopping, outcomes.next()).await {
            yield stream_reply(outcome.map_err(|e| stopped(&e))?);
        }
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(status) = refused {
            Err(status)?;
        }
    };
    Box::pin(replies)
}

/// None: the process is stopping.
async fn until<T>(stopping: &CancellationToken, what: impl Future<Output = T>) -> Option<T> {
    stopping.run_until_cancelled(what).await
}

/// The requests of a stream, for as long as they are good; why it ended early is left in `refused`. The engine holds
/// on to them beyond the answers: a leader with nothing to send would keep the connection of a process that stops.
fn accept(
    group: Group,
    first: proto::AppendRequest,
    mut requests: Streaming<proto::AppendRequest>,
    refused: Arc<Mutex<Option<Status>>>,
    stopping: CancellationToken,
) -> impl Stream<Item = AppendEntriesRequest<Types>> + Send + 'static {
    async_stream::stream! {
        let mut next = Ok(Some(first));
        while let Ok(Some(message)) = next {
            match request(&group, message) {
                Ok(request) => yield request,
                Err(e) => {
                    *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(invalid(e));
                    return;
                }
            }
            next = until(&stopping, requests.message()).await.unwrap_or(Ok(None));
        }
    }
}

/// A message as the engine takes it.
pub(super) fn request(
    group: &Group,
    message: proto::AppendRequest,
) -> Result<AppendEntriesRequest<Types>, Malformed> {
    let mut request = AppendEntriesRequest {
        vote: wire::required_vote(message.ballot)?,
        prev_log_id: message.previous.map(wire::log_id),
        entries: consecutive(message.previous, message.entries)?,
        leader_commit: message.committed.map(wire::log_id),
    };
    if group.has_bug("apply before a majority has it") {
        request.leader_commit =
            request.entries.last().map(|e: &RaftEntry| e.log_id).or(request.leader_commit);
    }
    Ok(request)
}

fn stream_reply(outcome: StreamAppendResult<Types>) -> proto::AppendReply {
    use proto::append_reply::Outcome;
    let reply = |outcome: Outcome| proto::AppendReply { outcome: outcome.into(), ..Default::default() };
    let accepted = |at: Option<&LogId>| at.map(wire::mark);
    match outcome {
        Ok(last) => proto::AppendReply { accepted: accepted(last.as_ref()), ..reply(Outcome::Partial) },
        Err(StreamAppendError::Conflict(at)) => {
            proto::AppendReply { accepted: accepted(Some(&at)), ..reply(Outcome::Conflict) }
        }
        Err(StreamAppendError::HigherVote(vote)) => {
            proto::AppendReply { ballot: Some(wire::ballot(&vote)), ..reply(Outcome::HigherBallot) }
        }
    }
}

/// The engine trusts that entries follow each other; strangers may not.
pub(crate) fn consecutive(
    previous: Option<proto::Mark>,
    entries: Vec<proto::Entry>,
) -> Result<Vec<RaftEntry>, Malformed> {
    let first = previous.map_or(0, |m| m.index.saturating_add(1));
    let check = |(index, message)| match wire::entry(message)? {
        entry if entry.log_id.index() == index => Ok(entry),
        _ => Err(Malformed("entries that do not follow each other")),
    };
    (first..).zip(entries).map(check).collect()
}
