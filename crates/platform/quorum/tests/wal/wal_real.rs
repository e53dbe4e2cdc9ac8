//! The same log on the machine's own disk and threads.

use kit::Context;
use quorum::wal::{Wal, WalOptions};

use crate::world::{all, append, entry, mark};

fn options() -> WalOptions {
    WalOptions { segment_bytes: 256 << 10, cache_bytes: 64 << 10, ..WalOptions::default() }
}

#[test]
fn wal_on_a_real_disk_keeps_what_many_tasks_append_while_others_read() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    runtime.block_on(async {
        let context = Context::real();
        let wal = Wal::open(&context, dir.path().join("wal"), options()).await.expect("opens");
        let tasks = (0..8).map(|group| {
            let log = wal.log(group);
            async move {
                for i in 0..60u64 {
                    append(&log, vec![entry(1, i, 1500)]).await.expect("durable");
                    if i % 10 == 9 && group % 2 == 0 {
                        log.purge(mark(1, i - 5)).await.expect("queued");
                    }
                    let first = log.state().purged.map_or(0, |m| m.index + 1);
                    let read = log.read(first, first + 1, u64::MAX).await.expect("readable");
                    assert_eq!(read, [entry(1, first, 1500)]);
                }
            }
        });
        futures::future::join_all(tasks).await;
        assert!(wal.stats().rotations >= 2, "{:?}", wal.stats());
        let second = Wal::open(&context, dir.path().join("wal"), options()).await.map(drop);
        assert!(matches!(second, Err(quorum::wal::WalError::InUse(_))), "{second:?}");
        wal.close().await.expect("written");

        let wal = Wal::open(&context, dir.path().join("wal"), options()).await.expect("opens again");
        for group in 0..8 {
            let first = if group % 2 == 0 { 55 } else { 0 };
            let wanted: Vec<_> = (first..60).map(|i| entry(1, i, 1500)).collect();
            assert_eq!(all(&wal.log(group)).await, wanted, "group {group}");
        }
        wal.close().await.expect("closed");
    });
}
