//! Clients that keep a store busy and write down what they see.
//!
//! Each client asks one replica, one call at a time, at a gentle pace: the load shall show faults, not
//! measure speed. A call that is not answered is made once more, through another replica; as a new
//! write, because the first may have happened. Registers are used for a while and then left alone, so
//! that the search in one register's history stays short.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error};
use futures::future::join_all;
use kit::task::Tasks;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::perform::{is_refusal, perform};
use super::{Action, Call, Endpoints, Keys, Outcome, Value};

/// A client gives up on a call after this, and the call's outcome is unknown.
const CALL: Duration = Duration::from_secs(3);

/// Of a last read, which must succeed somewhere.
const LAST_READ: Duration = Duration::from_secs(5);

/// After an operation that failed.
const PENALTY: Duration = Duration::from_millis(100);

/// Registers in use at a time, at least; one for each client if those are more.
const REGISTERS: u32 = 8;

/// Operations of one client before all move on to fresh registers.
const OPERATIONS_PER_GENERATION: u64 = 150;

/// The first of the numbers under which last reads are written down.
const LAST_READERS: u32 = 1_000_000;

/// How a load is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Clients, spread over the replicas.
    pub clients: u32,
    /// Of everything random in it.
    pub seed: u64,
    /// Between two operations of one client, on average.
    pub pace: Duration,
    /// Calls that are remembered; the clients stop when there are so many.
    pub most_calls: usize,
}

impl Options {
    /// For lanes: a pace that leaves the machine to the cluster.
    pub fn gentle(clients: u32, seed: u64) -> Self {
        Self { clients, seed, pace: Duration::from_millis(15), most_calls: usize::MAX }
    }
}

/// How a load has gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Operations that were answered, by the first replica asked or by the second.
    pub answered: u64,
    /// Writes and deletions among them.
    pub acknowledged: u64,
    /// Operations that a second replica answered after the first had not.
    pub retried: u64,
    /// Operations that neither answered.
    pub failed: u64,
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
    endpoints: Endpoints,
    keys: Keys,
    began: Instant,
    next_value: AtomicU64,
    answered: AtomicU64,
    acknowledged: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    /// Calls that may still be written down.
    room: AtomicUsize,
    history: Mutex<Vec<Call>>,
    first_failure: Mutex<Option<String>>,
}

impl Load {
    /// Starts the clients.
    pub async fn start(endpoints: Endpoints, keys: Keys, options: Options) -> Result<Self, Error> {
        let nodes: Vec<String> = endpoints.names().map(str::to_owned).collect();
        if nodes.is_empty() {
            return Err(Error::InvalidArgs("a load needs a replica to ask".to_owned()));
        }
        let shared = Arc::new(Shared {
            endpoints,
            keys,
            began: Instant::now(),
            next_value: AtomicU64::new(1),
            answered: AtomicU64::default(),
            acknowledged: AtomicU64::default(),
            retried: AtomicU64::default(),
            failed: AtomicU64::default(),
            room: AtomicUsize::new(options.most_calls),
            history: Mutex::default(),
            first_failure: Mutex::default(),
        });
        let (stop, tasks) = (CancellationToken::new(), Tasks::default());
        let registers = REGISTERS.max(options.clients);
        for id in 0..options.clients {
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            rng.set_stream(id.into());
            let at = |offset: usize| nodes[(id as usize + offset) % nodes.len()].clone();
            let (home, other) = (at(0), at(1));
            let first = shared.endpoints.client(&home, CALL).await?;
            let second = shared.endpoints.client(&other, CALL).await?;
            let ways = [(home, first), (other, second)];
            let client =
                LoadClient { id, ways, shared: Arc::clone(&shared), rng, registers, pace: options.pace };
            tasks.spawn_draining(client.run(stop.clone()));
        }
        Ok(Self { shared, stop, tasks })
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// How it has gone so far.
    pub fn tally(&self) -> Tally {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        Tally {
            answered: of(&shared.answered),
            acknowledged: of(&shared.acknowledged),
            retried: of(&shared.retried),
            failed: of(&shared.failed),
        }
    }

    /// Whether it has stopped by itself, because it may remember no more.
    pub fn is_full(&self) -> bool {
        self.shared.room.load(Ordering::Relaxed) == 0
    }

    /// What the first operation that failed was told.
    pub fn first_failure(&self) -> Option<String> {
        self.shared.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the clients; answers how it went.
    pub async fn stop(&self) -> Tally {
        self.stop.cancel();
        self.tasks.stop();
        self.tasks.wait(self.shared.endpoints.patient(CALL) * 3).await;
        self.tally()
    }

    /// Ends the load, reads every register once more through each of these replicas, and answers the
    /// whole history. A last read must succeed: it is what shows that nothing was lost.
    pub async fn finish(self, nodes: &[&str]) -> Result<Vec<Call>, Error> {
        let (history, unread) = self.finish_where_possible(nodes).await;
        unread.into_iter().next().map_or(Ok(history), |(_, e)| Err(e))
    }

    /// As [`Load::finish`], with the replicas that could not be read.
    pub async fn finish_where_possible(self, nodes: &[&str]) -> (Vec<Call>, Vec<(String, Error)>) {
        self.stop().await;
        let registers = self.shared.lock().iter().map(|c| c.key + 1).max().unwrap_or(0);
        let readers = (LAST_READERS..).zip(nodes);
        let reads = join_all(readers.map(|(id, node)| self.shared.read_all(id, node, registers))).await;
        let unread =
            reads.into_iter().zip(nodes).filter_map(|(read, node)| Some(((*node).to_owned(), read.err()?)));
        let unread = unread.collect();
        (std::mem::take(&mut *self.shared.lock()), unread)
    }
}

impl Shared {
    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_all(&self, id: u32, node: &str, registers: u32) -> Result<(), Error> {
        let mut connection = self.endpoints.client(node, LAST_READ).await?;
        for key in 0..registers {
            let asked = self.now();
            let (outcome, revision) = perform(&mut connection, &self.keys, key, Action::Read).await?;
            let (action, answered) = (Action::Read, self.now());
            let node = node.to_owned();
            self.lock().push(Call { client: id, node, key, asked, answered, action, outcome, revision });
        }
        Ok(())
    }

    fn fresh(&self) -> Value {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes room for one operation, which is two calls at most.
    fn take_room(&self) -> bool {
        self.room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(2).or((room > 0).then_some(0))
            })
            .is_ok()
    }
}

struct LoadClient {
    id: u32,
    /// The replica it asks, and the one that it asks when that does not answer.
    ways: [(String, Client); 2],
    shared: Arc<Shared>,
    rng: ChaCha8Rng,
    registers: u32,
    pace: Duration,
}

/// A register and what it was last seen to hold.
type LastSeen = Option<(u32, Option<Value>)>;

impl LoadClient {
    async fn run(mut self, stop: CancellationToken) {
        let mut done: u64 = 0;
        let mut last_seen: LastSeen = None;
        while !stop.is_cancelled() && self.shared.take_room() {
            let generation = u32::try_from(done / OPERATIONS_PER_GENERATION).unwrap_or(u32::MAX);
            let key = generation.saturating_mul(self.registers) + self.rng.random_range(0..self.registers);
            let action = self.choose(key, last_seen);
            let known = self.operate(key, action).await;
            if let Some(held) = known {
                last_seen = Some((key, held));
            }
            done += 1;
            let pause = if known.is_some() { self.pace } else { PENALTY };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause.mul_f64(self.rng.random_range(0.5..1.5))) => {}
            }
        }
    }

    fn choose(&mut self, key: u32, last_seen: LastSeen) -> Action {
        match self.rng.random_range(0..20) {
            0..8 => Action::Read,
            8..15 => Action::Write(self.shared.fresh()),
            15..19 => {
                // A swap that has a chance: of what this client saw last.
                let expected = last_seen.filter(|(seen, _)| *seen == key).and_then(|(_, held)| held);
                Action::Swap { expected, new: self.shared.fresh() }
            }
            _ => Action::Delete,
        }
    }

    /// Asks one replica and, if that does not answer, another. Answers what the register is known to
    /// hold after it.
    async fn operate(&mut self, key: u32, action: Action) -> Option<Option<Value>> {
        let first = self.call(0, key, action).await;
        let answer = match first {
            Ok(held) => Ok(held),
            Err(_) => {
                let again = self.renew(action);
                let second = self.call(1, key, again).await;
                self.shared.retried.fetch_add(u64::from(second.is_ok()), Ordering::Relaxed);
                second
            }
        };
        match answer {
            Ok(held) => {
                self.shared.answered.fetch_add(1, Ordering::Relaxed);
                Some(held)
            }
            Err(why) => {
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = self.shared.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| format!("{}: {why}", self.ways[1].0));
                None
            }
        }
    }

    /// The same once more: what it writes must be told from what may have been written.
    fn renew(&self, action: Action) -> Action {
        match action {
            Action::Write(_) => Action::Write(self.shared.fresh()),
            Action::Swap { expected, .. } => Action::Swap { expected, new: self.shared.fresh() },
            same @ (Action::Read | Action::Delete) => same,
        }
    }

    /// Makes a call and writes it down. Answers what the register is known to hold after it, or why
    /// that is not known.
    async fn call(&mut self, way: usize, key: u32, action: Action) -> Result<Option<Value>, String> {
        let (node, connection) = &mut self.ways[way];
        let asked = self.shared.now();
        let patience = self.shared.endpoints.patient(CALL);
        let performed =
            tokio::time::timeout(patience, perform(connection, &self.shared.keys, key, action)).await;
        let answered = self.shared.now();
        let (outcome, revision, why) = match performed {
            Ok(Ok((outcome, revision))) => (outcome, revision, None),
            Ok(Err(e)) if is_refusal(&e) => (Outcome::Refused, None, Some(e.to_string())),
            Ok(Err(e)) => (Outcome::Unknown, None, Some(e.to_string())),
            Err(_) => (Outcome::Unknown, None, Some(format!("no answer within {patience:?}"))),
        };
        let call =
            Call { client: self.id, node: node.clone(), key, asked, answered, action, outcome, revision };
        if call.is_acknowledged_write() {
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        // A read without an answer says nothing about the store.
        if action != Action::Read || why.is_none() {
            self.shared.lock().push(call);
        }
        match (action, outcome) {
            (_, Outcome::Held(held)) => Ok(held),
            (Action::Write(value) | Action::Swap { new: value, .. }, Outcome::Written) => Ok(Some(value)),
            // Something was answered; the judge will say what is wrong with it.
            (_, Outcome::Removed(_) | Outcome::Garbled | Outcome::Written) => Ok(None),
            (_, Outcome::Unknown | Outcome::Refused) => Err(why.unwrap_or_default()),
        }
    }
}
