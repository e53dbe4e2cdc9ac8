//! Status, snapshots, and what the next version brings.

use chainfire::proto::etcdserverpb::{DowngradeRequest, DowngradeResponse};
use chainfire::store::{Store, StoreOptions};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::raw::{call, channel_to, method};
use crate::world::World;

#[tokio::test]
async fn status_is_that_of_a_leader() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let status = client.status().await.unwrap();
    assert_eq!(status.version(), "3.5.16");
    assert_eq!(status.leader(), world.node.group().id());
    assert!(status.raft_applied_index() > 0 && status.raft_index() >= status.raft_applied_index());
    assert!(status.db_size() > 0 && status.raft_term() > 0 && !status.is_learner());
    assert!(status.errors().is_empty());
}

#[tokio::test]
async fn a_snapshot_has_etcds_outline_and_is_the_whole_store() {
    let world = World::new().await;
    let mut client = world.client().await;
    for n in 0..300 {
        client.put(format!("key{n}"), vec![7; 1000], None).await.unwrap();
    }
    let mut stream = client.snapshot().await.unwrap();
    let (mut file, mut remaining) = (Vec::new(), Vec::new());
    while let Some(part) = stream.message().await.unwrap() {
        file.extend_from_slice(part.blob());
        remaining.push(part.remaining_bytes());
    }
    assert_eq!(file.len() % 512, 32, "etcdctl's test for a complete file");
    let (content, hash) = file.split_at(file.len() - 32);
    assert_eq!(Sha256::digest(content).as_slice(), hash);
    assert!(remaining.len() > 3 && remaining.is_sorted_by(|a, b| a >= b));
    assert_eq!(remaining.last(), Some(&0));
    let dir = tempfile::tempdir().unwrap();
    let copy = Store::open(dir.path(), StoreOptions::default()).unwrap();
    copy.import(&mut file.as_slice(), &"position".into()).unwrap();
    assert_eq!(copy.view().head(), world.node.store().view().head());
    let spool = world.node_dir().join("spool");
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0, "nothing is left lying about");
}

#[tokio::test]
async fn a_downgrade_is_answered_as_etcd_answers_but_never_begun() {
    let world = World::new().await;
    let channel = channel_to(&world).await;
    let ask = async |action, version: &str| {
        let request = DowngradeRequest { action, version: version.into() }.encode_to_vec();
        let answer = call(&channel, &method("Downgrade"), request).await;
        answer.map(|answer| DowngradeResponse::decode(answer.unwrap()).unwrap().version)
    };
    let (validate, enable, cancel) = (0, 1, 2);
    for version in ["3.4", "3.4.0", "3.4.27"] {
        assert_eq!(ask(validate, version).await.unwrap(), "3.5.0", "{version}");
    }
    for (action, version, code, text) in [
        (validate, "3.5.0", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
        (validate, "3.3", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
        (validate, "2.4", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
        (validate, "three", Code::InvalidArgument, "etcdserver: wrong downgrade target version format"),
        (enable, "", Code::InvalidArgument, "etcdserver: wrong downgrade target version format"),
        (enable, "3.3", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
        (enable, "3.4", Code::Unavailable, "etcdserver: not capable"),
        (cancel, "", Code::FailedPrecondition, "etcdserver: no inflight downgrade job"),
        (9, "3.4", Code::Unknown, "etcdserver: unknown method"),
    ] {
        let status = ask(action, version).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, text), "{action} {version}");
    }
}

#[tokio::test]
async fn figures_are_there_to_be_scraped() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let (_, text) = world.metrics.encode(None).unwrap();
    for line in
        ["chainfire_revision 2", "chainfire_is_leader 1", "chainfire_request_seconds_count{method=\"Put\"} 1"]
    {
        assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
    }
}
