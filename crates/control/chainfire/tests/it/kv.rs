//! Keys and transactions.

use etcd_client::{
    CompactionOptions, Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, SortOrder, SortTarget, Txn,
    TxnOp,
};
use tonic::Code;

use crate::world::{World, refusal};

#[tokio::test]
async fn what_is_put_is_read() {
    let world = World::new().await;
    let mut client = world.client().await;
    let put = client.put("k", "v1", None).await.unwrap();
    let header = put.header().unwrap();
    assert_eq!(header.revision(), 2);
    assert_eq!(header.member_id(), world.node.group().id());
    assert!(header.cluster_id() != 0 && header.raft_term() > 0);
    let put = client.put("k", "v2", Some(PutOptions::new().with_prev_key())).await.unwrap();
    assert_eq!(put.prev_key().unwrap().value(), b"v1");
    let got = client.get("k", None).await.unwrap();
    let kv = &got.kvs()[0];
    assert_eq!((kv.value(), kv.version(), kv.create_revision(), kv.mod_revision()), (&b"v2"[..], 2, 2, 3));
    let old = client.get("k", Some(GetOptions::new().with_revision(2))).await.unwrap();
    assert_eq!((old.kvs()[0].value(), old.header().unwrap().revision()), (&b"v1"[..], 3));
    let deleted = client.delete("k", Some(DeleteOptions::new().with_prev_key())).await.unwrap();
    assert_eq!((deleted.deleted(), deleted.prev_kvs()[0].value()), (1, &b"v2"[..]));
    assert_eq!(client.delete("k", None).await.unwrap().header().unwrap().revision(), 4);
    assert_eq!(client.get("k", None).await.unwrap().count(), 0);
}

#[tokio::test]
async fn ranges_are_sorted_limited_and_counted() {
    let world = World::new().await;
    let mut client = world.client().await;
    for (key, value) in [("p/b", "1"), ("p/a", "3"), ("p/c", "2"), ("q", "0")] {
        client.put(key, value, None).await.unwrap();
    }
    let all = GetOptions::new().with_prefix();
    let by_value = all.clone().with_sort(SortTarget::Value, SortOrder::Descend).with_limit(2);
    let got = client.get("p/", Some(by_value)).await.unwrap();
    assert_eq!(got.kvs().iter().map(|kv| kv.key()).collect::<Vec<_>>(), [b"p/a", b"p/c"]);
    assert!(got.more() && got.count() == 3);
    let counted = client.get("p/", Some(all.clone().with_count_only())).await.unwrap();
    assert!(counted.kvs().is_empty() && counted.count() == 3);
    let late = all.with_min_mod_revision(3).with_keys_only().with_serializable();
    let late = client.get("p/", Some(late)).await.unwrap();
    assert_eq!(late.kvs().iter().map(|kv| kv.key()).collect::<Vec<_>>(), [b"p/a", b"p/c"]);
    assert!(late.kvs().iter().all(|kv| kv.value().is_empty()));
    let everything = client.get("", Some(GetOptions::new().with_all_keys())).await.unwrap();
    assert_eq!(everything.count(), 4);
}

#[tokio::test]
async fn a_transaction_happens_as_a_whole() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let inner =
        Txn::new().when([Compare::value("k", CompareOp::Equal, "v")]).and_then([TxnOp::put("i", "1", None)]);
    let txn = Txn::new()
        .when([Compare::version("k", CompareOp::Equal, 1), Compare::lease("k", CompareOp::Equal, 0)])
        .and_then([
            TxnOp::put("k2", "v2", None),
            TxnOp::get("k2", None),
            TxnOp::txn(inner),
            TxnOp::delete("k", None),
        ])
        .or_else([TxnOp::get("k", None)]);
    let response = client.txn(txn.clone()).await.unwrap();
    assert!(response.succeeded());
    assert_eq!((response.op_responses().len(), response.header().unwrap().revision()), (4, 3));
    assert!(!client.txn(txn).await.unwrap().succeeded());
    let keys = client.get("", Some(GetOptions::new().with_all_keys())).await.unwrap();
    let revisions: Vec<_> = keys.kvs().iter().map(|kv| (kv.key(), kv.mod_revision())).collect();
    assert_eq!(revisions, [(&b"i"[..], 3), (&b"k2"[..], 3)]);
    // One that only reads gets its answer without passing through the log.
    let applied = world.node.group().status().applied;
    let read = Txn::new().and_then([TxnOp::get("k2", None)]);
    assert!(client.txn(read).await.unwrap().succeeded());
    assert_eq!(world.node.group().status().applied, applied);
}

#[tokio::test]
async fn refusals_have_etcds_codes_and_words() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let empty = refusal(client.put("", "v", None).await);
    assert_eq!(empty, (Code::InvalidArgument, "etcdserver: key is not provided".into()));
    let future = refusal(client.get("k", Some(GetOptions::new().with_revision(99))).await);
    assert_eq!(future, (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision".into()));
    let keep = refusal(client.put("none", "", Some(PutOptions::new().with_ignore_value())).await);
    assert_eq!(keep, (Code::InvalidArgument, "etcdserver: key not found".into()));
    let keep = refusal(client.put("k", "v", Some(PutOptions::new().with_ignore_value())).await);
    assert_eq!(keep, (Code::InvalidArgument, "etcdserver: value is provided".into()));
    let lease = refusal(client.put("k", "v", Some(PutOptions::new().with_lease(9))).await);
    assert_eq!(lease, (Code::NotFound, "etcdserver: requested lease not found".into()));
    let twice = Txn::new().and_then([TxnOp::put("a", "", None), TxnOp::put("a", "", None)]);
    let twice = refusal(client.txn(twice).await);
    assert_eq!(twice, (Code::InvalidArgument, "etcdserver: duplicate key given in txn request".into()));
    let many: Vec<TxnOp> = (0..129).map(|n| TxnOp::put(format!("{n}"), "", None)).collect();
    let many = refusal(client.txn(Txn::new().and_then(many)).await);
    assert_eq!(many, (Code::InvalidArgument, "etcdserver: too many operations in txn request".into()));
    let large = refusal(client.put("k", vec![0; 3 << 19], None).await);
    assert_eq!(large, (Code::InvalidArgument, "etcdserver: request is too large".into()));
    assert_eq!(client.get("k", None).await.unwrap().header().unwrap().revision(), 2, "nothing was changed");
}

#[tokio::test]
async fn compaction_forgets_the_past_and_only_the_past() {
    let world = World::new().await;
    let mut client = world.client().await;
    for n in 0..50 {
        client.put("k", format!("{n}"), None).await.unwrap();
    }
    let used = || world.node.store().size().used;
    world.node.store().flush().unwrap();
    let before = used();
    client.compact(40, Some(CompactionOptions::new().with_physical())).await.unwrap();
    assert!(used() < before, "a physical compaction is done when it is answered");
    let at = |revision| Some(GetOptions::new().with_revision(revision));
    assert_eq!(client.get("k", at(40)).await.unwrap().kvs()[0].value(), b"38");
    let compacted = (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted".to_owned());
    assert_eq!(refusal(client.get("k", at(39)).await), compacted);
    assert_eq!(refusal(client.compact(40, None).await), compacted);
    let future = refusal(client.compact(1000, None).await);
    assert_eq!(future.1, "etcdserver: mvcc: required revision is a future revision");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let mut client = world.client().await;
    let lease = client.lease_grant(1000, None).await.unwrap().id();
    client.put("k", "v1", None).await.unwrap();
    client.put("k", "v2", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    let world = world.restart().await;
    let mut client = world.client().await;
    let got = client.get("k", None).await.unwrap();
    assert_eq!((got.kvs()[0].value(), got.kvs()[0].lease(), got.kvs()[0].version()), (&b"v2"[..], lease, 2));
    let old = client.get("k", Some(GetOptions::new().with_revision(2))).await.unwrap();
    assert_eq!(old.kvs()[0].value(), b"v1");
    assert_eq!(client.put("k", "v3", None).await.unwrap().header().unwrap().revision(), 4);
}

#[tokio::test]
async fn many_clients_write_each_its_own_revision() {
    let world = World::new().await;
    let client = world.client().await;
    let writers = (0..32).map(|writer| {
        let mut client = client.kv_client();
        async move {
            let mut revisions = Vec::new();
            for n in 0..20 {
                let put = client.put(format!("{writer}/{n}"), "v", None).await.unwrap();
                revisions.push(put.header().unwrap().revision());
                let got = client.get(format!("{writer}/{n}"), None).await.unwrap();
                assert_eq!(got.count(), 1, "a write that was answered is read");
            }
            revisions
        }
    });
    let revisions: Vec<i64> = futures::future::join_all(writers).await.concat();
    let distinct: std::collections::BTreeSet<i64> = revisions.iter().copied().collect();
    assert_eq!(distinct, (2..2 + 32 * 20).collect());
}
