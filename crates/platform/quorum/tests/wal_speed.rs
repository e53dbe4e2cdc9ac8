//! Throwaway.
use bytes::Bytes;
use kit::Context;
use quorum::wal::{Entry, Mark, Wal, WalOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

fn main_run(tasks: u64, per: usize, secs: u64) {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    rt.block_on(async {
        let ctx = Context::real();
        let wal = Wal::open(&ctx, dir.path().join("w"), WalOptions::default()).await.unwrap();
        let n = Arc::new(AtomicU64::new(0));
        let until = Instant::now() + Duration::from_secs(secs);
        let start = Instant::now();
        let hs: Vec<_> = (0..tasks).map(|g| {
            let log = wal.log(g);
            let n = n.clone();
            #[allow(clippy::disallowed_methods)]
            tokio::spawn(async move {
                let mut i = 0u64;
                while Instant::now() < until {
                    let es: Vec<_> = (0..per as u64).map(|k| Entry { mark: Mark { term: 1, node: 1, index: i + k }, payload: Bytes::from(vec![7u8; 300]) }).collect();
                    i += per as u64;
                    let (tx, rx) = oneshot::channel();
                    log.append(es, move |r| { let _ = tx.send(r); }).await.unwrap();
                    rx.await.unwrap().unwrap();
                    n.fetch_add(per as u64, Ordering::Relaxed);
                    if i % 1000 < per as u64 && i > 3000 { log.purge(Mark { term: 1, node: 1, index: i - 2000 }).await.unwrap(); }
                }
            })
        }).collect();
        for h in hs { h.await.unwrap(); }
        let s = start.elapsed().as_secs_f64();
        let st = wal.stats();
        println!("tasks {tasks} x{per}: {:.0} entries/s, {:.0} syncs/s, {} segs, rot {}, carried {}, mean sync {:?}, {:?}", n.load(Ordering::Relaxed) as f64 / s, st.fsyncs as f64 / s, st.segments, st.rotations, st.carried, st.sync_times.total / st.batches as u32, st.sync_times.counts);
        wal.close().await.unwrap();
    });
}
#[test]
fn speed() {
    for _ in 0..2 {
        main_run(1, 1, 4);
        main_run(64, 1, 4);
        main_run(64, 16, 4);
    }
}
