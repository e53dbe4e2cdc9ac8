//! One round: a load with registers of its own, and one watch an endpoint from its beginning to its end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Client, DeleteOptions, Error};
use history::kept::Round;
use history::load::{Load, Options};
use history::watch::Watcher;
use history::{Endpoints, Keys};
use tokio::time::{Instant, sleep};

use super::CALL;
use super::verdict::Report as Findings;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Between two lines of progress.
const TELL: Duration = Duration::from_secs(5);

/// How long a watch may take to show the last write of a round.
const CATCH_UP: Duration = Duration::from_secs(15);

/// Calls of a round: some 20 MiB. A load that has made so many ends its round.
const MOST_CALLS: usize = 100_000;

/// What all rounds have in common.
#[derive(Debug)]
pub(super) struct Stage {
    /// Replicas, called by their URLs.
    pub(super) endpoints: Endpoints,
    /// Of every key of the run.
    pub(super) prefix: String,
    /// Clients of the load.
    pub(super) clients: u32,
    /// Between two operations of one.
    pub(super) pace: Duration,
    /// Of the first round; each has one of its own.
    pub(super) seed: u64,
}

impl Stage {
    /// Asks one endpoint after the other until one answers.
    pub(super) async fn anywhere<T>(
        &self,
        ask: impl AsyncFn(Client) -> Result<T, Error>,
    ) -> anyhow::Result<T> {
        let mut why = None;
        for name in self.endpoints.names() {
            let answer = match self.endpoints.client(name, CALL).await {
                Ok(client) => ask(client).await,
                Err(e) => Err(e),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(e) => why = Some(e),
            }
        }
        Err(why.map_or_else(|| anyhow::anyhow!("there is no endpoint"), anyhow::Error::from))
    }
}

/// The rounds of a run.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    stage: &'a Stage,
    number: u64,
    told: Instant,
}

/// What came of a round.
#[derive(Debug)]
pub(super) struct Played {
    /// What was seen.
    pub(super) round: Round,
    /// Whether the user wants no more.
    pub(super) interrupted: bool,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self { stage, number: 0, told: Instant::now() }
    }

    /// Plays the next round for so long.
    pub(super) async fn play(
        &mut self,
        span: Duration,
        interrupt: Pin<&mut impl Future<Output = std::io::Result<()>>>,
        findings: &mut Findings,
    ) -> anyhow::Result<Played> {
        self.number += 1;
        let (stage, keys) = (self.stage, self.keys());
        let mark = format!("{}begun", stage.prefix);
        let begun = stage.anywhere(async |mut client| client.put(mark.as_str(), "", None).await).await;
        let begun = begun.context("no endpoint takes a first write")?;
        let from = 1 + begun.header().map_or(0, etcd_client::ResponseHeader::revision);
        let names: Vec<&str> = stage.endpoints.names().collect();
        let watchers: Vec<Watcher> =
            names.iter().map(|n| Watcher::start(stage.endpoints.clone(), &[n], keys.clone(), from)).collect();
        let seed = stage.seed.wrapping_add(self.number);
        let options = Options { clients: stage.clients, seed, pace: stage.pace, most_calls: MOST_CALLS };
        let load = Load::start(stage.endpoints.clone(), keys, options).await?;
        let interrupted = self.wait(&load, span, interrupt, findings).await;
        let tally = load.stop().await;
        findings.count(&tally, load.first_failure());
        let (calls, unread) = load.finish_where_possible(&names).await;
        for (name, e) in unread {
            findings.unsure.push(format!("not every register could be read through {name}: {e}"));
        }
        let last = calls.iter().filter(|c| c.is_acknowledged_write()).filter_map(|c| c.revision).max();
        let mut round = Round { number: self.number, calls, ..Round::default() };
        for (name, watcher) in names.iter().zip(watchers) {
            let resumed = watcher.resumed();
            match come_to(watcher, last.unwrap_or(0)).await {
                Ok(events) => {
                    findings.resumed += resumed;
                    round.watches.insert((*name).to_owned(), events);
                }
                Err(Broken::Wrong(why)) => {
                    findings.violation.get_or_insert_with(|| format!("{name}: {why}"));
                }
                Err(Broken::Late(why)) => findings.unsure.push(format!("{name}: {why}")),
            }
        }
        Ok(Played { round, interrupted })
    }

    /// Deletes the round's keys, so that a long run does not fill the store. One that cannot be reached
    /// now is deleted with all the others at the end.
    pub(super) async fn forget(&self) {
        let keys = self.keys();
        let gone = self.stage.anywhere(async |mut client| {
            let all = DeleteOptions::new().with_prefix();
            client.delete(keys.prefix(), Some(all)).await
        });
        if let Err(e) = gone.await {
            eprintln!("uc: the keys below {} stay until the end: {e:#}", keys.prefix());
        }
    }

    fn keys(&self) -> Keys {
        Keys::below(format!("{}{:06}/", self.stage.prefix, self.number))
    }

    async fn wait(
        &mut self,
        load: &Load,
        span: Duration,
        mut interrupt: Pin<&mut impl Future<Output = std::io::Result<()>>>,
        findings: &Findings,
    ) -> bool {
        let end = Instant::now() + span;
        while Instant::now() < end && !load.is_full() {
            tokio::select! {
                biased;
                _ = &mut interrupt => return true,
                () = sleep(LOOK) => {}
            }
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                findings.tell(&load.tally());
            }
        }
        false
    }
}

/// Why a watch did not come to the end.
enum Broken {
    /// It showed what it must not.
    Wrong(history::watch::Broken),
    /// It did not show everything in time.
    Late(String),
}

async fn come_to(watcher: Watcher, revision: i64) -> Result<Vec<history::watch::Event>, Broken> {
    let deadline = Instant::now() + CATCH_UP;
    while let Err(why) = watcher.has_reached(revision) {
        if let Some(broken) = watcher.broken() {
            return Err(Broken::Wrong(broken));
        }
        if Instant::now() >= deadline {
            return Err(Broken::Late(format!("{why}, {CATCH_UP:?} after the load ended")));
        }
        sleep(LOOK).await;
    }
    watcher.finish().await.map_err(Broken::Wrong)
}
