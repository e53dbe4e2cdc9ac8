//! Elections as the crate `etcd-client` asks for them.

use etcd_client::{Client, LeaderKey, LeaseGrantOptions, ObserveStream, ProclaimOptions, ResignOptions};
use tokio::time::timeout;
use tonic::Code;

use crate::lock::queue;
use crate::world::{Beside, SOON, World, eventually, refusal};

async fn lease(client: &mut Client, id: i64) -> i64 {
    client.lease_grant(600, Some(LeaseGrantOptions::new().with_id(id))).await.unwrap().id()
}

async fn elect(client: &mut Client, value: &str, id: i64) -> LeaderKey {
    let lease = lease(client, id).await;
    client.campaign("name", value, lease).await.unwrap().take_leader().unwrap()
}

fn as_leader(leader: &LeaderKey) -> Option<ProclaimOptions> {
    Some(ProclaimOptions::new().with_leader(leader.clone()))
}

fn no_more(leader: &LeaderKey) -> Option<ResignOptions> {
    Some(ResignOptions::new().with_leader(leader.clone()))
}

/// The next observation: the key and what is proclaimed.
async fn seen(stream: &mut ObserveStream) -> (String, String) {
    let next = timeout(SOON, stream.message()).await.expect("there is news").unwrap().unwrap();
    let kv = next.kv().unwrap();
    assert!(next.header().unwrap().revision() >= kv.mod_revision());
    (kv.key_str().unwrap().to_owned(), kv.value_str().unwrap().to_owned())
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

#[tokio::test]
async fn a_leader_proclaims_and_resigns_and_the_next_one_leads() {
    let world = World::new().await;
    let mut client = world.client().await;
    let nobody = refusal(client.leader("name").await);
    assert_eq!(nobody, (Code::Unknown, "election: no leader".into()));
    let first = elect(&mut client, "one", 0xa).await;
    assert_eq!((first.name(), first.key(), first.lease()), (&b"name"[..], &b"name/a"[..], 0xa));
    let mut other = client.clone();
    let next = Beside::new(async move { elect(&mut other, "two", 0xb).await });
    eventually("the next one waits", async || queue(&mut client, "name").await.len() == 2).await;
    let leads = client.leader("name").await.unwrap();
    assert_eq!(
        (leads.kv().unwrap().value(), leads.kv().unwrap().create_revision()),
        (&b"one"[..], first.rev())
    );
    client.proclaim("one again", as_leader(&first)).await.unwrap();
    assert_eq!(client.leader("name").await.unwrap().kv().unwrap().value(), b"one again");
    client.resign(no_more(&first)).await.unwrap();
    let second = next.outcome("its turn comes").await;
    assert_eq!(client.leader("name").await.unwrap().kv().unwrap().key(), second.key());
    let deposed = refusal(client.proclaim("too late", as_leader(&first)).await);
    assert_eq!(deposed, (Code::Unknown, "election: not leader".into()));
    client.resign(no_more(&first)).await.unwrap();
    assert_eq!(client.leader("name").await.unwrap().kv().unwrap().value(), b"two", "it changed nothing");
    // Nor does it once the same lease has queued up again, under the same key.
    let mut other = client.clone();
    let again = Beside::new(async move { other.campaign("name", "three", 0xa).await });
    eventually("it waits again", async || queue(&mut client, "name").await.len() == 2).await;
    client.resign(no_more(&first)).await.unwrap();
    assert_eq!(queue(&mut client, "name").await.len(), 2, "an earlier campaign ended a later one");
    client.resign(no_more(&second)).await.unwrap();
    let third = again.outcome("its turn comes").await.unwrap();
    assert!(third.leader().unwrap().rev() > first.rev());
}

#[tokio::test]
async fn campaigning_again_with_one_lease_changes_what_is_proclaimed() {
    let world = World::new().await;
    let mut client = world.client().await;
    let first = elect(&mut client, "one", 0xa).await;
    let again = client.campaign("name", "other", 0xa).await.unwrap();
    assert_eq!(again.leader().unwrap().rev(), first.rev());
    let leads = client.leader("name").await.unwrap();
    assert_eq!((leads.kv().unwrap().value(), leads.kv().unwrap().version()), (&b"other"[..], 2));
}

#[tokio::test]
async fn an_observer_hears_of_every_leader_and_proclamation_in_order() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut stream = client.observe("name").await.unwrap();
    let first = elect(&mut client, "one", 0xa).await;
    assert_eq!(seen(&mut stream).await, pair("name/a", "one"));
    let mut late = client.observe("name").await.unwrap();
    assert_eq!(seen(&mut late).await, pair("name/a", "one"));
    for n in 0..50 {
        client.proclaim(format!("{n}"), as_leader(&first)).await.unwrap();
    }
    for n in 0..50 {
        assert_eq!(seen(&mut stream).await, pair("name/a", &format!("{n}")));
        assert_eq!(seen(&mut late).await, pair("name/a", &format!("{n}")));
    }
    let mut other = client.clone();
    let next = Beside::new(async move { elect(&mut other, "two", 0xb).await });
    eventually("the next one waits", async || queue(&mut client, "name").await.len() == 2).await;
    client.lease_revoke(0xa).await.unwrap();
    let second = next.outcome("its turn comes").await;
    assert_eq!(seen(&mut stream).await, pair("name/b", "two"));
    // A time without a leader, and history that is forgotten meanwhile.
    let gone = client.resign(no_more(&second)).await.unwrap().header().unwrap().revision();
    client.compact(gone, None).await.unwrap();
    elect(&mut client, "three", 0xc).await;
    assert_eq!(seen(&mut stream).await, pair("name/c", "three"));
}

#[tokio::test]
async fn a_candidate_that_goes_away_does_not_lead_when_its_turn_would_come() {
    let world = World::new().await;
    let mut client = world.client().await;
    let first = elect(&mut client, "one", 1).await;
    let lease = lease(&mut client, 2).await;
    let mut other = client.clone();
    let candidate = Beside::new(async move { other.campaign("name", "two", lease).await });
    eventually("it waits", async || queue(&mut client, "name").await.len() == 2).await;
    drop(candidate);
    eventually("its key is gone", async || queue(&mut client, "name").await.len() == 1).await;
    client.resign(no_more(&first)).await.unwrap();
    assert_eq!(refusal(client.leader("name").await).1, "election: no leader");
}

#[tokio::test]
async fn a_candidate_whose_lease_is_lost_has_not_won() {
    let world = World::new().await;
    let mut client = world.client().await;
    elect(&mut client, "one", 1).await;
    let lease = lease(&mut client, 2).await;
    let mut other = client.clone();
    let candidate = Beside::new(async move { refusal(other.campaign("name", "two", lease).await) });
    eventually("it waits", async || queue(&mut client, "name").await.len() == 2).await;
    client.lease_revoke(2).await.unwrap();
    let told = candidate.outcome("it is told at once").await;
    assert_eq!(told, (Code::Unknown, "election: not leader".into()));
}

#[tokio::test]
async fn without_a_leaders_key_nothing_is_proclaimed_or_resigned() {
    let world = World::new().await;
    let mut client = world.client().await;
    let missing = (Code::Unknown, "\"leader\" field must be provided".to_owned());
    assert_eq!(refusal(client.proclaim("x", None).await), missing);
    assert_eq!(refusal(client.resign(None).await), missing);
    let unknown = refusal(client.campaign("name", "x", 77).await);
    assert_eq!(unknown, (Code::Unknown, "etcdserver: requested lease not found".into()));
    let keyless = as_leader(&LeaderKey::new().with_name("name"));
    assert_eq!(refusal(client.proclaim("x", keyless).await).1, "etcdserver: key is not provided");
    assert!(client.leases().await.unwrap().leases().is_empty(), "nor is a lease left that was made for it");
}
