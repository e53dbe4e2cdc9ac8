//! How far behind the watchers are: looked up when somebody asks, never kept up to date for nobody.
//!
//! A watcher's lag is how many revisions it may still have to be told of: those since the first change that
//! waits for it, or since the place in history that it has come to. One that waits for nothing has none,
//! however long it has been quiet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inbox::Inbox;
use crate::store::Span;

/// Lags that are told apart: more than so many revisions.
pub(crate) const LAGS: [i64; 7] = [0, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// What the hub knows of one stream.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Who watches: a client's address.
    who: String,
    pub(super) inbox: Arc<Inbox>,
    places: Mutex<BTreeMap<u64, Place>>,
}

#[derive(Debug)]
struct Place {
    id: i64,
    span: Span,
    /// What it reads next of history, while it catches up.
    behind: Option<i64>,
}

/// One watcher that lags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) who: String,
    pub(crate) id: i64,
    pub(crate) span: Span,
    /// In revisions.
    pub(crate) lag: i64,
    /// It catches up from history.
    pub(crate) behind: bool,
}

/// All watchers at one moment.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) streams: u64,
    pub(crate) watchers: u64,
    /// Those who catch up from history.
    pub(crate) behind: u64,
    /// Changes that wait to be sent.
    pub(crate) pending: u64,
    /// Watchers that lag more than [`LAGS`].
    pub(crate) lagging: [u64; LAGS.len()],
    /// Those who lag most, the worst first.
    pub(crate) worst: Vec<Lag>,
}

impl Standing {
    pub(super) fn new(who: String, inbox: Arc<Inbox>) -> Arc<Self> {
        Arc::new(Self { who, inbox, places: Mutex::default() })
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn came(&self, serial: u64, id: i64, span: Span) {
        self.places().insert(serial, Place { id, span, behind: None });
    }

    pub(super) fn went(&self, serial: u64) {
        self.places().remove(&serial);
    }

    /// It reads history from here on; none: it is in step.
    pub(super) fn behind(&self, serial: u64, from: Option<i64>) {
        if let Some(place) = self.places().get_mut(&serial) {
            place.behind = from;
        }
    }
}

impl Survey {
    /// Adds a stream. `head` is the store's latest revision; of the worst, `most` are kept.
    pub(super) fn add(&mut self, standing: &Standing, head: i64, most: usize) {
        let mut waiting = BTreeMap::new();
        standing.inbox.look(|watcher, main, events| {
            self.pending += events as u64;
            waiting.entry(watcher).or_insert(main);
        });
        self.streams += 1;
        for (serial, place) in standing.places().iter() {
            let from = place.behind.or(waiting.get(serial).copied());
            let lag = from.map_or(0, |from| (head - from + 1).max(0));
            self.watchers += 1;
            self.behind += u64::from(place.behind.is_some());
            for (count, more_than) in self.lagging.iter_mut().zip(LAGS) {
                *count += u64::from(lag > more_than);
            }
            if lag > self.worst.get(most.wrapping_sub(1)).map_or(0, |last| last.lag) && most > 0 {
                self.keep(standing, place, lag, most);
            }
        }
    }

    fn keep(&mut self, standing: &Standing, place: &Place, lag: i64, most: usize) {
        let at = self.worst.partition_point(|known| known.lag >= lag);
        let behind = place.behind.is_some();
        let (who, id, span) = (standing.who.clone(), place.id, place.span.clone());
        self.worst.insert(at, Lag { who, id, span, lag, behind });
        self.worst.truncate(most);
    }
}
