//! Room: the quota, its alarm, and the way back.

use etcd_client::{
    AlarmAction, AlarmOptions, AlarmType, Client, CompactionOptions, Compare, CompareOp, GetOptions, Txn,
    TxnOp, WatchOptions,
};
use tonic::Code;

use crate::world::{World, eventually, refusal};

const QUOTA: u64 = 4 << 20;
const VALUE: usize = 16 << 10;

async fn small_world() -> World {
    World::with(|config| {
        config.store.quota_bytes = QUOTA.cast_signed();
        config.store.flush_bytes = 64 << 10;
    })
    .await
}

fn member(id: u64) -> Option<AlarmOptions> {
    let mut options = AlarmOptions::new();
    options.with_member(id);
    Some(options)
}

fn no_space() -> (Code, String) {
    (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded".into())
}

/// Writes one key again and again until there is no room.
async fn fill(client: &mut Client) {
    for _ in 0..2 * QUOTA as usize / VALUE {
        let put = client.put("filler", vec![7; VALUE], None).await;
        if put.is_err() {
            assert_eq!(refusal(put), no_space());
            return;
        }
    }
    panic!("the quota was never reached");
}

async fn alarms(client: &mut Client) -> Vec<(u64, AlarmType)> {
    let listed = client.alarm(AlarmAction::Get, AlarmType::None, None).await.unwrap();
    listed.alarms().iter().map(|alarm| (alarm.member_id(), alarm.alarm())).collect()
}

#[tokio::test]
async fn a_full_store_refuses_what_would_make_it_larger_and_nothing_else() {
    let world = small_world().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    fill(&mut client).await;
    let me = world.node.group().id();
    eventually("the alarm", async || alarms(&mut client).await == [(me, AlarmType::Nospace)]).await;
    // However small.
    assert_eq!(refusal(client.put("k", "v", None).await), no_space());
    assert_eq!(refusal(client.lease_grant(60, None).await), no_space());
    let put = Txn::new().or_else([TxnOp::put("k", "v", None)]);
    assert_eq!(refusal(client.txn(put).await), no_space());
    let status = client.status().await.unwrap();
    assert_eq!(status.errors(), [format!("memberID:{me} alarm:NOSPACE ")]);
    assert!(status.db_size() >= QUOTA.cast_signed() / 4 * 3, "{}", status.db_size());
    // Reads, deletions and compaction go on.
    assert_eq!(client.get("k", None).await.unwrap().kvs()[0].value(), b"v");
    let delete = Txn::new().when([Compare::version("k", CompareOp::Greater, 0)]);
    assert!(client.txn(delete.and_then([TxnOp::delete("k", None)])).await.unwrap().succeeded());
    let revision = client.delete("filler", None).await.unwrap().header().unwrap().revision();
    client.compact(revision, None).await.unwrap();
}

#[tokio::test]
async fn an_alarm_holds_until_it_is_disarmed_and_through_a_restart() {
    let world = World::new().await;
    let mut client = world.client().await;
    // By hand, for a member that need not exist: what one member says holds for all.
    let raised = client.alarm(AlarmAction::Activate, AlarmType::Nospace, member(7)).await.unwrap();
    assert_eq!((raised.alarms()[0].member_id(), raised.alarms()[0].alarm()), (7, AlarmType::Nospace));
    client.alarm(AlarmAction::Activate, AlarmType::Nospace, member(7)).await.unwrap();
    assert_eq!(alarms(&mut client).await, [(7, AlarmType::Nospace)]);
    assert_eq!(refusal(client.put("k", "v", None).await), no_space());
    let nothing = client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, None).await.unwrap();
    assert!(nothing.alarms().is_empty(), "member 0 has raised none");
    let world = world.restart().await;
    let mut client = world.client().await;
    assert_eq!(alarms(&mut client).await, [(7, AlarmType::Nospace)]);
    assert_eq!(refusal(client.put("k", "v", None).await), no_space());
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, member(7)).await.unwrap();
    assert!(alarms(&mut client).await.is_empty());
    client.put("k", "v", None).await.unwrap();
}

#[tokio::test]
async fn an_alarm_makes_a_member_unhealthy_unless_it_is_excluded() {
    let world = World::new().await;
    let mut client = world.client().await;
    let health = async |query: &str| crate::http::get(&world, &format!("/health{query}")).await;
    assert!(health("").await.starts_with("HTTP/1.1 200 "));
    let option = member(7);
    client.alarm(AlarmAction::Activate, AlarmType::Nospace, option).await.unwrap();
    let answer = health("").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.trim_end().ends_with(r#"{"health":"false","reason":"ALARM NOSPACE"}"#), "{answer}");
    assert!(health("?exclude=NOSPACE").await.starts_with("HTTP/1.1 200 "));
    assert!(health("?exclude=CORRUPT").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn compacting_defragmenting_and_disarming_bring_writes_back() {
    let world = small_world().await;
    let mut client = world.client().await;
    client.put("kept", "value", None).await.unwrap();
    fill(&mut client).await;
    let me = world.node.group().id();
    eventually("the alarm", async || !alarms(&mut client).await.is_empty()).await;
    let full = client.status().await.unwrap().db_size();
    let revision = client.delete("filler", None).await.unwrap().header().unwrap().revision();
    client.compact(revision, Some(CompactionOptions::new().with_physical())).await.unwrap();
    client.defragment().await.unwrap();
    let small = client.status().await.unwrap().db_size();
    assert!(small < full / 4, "{small} of {full}");
    let option = member(me);
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, option).await.unwrap();
    client.put("again", "value", None).await.unwrap();
    assert!(client.status().await.unwrap().errors().is_empty());
    let world = world.restart().await;
    let mut client = world.client().await;
    for key in ["kept", "again"] {
        assert_eq!(client.get(key, None).await.unwrap().kvs()[0].value(), b"value");
    }
    client.put("more", "value", None).await.unwrap();
}

#[tokio::test]
async fn a_file_is_rewritten_beside_writers_readers_and_watchers() {
    let world = World::with(|config| config.store.flush_bytes = 64 << 10).await;
    let mut client = world.client().await;
    for n in 0..500 {
        client.put(format!("key{}", n % 10), vec![1; 4000], None).await.unwrap();
    }
    let mut events = client.watch("key", Some(WatchOptions::new().with_prefix())).await.unwrap();
    let mut writer = world.client().await;
    let writing = async {
        for n in 0..1000 {
            writer.put(format!("key{}", n % 10), vec![2; 1000], None).await.unwrap();
        }
    };
    let rewriting = async {
        for _ in 0..3 {
            // Several at once are one.
            let (mut one, mut two) = (world.client().await, world.client().await);
            let (one, two) = tokio::join!(one.defragment(), two.defragment());
            one.and(two).unwrap();
            assert_eq!(client.get("key1", None).await.unwrap().kvs().len(), 1);
        }
    };
    tokio::join!(writing, rewriting);
    let mut heard = 0;
    while heard < 1000 {
        heard += events.message().await.unwrap().unwrap().events().len();
    }
    let head = client.status().await.unwrap().header().unwrap().revision();
    assert_eq!(head, 1501);
    let hash = client.hash_kv(0).await.unwrap().hash();
    let world = world.restart().await;
    assert_eq!(world.client().await.hash_kv(0).await.unwrap().hash(), hash);
}

#[tokio::test]
async fn hashes_are_refused_where_revisions_are() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..5 {
        client.put("k", "v", None).await.unwrap();
    }
    let at_four = client.hash_kv(4).await.unwrap().hash();
    client.compact(4, None).await.unwrap();
    let answer = client.hash_kv(0).await.unwrap();
    assert_eq!((answer.header().unwrap().revision(), answer.compact_version()), (6, 4));
    assert_ne!(answer.hash(), client.hash_kv(4).await.unwrap().hash());
    assert_ne!(at_four, client.hash_kv(4).await.unwrap().hash(), "less is left of it");
    let compacted = (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted".to_owned());
    assert_eq!(refusal(client.hash_kv(3).await), compacted);
    let future = (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision".to_owned());
    assert_eq!(refusal(client.hash_kv(7).await), future);
    let whole = client.hash().await.unwrap().hash();
    client.lease_grant(60, None).await.unwrap();
    assert_ne!(client.hash().await.unwrap().hash(), whole, "leases count in the hash of everything");
}

#[tokio::test]
async fn a_member_that_is_said_to_be_corrupt_serves_nothing_until_it_is_disarmed() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let mut events = client.watch("k", None).await.unwrap();
    assert!(events.message().await.unwrap().unwrap().created());
    let me = || member(world.node.group().id());
    client.alarm(AlarmAction::Activate, AlarmType::Corrupt, me()).await.unwrap();
    let corrupt = (Code::DataLoss, "etcdserver: corrupt cluster".to_owned());
    assert_eq!(refusal(client.put("k", "v", None).await), corrupt);
    assert_eq!(refusal(client.get("k", None).await), corrupt);
    assert_eq!(refusal(client.get("k", Some(GetOptions::new().with_serializable())).await), corrupt);
    assert_eq!(refusal(client.lease_grant(60, None).await), corrupt);
    assert_eq!(refusal(events.message().await), corrupt);
    let health = crate::http::get(&world, "/health").await;
    assert!(health.trim_end().ends_with(r#"{"health":"false","reason":"ALARM CORRUPT"}"#), "{health}");
    assert_eq!(client.status().await.unwrap().errors().len(), 1);
    client.hash_kv(0).await.unwrap();
    client.alarm(AlarmAction::Deactivate, AlarmType::Corrupt, me()).await.unwrap();
    client.put("k", "v", None).await.unwrap();
    // Another member's is another member's.
    let other = member(7);
    client.alarm(AlarmAction::Activate, AlarmType::Corrupt, other).await.unwrap();
    client.put("k", "v", None).await.unwrap();
}
