//! Requests that no good client sends: etcd-shaped errors, bounded memory, nothing lost.

use std::time::Duration;

use chainfire::proto::etcdserverpb::kv_client::KvClient;
use chainfire::proto::etcdserverpb::request_op::Request as Op;
use chainfire::proto::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::world::World;

async fn channel(world: &World) -> Channel {
    Endpoint::new(format!("http://{}", world.address())).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn malformed_messages_are_refused_one_by_one() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let nothing = TxnRequest { success: vec![RequestOp { request: None }], ..Default::default() };
    let refused = client.txn(nothing).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "etcdserver: key not found"));
    let odd = RangeRequest { key: "k".into(), sort_target: 77, ..Default::default() };
    let refused = client.range(odd).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "etcdserver: invalid sort option")
    );
    let put = PutRequest { key: "k".into(), ..Default::default() };
    let deep = (0..30).fold(RequestOp { request: Some(Op::RequestPut(put.clone())) }, |inner, _| {
        let txn = TxnRequest { success: vec![inner], ..Default::default() };
        RequestOp { request: Some(Op::RequestTxn(txn)) }
    });
    let refused = client.txn(TxnRequest { success: vec![deep], ..Default::default() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    client.put(put).await.unwrap();
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_before_it_is_read() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let huge = PutRequest { key: "k".into(), value: vec![0; 8 << 20].into(), ..Default::default() };
    let refused = client.put(huge).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{}", refused.message());
    assert!(refused.message().starts_with("grpc: received message larger than max"), "{}", refused.message());
    assert_eq!(world.node.store().view().head(), 1);
}

#[tokio::test]
async fn a_deadline_is_kept_although_the_request_hangs() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let mut compact =
        Request::new(chainfire::proto::etcdserverpb::CompactionRequest { revision: 1, physical: true });
    // Watchers that were not served yet hold the scrubber up: here, a hub that has come nowhere.
    world.node.store().set_dispatched(0);
    compact.set_timeout(Duration::from_millis(200));
    let late = client.compact(compact).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
}

#[tokio::test]
async fn more_requests_than_allowed_are_turned_away() {
    let world = World::with(|config| config.limits.requests = 16).await;
    let channel = channel(&world).await;
    let puts = (0..400).map(|n| {
        let mut client = KvClient::new(channel.clone());
        let request =
            PutRequest { key: format!("{n}").into(), value: vec![0; 10_000].into(), ..Default::default() };
        async move { client.put(request).await }
    });
    let outcomes = futures::future::join_all(puts).await;
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(!refused.is_empty() && refused.len() < 400, "{} refused", refused.len());
    for status in refused {
        assert_eq!(
            (status.code(), status.message()),
            (Code::ResourceExhausted, "etcdserver: too many requests")
        );
    }
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(world.node.store().view().head(), 1 + done as i64, "the others were all carried out");
}
