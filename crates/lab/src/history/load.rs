//! Clients that keep a store busy and write down what they see.
//!
//! Each client asks one replica, one call at a time, at a gentle pace: the load shall show faults, not
//! measure speed. Registers are used for a while and then left alone, so that the search in one
//! register's history stays short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use etcd_client::{Client, Compare, CompareOp, Error, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse};
use kit::task::Tasks;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Action, Call, Keys, Outcome, Value, value_of};
use crate::etcd::Etcd;

/// A client gives up on a call after this, and the call's outcome is unknown.
const CALL: Duration = Duration::from_secs(3);

/// Between two calls of one client.
const PACE: Duration = Duration::from_millis(15);

/// After a call that failed at once.
const PENALTY: Duration = Duration::from_millis(100);

/// Registers in use at a time.
const REGISTERS: u32 = 8;

/// Calls of one client before all move on to fresh registers.
const CALLS_PER_GENERATION: u64 = 150;

/// A running load.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: Tasks,
}

#[derive(Debug)]
struct Shared {
    keys: Keys,
    began: Instant,
    next_value: AtomicU64,
    acknowledged: AtomicU64,
    history: Mutex<Vec<Call>>,
}

impl Load {
    /// Starts `clients` clients, spread over these replicas.
    pub async fn start(etcd: &Etcd, nodes: &[&str], keys: Keys, clients: u32, seed: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            keys,
            began: Instant::now(),
            next_value: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            history: Mutex::default(),
        });
        let (stop, tasks) = (CancellationToken::new(), Tasks::default());
        for (id, node) in (0..clients).zip(nodes.iter().cycle()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(id.into());
            let connection = etcd.connect(&etcd.url(node)?, CALL).await?;
            let client =
                LoadClient { id, node: (*node).to_owned(), connection, shared: Arc::clone(&shared), rng };
            tasks.spawn_draining(client.run(stop.clone()));
        }
        Ok(Self { shared, stop, tasks })
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the load, reads every register once more through each of these replicas, and answers the
    /// whole history.
    pub async fn finish(self, etcd: &Etcd, nodes: &[&str]) -> Result<Vec<Call>> {
        self.stop.cancel();
        self.tasks.stop();
        self.tasks.wait(CALL * 2).await;
        let last = self.shared.lock().iter().map(|c| c.key).max().unwrap_or(0);
        for (id, node) in (1000..).zip(nodes) {
            let mut connection = etcd.client(node).await?;
            for key in 0..=last {
                read(&mut connection, &self.shared, id, node, key).await?;
            }
        }
        let history = std::mem::take(&mut *self.shared.lock());
        Ok(history)
    }
}

impl Shared {
    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A last read must succeed: it is what shows that nothing was lost.
async fn read(connection: &mut Client, shared: &Shared, client: u32, node: &str, key: u32) -> Result<()> {
    let asked = shared.now();
    let (outcome, revision) = perform(connection, shared.keys.name(key), Action::Read).await?;
    let answered = shared.now();
    let call =
        Call { client, node: node.to_owned(), key, asked, answered, action: Action::Read, outcome, revision };
    shared.lock().push(call);
    Ok(())
}

struct LoadClient {
    id: u32,
    node: String,
    connection: Client,
    shared: Arc<Shared>,
    rng: ChaCha8Rng,
}

impl LoadClient {
    async fn run(mut self, stop: CancellationToken) {
        let mut done: u64 = 0;
        let mut last_seen: Option<(u32, Option<Value>)> = None;
        while !stop.is_cancelled() {
            let generation = u32::try_from(done / CALLS_PER_GENERATION).unwrap_or(u32::MAX);
            let key = generation.saturating_mul(REGISTERS) + self.rng.random_range(0..REGISTERS);
            let action = self.choose(key, last_seen);
            let known = self.call(key, action).await;
            if let Some(held) = known {
                last_seen = Some((key, held));
            }
            done += 1;
            let pause = if known.is_some() { PACE } else { PENALTY };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause.mul_f64(self.rng.random_range(0.5..1.5))) => {}
            }
        }
    }

    fn choose(&mut self, key: u32, last_seen: Option<(u32, Option<Value>)>) -> Action {
        let fresh = || self.shared.next_value.fetch_add(1, Ordering::Relaxed);
        match self.rng.random_range(0..10) {
            0..4 => Action::Read,
            4..8 => Action::Write(fresh()),
            // A swap that has a chance: of what this client saw last.
            _ => match last_seen {
                Some((seen, expected)) if seen == key => Action::Swap { expected, new: fresh() },
                _ => Action::Swap { expected: None, new: fresh() },
            },
        }
    }

    /// Makes a call and writes it down. Answers what the register is known to hold after it.
    async fn call(&mut self, key: u32, action: Action) -> Option<Option<Value>> {
        let asked = self.shared.now();
        let performed =
            tokio::time::timeout(CALL, perform(&mut self.connection, self.shared.keys.name(key), action))
                .await;
        let answered = self.shared.now();
        let (outcome, revision) = match performed {
            Ok(Ok(done)) => done,
            Ok(Err(e)) if is_refusal(&e) => (Outcome::Refused, None),
            Ok(Err(_)) | Err(_) => (Outcome::Unknown, None),
        };
        if outcome == Outcome::Written {
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        let held = match (action, outcome) {
            (_, Outcome::Held(held)) => Some(held),
            (Action::Write(value) | Action::Swap { new: value, .. }, Outcome::Written) => Some(Some(value)),
            _ => None,
        };
        // A read without an answer says nothing about the store.
        if action != Action::Read || matches!(outcome, Outcome::Held(_)) {
            let node = self.node.clone();
            let call = Call { client: self.id, node, key, asked, answered, action, outcome, revision };
            self.shared.lock().push(call);
        }
        held
    }
}

async fn perform(client: &mut Client, name: String, action: Action) -> Result<(Outcome, Option<i64>), Error> {
    match action {
        Action::Read => {
            let got = client.get(name, None::<GetOptions>).await?;
            let held = got.kvs().first().and_then(|kv| value_of(kv.value()));
            Ok((Outcome::Held(held), got.header().map(|h| h.revision())))
        }
        Action::Write(value) => {
            let put = client.put(name, value.to_string(), None::<PutOptions>).await?;
            Ok((Outcome::Written, put.header().map(|h| h.revision())))
        }
        Action::Swap { expected, new } => {
            let compare = match expected {
                Some(value) => Compare::value(name.clone(), CompareOp::Equal, value.to_string()),
                None => Compare::create_revision(name.clone(), CompareOp::Equal, 0),
            };
            let txn = Txn::new()
                .when([compare])
                .and_then([TxnOp::put(name.clone(), new.to_string(), None)])
                .or_else([TxnOp::get(name, None)]);
            let done = client.txn(txn).await?;
            let revision = done.header().map(|h| h.revision());
            if done.succeeded() {
                return Ok((Outcome::Written, revision));
            }
            let held = done.op_responses().into_iter().find_map(|r| match r {
                TxnOpResponse::Get(got) => got.kvs().first().and_then(|kv| value_of(kv.value())),
                _ => None,
            });
            Ok((Outcome::Held(held), revision))
        }
    }
}

/// Whether the server said that the call is not and will not be done. Everything else is unknown: also
/// "unavailable", which a server says of calls that it has already proposed.
fn is_refusal(error: &Error) -> bool {
    // gRPC: INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNAUTHENTICATED.
    matches!(error, Error::GRpcStatus(status) if [3, 7, 8, 9, 16].contains(&i32::from(status.code())))
}
