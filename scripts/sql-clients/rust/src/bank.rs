//! Transfers between accounts, each under an id that the client made.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use rand::Rng;
use uuid::Uuid;

use crate::{Checks, Failure, setting};

const ACCOUNTS: i32 = 20;
const OPENING: i64 = 1000;

/// A transfer: id, source, target, amount.
pub type Row = (String, i32, i32, i64);

/// One connection's way to do what the bank needs.
#[allow(async_fn_in_trait, reason = "one thread does it all")]
pub trait Worker: Default {
    /// Connects, again after a failure.
    async fn connect(&mut self) -> Result<(), Failure>;
    /// Runs statements without parameters.
    async fn run(&mut self, sql: &str) -> Result<(), Failure>;
    /// Commits one transfer, or finds it done already.
    async fn transfer(&mut self, id: Uuid, source: i32, target: i32, amount: i64) -> Result<(), Failure>;
    /// Every transfer, and every account with its balance, as of one moment.
    async fn read(&mut self) -> Result<(Vec<Row>, Vec<(i32, i64)>), Failure>;
}

/// What is to be done on a connection, however often that takes.
enum Act<'a> {
    Run(&'a [String]),
    Transfer(Uuid, i32, i32, i64),
}

/// The accounts and transfers of one client.
pub struct Bank<'a> {
    checks: &'a Checks,
    prefix: &'a str,
    acknowledged: RefCell<Vec<Uuid>>,
    retries: Cell<u64>,
}

impl<'a> Bank<'a> {
    /// Tables that begin with `prefix`.
    pub fn new(checks: &'a Checks, prefix: &'a str) -> Self {
        Self { checks, prefix, acknowledged: RefCell::default(), retries: Cell::new(0) }
    }

    /// Makes the accounts, transfers for DURATION seconds, verifies, and prints the line of the client.
    pub async fn keep_going<W: Worker>(&self) -> Result<(), Failure> {
        let mut first = None;
        self.persist::<W>(&mut first, &Act::Run(&self.tables())).await?;
        let until = Instant::now() + Duration::from_secs(setting("DURATION", 5));
        let workers = (0..setting("WORKERS", 2)).map(|_| self.work::<W>(until));
        futures_util::future::try_join_all(workers).await?;
        let (moved, balances) = self.read::<W>().await?;
        self.verify(&moved, &balances)?;
        let drop = format!("DROP TABLE {0}_account, {0}_transfer", self.prefix);
        self.persist::<W>(&mut first, &Act::Run(&[drop])).await?;
        let line = serde_json::json!({
            "client": self.checks.client(),
            "checks": self.checks.count(),
            "acknowledged": self.acknowledged.borrow().len(),
            "retries": self.retries.get(),
        });
        println!("{line}");
        Ok(())
    }

    fn tables(&self) -> [String; 4] {
        let rows: Vec<String> = (0..ACCOUNTS).map(|at| format!("({at}, {OPENING})")).collect();
        let p = self.prefix;
        [
            format!("DROP TABLE IF EXISTS {p}_account, {p}_transfer"),
            format!("CREATE TABLE {p}_account (id integer PRIMARY KEY, balance bigint NOT NULL)"),
            format!(
                "CREATE TABLE {p}_transfer (id uuid PRIMARY KEY, source integer NOT NULL, \
                 target integer NOT NULL, amount bigint NOT NULL)"
            ),
            format!("INSERT INTO {p}_account VALUES {}", rows.join(", ")),
        ]
    }

    async fn once<W: Worker>(&self, slot: &mut Option<W>, act: &Act<'_>) -> Result<(), Failure> {
        if slot.is_none() {
            let mut worker = W::default();
            worker.connect().await?;
            *slot = Some(worker);
        }
        let Some(worker) = slot else { return Ok(()) };
        match act {
            Act::Transfer(id, source, target, amount) => {
                worker.transfer(*id, *source, *target, *amount).await
            }
            Act::Run(statements) => {
                for sql in *statements {
                    worker.run(sql).await?;
                }
                Ok(())
            }
        }
    }

    /// Does it until it is done; connects again after each failure but a plain conflict.
    async fn persist<W: Worker>(&self, slot: &mut Option<W>, act: &Act<'_>) -> Result<(), Failure> {
        let mut since = None;
        loop {
            let Err(failure) = self.once(slot, act).await else { return Ok(()) };
            if !failure.may_retry() {
                return Err(failure);
            }
            self.retries.set(self.retries.get() + 1);
            let undone = match slot {
                Some(worker) if failure.is_conflict() => worker.run("ROLLBACK").await.is_ok(),
                _ => false,
            };
            if undone {
                since = None;
                tokio::time::sleep(Duration::from_micros(rand::rng().random_range(0..5000))).await;
                continue;
            }
            *slot = None;
            if since.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(setting("PATIENCE", 60))
            {
                return Err(failure);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn work<W: Worker>(&self, until: Instant) -> Result<(), Failure> {
        let mut slot: Option<W> = None;
        while Instant::now() < until {
            let id = Uuid::new_v4();
            let source = rand::rng().random_range(0..ACCOUNTS);
            let target = (source + rand::rng().random_range(1..ACCOUNTS)) % ACCOUNTS;
            let act = Act::Transfer(id, source, target, rand::rng().random_range(1..=50));
            self.persist(&mut slot, &act).await?;
            self.acknowledged.borrow_mut().push(id);
        }
        Ok(())
    }

    async fn read<W: Worker>(&self) -> Result<(Vec<Row>, Vec<(i32, i64)>), Failure> {
        let began = Instant::now();
        loop {
            let mut worker = W::default();
            let got = match worker.connect().await {
                Ok(()) => worker.read().await,
                Err(failure) => Err(failure),
            };
            match got {
                Err(failure)
                    if failure.may_retry()
                        && began.elapsed() < Duration::from_secs(setting("PATIENCE", 60)) =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                got => return got,
            }
        }
    }

    fn verify(&self, moved: &[Row], balances: &[(i32, i64)]) -> Result<(), Failure> {
        let ids: HashSet<&str> = moved.iter().map(|row| row.0.as_str()).collect();
        self.checks.eq("transfers that are there twice", moved.len() - ids.len(), 0)?;
        let acknowledged = self.acknowledged.borrow();
        let missing: Vec<&Uuid> =
            acknowledged.iter().filter(|id| !ids.contains(id.to_string().as_str())).collect();
        self.checks.eq("acknowledged transfers that are missing", missing, Vec::<&Uuid>::new())?;
        let sum: i64 = balances.iter().map(|(_, balance)| balance).sum();
        self.checks.eq("the sum of the balances", sum, i64::from(ACCOUNTS) * OPENING)?;
        let mut wanted: BTreeMap<i32, i64> = (0..ACCOUNTS).map(|at| (at, OPENING)).collect();
        for (_, source, target, amount) in moved {
            *wanted.entry(*source).or_default() -= amount;
            *wanted.entry(*target).or_default() += amount;
        }
        self.checks.eq(
            "balances by the transfers",
            balances.iter().copied().collect::<BTreeMap<_, _>>(),
            wanted,
        )
    }
}
