//! Ten thousand leases, granted and kept alive.

use super::stage::Stage;
use crate::load::Operation;
use crate::sample::Sample;

const LEASES: u64 = 10_000;
/// Where ids begin; far from those of the warm-up.
const FIRST: u64 = 1 << 32;

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let leases = stage.count(LEASES);
    let granted = stage.at_leader(&cluster, Operation::Grant { first: FIRST }, 64, leases).await?;
    let kept =
        stage.at_leader(&cluster, Operation::KeepAlive { first: FIRST, leases }, 64, 2 * leases).await?;
    cluster.stop().await?;
    Ok(vec![
        Sample::rate("lease grant, 64 outstanding", granted),
        Sample::rate("lease keep-alive, 64 outstanding", kept),
    ])
}
