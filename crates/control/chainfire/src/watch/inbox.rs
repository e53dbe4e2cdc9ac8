//! What waits to be sent on one stream: bounded, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::Event;

/// One stream's queue between the hub, which must not wait, and a client, which may be slow.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    /// Bytes of events that may wait; a single transaction may always.
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
}

/// Something for one watcher, named by its serial number.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// All wanted changes of one transaction.
    Events { watcher: u64, events: Vec<Arc<Event>> },
    /// There was no room for this transaction. Nothing more comes until the watcher joins again.
    Behind { watcher: u64, from: i64 },
    /// Everything up to a transaction was queued before this.
    Mark { for_whom: Marked, revision: i64 },
}

/// Whose progress is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// The whole stream's.
    Stream,
    /// One watcher's.
    Watcher(u64),
}

impl Inbox {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), arrived: Notify::new(), limit })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues one transaction's changes, or the fact that there was no room. Says whether there was.
    pub(super) fn offer(&self, watcher: u64, events: Vec<Arc<Event>>) -> bool {
        let Some(main) = events.first().map(|event| event.revision.main) else { return true };
        let weight = weigh(&events);
        let mut queue = self.queue();
        let fits = queue.items.is_empty() || queue.bytes + weight <= self.limit;
        if fits {
            queue.bytes += weight;
            queue.items.push_back(Item::Events { watcher, events });
        } else {
            queue.items.push_back(Item::Behind { watcher, from: main });
        }
        drop(queue);
        self.arrived.notify_one();
        fits
    }

    pub(super) fn push(&self, item: Item) {
        self.queue().items.push_back(item);
        self.arrived.notify_one();
    }

    /// The next item; consecutive transactions for one watcher are joined up to `limit` bytes.
    pub(super) fn pop(&self, limit: usize) -> Option<Item> {
        let mut queue = self.queue();
        let mut item = queue.items.pop_front()?;
        if let Item::Events { watcher, events } = &mut item {
            let mut bytes = weigh(events);
            queue.bytes -= bytes;
            while let Some(Item::Events { watcher: next, events: more }) = queue.items.front_mut()
                && next == watcher
                && bytes + weigh(more) <= limit
            {
                let weight = weigh(more);
                events.append(more);
                bytes += weight;
                queue.bytes -= weight;
                queue.items.pop_front();
            }
        }
        Some(item)
    }

    /// Visits what waits, in order: for whom, of which transaction, and how many changes.
    pub(super) fn look(&self, mut visit: impl FnMut(u64, i64, usize)) {
        for item in &self.queue().items {
            match item {
                Item::Events { watcher, events } => {
                    if let Some(first) = events.first() {
                        visit(*watcher, first.revision.main, events.len());
                    }
                }
                Item::Behind { watcher, from } => visit(*watcher, *from, 0),
                Item::Mark { .. } => {}
            }
        }
    }

    /// Bytes of events that wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Waits until something was queued since the last wait.
    pub(crate) async fn wait(&self) {
        self.arrived.notified().await;
    }
}

pub(super) fn weigh(events: &[Arc<Event>]) -> usize {
    events.iter().map(|event| event.weight()).sum()
}
