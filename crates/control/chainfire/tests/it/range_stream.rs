//! Ranges in parts.

use std::time::Duration;

use chainfire::proto::etcdserverpb::kv_client::KvClient;
use chainfire::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use chainfire::proto::etcdserverpb::{PutRequest, RangeRequest, RangeResponse};
use prost::Message;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::world::{SOON, World, eventually};

async fn kv(world: &World) -> KvClient<Channel> {
    // A window as small as it gets: the server must wait for the client.
    let endpoint = Endpoint::new(format!("http://{}", world.address())).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    KvClient::new(endpoint.connect().await.unwrap())
}

async fn fill(kv: &mut KvClient<Channel>, keys: usize, value: usize) {
    for n in 0..keys {
        let request =
            PutRequest { key: format!("k{n:05}").into(), value: vec![7; value].into(), ..Default::default() };
        kv.put(request).await.unwrap();
    }
}

fn everything() -> RangeRequest {
    RangeRequest { key: "k".into(), range_end: "l".into(), ..Default::default() }
}

/// All parts, and what they are when merged as protobuf merges messages.
async fn parts(
    kv: &mut KvClient<Channel>,
    request: RangeRequest,
) -> Result<(Vec<RangeResponse>, RangeResponse), Status> {
    let mut stream = kv.range_stream(request).await?.into_inner();
    let (mut parts, mut merged) = (Vec::new(), RangeResponse::default());
    while let Some(part) = timeout(SOON, stream.message()).await.expect("a part, or the end")? {
        let part = part.range_response.expect("every message has a part");
        merged.merge(part.encode_to_vec().as_slice()).unwrap();
        parts.push(part);
    }
    Ok((parts, merged))
}

#[tokio::test]
async fn the_parts_merged_are_the_range() {
    let world = World::new().await;
    let mut kv = kv(&world).await;
    fill(&mut kv, 2500, 100).await;
    world.node.store().flush().unwrap();
    let old = kv.range(everything()).await.unwrap().into_inner().header.unwrap().revision;
    // Half of them again, so that the present is in memory and the past on disk.
    fill(&mut kv, 1200, 10).await;
    let requests = [
        everything(),
        RangeRequest { limit: 7, ..everything() },
        RangeRequest { limit: 1000, ..everything() },
        RangeRequest { limit: 2500, ..everything() },
        RangeRequest { limit: 9000, ..everything() },
        RangeRequest { keys_only: true, ..everything() },
        RangeRequest { count_only: true, ..everything() },
        RangeRequest { serializable: true, ..everything() },
        RangeRequest { revision: old, ..everything() },
        RangeRequest { revision: old - 3, limit: 2498, ..everything() },
        RangeRequest { key: "k00001".into(), ..Default::default() },
        RangeRequest { key: "none".into(), ..Default::default() },
        RangeRequest { key: "k02000".into(), range_end: "\0".into(), ..Default::default() },
    ];
    for request in requests {
        let whole = kv.range(request.clone()).await.unwrap().into_inner();
        let (parts, merged) = parts(&mut kv, request.clone()).await.unwrap();
        assert_eq!(merged, whole, "{request:?}");
        let (last, others) = parts.split_last().unwrap();
        assert!(last.header.is_some());
        assert!(others.iter().all(|p| p.header.is_none() && !p.more && p.count == 0 && !p.kvs.is_empty()));
        assert!(parts.iter().all(|p| p.kvs.len() <= 1000 && p.encoded_len() < 300 << 10));
    }
    let (parts, _) = parts(&mut kv, everything()).await.unwrap();
    assert!(parts.len() >= 3, "{} parts", parts.len());
}

#[tokio::test]
async fn all_parts_are_of_one_revision_whatever_happens_meanwhile() {
    let world = World::new().await;
    // Another connection: the stream that is not read fills the window of its own.
    let (mut kv, mut other) = (self::kv(&world).await, self::kv(&world).await);
    fill(&mut kv, 40, 60_000).await;
    let before = kv.range(everything()).await.unwrap().into_inner();
    let mut stream = kv.range_stream(everything()).await.unwrap().into_inner();
    let mut merged = stream.message().await.unwrap().unwrap().range_response.unwrap();
    assert!(merged.kvs.len() < 40, "there is more to come");
    for n in 0..40 {
        let put = PutRequest { key: format!("k{n:05}").into(), value: "new".into(), ..Default::default() };
        other.put(put).await.unwrap();
    }
    other.put(PutRequest { key: "k99999".into(), ..Default::default() }).await.unwrap();
    while let Some(part) = timeout(SOON, stream.message()).await.unwrap().unwrap() {
        merged.merge(part.range_response.unwrap().encode_to_vec().as_slice()).unwrap();
    }
    assert_eq!(merged, before);
}

#[tokio::test]
async fn what_is_compacted_meanwhile_ends_the_stream() {
    let world = World::new().await;
    // Another connection: the stream that is not read fills the window of its own.
    let (mut kv, mut other) = (self::kv(&world).await, self::kv(&world).await);
    fill(&mut kv, 40, 60_000).await;
    let mut stream = kv.range_stream(everything()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    let put = PutRequest { key: "other".into(), ..Default::default() };
    let revision = other.put(put).await.unwrap().into_inner().header.unwrap().revision;
    let compaction = chainfire::proto::etcdserverpb::CompactionRequest { revision, physical: false };
    other.compact(compaction).await.unwrap();
    let ended = loop {
        match timeout(SOON, stream.message()).await.expect("the stream ends") {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it went on to its end"),
            Err(status) => break status,
        }
    };
    let text = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((ended.code(), ended.message()), (Code::OutOfRange, text));
}

#[tokio::test]
async fn one_who_does_not_read_costs_a_part_and_holds_nothing_up() {
    let world = World::new().await;
    let mut kv = kv(&world).await;
    fill(&mut kv, 100, 100_000).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(kv.range_stream(everything()).await.unwrap().into_inner());
    }
    // The past that they stopped in is not kept for them.
    let mut other = self::kv(&world).await;
    let put = PutRequest { key: "other".into(), ..Default::default() };
    let revision = other.put(put).await.unwrap().into_inner().header.unwrap().revision;
    let physical = chainfire::proto::etcdserverpb::CompactionRequest { revision, physical: true };
    timeout(SOON, other.compact(physical)).await.expect("compaction does not wait for them").unwrap();
    drop(idle);
    eventually("new ones are served", async || {
        let request = RangeRequest { limit: 3, ..everything() };
        timeout(Duration::from_secs(5), parts(&mut other, request)).await.is_ok_and(|parts| parts.is_ok())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_in_etcds_words() {
    let world = World::new().await;
    let mut kv = kv(&world).await;
    let by_value = RangeRequest { sort_target: SortTarget::Value.into(), ..everything() };
    let backwards = RangeRequest { sort_order: SortOrder::Descend.into(), ..everything() };
    let sorted = (Code::Unimplemented, "RangeStream does not support custom sort orders");
    let refusals = [
        (by_value, sorted),
        (backwards, sorted),
        (
            RangeRequest { min_mod_revision: 1, ..everything() },
            (Code::Unimplemented, "RangeStream does not support revision filters"),
        ),
        (RangeRequest::default(), (Code::InvalidArgument, "etcdserver: key is not provided")),
        (
            RangeRequest { revision: 99, ..everything() },
            (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
        ),
    ];
    for (request, expected) in refusals {
        let refused = parts(&mut kv, request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), expected);
    }
}
