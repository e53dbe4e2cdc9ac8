//! Gets of the same keys while the history behind them grows: the rate must not fall with it.

use super::sample::Sample;
use super::stage::Stage;
use crate::load::{Keys, Operation, SMALL};
use crate::table::Unit;

/// Keys that are written over and over.
const KEYS: u64 = 1_000;
/// Revisions behind them at each look, and what the row calls it.
const STEPS: [(u64, &str); 3] = [(KEYS, "1k"), (50_000, "50k"), (500_000, "500k")];

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let mut samples = Vec::new();
    let (mut written, mut rates) = (0, Vec::new());
    for (revisions, name) in STEPS {
        let target = stage.count(revisions).max(KEYS);
        if target > written {
            let put = Operation::Put { first: written, keys: Keys::Cycle(KEYS), bytes: SMALL };
            stage.at_leader(&cluster, put, 256, target - written).await?;
            written = target;
        }
        let get = Operation::Present { keys: KEYS };
        let outcome = stage.at_leader(&cluster, get, 64, stage.count(40_000)).await?;
        rates.push(outcome.rate);
        samples.push(Sample::rate(format!("get at {name} revisions"), outcome));
    }
    if let (Some(first), Some(last)) = (rates.first(), rates.last()) {
        samples.push(Sample::plain("get at 500k revisions by get at 1k", Unit::Ratio, last / first));
    }
    cluster.stop().await?;
    Ok(samples)
}
