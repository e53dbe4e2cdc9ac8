//! Follows a load's keys by a watch that outlives the replica it is on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Event as WireEvent, EventType, WatchOptions};
use kit::task::Tasks;
use serde::{Deserialize, Serialize};

use super::{Endpoints, Keys, Value, is_pair, value_of};

/// Before the next replica is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// A replica that is cut off keeps its streams open and says nothing: after so long without an event
/// the next one is asked.
const SILENCE: Duration = Duration::from_secs(3);

/// A register of the load was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// At this revision.
    pub revision: i64,
    /// The register.
    pub key: u32,
    /// What it holds since then; nothing after a deletion.
    pub value: Option<Value>,
}

/// What a watch showed that no write of the load explains, or cannot show any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Its next revision is gone.
    #[error("revision {0} is compacted, the watch cannot go on without a gap")]
    Compacted(i64),
    /// A key or value that the load does not write.
    #[error("the watch showed something that is no write of the load: {0}")]
    Foreign(String),
    /// A transaction was shown in parts.
    #[error("the watch showed half of the transaction at revision {revision} of register {key}")]
    Torn {
        /// At this revision.
        revision: i64,
        /// The register.
        key: u32,
    },
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
    broken: Mutex<Option<Broken>>,
}

impl Watcher {
    /// Follows from `revision` on, first through the first of these replicas.
    pub fn start(endpoints: Endpoints, nodes: &[&str], keys: Keys, revision: i64) -> Self {
        let shared = Arc::new(Shared { next: AtomicI64::new(revision), ..Shared::default() });
        let tasks = Tasks::default();
        let nodes: Vec<String> = nodes.iter().map(|n| (*n).to_owned()).collect();
        let inner = Arc::clone(&shared);
        tasks.spawn(async move {
            for node in nodes.iter().cycle() {
                follow(&endpoints, node, &keys, &inner).await;
                if inner.broken().is_some() {
                    return;
                }
                inner.resumed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { shared, tasks }
    }

    /// Whether it has come to this revision; else how far it has come.
    pub fn has_reached(&self, revision: i64) -> Result<(), String> {
        if let Some(broken) = self.shared.broken() {
            return Err(broken.to_string());
        }
        let next = self.shared.next.load(Ordering::Relaxed);
        if next > revision {
            Ok(())
        } else {
            Err(format!("the watch has come to {} of {revision}", next - 1))
        }
    }

    /// Whether waiting for it has no point.
    pub fn broken(&self) -> Option<Broken> {
        self.shared.broken()
    }

    /// How often it had to begin again.
    pub fn resumed(&self) -> i64 {
        self.shared.resumed.load(Ordering::Relaxed)
    }

    /// What it showed.
    pub async fn finish(self) -> Result<Vec<Event>, Broken> {
        self.tasks.stop();
        self.tasks.wait(SILENCE).await;
        match self.shared.broken() {
            Some(broken) => Err(broken),
            None => {
                Ok(std::mem::take(&mut *self.shared.events.lock().unwrap_or_else(PoisonError::into_inner)))
            }
        }
    }
}

impl Shared {
    fn broken(&self) -> Option<Broken> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn break_with(&self, why: Broken) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

/// Follows one replica until its stream ends, whatever the reason.
async fn follow(endpoints: &Endpoints, node: &str, keys: &Keys, shared: &Shared) {
    let silence = endpoints.patient(SILENCE);
    let Ok(Ok(mut client)) = tokio::time::timeout(silence, endpoints.streaming_client(node)).await else {
        return;
    };
    let from = shared.next.load(Ordering::Relaxed);
    let options = WatchOptions::new().with_prefix().with_start_revision(from);
    let opened = tokio::time::timeout(silence, client.watch(keys.prefix(), Some(options))).await;
    let Ok(Ok(mut stream)) = opened else { return };
    while let Ok(Ok(Some(answer))) = tokio::time::timeout(silence, stream.message()).await {
        if answer.compact_revision() > 0 {
            shared.break_with(Broken::Compacted(from));
        }
        match transactions(answer.events(), keys) {
            Ok(events) => take(events, shared),
            Err(broken) => shared.break_with(broken),
        }
        if answer.canceled() || shared.broken().is_some() {
            return;
        }
    }
}

/// Also a repeat is kept: the judge must see it.
fn take(events: Vec<Event>, shared: &Shared) {
    let Some(last) = events.iter().map(|e| e.revision).max() else { return };
    // Events first: whoever sees the revision may ask for them.
    shared.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    shared.next.fetch_max(last + 1, Ordering::Relaxed);
}

/// The writes of one answer.
fn transactions(events: &[WireEvent], keys: &Keys) -> Result<Vec<Event>, Broken> {
    let shown = events.iter().map(|event| {
        let kv = event.kv().ok_or_else(|| Broken::Foreign("an event without a key".to_owned()))?;
        let value = (event.event_type() == EventType::Put).then(|| kv.value());
        read(keys, kv.key(), value, kv.mod_revision())
    });
    join_pairs(shown)
}

/// A register, and whether it was the second key of its pair that was shown.
type Shown = (Event, bool);

fn read(keys: &Keys, key: &[u8], value: Option<&[u8]>, revision: i64) -> Result<Shown, Broken> {
    let place = keys.place(key);
    let value = value.map(|bytes| value_of(bytes).ok_or(bytes)).transpose();
    match (place, value) {
        (Some(place), Ok(value)) => Ok((Event { revision, key: place.register, value }, place.twin)),
        (_, value) => {
            let key = String::from_utf8_lossy(key);
            Err(Broken::Foreign(format!("{key} at revision {revision}, {value:?}")))
        }
    }
}

/// Both keys of a pair are in the same answer, beside each other.
fn join_pairs(mut shown: impl Iterator<Item = Result<Shown, Broken>>) -> Result<Vec<Event>, Broken> {
    let mut written = Vec::new();
    while let Some((event, twin)) = shown.next().transpose()? {
        let whole = !is_pair(event.key)
            || shown.next().transpose()?.is_some_and(|(other, second)| other == event && second != twin);
        if !whole {
            return Err(Broken::Torn { revision: event.revision, key: event.key });
        }
        written.push(event);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(revision: i64, key: u32, value: Option<Value>) -> Event {
        Event { revision, key, value }
    }

    #[test]
    fn a_pair_is_one_write() {
        let (single, pair, gone) = (event(5, 0, Some(7)), event(6, 1, Some(8)), event(7, 1, None));
        let shown = [(single.clone(), false), (pair.clone(), false), (pair.clone(), true)];
        let shown = shown.into_iter().chain([(gone.clone(), false), (gone.clone(), true)]);
        assert_eq!(join_pairs(shown.map(Ok)), Ok(vec![single, pair, gone]));
    }

    #[test]
    fn half_a_pair_is_a_torn_transaction() {
        let first = (event(6, 1, Some(8)), false);
        let halves = [
            vec![first.clone()],
            vec![first.clone(), first.clone()],
            vec![first.clone(), (event(6, 1, Some(9)), true)],
            vec![first.clone(), (event(7, 1, Some(8)), true)],
            vec![first, (event(6, 3, Some(8)), true)],
        ];
        for half in halves {
            let judged = join_pairs(half.clone().into_iter().map(Ok));
            assert_eq!(judged, Err(Broken::Torn { revision: 6, key: 1 }), "{half:?}");
        }
    }

    #[test]
    fn what_the_load_does_not_write_is_noticed() {
        let keys = Keys::of_run("a");
        let name = |register| keys.name(register).into_bytes();
        assert_eq!(read(&keys, &name(4), Some(b"7"), 5), Ok((event(5, 4, Some(7)), false)));
        assert_eq!(read(&keys, keys.twin(1).as_bytes(), None, 5), Ok((event(5, 1, None), true)));
        assert!(matches!(read(&keys, &name(0), Some(b"seven"), 5), Err(Broken::Foreign(_))));
        assert!(matches!(read(&keys, b"load/a/x", Some(b"7"), 5), Err(Broken::Foreign(_))));
    }
}
