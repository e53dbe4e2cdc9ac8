//! `uc chainfire verify`: is what this cluster answers what a correct one can answer?
//!
//! Clients read, write, swap and delete through every endpoint while one watch an endpoint follows;
//! what they saw is judged round by round, so that memory stays bounded however long it runs. At the
//! end the endpoints' hashes of the whole store are compared. The keys are below a prefix that no
//! other run has, and are deleted.

mod hashes;
mod kept;
mod round;
mod verdict;

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use etcd_client::{Client, DeleteOptions};
use history::kept::Round;
use history::{Endpoints, check};
use kit::entropy::Entropy;
use tokio::time::Instant;

use self::round::{Rounds, Stage};
use self::verdict::Report as Findings;
use crate::connect::Target;
use crate::output::Report;

/// A round of the load, judged by itself.
const ROUND: Duration = Duration::from_secs(10);

/// Clients an endpoint, if not told.
const CLIENTS_EACH: u32 = 3;

/// Of a call that is not the load's own.
const CALL: Duration = Duration::from_secs(5);

/// What `verify --help` ends with.
const EXAMPLES: &str = "\
Examples:
  uc chainfire verify --duration 60s
  uc chainfire verify --duration 1h --keep history.jsonl -o json
  uc chainfire verify --check history.jsonl

Exit status: 0 everything seen is right; 1 something is wrong, or could not be looked at.
Keys that a killed run left behind: etcdctl del --prefix uc-verify/";

/// Puts load on a running cluster and checks what it answers: linearizable reads, writes, transactions
/// and deletions; watches that are ordered, unique, reliable and atomic; replicas that are alike.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// How long to run.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration, value_name = "TIME")]
    duration: Duration,
    /// Clients, spread over the endpoints [default: three for each].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: Option<u32>,
    /// Pause between two operations of one client.
    #[arg(long, default_value = "5ms", value_parser = humantime::parse_duration, value_name = "TIME")]
    pace: Duration,
    /// Its keys go below this, in a place of their own.
    #[arg(long, default_value = "uc-verify/", value_name = "PREFIX")]
    prefix: String,
    /// Repeats the choices of an earlier run.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep everything seen in this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Judge a file that was kept, instead of a cluster.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keep", "clients", "seed"])]
    check: Option<PathBuf>,
}

/// Runs it, or judges a file.
pub(crate) async fn run(target: &Target, options: &Verify) -> anyhow::Result<Report> {
    match &options.check {
        Some(file) => kept::judge(file),
        None => verify(target, options).await.map(|findings| findings.report()),
    }
}

async fn verify(target: &Target, options: &Verify) -> anyhow::Result<Findings> {
    let entropy = Entropy::system();
    let (run, seed) = (entropy.next_u64(), options.seed.unwrap_or_else(|| entropy.next_u64() >> 32));
    let mut findings = Findings { seed, ..Findings::default() };
    let endpoints = serving(target, &mut findings).await?;
    let prefix = format!("{}{run:016x}/", options.prefix);
    findings.clients = options.clients.unwrap_or(CLIENTS_EACH * u32::try_from(findings.endpoints.len())?);
    eprintln!(
        "uc: {} clients on {}, seed {seed}, keys below {prefix}",
        findings.clients,
        findings.endpoints.join(", ")
    );
    let mut file = options.keep.as_ref().map(create).transpose()?;
    let stage = Stage { endpoints, prefix, clients: findings.clients, pace: options.pace, seed };
    let ran = rounds(&stage, options.duration, &mut findings, &mut file).await;
    // Whatever happened, nothing is left behind that can be taken away.
    match clean(&stage).await {
        Ok(revision) if ran.is_ok() => findings.hashes = hashes::compare(&stage.endpoints, revision).await,
        Ok(_) => {}
        Err(e) => {
            findings.unsure.push(format!("the keys below {} could not be deleted: {e:#}", stage.prefix));
        }
    }
    if let Some(file) = file {
        file.into_inner().context("the history could not be written to its end")?.sync_all()?;
    }
    ran.map(|()| findings)
}

async fn rounds(
    stage: &Stage,
    duration: Duration,
    findings: &mut Findings,
    file: &mut Option<BufWriter<File>>,
) -> anyhow::Result<()> {
    let (began, mut rounds) = (Instant::now(), Rounds::new(stage));
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    while began.elapsed() < duration && findings.violation.is_none() {
        let span = ROUND.min(duration.saturating_sub(began.elapsed()));
        let played = rounds.play(span, interrupted.as_mut(), findings).await?;
        findings.seconds = began.elapsed().as_secs_f64();
        let round = played.round;
        if let Some(file) = file {
            history::kept::write(file, &round).context("cannot write the history")?;
        }
        judge(round, findings).await?;
        findings.progress();
        rounds.forget().await;
        if played.interrupted {
            findings.unsure.push(format!("it was interrupted after {:.0} s", findings.seconds));
            break;
        }
    }
    Ok(())
}

/// A violation ends the run; what shows it is kept in any case.
async fn judge(round: Round, findings: &mut Findings) -> anyhow::Result<()> {
    let (judged, round) = tokio::task::spawn_blocking(move || (check::round(&round), round)).await?;
    match judged {
        _ if findings.violation.is_some() => {}
        Ok(summary) => findings.add(&summary, &round),
        Err(violation @ check::Violation::Undecided { .. }) => findings.unsure.push(violation.to_string()),
        Err(violation) => findings.violation = Some(violation.to_string()),
    }
    if findings.violation.is_some() {
        let path = PathBuf::from(format!("chainfire-violation-{}.jsonl", findings.seed));
        let mut file = create(&path)?;
        history::kept::write(&mut file, &round)?;
        file.into_inner().context("cannot write the history")?.sync_all()?;
        findings.evidence = Some(path);
    }
    Ok(())
}

/// The endpoints that serve clients now. One that does not answer is a complaint; a learner is not asked.
async fn serving(target: &Target, findings: &mut Findings) -> anyhow::Result<Endpoints> {
    for url in target.endpoints()? {
        let asked = async { anyhow::Ok(target.connect(std::slice::from_ref(&url)).await?.status().await?) };
        match asked.await {
            Ok(status) if status.is_learner() => eprintln!("uc: {url} is a learner, which serves no clients"),
            Ok(_) => findings.endpoints.push(url),
            Err(e) => findings.unsure.push(format!("{url} does not answer: {e:#}")),
        }
    }
    anyhow::ensure!(!findings.endpoints.is_empty(), "no endpoint answers: {}", findings.unsure.join("; "));
    let urls = findings.endpoints.iter().map(|url| (url.clone(), url.clone()));
    Ok(Endpoints::new(target.options()?, urls))
}

/// Never over a file that is there: it may be somebody's evidence.
fn create(path: &PathBuf) -> anyhow::Result<BufWriter<File>> {
    let file = File::create_new(path)
        .with_context(|| format!("cannot make {}; it must not exist yet", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Deletes everything below the run's prefix; answers the revision after that.
async fn clean(stage: &Stage) -> anyhow::Result<i64> {
    stage
        .anywhere(async |mut client: Client| {
            let all = DeleteOptions::new().with_prefix();
            let gone = client.delete(stage.prefix.as_str(), Some(all)).await?;
            Ok(gone.header().map_or(0, etcd_client::ResponseHeader::revision))
        })
        .await
}
