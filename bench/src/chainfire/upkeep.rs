//! What a backup and a compaction do to the latency of puts that come at a steady rate.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{Client, CompactionOptions};
use tokio::time::{Instant, sleep};

use super::stage::Stage;
use crate::load::{self, Keys, Operation, Outcome, SMALL};
use crate::pace;
use crate::sample::Sample;
use crate::table::Unit;

/// Keys that are written over and over, and how often: all but the last of each is compacted.
const KEYS: u64 = 1_000;
const REVISIONS: u64 = 150_000;
/// Puts a second: well below what either side can do.
const RATE: u64 = 1_000;
/// The least time that is looked at: a 99th percentile needs some thousands of puts.
const LEAST: Duration = Duration::from_secs(4);

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let member = stage.member(&cluster, false).await?;
    let clients = stage.pool(&cluster, member).await?;
    let put = |first| Operation::Put { first, keys: Keys::Cycle(KEYS), bytes: SMALL };
    load::run(&clients, put(0), 256, stage.count(REVISIONS)).await?;
    let aside = cluster.client(member, stage.pki).await?;
    let idle = pace::run(&clients, put(1), RATE, async {
        sleep(LEAST).await;
        Ok(())
    });
    let idle = idle.await?;
    let backup = Box::pin(pace::run(&clients, put(2), RATE, backups(aside.clone()))).await?;
    let compaction = Box::pin(pace::run(&clients, put(3), RATE, compact(aside))).await?;
    cluster.stop().await?;
    Ok([("idle", idle), ("during a backup", backup), ("during a compaction", compaction)]
        .into_iter()
        .flat_map(|(when, outcome)| figures(when, outcome, idle))
        .collect())
}

fn figures(when: &str, outcome: Outcome, idle: Outcome) -> Vec<Sample> {
    let mut samples = vec![Sample::rate(format!("put at {RATE}/s, {when}"), outcome)];
    if when != "idle" {
        let ratio = outcome.p99.as_secs_f64() / idle.p99.as_secs_f64();
        samples.push(Sample::plain(format!("put p99 {when} by idle"), Unit::Ratio, ratio));
    }
    samples
}

/// One backup after the other, each read to its end.
async fn backups(mut client: Client) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < LEAST {
        let mut parts = client.snapshot().await?;
        let mut bytes = 0;
        while let Some(part) = parts.message().await? {
            bytes += part.blob().len();
        }
        ensure!(bytes > 0, "the backup is empty");
    }
    Ok(())
}

/// Forgets all but the latest revision of each key, and waits until that is done.
async fn compact(mut client: Client) -> anyhow::Result<()> {
    let began = Instant::now();
    let revision = client.status().await?.header().context("a status without a header")?.revision();
    client.compact(revision, Some(CompactionOptions::new().with_physical())).await?;
    // The other members may still be at it.
    sleep(LEAST.saturating_sub(began.elapsed())).await;
    Ok(())
}
