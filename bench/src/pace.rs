//! A load of a fixed rate: an operation begins when its time has come, whatever became of those before.
//!
//! A closed loop ([`crate::load::run`]) asks less while the server pauses and so hides the pause; this
//! one shows it as the latency of everybody who came meanwhile.

use std::time::Duration;

use anyhow::Context as _;
use etcd_client::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::load::{Latencies, Operation, Outcome, perform};

/// How often operations begin: tokio's timers know no shorter time, so that a tick begins several.
const TICK: Duration = Duration::from_millis(5);

/// Begins `per_second` operations a second, spread over `clients`, until `event` is over; gives what
/// they met with.
pub async fn run(
    clients: &[Client],
    operation: Operation,
    per_second: u64,
    event: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Outcome> {
    let per_tick = (per_second * u64::try_from(TICK.as_millis())?).div_ceil(1000);
    let began = Instant::now();
    let (mut latencies, mut under_way, mut number) = (Latencies::new()?, JoinSet::new(), 0);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut event = std::pin::pin!(event);
    loop {
        tokio::select! {
            biased;
            done = &mut event => { done?; break; }
            Some(done) = under_way.join_next() => latencies.add(done.context("a load task panicked")??)?,
            _ = ticks.tick() => {
                for client in clients.iter().cycle().take(usize::try_from(per_tick)?) {
                    under_way.spawn(timed(client.clone(), operation, number));
                    number += 1;
                }
            }
        }
    }
    let took = began.elapsed();
    while let Some(done) = under_way.join_next().await {
        latencies.add(done.context("a load task panicked")??)?;
    }
    Ok(latencies.outcome(took))
}

async fn timed(mut client: Client, operation: Operation, number: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    perform(&mut client, operation, number).await?;
    Ok(began.elapsed())
}
