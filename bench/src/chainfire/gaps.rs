//! How long a client that writes without pause waits at most, when the leader changes.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::stage::Stage;
use crate::cluster::Cluster;
use crate::peer::MEMBERS;
use crate::sample::Sample;

/// Writes on either side of the event: a pause is told from the usual latency only among others.
const AROUND: u64 = 200;
/// How long the cluster may be without a leader.
const PATIENCE: Duration = Duration::from_secs(20);

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let mut cluster = stage.start().await?;
    let (leader, target, observer) = roles(stage, &cluster).await?;
    let client = cluster.client(observer, stage.pki).await?;
    let moved = pause(
        client,
        Box::pin(async {
            let id = cluster.member_id(target, stage.pki).await?;
            cluster.client(leader, stage.pki).await?.move_leader(id).await?;
            Ok(())
        }),
    )
    .await
    .context("the leadership was to move")?;
    let (leader, _, observer) = roles(stage, &cluster).await?;
    let client = cluster.client(observer, stage.pki).await?;
    let mut victim = cluster.take(leader);
    let killed = pause(client, async {
        victim.kill().await?;
        Ok(())
    })
    .await
    .context("the leader was killed")?;
    cluster.stop().await?;
    Ok(vec![
        Sample::time("longest pause, leadership moved", moved),
        Sample::time("longest pause, leader killed", killed),
    ])
}

/// The leader, who shall lead, and whom the client asks.
async fn roles(stage: &Stage<'_>, cluster: &Cluster) -> anyhow::Result<(usize, usize, usize)> {
    let leader = cluster.leader(stage.pki).await?;
    Ok((leader, (leader + 1) % MEMBERS.len(), (leader + 2) % MEMBERS.len()))
}

/// The longest time between two writes that succeeded, around an event.
async fn pause(client: Client, event: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Duration> {
    let (sender, mut done) = watch::channel(0u64);
    let (happened, over) = watch::channel(false);
    let mut writer = JoinSet::new();
    writer.spawn(write(client, sender, over));
    done.wait_for(|count| *count >= AROUND).await.context("the writer ended early")?;
    event.await?;
    happened.send(true).context("the writer ended early")?;
    writer.join_next().await.context("the writer is gone")??
}

/// Writes one after the other; after the event, until enough have succeeded again.
async fn write(
    mut client: Client,
    done: watch::Sender<u64>,
    over: watch::Receiver<bool>,
) -> anyhow::Result<Duration> {
    let (mut longest, mut last, mut after) = (Duration::ZERO, Instant::now(), 0);
    while after < AROUND {
        match client.put("pause", "", None).await {
            Ok(_) => {
                let gap = last.elapsed();
                // The first write also waits for the connection.
                if *done.borrow() > 0 {
                    longest = longest.max(gap);
                }
                last = Instant::now();
                done.send_modify(|count| *count += 1);
                after += u64::from(*over.borrow());
            }
            Err(e) => {
                ensure!(last.elapsed() < PATIENCE, "no write succeeded for {PATIENCE:?}: {e}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    Ok(longest)
}
