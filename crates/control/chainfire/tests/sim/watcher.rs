//! A watcher that goes from member to member, and on where it stopped.

use std::time::Duration;

use chainfire::proto::etcdserverpb as pb;
use chainfire::proto::etcdserverpb::watch_client::WatchClient;
use chainfire::proto::etcdserverpb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::client::Client;
use crate::history::{Session, Watching};
use crate::world::elapsed;

/// How long it listens before it looks up.
const LISTEN: Duration = Duration::from_millis(600);

pub(crate) async fn run(client: Client) {
    let (key, end): (&str, &str) = match client.below(3) {
        0 => ("k", "l"),
        1 => ("\0", "\0"),
        _ => ("m", "n"),
    };
    let watching = Watching {
        key: key.into(),
        end: end.into(),
        puts: !client.chance(15),
        deletions: !client.chance(15),
        prev_kv: client.chance(60),
        next: i64::from(client.chance(50)),
        sessions: Vec::new(),
    };
    let at = {
        let mut all = client.world.watching.lock().unwrap();
        all.push(watching);
        all.len() - 1
    };
    loop {
        let (_, channel) = client.any_machine();
        if let Err(e) = watch(&client, at, channel).await {
            tracing::trace!(error = %e, "a watch broke");
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// One session on one member, until it breaks or the watcher has had enough of it.
async fn watch(client: &Client, at: usize, channel: Channel) -> Result<(), Status> {
    let request = begin(client, at);
    let (sender, requests) = mpsc::channel(8);
    let create = |request| pb::WatchRequest { request_union: Some(request) };
    let _ = sender.send(create(RequestUnion::CreateRequest(request))).await;
    let mut watch = WatchClient::new(channel);
    let opened = timeout(Duration::from_secs(1), watch.watch(ReceiverStream::new(requests))).await;
    let Ok(opened) = opened else { return Ok(()) };
    let mut responses = opened?.into_inner();
    let slow = client.chance(client.world.profile.slow);
    loop {
        if !hear(client, at, &mut responses).await? {
            if !client.is_over() && client.chance(20) {
                return Ok(());
            }
            let progress = RequestUnion::ProgressRequest(pb::WatchProgressRequest {});
            let _ = sender.try_send(create(progress));
        } else if client.chance(8) {
            let progress = RequestUnion::ProgressRequest(pb::WatchProgressRequest {});
            let _ = sender.try_send(create(progress));
        }
        if slow && !client.is_over() {
            client.pause(Duration::from_millis(800)).await;
        } else if !client.is_over() && client.chance(3) {
            return Ok(());
        }
    }
}

fn begin(client: &Client, at: usize) -> pb::WatchCreateRequest {
    let mut all = client.world.watching.lock().unwrap();
    let watching = &mut all[at];
    let heard = watching.sessions.iter().any(|session| !session.heard.is_empty());
    let ahead = client.chance(client.world.profile.future) && !client.is_over();
    // What it leaps over is another watcher's matter.
    let start = if ahead && watching.next > 0 { watching.next + 3 } else { watching.next };
    watching.sessions.push(Session { start, resumed: heard && !ahead, heard: Vec::new() });
    let mut filters = Vec::new();
    if !watching.puts {
        filters.push(pb::watch_create_request::FilterType::Noput.into());
    }
    if !watching.deletions {
        filters.push(pb::watch_create_request::FilterType::Nodelete.into());
    }
    pb::WatchCreateRequest {
        key: watching.key.clone().into(),
        range_end: watching.end.clone().into(),
        start_revision: start,
        progress_notify: true,
        prev_kv: watching.prev_kv,
        filters,
        ..Default::default()
    }
}

/// Says whether something came.
async fn hear(
    client: &Client,
    at: usize,
    responses: &mut Streaming<pb::WatchResponse>,
) -> Result<bool, Status> {
    let Ok(message) = timeout(LISTEN, responses.message()).await else { return Ok(false) };
    let Some(response) = message? else { return Err(Status::aborted("the stream ended")) };
    let now = client.world.now(elapsed());
    let mut all = client.world.watching.lock().unwrap();
    let watching = &mut all[at];
    let header = response.header.as_ref().map_or(0, |header| header.revision);
    let session = watching.sessions.last_mut().unwrap();
    let start = session.start;
    let (canceled, compacted) = (response.canceled, response.compact_revision);
    let last = response.events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision).max();
    let quiet = response.events.is_empty();
    let created = response.created;
    session.heard.push((now, response));
    watching.next = match last {
        _ if compacted != 0 => compacted,
        Some(last) => last + 1,
        None if created && start == 0 => header + 1,
        None if created => start,
        None if quiet && !canceled => watching.next.max(header + 1),
        None => watching.next,
    };
    if canceled { Err(Status::aborted("the watch was cancelled")) } else { Ok(true) }
}
