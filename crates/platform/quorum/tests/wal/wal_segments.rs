//! Segments come and go: who keeps them, who does not, and what becomes of their blocks.

use std::path::Path;

use bytes::Bytes;
use kit::disk::Disk;
use quorum::wal::{GroupLog, WalError};

use crate::world::{DIR, World, all, append, entry, fill, mark, run, small};

/// Appends to a group and purges it at once, until the log went through `rotations` more segments.
async fn churn(world: &World, group: u64, rotations: u64) {
    let goal = world.wal().stats().rotations + rotations;
    let log = world.log(group);
    while world.wal().stats().rotations < goal {
        fill(&log, 1, 2500).await;
        purge_all_but(&log, 2).await;
    }
}

async fn purge_all_but(log: &GroupLog, keep: u64) {
    let last = log.state().last.expect("entries");
    if let Some(upto) = last.index.checked_sub(keep) {
        log.purge(mark(1, upto)).await.expect("queued");
    }
}

#[test]
fn wal_a_sleeping_group_does_not_keep_old_segments() {
    run(async {
        let mut world = World::open(small()).await;
        let asleep: Vec<_> = (0..5).map(|i| entry(1, i, 400)).collect();
        append(&world.log(1), asleep.clone()).await.expect("durable");
        world.log(1).save_vote(Bytes::from_static(b"vote")).await.expect("durable");
        let mut most = 0;
        for _ in 0..100 {
            churn(&world, 2, 1).await;
            most = most.max(world.wal().stats().segments);
        }
        assert!(most <= 4, "{most} segments were in use");
        let stats = world.wal().stats();
        assert!(stats.carried >= 5 && stats.carried < 500, "{} entries were carried", stats.carried);
        assert!(world.wal().pinning().is_empty());
        assert_eq!(all(&world.log(1)).await, asleep);
        assert!(world.segments().len() + world.files("spare").len() <= 7, "files are left behind");
        for seed in 0..5 {
            world.crash_and_restart(seed).await;
            assert_eq!(all(&world.log(1)).await, asleep);
            assert_eq!(world.log(1).state().vote, Some(Bytes::from_static(b"vote")));
        }
    });
}

#[test]
fn wal_many_sleeping_groups_survive_being_carried_through_cuts_and_purges() {
    run(async {
        let mut world = World::open(small()).await;
        for group in 10..20 {
            fill(&world.log(group), 6, 60).await;
        }
        for round in 0..12u64 {
            churn(&world, 2, 3).await;
            let group = 10 + round % 10;
            let log = world.log(group);
            let last = log.state().last.expect("entries");
            log.truncate_after(Some(last.index - 1)).await.expect("durable");
            append(&log, vec![entry(2, last.index, 70)]).await.expect("durable");
            log.purge(mark(1, round / 10)).await.expect("queued");
        }
        churn(&world, 2, 1).await;
        let mut before = vec![];
        for group in 10..20 {
            before.push(all(&world.log(group)).await);
        }
        world.crash_and_restart(4).await;
        for (group, before) in (10..20).zip(before) {
            assert_eq!(all(&world.log(group)).await, before, "group {group}");
        }
    });
}

/// As when the sync of its new name failed, and the power went after others had gone.
#[test]
fn wal_a_retired_segment_that_gets_its_name_back_is_no_damage() {
    run(async {
        let mut world = World::open(small()).await;
        let asleep: Vec<_> = (0..5).map(|i| entry(1, i, 400)).collect();
        append(&world.log(1), asleep.clone()).await.expect("durable");
        churn(&world, 2, 1).await;
        let first = world.segments().remove(0);
        let content = world.content(&first);
        churn(&world, 2, 8).await;
        world.kill().await;
        assert!(!world.segments().contains(&first), "it is still in use");
        let file = world.disk.open(&first, true).expect("created");
        file.write_all_at(&content, 0).expect("written");
        file.sync_data().expect("durable");
        world.disk.sync_dir(Path::new(DIR)).expect("durable");
        world.restart().await;
        assert_eq!(all(&world.log(1)).await, asleep);
        assert!(!world.segments().contains(&first), "it is removed");
        world.crash_and_restart(1).await;
        assert_eq!(all(&world.log(1)).await, asleep);
    });
}

#[test]
fn wal_a_group_that_keeps_much_is_named_until_it_is_purged() {
    run(async {
        let world = World::open(small()).await;
        fill(&world.log(1), 12, 2500).await;
        churn(&world, 2, 10).await;
        assert!(world.wal().stats().segments > 10);
        let pinning = world.wal().pinning();
        assert_eq!(pinning.len(), 1, "{pinning:?}");
        let pin = &pinning[0];
        assert_eq!((pin.group, pin.segment), (1, 1));
        assert!(pin.bytes > 8 << 10 && pin.entries >= 4 && pin.segments_behind >= 10, "{pin:?}");
        assert_eq!(pin.excess, world.log(1).state().last.expect("entries").index, "all of it is old");

        purge_all_but(&world.log(1), 1).await;
        churn(&world, 2, 2).await;
        assert!(world.wal().stats().segments <= 4);
        assert!(world.wal().pinning().is_empty());
    });
}

#[test]
fn wal_a_removed_group_is_gone_for_good_and_may_begin_anew() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 12, 2500).await;
        log.save_vote(Bytes::from_static(b"old")).await.expect("durable");
        log.save_committed(Some(mark(1, 3))).await.expect("noted");
        log.remove().await.expect("durable");
        assert_eq!(log.state(), quorum::wal::LogState::default());
        assert!(world.wal().groups().is_empty());
        world.crash_and_restart(1).await;
        assert!(world.wal().groups().is_empty());
        append(&world.log(1), vec![entry(5, 0, 40)]).await.expect("a new life");
        churn(&world, 2, 8).await;
        assert!(world.wal().stats().segments <= 4);
        world.crash_and_restart(2).await;
        assert_eq!(all(&world.log(1)).await, [entry(5, 0, 40)]);
        assert_eq!(world.log(1).state().vote, None);
    });
}

#[test]
fn wal_entries_read_the_same_from_memory_and_from_the_disk() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(1);
        let entries: Vec<_> =
            (0..120).map(|i| entry(1, i, usize::try_from(30 + i * 7 % 1500).unwrap())).collect();
        for chunk in entries.chunks(3) {
            append(&log, chunk.to_vec()).await.expect("durable");
            fill(&world.log(2), 1, 100).await;
        }
        assert!(world.wal().stats().cached_bytes <= 16 << 10);
        assert_eq!(all(&log).await, entries);
        assert_eq!(log.read(5, 9, u64::MAX).await.expect("readable"), entries[5..9]);
        assert_eq!(log.read(5, 9, 0).await.expect("at least one"), entries[5..6]);
        assert_eq!(log.read(118, 500, u64::MAX).await.expect("up to the end"), entries[118..]);
        assert!(log.read(120, 500, u64::MAX).await.expect("nothing there").is_empty());
        assert!(log.read(9, 5, u64::MAX).await.expect("an empty range").is_empty());
        log.purge(mark(1, 20)).await.expect("queued");
        assert_eq!(log.read(0, 23, u64::MAX).await.expect("what is left"), entries[21..23]);
        // A purge is not waited for; what is durable after it says that it is too.
        fill(&world.log(2), 1, 100).await;
        world.restart().await;
        assert_eq!(world.wal().stats().cached_bytes, 0);
        assert_eq!(all(&world.log(1)).await, entries[21..]);
    });
}

#[test]
fn wal_more_groups_than_a_checkpoint_holds_end_the_log_clearly() {
    run(async {
        let mut world = World::open(small()).await;
        let mut votes = 0;
        let error = loop {
            match world.log(votes).save_vote(Bytes::from(vec![7; 200])).await {
                Ok(()) => votes += 1,
                Err(e) => break e,
            }
        };
        assert!(matches!(error, WalError::Failed(_)));
        assert!(error.to_string().contains("raise segment_bytes"), "{error}");
        world.crash_and_restart(0).await;
        assert_eq!(world.wal().groups().len() as u64, votes);
    });
}

#[test]
fn wal_a_new_segment_size_holds_for_new_segments() {
    run(async {
        let mut world = World::open(small()).await;
        fill(&world.log(1), 20, 2000).await;
        let before = all(&world.log(1)).await;
        world.options.segment_bytes = 128 << 10;
        world.restart().await;
        assert_eq!(all(&world.log(1)).await, before);
        churn(&world, 2, 3).await;
        purge_all_but(&world.log(1), 1).await;
        churn(&world, 2, 6).await;
        let sizes: Vec<_> = world.segments().iter().map(|p| world.content(p).len()).collect();
        assert!(sizes.iter().all(|size| *size == 128 << 10), "{sizes:?}");
        world.crash_and_restart(8).await;
        assert_eq!(all(&world.log(1)).await, before[19..]);
    });
}
