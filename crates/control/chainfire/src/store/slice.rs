//! A stretch of history, cut between transactions.

use std::sync::Arc;

use super::event::Event;

/// How much of history is read at once.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Changes.
    pub events: usize,
    /// Bytes, as [`Event::weight`] counts them.
    pub bytes: usize,
}

/// Changes in order. Goes over its budget only to complete a transaction.
pub(crate) struct Slice {
    budget: Budget,
    bytes: usize,
    pub(crate) events: Vec<Arc<Event>>,
}

impl Slice {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, bytes: 0, events: Vec::new() }
    }

    /// Whether the budget is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= self.budget.events || self.bytes >= self.budget.bytes
    }

    /// Whether a change of this transaction may be added.
    pub(crate) fn has_room_for(&self, main: i64) -> bool {
        !self.is_full() || self.events.last().is_some_and(|last| last.revision.main == main)
    }

    pub(crate) fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.weight();
        self.events.push(event);
    }
}
