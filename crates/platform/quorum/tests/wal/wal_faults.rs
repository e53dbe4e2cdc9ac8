//! What the log does when the disk or the caller does wrong.

use bytes::Bytes;
use quorum::wal::{Entry, WalError, WalOptions};
use sim::disk::Call;

use crate::world::{World, all, append, entry, fill, mark, run, small};

#[test]
fn wal_failed_sync_is_final() {
    run(async {
        let world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 2, 100).await;
        world.disk.fail_nth(Call::Sync, 1);
        let why = append(&log, vec![entry(1, 2, 100)]).await.expect_err("the sync failed");
        assert!(why.contains("sync") && why.contains("00000000000000000001.wal"), "{why}");
        assert!(why.contains("check that device"), "{why}");

        // The disk works again, the log does not: the kernel may have dropped what it could not write.
        assert!(append(&log, vec![entry(1, 3, 100)]).await.is_err());
        assert!(matches!(log.save_vote(Bytes::from_static(b"v")).await, Err(WalError::Failed(_))));
        assert!(log.truncate_after(Some(0)).await.is_err());
        assert!(log.purge(mark(1, 0)).await.is_err());
        assert!(log.save_committed(None).await.is_err());
        assert!(log.remove().await.is_err());
        assert!(log.read(0, 2, u64::MAX).await.is_err());
        assert!(world.wal().failure().is_some_and(|why| why.contains("sync")));
    });
}

#[test]
fn wal_what_was_read_after_a_failed_sync_stays() {
    for seed in 0..40 {
        run(async {
            let mut world = World::open(small()).await;
            fill(&world.log(1), 2, 100).await;
            world.disk.fail_nth(Call::Sync, 1);
            assert!(append(&world.log(1), vec![entry(1, 2, 3000)]).await.is_err());
            // The next process sees the kernel's pages, which are clean and not on the platter.
            world.restart().await;
            let seen = all(&world.log(1)).await;
            assert_eq!(seen.len(), 3);
            world.crash_and_restart(seed).await;
            assert_eq!(all(&world.log(1)).await, seen);
        });
    }
}

#[test]
fn wal_full_disk_ends_the_log_and_loses_nothing() {
    run(async {
        let mut world = World::open(small()).await;
        fill(&world.log(2), 1, 30).await;
        let used: usize = world.disk.files().values().map(Vec::len).sum();
        world.disk.set_capacity(Some(used as u64 + 10_000));
        let mut written = 0;
        let why = loop {
            match append(&world.log(1), vec![entry(1, written, 3000)]).await {
                Ok(()) => written += 1,
                Err(why) => break why,
            }
        };
        assert!(written >= 10, "the segments made ahead were not used: {written}");
        assert!(why.contains("No space left on device"), "{why}");
        assert!(why.contains("nothing acknowledged is lost; free space on that file system"), "{why}");

        world.disk.set_capacity(None);
        world.crash_and_restart(3).await;
        let found = all(&world.log(1)).await;
        assert!(found.len() as u64 >= written);
        fill(&world.log(1), 20, 3000).await;
    });
}

#[test]
fn wal_bad_calls_are_refused_and_change_nothing() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(7);
        fill(&log, 5, 50).await;
        log.purge(mark(1, 1)).await.expect("queued");
        let before = log.state();

        let gap = log.append(vec![entry(1, 6, 50)], |_| panic!("must not be called")).await;
        assert!(matches!(gap, Err(WalError::Gap { group: 7, expected: 5, got: 6 })), "{gap:?}");
        let inside = vec![entry(1, 5, 50), entry(1, 5, 50)];
        assert!(matches!(log.append(inside, |_| ()).await, Err(WalError::Gap { expected: 6, .. })));
        let large = Entry { payload: Bytes::from(vec![0; 17 << 10]), ..entry(1, 5, 0) };
        assert!(matches!(log.append(vec![large], |_| ()).await, Err(WalError::TooLarge { group: 7, .. })));
        let vote = Bytes::from(vec![0; 5000]);
        assert!(matches!(log.save_vote(vote).await, Err(WalError::TooLarge { limit: 4096, .. })));
        let cut = log.truncate_after(Some(0)).await;
        assert!(matches!(cut, Err(WalError::Purged { group: 7, first: 2 })), "{cut:?}");
        assert!(log.truncate_after(None).await.is_err());

        assert_eq!(log.state(), before);
        fill(&log, 1, 50).await;
        world.crash_and_restart(1).await;
        assert_eq!(all(&world.log(7)).await.len(), 4);
    });
}

#[test]
fn wal_options_that_cannot_work_are_refused() {
    run(async {
        let mut world = World::new(WalOptions { segment_bytes: 5000, ..small() });
        let why = world.start().await.expect_err("too small").to_string();
        assert!(why.contains("segment_bytes is 5000") && why.contains("start again"), "{why}");
    });
}

#[test]
fn wal_callers_wait_while_too_much_is_queued() {
    run(async {
        let world = World::open(small()).await;
        let log = world.log(1);
        let mut calls: Vec<_> =
            (0..8).map(|i| Box::pin(log.append(vec![entry(1, i, 16_000)], |_| ()))).collect();
        for call in &mut calls[..4] {
            assert!(futures::poll!(call).is_ready());
        }
        assert!(futures::poll!(&mut calls[4]).is_pending(), "64 KiB are queued and more is let in");
        for call in &mut calls[4..] {
            call.await.expect("the writer makes room");
        }
        assert_eq!(log.state().last, Some(mark(1, 7)));
    });
}

#[test]
fn wal_many_callers_share_one_sync() {
    run(async {
        let world = World::open(small()).await;
        let before = world.wal().stats();
        let calls = (0..64).map(|group| {
            let log = world.log(group);
            async move { append(&log, vec![entry(1, 0, 30)]).await }
        });
        let outcomes = futures::future::join_all(calls).await;
        assert!(outcomes.iter().all(Result::is_ok));
        let after = world.wal().stats();
        assert_eq!((after.entries - before.entries, after.fsyncs - before.fsyncs), (64, 1));
        assert_eq!(after.sync_times.counts.iter().sum::<u64>(), 1);
    });
}

#[test]
fn wal_a_large_append_is_done_when_all_of_it_is_durable() {
    run(async {
        let mut world = World::open(small()).await;
        let entries: Vec<_> = (0..40).map(|i| entry(1, i, 1000)).collect();
        append(&world.log(1), entries.clone()).await.expect("durable");
        assert!(world.wal().stats().batches > 4, "40 KB went in batches of 8 KiB");
        world.crash_and_restart(9).await;
        assert_eq!(all(&world.log(1)).await, entries);
    });
}

#[test]
fn wal_a_call_that_is_given_up_is_still_carried_out() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 4, 50).await;
        let mut cut = Box::pin(log.truncate_after(Some(1)));
        assert!(futures::poll!(&mut cut).is_pending());
        drop(cut);
        // The same cut again finds nothing to do, but must not say so before the first is durable.
        log.truncate_after(Some(1)).await.expect("durable");
        world.crash_and_restart(0).await;
        assert_eq!(world.log(1).state().last, Some(mark(1, 1)));
    });
}

#[test]
fn wal_hints_ride_along_and_never_force_a_sync() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 3, 50).await;
        let before = world.wal().stats().fsyncs;
        for i in 0..3 {
            log.save_committed(Some(mark(1, i))).await.expect("noted");
            tokio::task::yield_now().await;
        }
        assert_eq!(world.wal().stats().fsyncs, before);
        assert_eq!(log.state().committed, Some(mark(1, 2)));
        fill(&world.log(2), 1, 50).await;
        world.crash_and_restart(0).await;
        assert_eq!(world.log(1).state().committed, Some(mark(1, 2)));
    });
}

#[test]
fn wal_a_closed_log_keeps_everything_and_takes_nothing() {
    run(async {
        let mut world = World::open(small()).await;
        let log = world.log(1);
        log.append(vec![entry(1, 0, 50)], |_| ()).await.expect("queued");
        log.save_committed(Some(mark(1, 0))).await.expect("noted");
        world.wal().close().await.expect("written");
        assert!(matches!(log.save_vote(Bytes::new()).await, Err(WalError::Closed)));
        assert!(matches!(log.append(vec![entry(1, 1, 50)], |_| ()).await, Err(WalError::Closed)));
        assert!(matches!(world.wal().close().await, Err(WalError::Closed)));
        drop(log);
        world.crash_and_restart(0).await;
        assert_eq!(all(&world.log(1)).await, [entry(1, 0, 50)]);
        assert_eq!(world.log(1).state().committed, Some(mark(1, 0)));
    });
}

#[test]
fn wal_a_failure_beside_the_writer_ends_the_log_too() {
    run(async {
        let world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 1, 100).await;
        // The next segment is made ahead when this one is left; then its name cannot be made durable.
        world.disk.fail_nth(Call::SyncDir, 1);
        let why = loop {
            let next = log.state().last.map_or(0, |m| m.index + 1);
            if let Err(why) = append(&log, vec![entry(1, next, 3000)]).await {
                break why;
            }
        };
        assert!(why.contains("sync directory"), "{why}");
        assert!(world.wal().close().await.is_err());
        assert!(world.wal().close().await.is_err());
    });
}
