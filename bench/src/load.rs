//! The load: a fixed number of operations, a fixed number of them outstanding, a few connections.
//!
//! The count is fixed, not the time, so that both sides end with the same data on disk. A failed
//! operation fails the run: a rate over errors means nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{Client, GetOptions};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The size of a value, bytes; a key has 8.
pub const VALUE_BYTES: usize = 256;

/// What one operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes keys `first..first + count`, each new.
    Put {
        /// The number of the first key.
        first: u64,
    },
    /// Reads keys that were written before, in no order.
    Get {
        /// Answered by the member from what it has, without asking the others.
        serializable: bool,
        /// How many keys there are.
        keys: u64,
    },
}

/// Rate and latencies of one run.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Operations per second.
    pub rate: f64,
    /// Median latency.
    pub p50: Duration,
    /// The latency that one operation in a hundred exceeds.
    pub p99: Duration,
}

/// Runs `count` operations, `outstanding` at a time, spread over `clients`.
pub async fn run(
    clients: &[Client],
    operation: Operation,
    outstanding: usize,
    count: u64,
) -> anyhow::Result<Outcome> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for client in clients.iter().cycle().take(outstanding) {
        workers.spawn(work(client.clone(), operation, Arc::clone(&next), count));
    }
    let mut latencies = empty()?;
    while let Some(done) = workers.join_next().await {
        latencies.add(done.context("a load worker panicked")??)?;
    }
    let took = began.elapsed();
    ensure!(latencies.len() == count, "{} of {count} operations were done", latencies.len());
    let at = |quantile| Duration::from_micros(latencies.value_at_quantile(quantile));
    Ok(Outcome { rate: count as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) })
}

async fn work(
    mut client: Client,
    operation: Operation,
    next: Arc<AtomicU64>,
    count: u64,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = empty()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(latencies);
        }
        let began = Instant::now();
        perform(&mut client, operation, number).await?;
        latencies.record(u64::try_from(began.elapsed().as_micros())?)?;
    }
}

async fn perform(client: &mut Client, operation: Operation, number: u64) -> anyhow::Result<()> {
    match operation {
        Operation::Put { first } => {
            client.put(key(first + number), value(first + number), None).await?;
        }
        Operation::Get { serializable, keys } => {
            let wanted = scatter(number) % keys;
            let options = serializable.then(|| GetOptions::new().with_serializable());
            let response = client.get(key(wanted), options).await?;
            let found = response.kvs().first().map(etcd_client::KeyValue::value);
            ensure!(found == Some(&value(wanted)[..]), "key number {wanted} came back wrong");
        }
    }
    Ok(())
}

/// Microseconds, three digits, up to a minute.
fn empty() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Distinct 8-byte keys in no order, so that no side gains from appending.
fn key(number: u64) -> [u8; 8] {
    scatter(number).to_be_bytes()
}

/// Bytes that do not compress, the same for the same number.
fn value(number: u64) -> Vec<u8> {
    let words = VALUE_BYTES as u64 / 8;
    (0..words).flat_map(|word| scatter(number * words + word + 1).to_be_bytes()).collect()
}

/// A bijection on 64-bit numbers: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_distinct_and_values_have_their_size() {
        let keys: HashSet<[u8; 8]> = (0..10_000).map(key).collect();
        assert_eq!(keys.len(), 10_000);
        assert_eq!(value(7).len(), VALUE_BYTES);
        assert_ne!(value(7), value(8));
    }
}
