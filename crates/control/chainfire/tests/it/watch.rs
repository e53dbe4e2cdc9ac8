//! Watches, message by message.

use std::time::Duration;

use chainfire::proto::etcdserverpb::watch_client::WatchClient;
use chainfire::proto::etcdserverpb::watch_create_request::FilterType;
use chainfire::proto::etcdserverpb::watch_request::RequestUnion;
use chainfire::proto::etcdserverpb::{
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use etcd_client::{Client, EventType, WatchOptions};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Endpoint;

use crate::world::{SOON, World, eventually};

/// One stream, by hand.
struct Stream {
    requests: UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Stream {
    async fn open(world: &World) -> Self {
        let endpoint = Endpoint::new(format!("http://{}", world.address())).unwrap();
        let mut client =
            WatchClient::new(endpoint.connect().await.unwrap()).max_decoding_message_size(usize::MAX);
        let (requests, receiver) = unbounded();
        let responses = client.watch(receiver.boxed()).await.unwrap().into_inner();
        Self { requests, responses }
    }

    fn ask(&self, request: RequestUnion) {
        self.requests.unbounded_send(WatchRequest { request_union: Some(request) }).unwrap();
    }

    fn create(&self, create: WatchCreateRequest) {
        self.ask(RequestUnion::CreateRequest(create));
    }

    async fn next(&mut self) -> WatchResponse {
        timeout(SOON, self.responses.message())
            .await
            .expect("a response")
            .unwrap()
            .expect("the stream goes on")
    }

    async fn events(&mut self, count: usize) -> Vec<(i64, String)> {
        let mut events = Vec::new();
        while events.len() < count {
            let response = self.next().await;
            events.extend(response.events.into_iter().map(|event| {
                let kv = event.kv.unwrap();
                (kv.mod_revision, String::from_utf8_lossy(&kv.key).into_owned())
            }));
        }
        events
    }
}

fn of(key: &str) -> WatchCreateRequest {
    WatchCreateRequest { key: key.to_owned().into(), ..Default::default() }
}

fn all() -> WatchCreateRequest {
    WatchCreateRequest { range_end: "\0".into(), ..of("\0") }
}

async fn put(client: &mut Client, key: &str) -> i64 {
    client.put(key, "v", None).await.unwrap().header().unwrap().revision()
}

#[tokio::test]
async fn a_foreign_client_watches() {
    let world = World::new().await;
    let mut client = world.client().await;
    put(&mut client, "p/1").await;
    let options = WatchOptions::new().with_prefix().with_prev_key().with_start_revision(2);
    let mut stream = client.watch("p/", Some(options)).await.unwrap();
    assert!(stream.message().await.unwrap().unwrap().created());
    client.delete("p/1", None).await.unwrap();
    let mut events = Vec::new();
    while events.len() < 2 {
        events.extend(stream.message().await.unwrap().unwrap().events().to_vec());
    }
    assert_eq!(events[0].event_type(), EventType::Put);
    assert_eq!(events[1].event_type(), EventType::Delete);
    assert_eq!(events[1].prev_kv().unwrap().value(), b"v");
    assert_eq!(events[1].kv().unwrap().mod_revision(), 3);
}

#[tokio::test]
async fn many_watchers_share_a_stream() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut stream = Stream::open(&world).await;
    stream.create(of("a"));
    stream.create(WatchCreateRequest { watch_id: 7, ..all() });
    stream.create(WatchCreateRequest { watch_id: 7, ..all() });
    let first = stream.next().await;
    assert!(first.created && first.watch_id == 0 && first.header.unwrap().revision == 1);
    assert_eq!(stream.next().await.watch_id, 7);
    let twice = stream.next().await;
    assert!(twice.created && twice.canceled && twice.watch_id == -1);
    assert_eq!(twice.cancel_reason, "mvcc: duplicate watch ID provided on the WatchStream");
    put(&mut client, "a").await;
    let mut ids = [stream.next().await.watch_id, stream.next().await.watch_id];
    ids.sort_unstable();
    assert_eq!(ids, [0, 7]);
    stream.ask(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 7 }));
    let cancelled = stream.next().await;
    assert!(cancelled.canceled && cancelled.watch_id == 7 && cancelled.compact_revision == 0);
    put(&mut client, "b").await;
    put(&mut client, "a").await;
    let last = stream.next().await;
    assert_eq!((last.watch_id, last.events.len(), last.header.unwrap().revision), (0, 1, 4));
}

#[tokio::test]
async fn the_past_and_the_present_meet_without_a_gap() {
    let world = World::new().await;
    let mut client = world.client().await;
    for n in 0..200 {
        put(&mut client, &format!("k{n}")).await;
    }
    world.node.store().flush().unwrap();
    let mut stream = Stream::open(&world).await;
    stream.create(WatchCreateRequest { start_revision: 2, ..all() });
    assert!(stream.next().await.created);
    let mut writer = client.clone();
    let writing = async {
        for n in 200..400 {
            put(&mut writer, &format!("k{n}")).await;
        }
    };
    let (events, ()) = futures::join!(stream.events(400), writing);
    let expected: Vec<_> = (0..400).map(|n| (n + 2, format!("k{n}"))).collect();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn filters_let_through_what_is_wanted() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut stream = Stream::open(&world).await;
    stream.create(WatchCreateRequest { filters: vec![FilterType::Noput.into()], ..all() });
    stream.create(WatchCreateRequest { filters: vec![FilterType::Nodelete.into()], ..all() });
    assert!(stream.next().await.created && stream.next().await.created);
    put(&mut client, "a").await;
    client.delete("a", None).await.unwrap();
    let (one, two) = (stream.next().await, stream.next().await);
    assert_eq!((one.watch_id, one.events[0].r#type), (1, 0));
    assert_eq!((two.watch_id, two.events[0].r#type), (0, 1));
}

#[tokio::test]
async fn progress_is_told_on_request_and_now_and_then() {
    let world = World::with(|config| config.limits.watch_progress = Duration::from_millis(200)).await;
    let mut client = world.client().await;
    let mut stream = Stream::open(&world).await;
    stream.create(of("quiet"));
    assert!(stream.next().await.created);
    let revision = put(&mut client, "other").await;
    stream.ask(RequestUnion::ProgressRequest(WatchProgressRequest {}));
    let told = stream.next().await;
    assert_eq!((told.watch_id, told.events.len()), (-1, 0));
    assert!(told.header.unwrap().revision >= revision);
    stream.create(WatchCreateRequest { progress_notify: true, ..of("quiet too") });
    assert!(stream.next().await.created);
    let told = stream.next().await;
    assert_eq!((told.watch_id, told.events.len()), (1, 0));
    assert!(told.header.unwrap().revision >= revision);
}

#[tokio::test]
async fn a_watch_of_the_compacted_past_is_cancelled() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..5 {
        put(&mut client, "k").await;
    }
    client.compact(5, None).await.unwrap();
    let mut stream = Stream::open(&world).await;
    stream.create(WatchCreateRequest { start_revision: 3, ..all() });
    assert!(stream.next().await.created);
    let cancelled = stream.next().await;
    assert!(cancelled.canceled && cancelled.compact_revision == 5 && cancelled.watch_id == 0);
    // What is left can be watched.
    stream.create(WatchCreateRequest { start_revision: 5, ..all() });
    assert!(stream.next().await.created);
    assert_eq!(stream.events(2).await, [(5, "k".into()), (6, "k".into())]);
    stream.create(WatchCreateRequest { start_revision: -1, ..all() });
    let refused = stream.next().await;
    assert!(refused.created && refused.canceled && refused.watch_id == -1);
}

#[tokio::test]
async fn large_responses_are_split_only_if_asked() {
    let world = World::with(|config| config.limits.request_bytes = 512 << 10).await;
    let mut client = world.client().await;
    for n in 0..20 {
        client.put(format!("k{n:02}"), vec![0; 200_000], None).await.unwrap();
    }
    let mut stream = Stream::open(&world).await;
    stream.create(WatchCreateRequest { start_revision: 2, fragment: true, ..all() });
    assert!(stream.next().await.created);
    let (mut events, mut fragments) = (0, 0);
    while events < 20 {
        let part = stream.next().await;
        events += part.events.len();
        fragments += usize::from(part.fragment);
        assert!(part.events.len() <= 2);
    }
    assert!(fragments > 0);
    let mut whole = Stream::open(&world).await;
    whole.create(WatchCreateRequest { start_revision: 2, ..all() });
    assert!(whole.next().await.created);
    let first = whole.next().await;
    assert!(first.events.len() > 2 && !first.fragment);
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_nothing_and_costs_little() {
    let world = World::with(|config| config.limits.watch_buffer_bytes = 64 << 10).await;
    let mut client = world.client().await;
    let mut stream = Stream::open(&world).await;
    stream.create(all());
    assert!(stream.next().await.created);
    // More than the stream's and the connection's windows take.
    for n in 0..400 {
        client.put(format!("k{n}"), vec![0; 50_000], None).await.unwrap();
    }
    let events = stream.events(400).await;
    assert_eq!(events, (0..400).map(|n| (n + 2, format!("k{n}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn too_many_watchers_on_one_stream_are_refused() {
    let world = World::with(|config| config.limits.watchers_per_stream = 100).await;
    let mut stream = Stream::open(&world).await;
    for _ in 0..101 {
        stream.create(of("k"));
    }
    for id in 0..100 {
        assert_eq!(stream.next().await.watch_id, id);
    }
    let refused = stream.next().await;
    assert!(refused.created && refused.canceled && refused.watch_id == -1);
    let count = |world: &World| {
        let (_, text) = world.metrics.encode(None).unwrap();
        text.lines().find_map(|line| line.strip_prefix("chainfire_watchers ").map(str::to_owned))
    };
    assert_eq!(count(&world).as_deref(), Some("100"));
    drop(stream);
    eventually("the watchers go with their stream", async || count(&world).as_deref() == Some("0")).await;
}
