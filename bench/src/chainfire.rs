//! ChainFire beside etcd: which loads, how many, and what is promised of each.

use anyhow::Context as _;
use etcd_client::Client;
use jiff::{Timestamp, Unit as TimeUnit};

use crate::cluster::Cluster;
use crate::load::{self, Operation, Outcome};
use crate::machine::{self, Scratch};
use crate::peer::{MEMBERS, Peer};
use crate::pki::Pki;
use crate::report::Report;
use crate::table::{Floor, Row, Side, Unit};

/// Connections that share the load, as a client library with a small pool would.
const CONNECTIONS: usize = 4;
/// Operations before each measured run that are not counted.
const WARM_UP: u64 = 200;
/// How far apart two starts of the same program may lie.
const SAME: Floor = Floor { least: 0.75, most: Some(1.33) };

/// How much is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often each side is started.
    pub rounds: usize,
    /// Puts at 1, 64 and 256 outstanding.
    pub puts: [(usize, u64); 3],
    /// Gets of each kind, at 64 outstanding.
    pub gets: u64,
    /// Both sides are the same program: the ratios must be about 1.
    pub self_check: bool,
}

impl Plan {
    /// What the documents quote.
    pub fn full() -> Self {
        Self { rounds: 5, puts: [(1, 2_000), (64, 25_000), (256, 30_000)], gets: 40_000, self_check: false }
    }

    /// A tenth of it.
    pub fn quick() -> Self {
        Self { rounds: 2, puts: [(1, 300), (64, 4_000), (256, 6_000)], gets: 6_000, self_check: false }
    }

    fn rows(&self) -> Vec<Row> {
        let aim = Some(Floor { least: 1.2, most: None });
        let row = |name: &str, unit, floor: Option<Floor>| {
            let floor = if self.self_check && unit == Unit::PerSecond { Some(SAME) } else { floor };
            Row { name: name.to_owned(), unit, ours: Side::default(), theirs: Side::default(), floor }
        };
        let rate = Unit::PerSecond;
        vec![
            row("put, 1 outstanding", rate, None),
            row("put, 64 outstanding", rate, aim),
            row("put, 256 outstanding", rate, aim),
            row("linearizable get, 64, leader", rate, None),
            row("linearizable get, 64, follower", rate, None),
            row("serializable get, 64, leader", rate, None),
            row("serializable get, 64, follower", rate, None),
            row("memory of the leader", Unit::Bytes, None),
            row("disk after the puts, three members", Unit::Bytes, None),
        ]
    }
}

/// One figure of one round.
struct Sample {
    value: f64,
    latency: Option<(f64, f64)>,
}

impl From<Outcome> for Sample {
    fn from(outcome: Outcome) -> Self {
        let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
        Self { value: outcome.rate, latency: Some((ms(outcome.p50), ms(outcome.p99))) }
    }
}

impl Sample {
    fn bytes(bytes: u64) -> Self {
        Self { value: bytes as f64, latency: None }
    }

    fn into_side(self, side: &mut Side) {
        side.samples.0.push(self.value);
        if let Some((p50, p99)) = self.latency {
            side.p50_ms.0.push(p50);
            side.p99_ms.0.push(p99);
        }
    }
}

/// Runs all rounds, ours and theirs in turn.
pub async fn run(plan: &Plan, ours: &dyn Peer, theirs: &dyn Peer) -> anyhow::Result<Report> {
    let scratch = Scratch::new()?;
    let pki = Pki::make(scratch.path(), MEMBERS)?;
    let mut rows = plan.rows();
    for round in 1..=plan.rounds {
        for (mine, peer) in [(true, ours), (false, theirs)] {
            eprintln!("round {round} of {}: {}", plan.rounds, peer.name());
            let samples = measure(plan, peer, &pki, &scratch).await.with_context(|| peer.name())?;
            for (row, sample) in rows.iter_mut().zip(samples) {
                sample.into_side(if mine { &mut row.ours } else { &mut row.theirs });
            }
        }
    }
    scratch.remove()?;
    Ok(Report {
        schema_version: 1,
        command: command_line(),
        date: Timestamp::now().round(TimeUnit::Second)?.to_string(),
        commit: machine::commit(),
        machine: machine::description(),
        rounds: plan.rounds,
        ours: ours.name(),
        theirs: if plan.self_check { format!("{} again", theirs.name()) } else { theirs.name() },
        rows,
    })
}

fn command_line() -> String {
    let profile = if cfg!(debug_assertions) { "" } else { "--release " };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run {profile}-p bench -- {}", arguments.join(" "))
}

/// One start of one side: every figure, in the order of the rows.
async fn measure(plan: &Plan, peer: &dyn Peer, pki: &Pki, scratch: &Scratch) -> anyhow::Result<Vec<Sample>> {
    let cluster = Cluster::start(peer, pki, scratch.path()).await?;
    let mut samples = Vec::new();
    let mut keys = 0;
    for (outstanding, count) in plan.puts {
        let clients = pool(&cluster, cluster.leader(pki).await?, pki).await?;
        load::run(&clients, Operation::Put { first: keys }, outstanding, WARM_UP).await?;
        keys += WARM_UP;
        samples.push(load::run(&clients, Operation::Put { first: keys }, outstanding, count).await?.into());
        keys += count;
    }
    for serializable in [false, true] {
        for follower in [false, true] {
            let leader = cluster.leader(pki).await?;
            let member = if follower { (leader + 1) % MEMBERS.len() } else { leader };
            let clients = pool(&cluster, member, pki).await?;
            let operation = Operation::Get { serializable, keys };
            load::run(&clients, operation, 64, WARM_UP).await?;
            samples.push(load::run(&clients, operation, 64, plan.gets).await?.into());
        }
    }
    samples.push(Sample::bytes(cluster.resident_bytes(cluster.leader(pki).await?)?));
    samples.push(Sample::bytes(cluster.disk_bytes()?));
    cluster.stop().await?;
    Ok(samples)
}

async fn pool(cluster: &Cluster, member: usize, pki: &Pki) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(cluster.client(member, pki).await?);
    }
    Ok(clients)
}
