//! Puts of every kind: small and large values, many keys and one, few and many outstanding.

use super::stage::Stage;
use crate::load::{Keys, Operation, SMALL};
use crate::sample::Sample;

/// Bytes of a large value: a Kubernetes object.
const LARGE: usize = 4 << 10;
/// How many are outstanding, and the puts of such a run.
const OUTSTANDING: [(usize, u64); 4] = [(1, 1_000), (64, 8_000), (256, 8_000), (1_000, 8_000)];
/// The row, the size of a value, whether there is one key. Small values of many keys are among the rates.
const KINDS: [(&str, usize, bool); 3] = [
    ("put to one key", SMALL, true),
    ("put of 4 KiB", LARGE, false),
    ("put of 4 KiB to one key", LARGE, true),
];

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let mut samples = Vec::new();
    let mut first = 0;
    for (row, bytes, one) in KINDS {
        for (outstanding, full) in OUTSTANDING {
            let keys = if one { Keys::Cycle(1) } else { Keys::New };
            let (operation, count) = (Operation::Put { first, keys, bytes }, stage.count(full));
            let outcome = stage.at_leader(&cluster, operation, outstanding, count).await?;
            samples.push(Sample::rate(format!("{row}, {outstanding} outstanding"), outcome));
            first += 2 * count;
        }
    }
    cluster.stop().await?;
    Ok(samples)
}
