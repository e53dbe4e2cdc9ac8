//! Compaction that nobody asked for.

use std::time::Duration;

use chainfire::config::AutoCompaction;

use crate::world::{World, eventually};

#[tokio::test]
async fn a_member_compacts_by_itself_even_where_users_are_asked_for() {
    let world = World::with(|config| {
        config.store.auto_compaction = Some(AutoCompaction::Period(Duration::from_secs(1)));
        config.auth.bcrypt_cost = 4;
    })
    .await;
    let mut client = world.client().await;
    for n in 0..10 {
        client.put("k", n.to_string(), None).await.unwrap();
    }
    client.user_add("root", "secret", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.auth_enable().await.unwrap();
    let store = world.node.store();
    let head = store.view().head();
    eventually("history is compacted", async || store.compacted() == head).await;
}
