//! What a learner answers, and what it refuses: etcd's list (`isRPCSupportedForLearner`).

use chainfire::proto::etcdserverpb::{RangeRequest, StatusResponse};
use prost::Message;
use tonic::Code;

use crate::http::get;
use crate::raw::{call, channel_to, method, methods};
use crate::world::World;

#[tokio::test]
async fn a_learner_answers_serializable_ranges_status_and_snapshots_and_refuses_the_rest() {
    let world = World::reachable().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let learner = World::learner_of(&world).await;
    let channel = channel_to(&learner).await;
    let refused = (Code::Unavailable, "etcdserver: rpc not supported for learner");
    for method in methods() {
        let answer = call(&channel, &method, Vec::new()).await;
        match method.name.as_str() {
            "Status" => {
                let status = StatusResponse::decode(answer.unwrap().unwrap()).unwrap();
                assert!(status.is_learner && status.leader == world.node.group().id(), "{status:?}");
                assert!(status.errors.is_empty() && status.raft_applied_index <= status.raft_index);
            }
            "Snapshot" => assert!(answer.unwrap().is_some()),
            name => {
                let status = answer.unwrap_err();
                assert_eq!((status.code(), status.message()), refused, "{name}");
            }
        }
    }
    let range =
        |serializable| RangeRequest { key: "k".into(), serializable, ..Default::default() }.encode_to_vec();
    assert!(call(&channel, &method("Range"), range(true)).await.unwrap().is_some());
    let status = call(&channel, &method("Range"), range(false)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), refused);
    let ready = get(&learner, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.contains("[-]non_learner failed: not supported for learner\n"), "{ready}");
    assert!(get(&learner, "/livez").await.starts_with("HTTP/1.1 200 "));
}
