//! Members that do not run, and what becomes of their files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chainfire::Config;
use chainfire::rescue::{Repaired, RescueError, RestoreOptions, inspect, recover, repair, restore, verify};
use etcd_client::{Client, GetOptions, MemberAddOptions, PutOptions, WatchOptions};
use kit::Context;
use tempfile::TempDir;

use crate::world::{World, eventually};

/// Saves a snapshot, as etcdctl would.
async fn save(client: &mut Client, into: &Path) -> PathBuf {
    let file = into.join("backup.image");
    let (mut stream, mut bytes) = (client.snapshot().await.unwrap(), Vec::new());
    while let Some(part) = stream.message().await.unwrap() {
        bytes.extend_from_slice(part.blob());
    }
    std::fs::write(&file, bytes).unwrap();
    file
}

async fn value(client: &mut Client, key: &str) -> Option<String> {
    let got = client.get(key, None).await.unwrap();
    got.kvs().first().map(|kv| kv.value_str().unwrap().to_owned())
}

fn restored_at(config: &Config, dir: &TempDir) -> Config {
    Config { data_dir: dir.path().to_owned(), ..config.clone() }
}

/// Starts members and waits until one of them leads.
async fn start<const N: usize>(members: [(TempDir, Config); N]) -> Vec<World> {
    let opening = members.into_iter().map(|(dir, config)| World::open(dir, config));
    let worlds = futures::future::join_all(opening).await;
    eventually("they know each other", async || {
        worlds.iter().all(|world| {
            let status = world.node.group().status();
            status.leadership.leader.is_some()
                && status.members.iter().all(|m| !m.client_addresses.is_empty())
        })
    })
    .await;
    worlds
}

#[tokio::test]
async fn a_backup_is_restored_as_another_cluster_whose_watchers_notice() {
    let world = World::reachable().await;
    let mut client = world.client().await;
    for n in 0..20 {
        client.put(format!("k{}", n % 5), n.to_string(), None).await.unwrap();
    }
    client.delete("k0", None).await.unwrap();
    let lease = client.lease_grant(600, None).await.unwrap().id();
    client.put("leased", "v", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    client.role_add("reader").await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = save(&mut client, scratch.path()).await;
    let before = client.status().await.unwrap();
    let old = before.header().unwrap();
    let whole = verify(&file).unwrap();
    assert_eq!((whole.revision, whole.leases), (old.revision(), 1));
    let data = tempfile::tempdir().unwrap();
    let config = restored_at(world.config(), &data);
    drop((client, world));

    let context = Context::real();
    let options = RestoreOptions::default();
    let restored = restore(&context, &config, &file, &options).await.unwrap();
    assert_eq!(restored.revision, whole.revision + 1_000_000_000);
    let again = restore(&context, &config, &file, &options).await.unwrap_err();
    assert!(matches!(again, RescueError::NotEmpty { .. }), "{again}");
    let world = World::open(data, config).await;
    let mut client = world.client().await;
    assert_eq!(
        (value(&mut client, "k1").await.unwrap(), value(&mut client, "k0").await),
        ("16".into(), None)
    );
    let new = client.status().await.unwrap();
    let new = new.header().unwrap();
    assert_eq!(format!("{:x}", new.cluster_id()), restored.cluster);
    assert_ne!((new.cluster_id(), new.member_id()), (old.cluster_id(), old.member_id()));
    let put = client.put("k9", "new", None).await.unwrap();
    assert_eq!(put.header().unwrap().revision(), restored.revision + 1);
    // Who goes on where the old cluster was is told that this is over.
    let options = WatchOptions::new().with_start_revision(old.revision() + 1);
    let mut stream = client.watch("k9", Some(options)).await.unwrap();
    let told = loop {
        let message = stream.message().await.unwrap().unwrap();
        if message.canceled() {
            break message;
        }
    };
    assert_eq!(told.compact_revision(), restored.revision);
    let past = client.get("k1", Some(GetOptions::new().with_revision(old.revision()))).await.unwrap_err();
    assert!(past.to_string().contains("has been compacted"), "{past}");
    assert_eq!(client.role_list().await.unwrap().roles(), ["reader"]);
    client.lease_revoke(lease).await.unwrap();
    assert_eq!(value(&mut client, "leased").await, None);
    // The next start finds an ordinary member.
    drop(client);
    let world = world.restart().await;
    let mut client = world.client().await;
    assert_eq!(value(&mut client, "k9").await.unwrap(), "new");
}

#[tokio::test]
async fn a_damaged_backup_is_refused_before_anything_is_touched() {
    let world = World::reachable().await;
    let mut client = world.client().await;
    for n in 0..200 {
        client.put(format!("k{n}"), "value", None).await.unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    let good = std::fs::read(save(&mut client, scratch.path()).await).unwrap();
    let mut config = restored_at(world.config(), &scratch);
    config.data_dir.push("data");
    let file = scratch.path().join("bad.image");
    let refused = async |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        assert!(verify(&file).is_err());
        let outcome = restore(&Context::real(), &config, &file, &RestoreOptions::default()).await;
        assert!(outcome.is_err() && !config.data_dir.exists());
    };
    for at in (0..good.len()).step_by(good.len() / 50) {
        let mut bent = good.clone();
        bent[at] ^= 0x10;
        refused(&bent).await;
    }
    for length in [0, 1, 600, good.len() - 512, good.len() - 1] {
        refused(&good[..length]).await;
    }
    refused(&[&good[..], b"\0"].concat()).await;
}

#[tokio::test]
async fn a_restore_that_was_interrupted_does_not_start_and_begins_anew() {
    let world = World::reachable().await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = save(&mut client, scratch.path()).await;
    let data = tempfile::tempdir().unwrap();
    let config = restored_at(world.config(), &data);
    drop((client, world));
    let context = Context::real();
    restore(&context, &config, &file, &RestoreOptions::default()).await.unwrap();
    // As if the power had gone before the last step.
    let marker = config.data_dir.join("member.toml");
    let text = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, text.replacen("\n\n", "\nunfinished = true\n\n", 1)).unwrap();
    std::fs::write(config.data_dir.join("store.redb"), "half").unwrap();
    let told = inspect(&context, &config).await.unwrap_err().to_string();
    assert!(told.contains("a restore was interrupted"), "{told}");
    // One that goes on meanwhile is not disturbed by another.
    let lock = std::fs::File::create(config.data_dir.join("rescue.lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = restore(&context, &config, &file, &RestoreOptions::default()).await;
    assert!(matches!(refused, Err(RescueError::UnderWay { .. })), "{refused:?}");
    drop(lock);
    restore(&context, &config, &file, &RestoreOptions::default()).await.unwrap();
    let world = World::open(data, config).await;
    let mut client = world.client().await;
    assert_eq!(value(&mut client, "k").await.unwrap(), "v");
}

#[tokio::test]
async fn three_founders_restore_one_backup_and_a_fourth_joins_by_the_token_alone() {
    let first = World::reachable().await;
    let mut client = first.client().await;
    client.put("k", "v", None).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = save(&mut client, scratch.path()).await;
    drop((client, first));
    let founders: [(TempDir, Config); 4] = World::founders();
    let [a, b, c, mut d] = founders;
    let mut three = [a, b, c];
    let newcomer = d.1.initial_members.clone();
    let mut clusters = Vec::new();
    for (_, config) in &mut three {
        config.initial_members.truncate(3);
        let done = restore(&Context::real(), config, &file, &RestoreOptions::default()).await.unwrap();
        assert_eq!(done.founders, ["m0", "m1", "m2"]);
        clusters.push(done.cluster);
    }
    assert!(clusters.iter().all(|cluster| *cluster == clusters[0]));
    let worlds = start(three).await;
    let mut client = worlds[1].client().await;
    assert_eq!(value(&mut client, "k").await.unwrap(), "v");
    client.put("l", "w", None).await.unwrap();
    client.member_add([format!("http://{}", newcomer[3].peer)], None).await.unwrap();
    d.1.join = true;
    let fourth = World::open(d.0, d.1).await;
    let mut client = fourth.client().await;
    eventually("the newcomer serves", async || {
        client.get("l", None).await.is_ok_and(|got| got.kvs().iter().any(|kv| kv.value() == b"w"))
    })
    .await;
    // Not only what came after the restore.
    assert_eq!(value(&mut client, "k").await.unwrap(), "v");
    let status = client.status().await.unwrap();
    assert_eq!(format!("{:x}", status.header().unwrap().cluster_id()), clusters[0]);
    // It is a member like any other when it starts again.
    drop(client);
    let (dir, config) = fourth.stop().await;
    let fourth = World::open(dir, config).await;
    eventually("it knows all four", async || fourth.node.group().status().members.len() == 4).await;
}

#[tokio::test]
async fn the_last_member_becomes_a_cluster_with_all_that_it_had_and_others_join_it() {
    let mut worlds = start(World::founders::<3>()).await;
    let mut client = worlds[0].client().await;
    for n in 0..50 {
        client.put(format!("k{n}"), "v", None).await.unwrap();
    }
    let head = client.get("k0", None).await.unwrap().header().unwrap().revision();
    let last = worlds.pop().unwrap();
    eventually("the last one has everything", async || last.node.store().view().head() == head).await;
    let (dir, config) = last.stop().await;
    let context = Context::real();
    let options = RestoreOptions::default();
    // While the others are a majority, nothing is recovered.
    let refused = recover(&context, &config, &options).await.unwrap_err();
    assert!(matches!(refused, RescueError::StillThere { answering: 2, others: 2, .. }), "{refused}");
    drop(client);
    let second = worlds.pop().unwrap().stop().await;
    worlds.pop().unwrap().stop().await;
    let done = recover(&context, &config, &options).await.unwrap();
    assert_eq!(done.last_revision, head);
    assert_eq!(done.given_up, ["m0", "m1"]);
    assert!(done.before.join("store.redb").exists() && done.before.join("raft").exists());
    let world = World::open(dir, config).await;
    let mut client = world.client().await;
    for n in 0..50 {
        assert_eq!(value(&mut client, &format!("k{n}")).await.unwrap(), "v");
    }
    // A member of the lost cluster is a stranger here; with an empty directory it is welcome.
    let (_, mut config) = second;
    let empty = tempfile::tempdir().unwrap();
    (config.data_dir, config.join) = (empty.path().to_owned(), true);
    let learner = Some(MemberAddOptions::new().with_is_learner());
    client.member_add([format!("http://{}", config.peer.advertise)], learner).await.unwrap();
    let joined = World::open(empty, config).await;
    let id = joined.node.group().status().id;
    eventually("the second member votes", async || client.member_promote(id).await.is_ok()).await;
    let mut other = joined.client().await;
    assert_eq!(value(&mut other, "k7").await.unwrap(), "v");
}

#[tokio::test]
async fn a_damaged_member_comes_back_under_another_id() {
    let mut worlds = start(World::founders::<3>()).await;
    let mut client = worlds[0].client().await;
    for n in 0..50 {
        client.put(format!("k{n}"), "v", None).await.unwrap();
    }
    let (dir, config) = worlds.pop().unwrap().stop().await;
    let context = Context::real();
    let seen = inspect(&context, &config).await.unwrap();
    assert!(seen.damage.is_none() && seen.last.is_some_and(|last| last >= 50), "{seen:?}");
    let wal = config.data_dir.join("raft/wal");
    let segments = std::fs::read_dir(&wal).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.filter(|path| path.extension().is_some_and(|e| e == "wal")).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 600] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let seen = inspect(&context, &config).await.unwrap();
    assert!(seen.damage.is_some(), "{seen:?}");
    let url = format!("http://{}", worlds[0].address());
    // Not one that runs.
    let running = repair(&context, worlds[1].config(), &url).await.unwrap_err().to_string();
    assert!(running.contains("in use by another process"), "{running}");
    let first = repair(&context, &config, &url).await.unwrap();
    // As if the power had gone before the last step: nobody starts from that, and asked again it finds its place.
    let marker = config.data_dir.join("member.toml");
    let text = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, text.replacen("format = 1", "format = 2", 1) + "unfinished = true\n").unwrap();
    assert!(inspect(&context, &config).await.unwrap_err().to_string().contains("was interrupted"));
    let done = Repaired { old: first.old, ..repair(&context, &config, &url).await.unwrap() };
    assert_eq!(done.new, first.new);
    assert_ne!(done.old, done.new);
    let moved = World::open(dir, config).await;
    let mut own = moved.client().await;
    eventually("it has caught up", async || {
        own.get("k49", None).await.is_ok_and(|got| got.kvs().iter().any(|kv| kv.value() == b"v"))
    })
    .await;
    let members = own.member_list().await.unwrap();
    let ids: Vec<String> = members.members().iter().map(|m| format!("{:x}", m.id())).collect();
    assert!(ids.contains(&done.new) && !ids.contains(&done.old) && ids.len() == 3, "{ids:?}");
    tokio::time::timeout(Duration::from_secs(10), client.put("k", "v", None)).await.unwrap().unwrap();
}
