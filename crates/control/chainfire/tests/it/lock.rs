//! Locks as the crate `etcd-client` asks for them.

use std::time::Duration;

use etcd_client::{
    Client, ConnectOptions, GetOptions, LeaseGrantOptions, LockOptions, Permission, PutOptions,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Code;

use crate::world::{Beside, SOON, World, eventually, refusal};

/// The keys of a lock, oldest first.
pub(crate) async fn queue(client: &mut Client, name: &str) -> Vec<String> {
    let prefix = Some(GetOptions::new().with_prefix());
    let answer = client.get(format!("{name}/"), prefix).await.unwrap();
    let mut keys: Vec<_> =
        answer.kvs().iter().map(|kv| (kv.create_revision(), kv.key_str().unwrap().to_owned())).collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| key).collect()
}

async fn lease(client: &mut Client, id: i64) -> Option<LockOptions> {
    client.lease_grant(600, Some(LeaseGrantOptions::new().with_id(id))).await.unwrap();
    Some(LockOptions::new().with_lease(id))
}

#[tokio::test]
async fn a_lock_is_a_key_named_by_its_lease() {
    let world = World::new().await;
    let mut client = world.client().await;
    let with = lease(&mut client, 0x1f2e).await;
    let locked = client.lock("name", with.clone()).await.unwrap();
    assert_eq!(locked.key(), b"name/1f2e");
    let revision = locked.header().unwrap().revision();
    let got = client.get("name/1f2e", None).await.unwrap();
    assert_eq!((got.kvs()[0].create_revision(), got.kvs()[0].lease()), (revision, 0x1f2e));
    assert_eq!(got.kvs()[0].value(), b"");
    let again = client.lock("name", with).await.unwrap();
    assert_eq!(
        (again.key(), client.get("name/1f2e", None).await.unwrap().kvs()[0].version()),
        (locked.key(), 1)
    );
    client.unlock("name/1f2e").await.unwrap();
    assert_eq!(client.get("name/1f2e", None).await.unwrap().count(), 0);
    // Without a lease of its own, one of a minute is made for it.
    let fresh = client.lock("name", None).await.unwrap();
    let id = client.get(fresh.key(), None).await.unwrap().kvs()[0].lease();
    assert_eq!(fresh.key(), format!("name/{id:x}").as_bytes());
    assert_eq!(client.lease_time_to_live(id, None).await.unwrap().granted_ttl(), 60);
}

#[tokio::test]
async fn a_hundred_contenders_are_served_one_by_one_in_order() {
    const CONTENDERS: i64 = 100;
    let world = World::new().await;
    let mut client = world.client().await;
    let with = lease(&mut client, 9000).await;
    let held = client.lock("name", with).await.unwrap();
    let mut contenders = JoinSet::new();
    for id in 1..=CONTENDERS {
        let with = lease(&mut client, id).await;
        let mut own = client.clone();
        contenders.spawn(async move {
            let key = own.lock("name", with).await.unwrap().key().to_vec();
            // Whoever holds it writes: two at a time would lose one another's number.
            let got = own.get("served", None).await.unwrap();
            let mut served = got.kvs().first().map_or(Vec::new(), |kv| kv.value().to_vec());
            served.push(id as u8);
            tokio::task::yield_now().await;
            own.put("served", served, None).await.unwrap();
            own.unlock(key).await.unwrap();
        });
        let waiting = format!("name/{id:x}");
        eventually("the next one waits", async || queue(&mut client, "name").await.contains(&waiting)).await;
    }
    client.unlock(held.key()).await.unwrap();
    while let Some(done) = timeout(SOON, contenders.join_next()).await.expect("they are served") {
        done.unwrap();
    }
    let served = client.get("served", None).await.unwrap().kvs()[0].value().to_vec();
    assert_eq!(served, (1..=CONTENDERS as u8).collect::<Vec<_>>());
    assert!(queue(&mut client, "name").await.is_empty());
}

#[tokio::test]
async fn a_lease_that_ends_gives_up_its_lock() {
    let world = World::new().await;
    let mut client = world.client().await;
    let short = client.lease_grant(1, None).await.unwrap().id();
    client.lock("name", Some(LockOptions::new().with_lease(short))).await.unwrap();
    let with = lease(&mut client, 7).await;
    let next = timeout(SOON, client.lock("name", with)).await.expect("the holder's lease ends").unwrap();
    assert_eq!(next.key(), b"name/7");
    assert_eq!(queue(&mut client, "name").await, ["name/7"]);
}

#[tokio::test]
async fn a_waiter_whose_client_goes_away_leaves_nothing_behind() {
    let world = World::new().await;
    let mut client = world.client().await;
    let held = lease(&mut client, 1).await;
    client.lock("name", held).await.unwrap();
    // One with a lease of its own, and one for whom a lease is made.
    for with in [lease(&mut client, 2).await, None] {
        let mut other = client.clone();
        let waiter = Beside::new(async move { other.lock("name", with).await });
        eventually("it waits", async || queue(&mut client, "name").await.len() == 2).await;
        drop(waiter);
        eventually("its key is gone", async || queue(&mut client, "name").await == ["name/1"]).await;
    }
    let leases = client.leases().await.unwrap();
    let mut ids: Vec<_> = leases.leases().iter().map(|lease| lease.id()).collect();
    ids.sort();
    assert_eq!(ids, [1, 2], "the lease that was made is gone, the client's own is not");
    // Nor does one whose time is up.
    let lock = ConnectOptions::new().with_timeout(Duration::from_millis(300));
    let mut hasty = Client::connect([format!("http://{}", world.address())], Some(lock)).await.unwrap();
    let late = refusal(hasty.lock("name", Some(LockOptions::new().with_lease(2))).await);
    assert!(matches!(late.0, Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    eventually("its key is gone", async || queue(&mut client, "name").await == ["name/1"]).await;
}

#[tokio::test]
async fn one_whose_lease_is_lost_while_it_waits_is_told_at_once() {
    let world = World::new().await;
    let mut client = world.client().await;
    let held = lease(&mut client, 1).await;
    client.lock("name", held).await.unwrap();
    let with = lease(&mut client, 2).await;
    let mut other = client.clone();
    let waiter = Beside::new(async move { refusal(other.lock("name", with).await) });
    eventually("it waits", async || queue(&mut client, "name").await.len() == 2).await;
    client.lease_revoke(2).await.unwrap();
    let told = waiter.outcome("an answer although the lock is still held").await;
    assert_eq!(told, (Code::Unknown, "mutex: session is expired".into()));
    assert_eq!(queue(&mut client, "name").await, ["name/1"]);
}

#[tokio::test]
async fn waiters_have_places_of_their_own() {
    let world = World::with(|config| {
        config.limits.waiters = 2;
        config.limits.requests = 8;
    })
    .await;
    let mut client = world.client().await;
    let held = lease(&mut client, 1).await;
    client.lock("name", held).await.unwrap();
    let mut waiters = JoinSet::new();
    for id in [2, 3] {
        let with = lease(&mut client, id).await;
        let mut own = client.clone();
        waiters.spawn(async move { own.lock("name", with).await });
    }
    eventually("both wait", async || queue(&mut client, "name").await.len() == 3).await;
    let third = lease(&mut client, 4).await;
    let full = refusal(client.lock("name", third).await);
    assert_eq!(full, (Code::Unknown, "etcdserver: too many requests".into()));
    client.put("others", "are served", None).await.unwrap();
    waiters.abort_all();
    eventually("the places are free again", async || {
        let with = Some(LockOptions::new().with_lease(4));
        timeout(Duration::from_millis(500), client.lock("elsewhere", with)).await.is_ok_and(|l| l.is_ok())
    })
    .await;
}

#[tokio::test]
async fn refusals_are_etcds_words_without_a_code() {
    let world = World::with(|config| config.auth.bcrypt_cost = 4).await;
    let mut client = world.client().await;
    let unknown = refusal(client.lock("name", Some(LockOptions::new().with_lease(77))).await);
    assert_eq!(unknown, (Code::Unknown, "etcdserver: requested lease not found".into()));
    let empty = refusal(client.unlock("").await);
    assert_eq!(empty, (Code::Unknown, "etcdserver: key is not provided".into()));
    // Locks are keys: who may not touch them may not lock.
    for (user, role) in [("root", "root"), ("alice", "alices")] {
        client.user_add(user, "x", None).await.unwrap();
        client.role_add(role).await.unwrap();
        client.user_grant_role(user, role).await.unwrap();
    }
    client.role_grant_permission("alices", Permission::read_write("name/").with_prefix()).await.unwrap();
    client.auth_enable().await.unwrap();
    let nobody = refusal(client.lock("name", None).await);
    assert_eq!(nobody, (Code::Unknown, "etcdserver: user name is empty".into()));
    let login = ConnectOptions::new().with_user("alice", "x");
    let mut alice = Client::connect([format!("http://{}", world.address())], Some(login)).await.unwrap();
    let other = refusal(alice.lock("other", None).await);
    assert_eq!(other, (Code::Unknown, "etcdserver: permission denied".into()));
    assert!(queue(&mut alice, "name").await.is_empty());
    let key = alice.lock("name", None).await.unwrap().key().to_vec();
    // A waiter's key goes with its client, although only that client's user may touch it.
    let mut second = alice.clone();
    let waiter = Beside::new(async move { second.lock("name", None).await });
    eventually("it waits", async || queue(&mut alice, "name").await.len() == 2).await;
    drop(waiter);
    eventually("its key is gone", async || queue(&mut alice, "name").await.len() == 1).await;
    alice.unlock(key).await.unwrap();
}

#[tokio::test]
async fn a_waiter_survives_compaction_and_keys_beside_the_lock() {
    let world = World::new().await;
    let mut client = world.client().await;
    let held = lease(&mut client, 1).await;
    client.lock("name", held).await.unwrap();
    let with = lease(&mut client, 2).await;
    let mut other = client.clone();
    let waiter = Beside::new(async move { other.lock("name", with).await });
    eventually("it waits", async || queue(&mut client, "name").await.len() == 2).await;
    // A change of the holder's key is no deletion, and later keys are not ahead.
    client.put("name/1", "still mine", Some(PutOptions::new().with_lease(1))).await.unwrap();
    client.put("name/zzz", "later", None).await.unwrap();
    let head = client.put("k", "v", None).await.unwrap().header().unwrap().revision();
    client.compact(head, None).await.unwrap();
    client.unlock("name/1").await.unwrap();
    let turn = waiter.outcome("its turn comes").await.unwrap();
    assert_eq!(turn.key(), b"name/2");
}
