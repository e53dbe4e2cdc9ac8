//! Clients that keep a store busy and write down what they see.
//!
//! Each client asks one replica, one call at a time, at a gentle pace: the load shall show faults, not
//! measure speed. When that replica fails it, it asks another, once, and stays there for a while. What two
//! replicas failed, one after the other, is a failure that its user would have seen. Registers are used for a while and then left alone, so that the search in one
//! register's history stays short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use etcd_client::{Client, Compare, CompareOp, Error, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse};
use kit::task::Tasks;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
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

/// How long a client stays away from a replica that failed it.
const AWAY: Duration = Duration::from_secs(3);

/// Registers in use at a time.
const REGISTERS: u32 = 8;

/// Calls of one client before all move on to fresh registers.
const CALLS_PER_GENERATION: u64 = 150;

/// A call that two replicas failed, and what each said.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// When, in milliseconds since the load began.
    pub at_ms: i64,
    /// What was asked.
    pub action: Action,
    /// The replica that was asked first, and what came of it.
    pub first: (String, String),
    /// The one that was asked next.
    pub second: (String, String),
}

/// What a load has to tell.
#[derive(Debug)]
pub struct Report {
    /// Every call.
    pub history: Vec<Call>,
    /// Calls that one replica failed and another answered.
    pub second_tries: u64,
    /// Calls that two replicas failed.
    pub failures: Vec<Failure>,
}

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
    second_tries: AtomicU64,
    failures: Mutex<Vec<Failure>>,
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
            second_tries: AtomicU64::new(0),
            failures: Mutex::default(),
        });
        let (stop, tasks) = (CancellationToken::new(), Tasks::default());
        for (id, home) in (0..clients).zip((0..nodes.len()).cycle()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(id.into());
            let mut replicas = Vec::new();
            for node in nodes {
                replicas.push(((*node).to_owned(), etcd.connect(&etcd.url(node)?, CALL).await?));
            }
            let shared = Arc::clone(&shared);
            let client = LoadClient { id, replicas, home, at: home, home_again: shared.began, shared, rng };
            tasks.spawn_draining(client.run(stop.clone()));
        }
        Ok(Self { shared, stop, tasks })
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the load, reads every register once more through each of these replicas, and answers what was
    /// seen.
    pub async fn finish(self, etcd: &Etcd, nodes: &[&str]) -> Result<Report> {
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
        let failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Report { history, second_tries: self.shared.second_tries.load(Ordering::Relaxed), failures })
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
    /// Every replica by its node.
    replicas: Vec<(String, Client)>,
    /// The replica that this client prefers, and the one that it uses now.
    home: usize,
    at: usize,
    home_again: Instant,
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
            let known = self.call_twice(key, action).await;
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
        let kind = self.rng.random_range(0..10);
        let fresh = || self.fresh();
        match kind {
            0..4 => Action::Read,
            4..8 => Action::Write(fresh()),
            // A swap that has a chance: of what this client saw last.
            _ => match last_seen {
                Some((seen, expected)) if seen == key => Action::Swap { expected, new: fresh() },
                _ => Action::Swap { expected: None, new: fresh() },
            },
        }
    }

    fn fresh(&self) -> Value {
        self.shared.next_value.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a call, at another replica if the first one fails it.
    async fn call_twice(&mut self, key: u32, action: Action) -> Option<Option<Value>> {
        if Instant::now() >= self.home_again {
            self.at = self.home;
        }
        let first = match self.call(key, action).await {
            Ok(held) => return held,
            Err(why) => (self.replicas[self.at].0.clone(), why),
        };
        self.at = (self.at + 1) % self.replicas.len();
        self.home_again = Instant::now() + AWAY;
        // With a value of its own: the first may yet take effect, and a value names its write.
        let again = match action {
            Action::Read => Action::Read,
            Action::Write(_) => Action::Write(self.fresh()),
            Action::Swap { expected, .. } => Action::Swap { expected, new: self.fresh() },
        };
        match self.call(key, again).await {
            Ok(held) => {
                self.shared.second_tries.fetch_add(1, Ordering::Relaxed);
                held
            }
            Err(why) => {
                let second = (self.replicas[self.at].0.clone(), why);
                let failure = Failure { at_ms: self.shared.now() / 1_000_000, action, first, second };
                tracing::warn!(?failure, "two replicas failed a call");
                self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                None
            }
        }
    }

    /// Makes a call and writes it down. Answers what the register is known to hold after it, or why the
    /// replica failed it.
    async fn call(&mut self, key: u32, action: Action) -> Result<Option<Option<Value>>, String> {
        let (node, connection) = &mut self.replicas[self.at];
        let node = node.clone();
        let asked = self.shared.now();
        let performed =
            tokio::time::timeout(CALL, perform(connection, self.shared.keys.name(key), action)).await;
        let answered = self.shared.now();
        let why = match &performed {
            Ok(Ok(_)) => None,
            Ok(Err(e)) => Some(e.to_string()),
            Err(_) => Some(format!("no answer within {CALL:?}")),
        };
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
            let call = Call { client: self.id, node, key, asked, answered, action, outcome, revision };
            self.shared.lock().push(call);
        }
        why.map_or(Ok(held), Err)
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
