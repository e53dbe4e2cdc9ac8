//! Gets of the same keys while the history behind them grows: the rate must not fall with it.

use super::stage::Stage;
use crate::load::{Keys, Operation, SMALL};
use crate::sample::Sample;
use crate::table::Unit;

/// Keys that are written over and over.
const KEYS: u64 = 1_000;
/// Revisions behind them at each look, and what the row calls it.
const STEPS: [(u64, &str); 3] = [(KEYS, "1k"), (50_000, "50k"), (500_000, "500k")];

/// Gets at each look: long enough that a second of noise does not pass for decay.
const GETS: u64 = 80_000;

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
        let outcome = stage.at_leader(&cluster, get, 64, stage.count(GETS)).await?;
        rates.push(outcome.rate);
        samples.push(Sample::rate(format!("get at {name} revisions"), outcome));
    }
    for ((_, name), rate) in STEPS.iter().zip(&rates).skip(1) {
        let row = format!("get at {name} revisions by get at {}", STEPS[0].1);
        samples.push(Sample::plain(row, Unit::Ratio, rate / rates[0]));
    }
    cluster.stop().await?;
    Ok(samples)
}
