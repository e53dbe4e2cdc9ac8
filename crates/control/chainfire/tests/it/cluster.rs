//! Members. What needs more than one is proven in the lab.

use etcd_client::MemberAddOptions;
use tonic::Code;

use crate::world::{World, refusal};

#[tokio::test]
async fn a_member_tells_its_name_and_addresses() {
    let world = World::new().await;
    let mut client = world.client().await;
    let id = world.node.group().id();
    crate::world::eventually("the member has told its client address", async || {
        let list = client.member_list().await.unwrap();
        // As in etcd: members have no revision.
        assert_eq!(list.header().unwrap().revision(), 0);
        let member = &list.members()[0];
        assert_eq!((member.id(), member.name(), member.is_learner()), (id, "one", false));
        assert_eq!(member.peer_urls(), ["http://127.0.0.1:1"]);
        member.client_urls() == ["http://127.0.0.1:2379"]
    })
    .await;
}

#[tokio::test]
async fn a_learner_is_added_and_not_promoted_before_it_has_caught_up() {
    let world = World::new().await;
    let mut client = world.client().await;
    for n in 0..100 {
        client.put("k", format!("{n}"), None).await.unwrap();
    }
    let learner = Some(MemberAddOptions::new().with_is_learner());
    let added = client.member_add(["http://127.0.0.1:2"], learner.clone()).await.unwrap();
    let id = added.member().unwrap().id();
    assert!(added.member().unwrap().is_learner() && added.member_list().len() == 2);
    let early = refusal(client.member_promote(id).await);
    assert_eq!(early.0, Code::FailedPrecondition);
    assert_eq!(early.1, "etcdserver: can only promote a learner member which is in sync with leader");
    let second = refusal(client.member_add(["http://127.0.0.1:3"], learner).await);
    assert_eq!(second, (Code::FailedPrecondition, "etcdserver: too many learner members in cluster".into()));
    let taken = refusal(client.member_add(["http://127.0.0.1:2"], None).await);
    assert_eq!(taken, (Code::FailedPrecondition, "etcdserver: Peer URLs already exists".into()));
    client.member_update(id, ["http://127.0.0.1:4".to_owned()]).await.unwrap();
    let list = client.member_list().await.unwrap();
    assert!(list.members().iter().any(|m| m.id() == id && m.peer_urls() == ["http://127.0.0.1:4"]));
    assert_eq!(client.member_remove(id).await.unwrap().members().len(), 1);
}

#[tokio::test]
async fn refusals_have_etcds_codes_and_words() {
    let world = World::new().await;
    let mut client = world.client().await;
    let own = world.node.group().id();
    let unknown = (Code::NotFound, "etcdserver: member not found".to_owned());
    assert_eq!(refusal(client.member_remove(9).await), unknown);
    assert_eq!(refusal(client.member_promote(9).await), unknown);
    assert_eq!(refusal(client.member_update(9, ["http://127.0.0.1:4".to_owned()]).await), unknown);
    let voter = refusal(client.member_promote(own).await);
    assert_eq!(voter, (Code::FailedPrecondition, "etcdserver: can only promote a learner member".into()));
    let url = refusal(client.member_add(["http://127.0.0.1:4/path"], None).await);
    assert_eq!(url, (Code::InvalidArgument, "etcdserver: given member URLs are invalid".into()));
    let last = refusal(client.member_remove(own).await);
    assert_eq!(last.0, Code::FailedPrecondition, "{}", last.1);
    let target = refusal(client.move_leader(9).await);
    assert_eq!(target, (Code::FailedPrecondition, "etcdserver: bad leader transferee".into()));
    client.move_leader(own).await.unwrap();
}
