//! Entries on their way to a peer: one stream of requests, answered in order.
//!
//! A few requests may be under way at once. With one alone, the entry after a commit would wait until the
//! peer has answered that it heard of the commit. With many, what is proposed meanwhile would no longer
//! gather into large requests.
//!
//! A peer of the version before has no streams; it is asked request by request.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::base::BoxStream;
use openraft::errors::RPCError;
use openraft::network::{RPCOption, stream_append_sequential};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::link::{Link, failed, garbled, unreachable};
use crate::types::{LogId, Types};
use crate::wire::{self, proto};

/// Requests under way at once.
const PIPELINE: usize = 2;

type Answer = Result<StreamAppendResult<Types>, RPCError<Types>>;

/// What has been sent and not answered.
struct Pending {
    last: Option<LogId>,
    sent: Instant,
}

/// One stream to one peer.
struct Session<S> {
    /// What the engine wants sent; none when it wants no more.
    input: Option<S>,
    outgoing: mpsc::Sender<proto::AppendRequest>,
    answers: Streaming<proto::AppendReply>,
    pending: VecDeque<Pending>,
    route: Option<proto::Route>,
    patience: Duration,
}

/// A stream that is opened with its first request: until there is one, the engine may be pausing after a failure.
enum Stage<'s, S> {
    New(&'s mut Link, S, Duration),
    Open(Box<Session<S>>),
}

impl Link {
    pub(super) async fn append_in_order<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> Result<BoxStream<'s, Answer>, RPCError<Types>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
    {
        if self.one_by_one {
            return stream_append_sequential(self, input, option).await;
        }
        let patience = option.hard_ttl().max(self.links.patience);
        Ok(futures::stream::unfold(Some(Stage::New(self, input, patience)), Stage::next).boxed())
    }

    async fn open<S>(&mut self, input: S, patience: Duration) -> Result<Box<Session<S>>, RPCError<Types>> {
        let (outgoing, requests) = mpsc::channel(PIPELINE);
        let mut client = self.client()?;
        let opening = client.append_stream(ReceiverStream::new(requests));
        let answers = match timeout(patience, opening).await {
            Ok(Ok(opened)) => opened.into_inner(),
            Ok(Err(status)) => {
                self.one_by_one = status.code() == Code::Unimplemented;
                return Err(failed(status));
            }
            Err(_) => return Err(unreachable("no answer to a stream of entries")),
        };
        let (pending, route) = (VecDeque::new(), Some(self.route()));
        Ok(Box::new(Session { input: Some(input), outgoing, answers, pending, route, patience }))
    }
}

impl<'s, S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin> Stage<'s, S> {
    /// The next answer. The stream ends with the first one that is not a success.
    async fn next(this: Option<Self>) -> Option<(Answer, Option<Self>)> {
        let mut session = match this? {
            Self::Open(session) => session,
            Self::New(link, mut input, patience) => {
                let first = input.next().await?;
                let last = last_of(&first);
                match link.open(input, patience).await {
                    Ok(mut session) => {
                        session.send(first).await;
                        session
                    }
                    // A known bug of simulations: what was not answered counts all the same.
                    Err(_) if link.links.context.sabotage().is("count a member that did not answer") => {
                        return Some((Ok(Ok(last)), None));
                    }
                    Err(e) => return Some((Err(e), None)),
                }
            }
        };
        let answer = session.answer().await?;
        let goes_on = matches!(answer, Ok(Ok(_)));
        Some((answer, goes_on.then_some(Self::Open(session))))
    }
}

fn last_of(request: &AppendEntriesRequest<Types>) -> Option<LogId> {
    request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id)
}

impl<S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin> Session<S> {
    /// Sends what may be sent until there is an answer. None: there is nothing left to send or to hear.
    async fn answer(&mut self) -> Option<Answer> {
        let heard = loop {
            let may_send = self.pending.len() < PIPELINE && self.input.is_some();
            let late = self.pending.front().map(|oldest| oldest.sent + self.patience);
            tokio::select! {
                biased;
                heard = answer_by(&mut self.answers, late), if late.is_some() => break heard,
                request = next_of(&mut self.input), if may_send => match request {
                    Some(request) => self.send(request).await,
                    None => self.input = None,
                },
                else => return None,
            }
        };
        Some(heard.and_then(|reply| self.take(reply)))
    }

    /// A stream that is broken shows by its answers.
    async fn send(&mut self, request: AppendEntriesRequest<Types>) {
        let last = last_of(&request);
        let message = proto::AppendRequest {
            // The stream is one group's: it is named once.
            route: self.route.take(),
            ballot: Some(wire::ballot(&request.vote)),
            previous: request.prev_log_id.as_ref().map(wire::mark),
            entries: request.entries.into_iter().map(wire::entry_message).collect(),
            committed: request.leader_commit.as_ref().map(wire::mark),
        };
        let _ = self.outgoing.send(message).await;
        self.pending.push_back(Pending { last, sent: Instant::now() });
    }

    fn take(&mut self, reply: proto::AppendReply) -> Answer {
        use proto::append_reply::Outcome;
        let Some(asked) = self.pending.pop_front() else {
            return Err(garbled(&wire::Malformed("an append reply that nobody asked for")));
        };
        let place = reply.accepted.map(wire::log_id);
        match reply.outcome() {
            Outcome::Success => Ok(Ok(asked.last)),
            Outcome::Partial => Ok(Ok(place)),
            Outcome::Conflict => match place {
                Some(at) => Ok(Err(StreamAppendError::Conflict(at))),
                None => Err(garbled(&wire::Malformed("a conflict without a place"))),
            },
            Outcome::HigherBallot => {
                let vote = wire::required_vote(reply.ballot).map_err(|e| garbled(&e))?;
                Ok(Err(StreamAppendError::HigherVote(vote)))
            }
            Outcome::Unspecified => Err(garbled(&wire::Malformed("an append reply without an outcome"))),
        }
    }
}

async fn next_of<S: Stream + Unpin>(input: &mut Option<S>) -> Option<S::Item> {
    input.as_mut()?.next().await
}

async fn answer_by(
    answers: &mut Streaming<proto::AppendReply>,
    late: Option<Instant>,
) -> Result<proto::AppendReply, RPCError<Types>> {
    let late = late.unwrap_or_else(Instant::now);
    match timeout_at(late, answers.message()).await {
        Ok(Ok(Some(reply))) => Ok(reply),
        Ok(Ok(None)) => Err(failed(Status::unavailable("the peer ended the stream of entries"))),
        Ok(Err(status)) => Err(failed(status)),
        Err(_) => Err(unreachable("entries were not answered in time")),
    }
}
