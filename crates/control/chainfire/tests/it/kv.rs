//! Keys.

use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp};

use crate::world::World;

#[tokio::test]
async fn what_is_put_is_read() {
    let world = World::new().await;
    let mut client = world.client().await;
    let put = client.put("k", "v1", None).await.unwrap();
    assert_eq!(put.header().unwrap().revision(), 2);
    let put = client.put("k", "v2", Some(PutOptions::new().with_prev_key())).await.unwrap();
    assert_eq!(put.prev_key().unwrap().value(), b"v1");
    let got = client.get("k", None).await.unwrap();
    let kv = &got.kvs()[0];
    assert_eq!((kv.value(), kv.version(), kv.create_revision(), kv.mod_revision()), (&b"v2"[..], 2, 2, 3));
    let old = client.get("k", Some(GetOptions::new().with_revision(2))).await.unwrap();
    assert_eq!(old.kvs()[0].value(), b"v1");
    let txn = Txn::new()
        .when([Compare::version("k", CompareOp::Equal, 2)])
        .and_then([TxnOp::delete("k", None), TxnOp::get("k", None)])
        .or_else([TxnOp::get("k", None)]);
    let response = client.txn(txn).await.unwrap();
    assert!(response.succeeded());
    assert_eq!(client.get("k", None).await.unwrap().count(), 0);
}
