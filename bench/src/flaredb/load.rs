//! The loads: closed loops over prepared statements, COPY, and pgbench.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use futures::SinkExt as _;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::{Client, Statement};

use super::server::{Running, USER};
use crate::load::{Latencies, Outcome};
use crate::pki::Pki;
use crate::sample::Sample;
use crate::table::Unit;

/// Operations before a measured run that are not counted.
const WARM_UP: u64 = 200;
/// Rows that point selects look among.
const ROWS: u64 = 10_000;
/// Rows of a batch.
const BATCH: u64 = 100_000;
/// Bytes of text in a row.
const TEXT: usize = 64;
const TABLE: &str = "CREATE TABLE load (id bigint PRIMARY KEY, n integer NOT NULL, text text NOT NULL)";

/// What one connection does again and again.
#[derive(Clone, Copy)]
enum Operation {
    Insert { first: u64 },
    Select,
    Transfer { first: u64 },
}

/// Inserts, selects, small transactions, batches.
pub(super) async fn rates(running: &Running, pki: &Pki, divisor: u64) -> anyhow::Result<Vec<Sample>> {
    let count = |full: u64| (full / divisor).max(1);
    let admin = running.client(pki).await?;
    admin.simple_query(TABLE).await?;
    let mut samples = Vec::new();
    let mut first = 1 << 20;
    for (name, connections, full) in [
        ("insert, 1 connection", 1, 1_000),
        ("insert, 16 connections", 16, 10_000),
        ("insert, 64 connections", 64, 20_000),
    ] {
        let outcome = at(running, pki, Operation::Insert { first }, connections, count(full)).await?;
        first += full + WARM_UP;
        samples.push(Sample::rate(name, outcome));
    }
    samples.push(copy(&admin, "rows of COPY", 1 << 30, count(BATCH)).await?);
    fill(&admin).await?;
    for (name, connections, full) in [
        ("point select, 1 connection", 1, 5_000),
        ("point select, 16 connections", 16, 40_000),
        ("point select, 64 connections", 64, 40_000),
    ] {
        let outcome = at(running, pki, Operation::Select, connections, count(full)).await?;
        samples.push(Sample::rate(name, outcome));
    }
    for (name, connections, full) in [
        ("transaction of two writes, 1 connection", 1, 500),
        ("transaction of two writes, 16 connections", 16, 4_000),
    ] {
        let outcome = at(running, pki, Operation::Transfer { first }, connections, count(full)).await?;
        first += full + WARM_UP;
        samples.push(Sample::rate(name, outcome));
    }
    Ok(samples)
}

/// pgbench's tables and script: transactions a second.
pub(super) async fn tpcb(running: &Running, pki: &Pki, divisor: u64) -> anyhow::Result<Vec<Sample>> {
    pgbench(running, pki, &["-i", "-s", "1", "-q"]).await?;
    let mut samples = Vec::new();
    for (name, clients, transactions) in
        [("TPC-B of pgbench, 1 client", "1", 500), ("TPC-B of pgbench, 16 clients", "16", 200)]
    {
        let each = (transactions / divisor).max(1).to_string();
        let threads = if clients == "1" { "1" } else { "2" };
        let said = pgbench(
            running,
            pki,
            &[
                "-n",
                "-M",
                "prepared",
                "-c",
                clients,
                "-j",
                threads,
                "-t",
                &each,
                "--max-tries=0",
                "--latency-limit=60000",
            ],
        )
        .await?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        samples.push(Sample::plain(
            name,
            Unit::PerSecond,
            rate.with_context(|| format!("pgbench said no rate: {said}"))?,
        ));
    }
    Ok(samples)
}

async fn pgbench(running: &Running, pki: &Pki, arguments: &[&str]) -> anyhow::Result<String> {
    let done = Command::new("pgbench")
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", running.port.to_string())
        .env("PGUSER", USER)
        .env("PGDATABASE", USER)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", pki.ca())
        .env("PGSSLCERT", pki.cert("operator"))
        .env("PGSSLKEY", pki.key("operator"))
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot run pgbench")?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(
        done.status.success(),
        "pgbench {}: {said}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(said)
}

/// Runs `count` operations over so many connections, after a warm-up.
async fn at(
    running: &Running,
    pki: &Pki,
    operation: Operation,
    connections: usize,
    count: u64,
) -> anyhow::Result<Outcome> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Arc::new(running.client(pki).await?));
    }
    let warm_up = WARM_UP.min(count);
    closed(&clients, operation, warm_up).await?;
    closed(&clients, operation.after(warm_up), count).await
}

async fn closed(clients: &[Arc<Client>], operation: Operation, count: u64) -> anyhow::Result<Outcome> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for client in clients {
        workers.spawn(work(Arc::clone(client), operation, Arc::clone(&next), count));
    }
    let mut latencies = Latencies::new()?;
    while let Some(done) = workers.join_next().await {
        latencies.merge(&done.context("a load worker panicked")??)?;
    }
    let took = began.elapsed();
    ensure!(latencies.count() == count, "{} of {count} operations were done", latencies.count());
    Ok(latencies.outcome(took))
}

async fn work(
    client: Arc<Client>,
    operation: Operation,
    next: Arc<AtomicU64>,
    count: u64,
) -> anyhow::Result<Latencies> {
    let statements = prepare(&client, operation).await?;
    let mut latencies = Latencies::new()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(latencies);
        }
        let began = Instant::now();
        operation.perform(&client, &statements, number).await?;
        latencies.add(began.elapsed())?;
    }
}

async fn prepare(client: &Client, operation: Operation) -> anyhow::Result<Vec<Statement>> {
    let texts: &[&str] = match operation {
        Operation::Insert { .. } => &["INSERT INTO load (id, n, text) VALUES ($1, $2, $3)"],
        Operation::Select => &["SELECT n, text FROM load WHERE id = $1"],
        Operation::Transfer { .. } => {
            &["INSERT INTO load (id, n, text) VALUES ($1, $2, $3)", "UPDATE load SET n = n + 1 WHERE id = $1"]
        }
    };
    let mut statements = Vec::new();
    for text in texts {
        statements.push(client.prepare(text).await?);
    }
    Ok(statements)
}

impl Operation {
    fn after(self, count: u64) -> Self {
        match self {
            Self::Insert { first } => Self::Insert { first: first + count },
            Self::Transfer { first } => Self::Transfer { first: first + count },
            Self::Select => Self::Select,
        }
    }

    async fn perform(self, client: &Client, statements: &[Statement], number: u64) -> anyhow::Result<()> {
        let text = "x".repeat(TEXT);
        match self {
            Self::Insert { first } => {
                let id = i64::try_from(first + number)?;
                ensure!(
                    client.execute(&statements[0], &[&id, &1i32, &text]).await? == 1,
                    "nothing was inserted"
                );
            }
            Self::Select => {
                let id = i64::try_from(number.wrapping_mul(7919) % ROWS)?;
                let row = client.query_one(&statements[0], &[&id]).await?;
                ensure!(row.get::<_, &str>(1).len() == TEXT, "a row came back wrong");
            }
            Self::Transfer { first } => {
                let id = i64::try_from(first + number)?;
                let other = i64::try_from(number % ROWS)?;
                client.batch_execute("BEGIN").await?;
                client.execute(&statements[0], &[&id, &1i32, &text]).await?;
                client.execute(&statements[1], &[&other]).await?;
                client.batch_execute("COMMIT").await?;
            }
        }
        Ok(())
    }
}

/// Rows that point selects find.
async fn fill(client: &Client) -> anyhow::Result<()> {
    copy_rows(client, 0, ROWS).await.map(drop)
}

async fn copy(client: &Client, name: &str, first: u64, rows: u64) -> anyhow::Result<Sample> {
    let began = Instant::now();
    let copied = copy_rows(client, first, rows).await?;
    ensure!(copied == rows, "{copied} of {rows} rows were copied");
    Ok(Sample::plain(name, Unit::PerSecond, rows as f64 / began.elapsed().as_secs_f64()))
}

async fn copy_rows(client: &Client, first: u64, rows: u64) -> anyhow::Result<u64> {
    let text = "x".repeat(TEXT);
    let mut sink =
        std::pin::pin!(client.copy_in::<_, std::io::Cursor<Vec<u8>>>("COPY load FROM STDIN").await?);
    let mut piece = String::new();
    for id in first..first + rows {
        piece.push_str(&format!("{id}\t1\t{text}\n"));
        if piece.len() > 1 << 16 {
            sink.send(std::io::Cursor::new(std::mem::take(&mut piece).into_bytes())).await?;
        }
    }
    sink.send(std::io::Cursor::new(piece.into_bytes())).await?;
    Ok(sink.finish().await?)
}
