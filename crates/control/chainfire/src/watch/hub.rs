//! From the store's history to the streams: each transaction once, to whoever wants it.
//!
//! The hub reads history from the store itself and is told only that there is more, so there is no
//! queue between applying and dispatching that could overflow. It never waits for a client: a stream
//! without room gets a note instead, and catches up from history when its client has read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kit::Context;
use tokio::sync::watch;

use super::inbox::{Inbox, Item, Marked};
use super::index::{Index, Wish};
use super::survey::{Standing, Survey};
use crate::store::{Budget, Event, Store, StoreError};

/// History taken at once.
const SLICE: Budget = Budget { events: 1024, bytes: 1 << 20 };

/// All watchers that are up to date.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
    dispatched: watch::Sender<i64>,
    /// Every stream, for those who ask how far it is.
    streams: Mutex<Vec<Weak<Standing>>>,
}

#[derive(Debug)]
struct State {
    /// The transaction to dispatch next: everything before it was queued.
    next: i64,
    era: u64,
    serial: u64,
    index: Index<Arc<Member>>,
}

/// A watcher's place at the hub.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) wish: Wish,
    pub(crate) inbox: Arc<Inbox>,
}

impl Hub {
    /// A hub that dispatches what comes after the store's head.
    pub fn new(store: &Store) -> Arc<Self> {
        let view = store.view();
        let head = view.head();
        store.set_dispatched(head);
        let state = State { next: head + 1, era: view.era, serial: 0, index: Index::default() };
        let (state, dispatched) = (Mutex::new(state), watch::Sender::new(head));
        Arc::new(Self { state, dispatched, streams: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream to those that are surveyed, and forgets those that have ended.
    pub(super) fn enrol(&self, standing: &Arc<Standing>) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        // Now and then, so that many streams do not cost more than they are.
        if streams.len() == streams.capacity() {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        streams.push(Arc::downgrade(standing));
    }

    /// How far the watchers are behind `head`, and up to `most` of those who are furthest.
    pub(crate) fn survey(&self, head: i64, most: usize) -> Survey {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut survey = Survey::default();
        for standing in streams.iter().filter_map(Weak::upgrade) {
            survey.add(&standing, head, most);
        }
        survey
    }

    /// A number that no other watcher has.
    pub(crate) fn serial(&self) -> u64 {
        let mut state = self.state();
        state.serial += 1;
        state.serial
    }

    /// Queues changes for a watcher from now on, if none that it wants was dispatched already.
    pub(crate) fn join(&self, serial: u64, member: &Arc<Member>) -> bool {
        let mut state = self.state();
        let in_time = member.wish.from >= state.next;
        if in_time {
            state.index.insert(&member.wish.span, serial, member.clone());
        }
        in_time
    }

    /// Queues nothing more for a watcher.
    pub(crate) fn leave(&self, serial: u64, member: &Member) {
        self.state().index.remove(&member.wish.span, serial);
    }

    /// Follows the last transaction that was dispatched.
    pub(crate) fn dispatched(&self) -> watch::Receiver<i64> {
        self.dispatched.subscribe()
    }

    /// Puts a mark behind everything that was dispatched.
    pub(crate) fn mark(&self, inbox: &Inbox, for_whom: Marked) {
        let state = self.state();
        inbox.push(Item::Mark { for_whom, revision: state.next - 1 });
    }

    /// Dispatches one slice of history. Says whether there may be more.
    pub(crate) fn dispatch(&self, store: &Store) -> Result<bool, StoreError> {
        let view = store.view();
        let compacted = store.compacted();
        self.enter(view.era, view.head(), compacted);
        let from = self.state().next;
        let events = view.events_from(from, SLICE)?;
        let Some(last) = events.last().map(|event| event.revision.main) else { return Ok(false) };
        {
            let mut state = self.state();
            for transaction in events.chunk_by(|a, b| a.revision.main == b.revision.main) {
                state.dispatch(transaction);
            }
        }
        self.reached(store, last);
        Ok(true)
    }

    fn reached(&self, store: &Store, main: i64) {
        self.dispatched.send_replace(main);
        store.set_dispatched(main);
    }

    /// Begins a new era: an image has replaced the store. If it no longer holds what comes next,
    /// every watcher must find out for itself how far it can be served.
    fn enter(&self, era: u64, head: i64, compacted: i64) {
        let mut state = self.state();
        if std::mem::replace(&mut state.era, era) == era || state.next >= compacted {
            return;
        }
        let from = state.next;
        for (watcher, member) in state.index.drain() {
            member.inbox.push(Item::Behind { watcher, from: from.max(member.wish.from) });
        }
        state.next = head + 1;
        self.dispatched.send_replace(head);
    }
}

impl State {
    fn dispatch(&mut self, transaction: &[Arc<Event>]) {
        let mut wanted: BTreeMap<u64, (Arc<Member>, Vec<Arc<Event>>)> = BTreeMap::new();
        for event in transaction {
            self.next = event.revision.main + 1;
            self.index.visit(&event.key, |serial, member| {
                if member.wish.passes(event) {
                    let (_, events) = wanted.entry(serial).or_insert_with(|| (member.clone(), Vec::new()));
                    events.push(event.clone());
                }
            });
        }
        for (serial, (member, events)) in wanted {
            if !member.inbox.offer(serial, events) {
                self.index.remove(&member.wish.span, serial);
            }
        }
    }
}

/// Dispatches for as long as the store lives.
pub(crate) async fn run(context: Context, hub: Arc<Hub>, store: Arc<Store>) -> Result<(), StoreError> {
    let mut heads = store.heads();
    loop {
        if store.view().in_memory(hub.state().next) {
            while hub.dispatch(&store)? {}
        } else {
            let (hub, store) = (hub.clone(), store.clone());
            // A panic there was logged and ends the process.
            let all = context.blocking(move || while_more(&hub, &store)).await;
            all.unwrap_or(Ok(()))?;
        }
        if heads.changed().await.is_err() {
            return Ok(());
        }
    }
}

fn while_more(hub: &Hub, store: &Store) -> Result<(), StoreError> {
    while hub.dispatch(store)? {}
    Ok(())
}
