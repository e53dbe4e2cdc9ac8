//! All three members end at once and start again on what they hold.

use tokio::time::Instant;

use super::stage::Stage;
use crate::load::{Keys, Operation};
use crate::sample::Sample;
use crate::table::Unit;

/// Bytes of a value, and how many there are: a gigabyte.
const BYTES: usize = 4 << 10;
const COUNT: u64 = 250_000;

/// One start of one side. The time runs from the start of the processes to the first write.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let mut cluster = stage.start().await?;
    let put = Operation::Put { first: 0, keys: Keys::New, bytes: BYTES };
    stage.at_leader(&cluster, put, 256, stage.count(COUNT)).await?;
    cluster.kill_all().await?;
    let began = Instant::now();
    cluster.start_again(stage.peer, stage.pki).await?;
    let took = began.elapsed();
    let leader = cluster.leader(stage.pki).await?;
    let resident = cluster.resident_bytes(leader)? as f64;
    cluster.stop().await?;
    Ok(vec![
        Sample::time("start on 1 GB", took),
        Sample::plain("memory of the leader on 1 GB", Unit::Bytes, resident),
    ])
}
