//! What clients do: transfers between accounts whose sum never changes, and lists that are appended to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kit::Context;
use rusqlite::types::Value;

use super::append::{Deed, Fate, Transaction};
use super::world::World;
use crate::base::SqlState;
use crate::engine::{Outcome, parameters, values};
use crate::proto::log::{Ddl, Evaluation, Statement, Write, write};
use crate::replica::{Level, Patience, Replica};

const ACCOUNTS: u64 = 5;
/// What all accounts hold together.
pub(super) const TOTAL: i64 = 500;
const LISTS: u64 = 4;
const PATIENCE: Patience = Patience { turn: Duration::from_secs(3), idle: Duration::from_secs(1) };

/// Asks and asks, until it is told to stop.
pub(super) async fn run(world: World, replica: Replica, context: Context) {
    prepare(&world, &replica, &context).await;
    while !world.quiet.load(Ordering::Relaxed) {
        let client = Client { world: &world, replica: &replica, context: &context };
        match context.entropy().below(6) {
            0 => client.transfer().await,
            1 => client.transfer_in_steps().await,
            2 => client.sum().await,
            3 => client.append().await,
            _ => client.append_in_steps().await,
        }
        tokio::time::sleep(context.entropy().jitter(Duration::from_millis(100))).await;
    }
}

/// The tables, whoever comes first.
async fn prepare(world: &World, replica: &Replica, context: &Context) {
    let statements = [
        "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT".to_owned(),
        "CREATE TABLE IF NOT EXISTS list (id INTEGER PRIMARY KEY, list INTEGER NOT NULL, value INTEGER UNIQUE) STRICT"
            .to_owned(),
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ACCOUNTS}) \
             INSERT OR IGNORE INTO account SELECT i, {} FROM n",
            TOTAL / ACCOUNTS as i64
        ),
    ];
    let ddl = Ddl { statements: statements.to_vec(), ..Ddl::default() };
    while !world.quiet.load(Ordering::Relaxed) {
        let made = replica.write(envelope(context, write::Body::Ddl(ddl.clone()))).await;
        match made {
            Ok((Ok(_), _)) => return,
            Ok((Err(failure), _)) => return world.fail(format!("no tables: {failure:?}")),
            Err(_) => {}
        }
    }
}

struct Client<'a> {
    world: &'a World,
    replica: &'a Replica,
    context: &'a Context,
}

impl World {
    pub(super) fn fail(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

impl Client<'_> {
    fn pick(&self, of: u64) -> i64 {
        self.context.entropy().below(of) as i64 + 1
    }

    fn sql(&self, text: &str, with: &[i64]) -> Write {
        let with: Vec<Value> = with.iter().copied().map(Value::Integer).collect();
        let rows = parameters(with.iter().map(Into::into)).into();
        let returning = text.starts_with("SELECT");
        let statement = Statement { sql: text.to_owned(), rows, count: 1, returning };
        envelope(self.context, write::Body::Statement(statement))
    }

    /// In one statement.
    async fn transfer(&self) {
        let (from, to, amount) = (self.pick(ACCOUNTS), self.pick(ACCOUNTS), self.pick(20));
        let text = "UPDATE account SET balance = balance + CASE WHEN id = ?1 THEN -?3 ELSE ?3 END \
                    WHERE ?1 <> ?2 AND id IN (?1, ?2)";
        // Whatever comes of it, the sum is the same.
        let _ = self.replica.write(self.sql(text, &[from, to, amount])).await;
    }

    /// Read, then written.
    async fn transfer_in_steps(&self) {
        let (from, to) = (self.pick(ACCOUNTS), self.pick(ACCOUNTS));
        let Ok(transaction) = self.replica.begin(PATIENCE).await else { return };
        let read = transaction.write(self.sql("SELECT balance FROM account WHERE id = ?1", &[from])).await;
        let balance = integers(&read).first().copied().unwrap_or(0);
        let (half, mut good) = (balance / 2, read.is_ok() && from != to);
        for (account, value) in [(from, -half), (to, half)] {
            let change = "UPDATE account SET balance = balance + ?2 WHERE id = ?1";
            good = good && transaction.write(self.sql(change, &[account, value])).await.is_ok();
        }
        if good {
            let _ = transaction.commit(String::new()).await;
        } else {
            transaction.roll_back().await;
        }
    }

    /// What a quorum has shown to be current has the sum that everything has.
    async fn sum(&self) {
        if self.replica.be_current(Level::Strict).await.is_err() {
            return;
        }
        let Ok(reader) = self.replica.reader() else { return };
        let sum = reader.connection.query_row("SELECT sum(balance) FROM account", [], |row| row.get(0));
        self.replica.give_back(reader);
        if sum.as_ref().ok() != Some(&TOTAL) {
            self.world.fail(format!("the accounts hold {sum:?} together, not {TOTAL}"));
        }
    }

    fn value(&self) -> i64 {
        self.world.values.fetch_add(1, Ordering::Relaxed)
    }

    /// Noted before anything is asked: a client that goes with its machine tells nothing any more.
    fn begins(&self) -> usize {
        let mut all = self.world.transactions.lock().unwrap();
        all.push(Transaction { deeds: Vec::new(), fate: Fate::Unknown, began: now(), ended: Duration::MAX });
        all.len() - 1
    }

    fn does(&self, at: usize, deed: Deed) {
        self.world.transactions.lock().unwrap()[at].deeds.push(deed);
    }

    fn ends(&self, at: usize, fate: Fate) {
        let transaction = &mut self.world.transactions.lock().unwrap()[at];
        (transaction.fate, transaction.ended) = (fate, now());
    }

    /// One statement, or a look at a list.
    async fn append(&self) {
        let list = self.pick(LISTS);
        if self.context.entropy().below(2) == 0 {
            return self.look(list).await;
        }
        let (at, value) = (self.begins(), self.value());
        self.does(at, Deed::Append { list, value });
        let written = self.replica.write(self.sql(APPEND, &[list, value])).await;
        self.ends(
            at,
            match written {
                Ok((Ok(_), _)) => Fate::Committed,
                Ok((Err(_), _)) => Fate::Aborted,
                Err(e) if e.state == SqlState::TRANSACTION_RESOLUTION_UNKNOWN => Fate::Unknown,
                Err(_) => Fate::Aborted,
            },
        );
    }

    async fn look(&self, list: i64) {
        let at = self.begins();
        if self.replica.be_current(Level::Strict).await.is_ok()
            && let Some(values) = look(self.replica, list)
        {
            self.does(at, Deed::Read { list, values });
            self.ends(at, Fate::Committed);
        }
    }

    /// Some reads and appends in one transaction.
    async fn append_in_steps(&self) {
        let at = self.begins();
        let Ok(transaction) = self.replica.begin(PATIENCE).await else { return self.ends(at, Fate::Aborted) };
        let mut good = true;
        for _ in 0..self.pick(4) {
            let list = self.pick(LISTS);
            if self.context.entropy().below(2) == 0 {
                let read = transaction.write(self.sql(LIST, &[list])).await;
                match &read {
                    Ok(_) => self.does(at, Deed::Read { list, values: integers(&read) }),
                    Err(_) => good = false,
                }
            } else {
                let value = self.value();
                self.does(at, Deed::Append { list, value });
                good = transaction.write(self.sql(APPEND, &[list, value])).await.is_ok();
            }
            if !good {
                break;
            }
        }
        if !good || self.context.entropy().below(8) == 0 {
            transaction.roll_back().await;
            return self.ends(at, Fate::Aborted);
        }
        self.ends(
            at,
            match transaction.commit(String::new()).await {
                Ok(Ok(_)) => Fate::Committed,
                Ok(Err(_)) => Fate::Aborted,
                Err(_) => Fate::Unknown,
            },
        );
    }
}

const APPEND: &str = "INSERT INTO list (list, value) VALUES (?1, ?2)";
const LIST: &str = "SELECT value FROM list WHERE list = ?1 ORDER BY id";

/// A list, as a replica has it.
pub(super) fn look(replica: &Replica, list: i64) -> Option<Vec<i64>> {
    let reader = replica.reader().ok()?;
    let values = reader
        .connection
        .prepare(LIST)
        .and_then(|mut query| query.query_map([list], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>());
    replica.give_back(reader);
    values.ok()
}

/// All lists, as a replica has them in the end.
pub(super) fn last_look(replica: &Replica, at: Duration) -> Vec<Transaction> {
    let read = |list| Some(Deed::Read { list, values: look(replica, list)? });
    let deeds: Vec<Deed> = (1..=LISTS as i64).filter_map(read).collect();
    vec![Transaction { deeds, fate: Fate::Committed, began: at, ended: at }]
}

fn integers(outcome: &Outcome) -> Vec<i64> {
    let rows = outcome.as_ref().map_or(&[][..], |done| &done.rows);
    let all = values(rows).unwrap_or_default().into_iter();
    all.filter_map(|value| if let Value::Integer(value) = value { Some(value) } else { None }).collect()
}

fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

fn envelope(context: &Context, body: write::Body) -> Write {
    let mut id = [0; 16];
    context.entropy().fill(&mut id);
    let evaluation = Some(Evaluation { now: 1, seed: context.entropy().next_u64(), zone: String::new() });
    let (id, key) = (id.to_vec().into(), String::new());
    Write { id, evaluation, catalog: 0, budget: 10_000_000, key, body: Some(body) }
}
