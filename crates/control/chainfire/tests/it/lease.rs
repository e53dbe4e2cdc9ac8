//! Leases.

use etcd_client::{LeaseGrantOptions, LeaseTimeToLiveOptions, PutOptions};
use tonic::Code;

use crate::world::{World, eventually, refusal};

#[tokio::test]
async fn a_lease_takes_its_keys_with_it() {
    let world = World::new().await;
    let mut client = world.client().await;
    let lease = client.lease_grant(500, Some(LeaseGrantOptions::new().with_id(77))).await.unwrap();
    assert_eq!((lease.id(), lease.ttl()), (77, 500));
    for key in ["b", "a"] {
        client.put(key, "v", Some(PutOptions::new().with_lease(77))).await.unwrap();
    }
    let keys = Some(LeaseTimeToLiveOptions::new().with_keys());
    let left = client.lease_time_to_live(77, keys.clone()).await.unwrap();
    assert_eq!(left.keys(), [b"a", b"b"]);
    assert!(left.granted_ttl() == 500 && (490..=500).contains(&left.ttl()), "{}", left.ttl());
    let ids: Vec<i64> = client.leases().await.unwrap().leases().iter().map(|lease| lease.id()).collect();
    assert_eq!(ids, [77]);
    // A put without the lease detaches the key.
    client.put("b", "v", None).await.unwrap();
    client.lease_revoke(77).await.unwrap();
    assert_eq!(client.get("a", None).await.unwrap().count(), 0);
    assert_eq!(client.get("b", None).await.unwrap().count(), 1);
    let gone = client.lease_time_to_live(77, keys).await.unwrap();
    assert_eq!((gone.ttl(), gone.granted_ttl()), (-1, 0));
}

#[tokio::test]
async fn a_lease_that_is_kept_alive_lives_and_one_that_is_not_ends() {
    let world = World::new().await;
    let mut client = world.client().await;
    // An election takes 100 ms here, so that a second is the shortest time to live.
    let kept = client.lease_grant(1, None).await.unwrap();
    assert!(kept.id() > 0 && kept.ttl() == 1);
    let left = client.lease_grant(-5, None).await.unwrap();
    assert_eq!(left.ttl(), 1, "the shortest");
    for (key, lease) in [("kept", kept.id()), ("left", left.id())] {
        client.put(key, "v", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    }
    let (mut keeper, mut answers) = client.lease_keep_alive(kept.id()).await.unwrap();
    let mut other = client.clone();
    eventually("the lease that was left ends", async || {
        keeper.keep_alive().await.unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.id(), answer.ttl()), (kept.id(), 1));
        other.get("left", None).await.unwrap().count() == 0
    })
    .await;
    assert_eq!(client.get("kept", None).await.unwrap().count(), 1);
    client.lease_revoke(kept.id()).await.unwrap();
    keeper.keep_alive().await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().ttl(), 0, "it is gone");
}

#[tokio::test]
async fn leases_live_on_and_end_after_a_restart() {
    let world = World::new().await;
    let mut client = world.client().await;
    let lease = client.lease_grant(1, None).await.unwrap().id();
    client.put("k", "v", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    let world = world.restart().await;
    let mut client = world.client().await;
    eventually("the lease ends", async || client.get("k", None).await.unwrap().count() == 0).await;
    assert!(client.leases().await.unwrap().leases().is_empty());
}

#[tokio::test]
async fn refusals_have_etcds_codes_and_words() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.lease_grant(100, Some(LeaseGrantOptions::new().with_id(1))).await.unwrap();
    let again = refusal(client.lease_grant(100, Some(LeaseGrantOptions::new().with_id(1))).await);
    assert_eq!(again, (Code::FailedPrecondition, "etcdserver: lease already exists".into()));
    let long = refusal(client.lease_grant(9_000_000_001, None).await);
    assert_eq!(long, (Code::OutOfRange, "etcdserver: too large lease TTL".into()));
    let none = refusal(client.lease_revoke(2).await);
    assert_eq!(none, (Code::NotFound, "etcdserver: requested lease not found".into()));
}
