//! Puts, transactions, gets and ranges, and what they leave in memory and on disk.

use super::stage::Stage;
use crate::cluster::Cluster;
use crate::load::{Keys, Operation, SMALL};
use crate::sample::Sample;
use crate::table::Unit;

/// Keys of one range.
const RANGE: u64 = 10_000;
/// Puts of new keys: the row, outstanding, count.
const PUTS: [(&str, usize, u64); 4] = [
    ("put, 1 outstanding", 1, 2_000),
    ("put, 64 outstanding", 64, 25_000),
    ("put, 256 outstanding", 256, 25_000),
    ("put, 1000 outstanding", 1_000, 25_000),
];

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let mut samples = Vec::new();
    let keys = puts(stage, &cluster, &mut samples).await?;
    samples.push(Sample::plain(
        "disk after the puts, three members",
        Unit::Bytes,
        cluster.disk_bytes()? as f64,
    ));
    transactions(stage, &cluster, &mut samples).await?;
    gets(stage, &cluster, keys, &mut samples).await?;
    range(stage, &cluster, &mut samples).await?;
    let leader = cluster.leader(stage.pki).await?;
    samples.push(Sample::plain("memory of the leader", Unit::Bytes, cluster.resident_bytes(leader)? as f64));
    cluster.stop().await?;
    Ok(samples)
}

/// Gives how many keys there are afterwards.
async fn puts(stage: &Stage<'_>, cluster: &Cluster, samples: &mut Vec<Sample>) -> anyhow::Result<u64> {
    let mut keys = 0;
    for (name, outstanding, full) in PUTS {
        let count = stage.count(full);
        let operation = Operation::Put { first: keys, keys: Keys::New, bytes: SMALL };
        let outcome = stage.at_leader(cluster, operation, outstanding, count).await?;
        keys += count;
        samples.push(Sample::rate(name, outcome));
        samples.push(Sample::time(format!("{name}, p50"), outcome.p50));
        samples.push(Sample::time(format!("{name}, p99"), outcome.p99));
    }
    Ok(keys)
}

async fn transactions(stage: &Stage<'_>, cluster: &Cluster, samples: &mut Vec<Sample>) -> anyhow::Result<()> {
    // Far above the keys of the puts.
    let create = Operation::Create { first: 1 << 41 };
    let outcome = stage.at_leader(cluster, create, 64, stage.count(10_000)).await?;
    samples.push(Sample::rate("txn that creates, 64 outstanding", outcome));
    Ok(())
}

async fn gets(
    stage: &Stage<'_>,
    cluster: &Cluster,
    keys: u64,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<()> {
    for (kind, serializable) in [("linearizable", false), ("serializable", true)] {
        for (who, follower) in [("leader", false), ("follower", true)] {
            let member = stage.member(cluster, follower).await?;
            let operation = Operation::Get { serializable, keys };
            let outcome = stage.at(cluster, member, operation, 64, stage.count(40_000)).await?;
            samples.push(Sample::rate(format!("{kind} get, 64, {who}"), outcome));
        }
    }
    Ok(())
}

async fn range(stage: &Stage<'_>, cluster: &Cluster, samples: &mut Vec<Sample>) -> anyhow::Result<()> {
    let keys = stage.count(RANGE);
    let fill = Operation::Put { first: 0, keys: Keys::Listed, bytes: SMALL };
    stage.at_leader(cluster, fill, 64, keys).await?;
    let outcome = stage.at_leader(cluster, Operation::List { keys }, 2, stage.count(200)).await?;
    samples.push(Sample::rate("range of 10k keys, 2 outstanding", outcome));
    Ok(())
}
