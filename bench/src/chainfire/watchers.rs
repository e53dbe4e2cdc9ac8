//! A thousand watchers of one key: how many events a second reach them.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use etcd_client::WatchStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::stage::Stage;
use crate::load::{self, Keys, Operation, SMALL};
use crate::sample::Sample;
use crate::table::Unit;

const WATCHERS: u64 = 1_000;
const EVENTS: u64 = 500;
/// How long one watcher may wait for an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// One start of one side.
pub(super) async fn measure(stage: &Stage<'_>) -> anyhow::Result<Vec<Sample>> {
    let cluster = stage.start().await?;
    let (watchers, events) = (stage.count(WATCHERS), stage.count(EVENTS));
    let member = stage.member(&cluster, true).await?;
    let clients = stage.pool(&cluster, member).await?;
    let operation = Operation::Put { first: 0, keys: Keys::Cycle(1), bytes: SMALL };
    let mut listeners = JoinSet::new();
    for client in clients.iter().cycle().take(usize::try_from(watchers)?) {
        let stream = client.clone().watch(load::key(0).to_vec(), None).await?;
        listeners.spawn(listen(stream, events));
    }
    let began = Instant::now();
    let puts = load::run(&clients, operation, 4, events).await?;
    while let Some(heard) = listeners.join_next().await {
        heard.context("a watcher panicked")??;
    }
    let rate = (watchers * events) as f64 / began.elapsed().as_secs_f64();
    cluster.stop().await?;
    Ok(vec![
        Sample::plain("events to 1,000 watchers of one key", Unit::PerSecond, rate),
        Sample::rate("put meanwhile, 4 outstanding", puts),
    ])
}

async fn listen(mut stream: WatchStream, events: u64) -> anyhow::Result<()> {
    let mut seen = 0;
    while seen < events {
        match timeout(PATIENCE, stream.message()).await.context("a watcher waits in vain")?? {
            Some(response) => {
                ensure!(!response.canceled(), "a watch was cancelled: {}", response.cancel_reason());
                seen += response.events().len() as u64;
            }
            None => bail!("a watch ended after {seen} of {events} events"),
        }
    }
    Ok(())
}
