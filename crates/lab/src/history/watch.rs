//! Follows the load's keys by a watch that outlives the replica it is on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use etcd_client::WatchOptions;
use kit::task::Tasks;
use serde::{Deserialize, Serialize};

use super::{Keys, Value, value_of};
use crate::etcd::Etcd;
use crate::lane::Seen;

/// Before the next replica is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// A replica that is cut off keeps its streams open and says nothing: after so long without an event
/// the next one is asked.
const SILENCE: Duration = Duration::from_secs(3);

/// A key of the load was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// At this revision.
    pub revision: i64,
    /// The register.
    pub key: u32,
    /// What it holds since then.
    pub value: Value,
}

/// A running watch.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    tasks: Tasks,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<Event>>,
    /// The next watch begins here.
    next: AtomicI64,
    /// How often it had to begin again.
    resumed: AtomicI64,
    /// An event that is no write of the load, or a compacted start: nothing can follow it.
    broken: Mutex<Option<String>>,
}

impl Watcher {
    /// Follows from `revision` on, first through the first of these replicas.
    pub fn start(etcd: &Etcd, nodes: &[&str], keys: Keys, revision: i64) -> Self {
        let shared = Arc::new(Shared { next: AtomicI64::new(revision), ..Shared::default() });
        let tasks = Tasks::default();
        let urls: Vec<String> = nodes.iter().filter_map(|n| etcd.url(n).ok()).collect();
        let (etcd, inner) = (etcd.clone(), Arc::clone(&shared));
        tasks.spawn(async move {
            for url in urls.iter().cycle() {
                // Its end is the end of a connection, whatever the reason.
                let _ = follow(&etcd, url, &keys, &inner).await;
                if inner.broken().is_some() {
                    return;
                }
                inner.resumed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { shared, tasks }
    }

    /// Whether it has come to this revision.
    pub fn has_reached(&self, revision: i64) -> Seen<()> {
        if let Some(why) = self.shared.broken() {
            return Err(why);
        }
        let next = self.shared.next.load(Ordering::Relaxed);
        if next > revision {
            Ok(())
        } else {
            Err(format!("the watch has come to {} of {revision}", next - 1))
        }
    }

    /// How often it had to begin again.
    pub fn resumed(&self) -> i64 {
        self.shared.resumed.load(Ordering::Relaxed)
    }

    /// What it showed.
    pub async fn finish(self) -> Result<Vec<Event>> {
        self.tasks.stop();
        self.tasks.wait(SILENCE).await;
        if let Some(why) = self.shared.broken() {
            bail!("{why}");
        }
        Ok(std::mem::take(&mut *self.shared.events.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Shared {
    fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn break_with(&self, why: String) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

async fn follow(etcd: &Etcd, url: &str, keys: &Keys, shared: &Shared) -> Result<()> {
    let mut client = tokio::time::timeout(SILENCE, etcd.streaming_client(url)).await??;
    let from = shared.next.load(Ordering::Relaxed);
    let options = WatchOptions::new().with_prefix().with_start_revision(from);
    let mut stream = tokio::time::timeout(SILENCE, client.watch(keys.prefix(), Some(options))).await??;
    while let Some(answer) = tokio::time::timeout(SILENCE, stream.message()).await?? {
        if answer.compact_revision() > 0 {
            shared.break_with(format!("revision {from} is compacted, the watch cannot go on without a gap"));
        }
        if answer.canceled() {
            bail!("cancelled: {}", answer.cancel_reason());
        }
        for event in answer.events() {
            take(event, keys, shared);
        }
    }
    Ok(())
}

fn take(event: &etcd_client::Event, keys: &Keys, shared: &Shared) {
    let kv = event.kv();
    let read = kv.and_then(|kv| {
        let (key, value) = (keys.register(kv.key())?, value_of(kv.value())?);
        Some(Event { revision: kv.mod_revision(), key, value })
    });
    let Some(event) = read else {
        shared.break_with(format!("the watch showed something that is no write of the load: {event:?}"));
        return;
    };
    // Also a repeat is kept: the judge must see it.
    shared.next.fetch_max(event.revision + 1, Ordering::Relaxed);
    shared.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
}
