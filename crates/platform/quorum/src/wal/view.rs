//! A group as its owner sees it: everything that was queued, durable or not. Pure.
//!
//! The newest entries are kept in memory: those that are not written yet have no other place, the
//! others are a cache. An entry that is not here stands in the segments, and nothing that is still
//! queued can change it there: what a cut takes away is outside the view, and what was appended
//! after the cut is here until it is written.

use std::collections::VecDeque;

use bytes::Bytes;

use super::books::{Book, next_index};
use super::{Entry, LogState, Mark};

/// What an entry in memory costs beside its payload.
const ENTRY_COST: usize = size_of::<Recent>();

/// The queued state of one group.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) purged: Option<Mark>,
    pub(super) last: Option<Mark>,
    pub(super) vote: Option<Bytes>,
    pub(super) committed: Option<Mark>,
    /// Without gaps, and up to `last`.
    recent: VecDeque<Recent>,
    /// Bytes that `recent` takes.
    cost: usize,
}

#[derive(Debug)]
struct Recent {
    entry: Entry,
    /// The job that writes it.
    ticket: u64,
}

impl View {
    pub(super) fn of(book: &Book) -> Self {
        Self {
            purged: book.purged,
            last: book.last,
            vote: book.vote.clone(),
            committed: book.committed,
            ..Self::default()
        }
    }

    pub(super) fn state(&self) -> LogState {
        LogState { purged: self.purged, last: self.last, vote: self.vote.clone(), committed: self.committed }
    }

    /// The first index that is not purged.
    pub(super) fn first(&self) -> u64 {
        next_index(self.purged.as_ref())
    }

    /// The index of the next entry.
    pub(super) fn next(&self) -> u64 {
        next_index(self.last.as_ref())
    }

    /// Bytes of memory that the kept entries take.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The job of the oldest entry in memory.
    pub(super) fn oldest_ticket(&self) -> Option<u64> {
        self.recent.front().map(|r| r.ticket)
    }

    /// An entry, if it is in memory.
    pub(super) fn recent(&self, index: u64) -> Option<&Entry> {
        let first = self.next().checked_sub(self.recent.len() as u64)?;
        self.recent.get(usize::try_from(index.checked_sub(first)?).ok()?).map(|r| &r.entry)
    }

    pub(super) fn append(&mut self, entries: &[Entry], ticket: u64) {
        for entry in entries {
            self.last = Some(entry.mark);
            self.cost += cost(entry);
            self.recent.push_back(Recent { entry: entry.clone(), ticket });
        }
    }

    /// Ends the log with `last`, which is a mark of it.
    pub(super) fn truncate(&mut self, last: Option<Mark>) {
        let gone = self.next() - next_index(last.as_ref());
        for _ in 0..gone {
            let Some(r) = self.recent.pop_back() else { break };
            self.cost -= cost(&r.entry);
        }
        self.last = last;
    }

    /// Forgets the entries up to `upto`, with it; it may lie beyond the end of the log.
    pub(super) fn purge(&mut self, upto: Mark) {
        while self.recent.front().is_some_and(|r| r.entry.mark.index <= upto.index) {
            self.drop_front();
        }
        self.purged = Some(upto);
        if self.next() <= upto.index {
            self.last = Some(upto);
        }
    }

    /// Drops the oldest entries from memory, those of one job. They must have been written.
    pub(super) fn evict(&mut self) {
        let oldest = self.oldest_ticket();
        while oldest.is_some() && self.oldest_ticket() == oldest {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(r) = self.recent.pop_front() {
            self.cost -= cost(&r.entry);
        }
    }
}

fn cost(entry: &Entry) -> usize {
    entry.payload.len() + ENTRY_COST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> Entry {
        Entry { mark: Mark { term: 1, node: 1, index }, payload: Bytes::from_static(b"four") }
    }

    fn view(entries: std::ops::Range<u64>) -> View {
        let mut view = View::default();
        for i in entries {
            view.append(&[entry(i)], i / 2);
        }
        view
    }

    #[test]
    fn entries_in_memory_are_found_after_a_cut_and_a_rewrite() {
        let mut view = view(0..6);
        view.truncate(Some(entry(2).mark));
        assert_eq!(view.recent(3), None);
        view.append(&[entry(3)], 9);
        assert_eq!(view.recent(3), Some(&entry(3)));
        assert_eq!(view.recent(0), Some(&entry(0)));
        view.truncate(None);
        assert_eq!((view.cost(), view.next()), (0, 0));
    }

    #[test]
    fn eviction_goes_job_by_job_and_leaves_the_rest_in_place() {
        let mut view = view(0..6);
        view.evict();
        assert_eq!((view.recent(1), view.recent(2)), (None, Some(&entry(2))));
        assert_eq!(view.oldest_ticket(), Some(1));
        assert_eq!(view.next(), 6);
    }

    #[test]
    fn a_cut_below_what_is_in_memory_empties_it() {
        let mut view = view(0..6);
        view.evict();
        view.truncate(Some(entry(0).mark));
        assert_eq!((view.cost(), view.recent(0), view.next()), (0, None, 1));
        view.append(&[entry(1)], 5);
        assert_eq!(view.recent(1), Some(&entry(1)));
    }

    #[test]
    fn a_purge_beyond_the_end_moves_the_end() {
        let mut view = view(0..6);
        view.purge(entry(3).mark);
        assert_eq!((view.first(), view.next(), view.recent(3)), (4, 6, None));
        view.purge(entry(10).mark);
        assert_eq!((view.first(), view.next(), view.cost()), (11, 11, 0));
        view.append(&[entry(11)], 7);
        assert_eq!(view.recent(11), Some(&entry(11)));
    }
}
