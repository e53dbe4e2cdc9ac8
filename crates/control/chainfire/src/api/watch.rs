//! Watch: one stream of requests and responses drives one [`Session`].
//!
//! There is no task and no channel between the session and the client: the response stream *is* the
//! session, and does work when the client has room for its result.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, stream};
use kit::server::Peer;
use prost::Message;
use tokio::sync::watch as channel;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming, async_trait};

use super::metrics::InGauge;
use super::{Api, OnLearner, requires_leader};
use crate::convert::Rejection;
use crate::proto::etcdserverpb::watch_create_request::FilterType;
use crate::proto::etcdserverpb::watch_request::RequestUnion;
use crate::proto::etcdserverpb::watch_server::Watch;
use crate::proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use crate::proto::mvccpb;
use crate::proto::mvccpb::event::EventType;
use crate::store::{Event, Span, Store, StoreError};
use crate::watch::{Content, NewWatcher, Notice, Options, Session, SessionLimits};

type Responses = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

#[async_trait]
impl Watch for Api {
    type WatchStream = Responses;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Responses>, Status> {
        // The stream itself holds no permit: it may be open for days.
        self.sound()?;
        self.admit(OnLearner::Refuse, request.metadata())?;
        let requires_leader = requires_leader(request.metadata());
        let stream = WatchStream::new(self, request, requires_leader);
        Ok(Response::new(Box::pin(stream::try_unfold(stream, WatchStream::next))))
    }
}

struct WatchStream {
    api: Api,
    requests: Streaming<WatchRequest>,
    /// What tells who asks.
    from: (MetadataMap, Extensions),
    session: Session,
    dispatched: channel::Receiver<i64>,
    next_look: Instant,
    requires_leader: bool,
    /// The rest of a response that was split.
    fragments: Vec<WatchResponse>,
    watchers: i64,
    _open: InGauge,
}

const SMALLEST: Bytes = Bytes::from_static(b"\0");

/// A refusal as Go prints it, which is what etcd gives as the reason.
fn status_text(rejection: &Rejection) -> String {
    let status = Status::from(rejection.clone());
    format!("rpc error: code = {:?} desc = {}", status.code(), status.message())
}

/// What to do next.
enum Turn {
    Request(WatchRequest),
    /// The client has nothing more to ask.
    Ended,
    Look,
    LookAround,
}

impl WatchStream {
    fn new(api: &Api, request: Request<Streaming<WatchRequest>>, requires_leader: bool) -> Self {
        let limits = SessionLimits {
            watchers: api.limits.watchers_per_stream,
            buffered_bytes: api.limits.watch_buffer_bytes,
        };
        let (metadata, extensions, requests) = request.into_parts();
        let who = extensions.get::<Peer>().map(ToString::to_string).unwrap_or_default();
        Self {
            api: api.clone(),
            requests,
            from: (metadata, extensions),
            session: Session::of(who, api.hub.clone(), api.store.clone(), limits),
            dispatched: api.hub.dispatched(),
            next_look: Instant::now() + progress_interval(api),
            requires_leader,
            fragments: Vec::new(),
            watchers: 0,
            _open: api.metrics.open_stream(),
        }
    }

    /// The next response. None: the client has closed its side.
    async fn next(mut self) -> Result<Option<(WatchResponse, Self)>, Status> {
        loop {
            self.api.sound()?;
            // Requests first: a client must get through to a session that is busy.
            if let Some(request) = self.requests.message().now_or_never() {
                match request? {
                    Some(request) => self.take(request).await,
                    None => return Ok(None),
                }
            }
            if let Some(fragment) = self.fragments.pop() {
                return Ok(Some((fragment, self)));
            }
            if let Some(notice) = self.session.next() {
                let response = self.respond(notice)?;
                return Ok(Some((response, self)));
            }
            if self.session.is_behind() {
                self = self.catch_up().await?;
                continue;
            }
            match self.wait().await? {
                Turn::Request(request) => self.take(request).await,
                Turn::Ended => return Ok(None),
                Turn::Look => {}
                Turn::LookAround => self.look_around(),
            }
        }
    }

    async fn wait(&mut self) -> Result<Turn, Status> {
        let awaits_hub = self.session.awaits_hub();
        let stopping = self.api.context.tasks().stopping();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Err(Rejection::Stopped.into()),
            () = self.api.alarms.fenced() => Err(Rejection::Corrupt.into()),
            () = leaderless(&self.api, self.requires_leader) => Err(Rejection::NoLeader.into()),
            request = self.requests.message() => Ok(request?.map_or(Turn::Ended, Turn::Request)),
            () = self.session.inbox().wait() => Ok(Turn::Look),
            moved = self.dispatched.changed(), if awaits_hub => {
                moved.map_err(|_| Rejection::Stopped)?;
                Ok(Turn::Look)
            }
            () = sleep_until(self.next_look) => Ok(Turn::LookAround),
        }
    }

    fn look_around(&mut self) {
        self.session.look_around();
        self.next_look = Instant::now() + progress_interval(&self.api);
    }

    async fn catch_up(mut self) -> Result<Self, Status> {
        if self.session.history_is_in_memory() {
            self.session.catch_up().map_err(Rejection::from)?;
            // A stream far behind must not hold up its thread's other streams.
            tokio::task::yield_now().await;
            return Ok(self);
        }
        let api = self.api.clone();
        let caught_up = api.blocking(move || self.session.catch_up().map(|()| self));
        Ok(caught_up.await?.map_err(Rejection::from)?)
    }

    async fn take(&mut self, request: WatchRequest) {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => match self.permit(&create).await {
                Ok(()) => self.session.create(new_watcher(create)),
                Err(rejection) => self.session.refuse(status_text(&rejection)),
            },
            Some(RequestUnion::CancelRequest(cancel)) => self.session.cancel(cancel.watch_id),
            Some(RequestUnion::ProgressRequest(_)) => self.session.request_progress(),
            // A request of a later version: etcd passes over it, too.
            None => {}
        }
        let watchers = i64::try_from(self.session.watchers()).unwrap_or(i64::MAX);
        self.api.metrics.watchers.inc_by(watchers - self.watchers);
        self.watchers = watchers;
    }

    /// Who asks is found out anew for each watcher: a token may end while the stream goes on.
    async fn permit(&mut self, create: &WatchCreateRequest) -> Result<(), Rejection> {
        let caller = self.api.identify(&self.from.0, self.from.1.get::<Peer>()).await?;
        let key = if create.key.is_empty() { SMALLEST } else { create.key.clone() };
        self.api.guarded(caller.as_ref(), |guard| guard.read(&key, &create.range_end))
    }

    fn respond(&mut self, notice: Notice) -> Result<WatchResponse, Status> {
        let Notice { id, revision, content } = notice;
        let header = self.api.header_at(revision);
        let mut response = WatchResponse { header, watch_id: id, ..Default::default() };
        match content {
            Content::Created => response.created = true,
            Content::Refused(why) => {
                (response.created, response.canceled) = (true, true);
                response.cancel_reason = why.into();
            }
            Content::Canceled => response.canceled = true,
            Content::Compacted(revision) => {
                response.canceled = true;
                response.compact_revision = revision;
                response.cancel_reason = Rejection::Compacted.text().into();
            }
            Content::Progress => {}
            Content::Events(events, options) => {
                response.events = self.events(&events, options).map_err(Rejection::from)?;
                self.api.metrics.events.inc_by(events.len() as u64);
                if options.fragment {
                    return Ok(self.split(response));
                }
            }
        }
        Ok(response)
    }

    /// A previous value that is no longer in memory is read here and now: one row of the disk.
    fn events(&self, events: &[Arc<Event>], options: Options) -> Result<Vec<mvccpb::Event>, StoreError> {
        let previous = |event: &Event| match options.prev_kv {
            true => previous(&self.api.store, event),
            false => Ok(None),
        };
        events.iter().map(|event| Ok(message(event, previous(event)?))).collect()
    }

    /// Splits a response that is larger than a request may be. The parts wait in reverse order.
    fn split(&mut self, response: WatchResponse) -> WatchResponse {
        let mut parts = split(response, self.api.limits.request_bytes);
        parts.reverse();
        let first = parts.pop().unwrap_or_default();
        self.fragments = parts;
        first
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        self.api.metrics.watchers.dec_by(self.watchers);
    }
}

/// etcd's interval, with a tenth of jitter, so that watchers made together do not report together.
fn progress_interval(api: &Api) -> Duration {
    let interval = api.limits.watch_progress;
    interval + api.context.entropy().jitter(interval / 10)
}

/// Comes when a leader is required and there was none for too long.
pub(super) async fn leaderless(api: &Api, required: bool) {
    if !required {
        return pending().await;
    }
    let mut leadership = api.leadership();
    loop {
        if leadership.wait_for(|l| l.leader.is_none()).await.is_err() {
            return pending().await;
        }
        if timeout(api.leaderless, leadership.wait_for(|l| l.leader.is_some())).await.is_err() {
            return;
        }
    }
}

pub(crate) fn new_watcher(create: WatchCreateRequest) -> NewWatcher {
    let filters: Vec<FilterType> = create.filters().collect();
    // As in etcd, no key means the smallest one.
    let key = if create.key.is_empty() { SMALLEST } else { create.key };
    NewWatcher {
        span: Span::new(key, create.range_end),
        start: create.start_revision,
        id: create.watch_id,
        puts: !filters.contains(&FilterType::Noput),
        deletions: !filters.contains(&FilterType::Nodelete),
        options: Options {
            prev_kv: create.prev_kv,
            progress: create.progress_notify,
            fragment: create.fragment,
        },
    }
}

/// What the change replaced, unless that is compacted: etcd reads it at the revision before.
fn previous(store: &Store, event: &Event) -> Result<Option<mvccpb::KeyValue>, StoreError> {
    let Some(mut revision) = event.previous else { return Ok(None) };
    if store.sabotage().is("give the new value as the previous one") {
        revision = event.revision;
    }
    let view = store.view();
    if event.revision.main - 1 < store.compacted() {
        return Ok(None);
    }
    Ok(view.event(revision)?.map(|previous| previous.key_value()))
}

fn message(event: &Event, prev_kv: Option<mvccpb::KeyValue>) -> mvccpb::Event {
    let kind = if event.deleted { EventType::Delete } else { EventType::Put };
    mvccpb::Event { r#type: kind.into(), kv: Some(event.key_value()), prev_kv }
}

/// In parts of at most `limit` bytes, or one event.
pub(crate) fn split(mut whole: WatchResponse, limit: usize) -> Vec<WatchResponse> {
    if whole.encoded_len() <= limit {
        return vec![whole];
    }
    let events = std::mem::take(&mut whole.events);
    let mut parts = vec![WatchResponse { fragment: true, ..whole.clone() }];
    let mut size = whole.encoded_len();
    for event in events {
        // Two bytes and a length before each event.
        let weight = event.encoded_len() + 8;
        if size + weight > limit && parts.last().is_some_and(|part| !part.events.is_empty()) {
            parts.push(WatchResponse { fragment: true, ..whole.clone() });
            size = whole.encoded_len();
        }
        size += weight;
        if let Some(part) = parts.last_mut() {
            part.events.push(event);
        }
    }
    if let Some(last) = parts.last_mut() {
        last.fragment = false;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_split_between_events_and_only_the_last_part_says_it_is_the_last() {
        let kv = |n: u8| mvccpb::KeyValue {
            key: vec![n].into(),
            value: vec![0; 100].into(),
            ..Default::default()
        };
        let events: Vec<_> =
            (0..10).map(|n| mvccpb::Event { kv: Some(kv(n)), ..Default::default() }).collect();
        let whole = WatchResponse { watch_id: 7, events: events.clone(), ..Default::default() };
        assert_eq!(split(whole.clone(), 1 << 20), vec![whole.clone()]);
        for limit in [1, 250, 400] {
            let parts = split(whole.clone(), limit);
            assert!(
                parts.iter().all(|p| p.watch_id == 7 && (p.events.len() == 1 || p.encoded_len() <= limit))
            );
            let last = parts.len() - 1;
            assert!(parts.iter().enumerate().all(|(i, part)| part.fragment == (i < last)));
            assert_eq!(parts.into_iter().flat_map(|part| part.events).collect::<Vec<_>>(), events);
        }
    }
}
