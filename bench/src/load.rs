//! The load: a fixed number of operations, a fixed number of them outstanding, a few connections.
//!
//! The count is fixed, not the time, so that both sides end with the same data on disk. A failed
//! operation fails the run: a rate over errors means nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{Client, Compare, CompareOp, GetOptions, LeaseGrantOptions, Txn, TxnOp};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The size of a small value, bytes; a key has 8.
pub const SMALL: usize = 256;
/// What the keys of a list begin with.
const LIST: &[u8] = b"list/";

/// Which keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Each once.
    New,
    /// These many, over and over.
    Cycle(u64),
    /// Each once, below one prefix.
    Listed,
}

/// What one operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes a key.
    Put {
        /// The number of the first.
        first: u64,
        /// Which ones.
        keys: Keys,
        /// The size of the value.
        bytes: usize,
    },
    /// Writes a key if it does not exist, in a transaction.
    Create {
        /// The number of the first key.
        first: u64,
    },
    /// Reads keys that were written before with small values, in no order, and checks them.
    Get {
        /// Answered by the member from what it has, without asking the others.
        serializable: bool,
        /// How many keys there are.
        keys: u64,
    },
    /// Reads keys that exist, whatever they hold.
    Present {
        /// How many keys there are.
        keys: u64,
    },
    /// Reads all listed keys at once.
    List {
        /// At least these many must be there.
        keys: u64,
    },
    /// Grants a lease.
    Grant {
        /// The first id.
        first: u64,
    },
    /// Keeps one of the leases alive, on a stream of its own.
    KeepAlive {
        /// The first id.
        first: u64,
        /// How many leases there are.
        leases: u64,
    },
}

impl Operation {
    /// The same, past `count` that were done.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        match self {
            Self::Put { first, keys, bytes } => Self::Put { first: first + count, keys, bytes },
            Self::Create { first } => Self::Create { first: first + count },
            Self::Grant { first } => Self::Grant { first: first + count },
            other => other,
        }
    }
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
    let mut latencies = Latencies::new()?;
    while let Some(done) = workers.join_next().await {
        latencies.0.add(done.context("a load worker panicked")??.0)?;
    }
    let took = began.elapsed();
    ensure!(latencies.0.len() == count, "{} of {count} operations were done", latencies.0.len());
    Ok(latencies.outcome(took))
}

async fn work(
    mut client: Client,
    operation: Operation,
    next: Arc<AtomicU64>,
    count: u64,
) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(latencies);
        }
        let began = Instant::now();
        perform(&mut client, operation, number).await?;
        latencies.add(began.elapsed())?;
    }
}

/// Does one operation, the `number`th of its load.
pub(crate) async fn perform(client: &mut Client, operation: Operation, number: u64) -> anyhow::Result<()> {
    match operation {
        Operation::Put { first, keys, bytes } => {
            let number = first + number;
            let key = match keys {
                Keys::New => key(number).to_vec(),
                Keys::Cycle(of) => key(number % of).to_vec(),
                Keys::Listed => [LIST, &key(number)].concat(),
            };
            client.put(key, value(number, bytes), None).await?;
        }
        Operation::Create { first } => create(client, first + number).await?,
        Operation::Get { serializable, keys } => get(client, scatter(number) % keys, serializable).await?,
        Operation::Present { keys } => {
            let response = client.get(key(scatter(number) % keys), None).await?;
            ensure!(response.count() == 1, "a key that was written is not there");
        }
        Operation::List { keys } => {
            let response = client.get(LIST, Some(GetOptions::new().with_prefix())).await?;
            ensure!(response.kvs().len() as u64 >= keys, "the list is not whole");
        }
        Operation::Grant { first } => {
            let id = i64::try_from(first + number)?;
            client.lease_grant(600, Some(LeaseGrantOptions::new().with_id(id))).await?;
        }
        Operation::KeepAlive { first, leases } => keep_alive(client, first + number % leases).await?,
    }
    Ok(())
}

async fn create(client: &mut Client, number: u64) -> anyhow::Result<()> {
    let key = key(number);
    let absent = Compare::version(key, CompareOp::Equal, 0);
    let put = TxnOp::put(key, value(number, SMALL), None);
    let txn = Txn::new().when([absent]).and_then([put]).or_else([TxnOp::get(key, None)]);
    ensure!(client.txn(txn).await?.succeeded(), "a new key was there already");
    Ok(())
}

async fn get(client: &mut Client, wanted: u64, serializable: bool) -> anyhow::Result<()> {
    let options = serializable.then(|| GetOptions::new().with_serializable());
    let response = client.get(key(wanted), options).await?;
    let found = response.kvs().first().map(etcd_client::KeyValue::value);
    ensure!(found == Some(&value(wanted, SMALL)[..]), "key number {wanted} came back wrong");
    Ok(())
}

/// Opens a stream, which the client library does with a first message and its answer.
async fn keep_alive(client: &mut Client, id: u64) -> anyhow::Result<()> {
    let (keeper, _stream) = client.lease_keep_alive(i64::try_from(id)?).await?;
    ensure!(keeper.id().cast_unsigned() == id, "another lease was kept alive");
    Ok(())
}

/// Latencies in microseconds, three digits, up to a minute.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    pub(crate) fn add(&mut self, latency: Duration) -> anyhow::Result<()> {
        Ok(self.0.record(u64::try_from(latency.as_micros())?)?)
    }

    /// Those of another worker, too.
    pub(crate) fn merge(&mut self, others: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&others.0)?)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// What they amount to, if they came within a time.
    pub(crate) fn outcome(&self, took: Duration) -> Outcome {
        let at = |quantile| Duration::from_micros(self.0.value_at_quantile(quantile));
        Outcome { rate: self.0.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
    }
}

/// Distinct 8-byte keys in no order, so that no side gains from appending.
pub fn key(number: u64) -> [u8; 8] {
    scatter(number).to_be_bytes()
}

/// Bytes that do not compress, the same for the same number.
fn value(number: u64, bytes: usize) -> Vec<u8> {
    let words = bytes as u64 / 8;
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
        assert_eq!(value(7, SMALL).len(), SMALL);
        assert_ne!(value(7, SMALL), value(8, SMALL));
    }
}
