//! Where the entries of one group stand. Pure, and 32 bytes an entry.

use std::collections::VecDeque;

use super::Mark;

/// Where one record stands in the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) sequence: u64,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// An entry as the index knows it; its index is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    term: u64,
    node: u64,
    at: Location,
}

/// Known only from a checkpoint: the entry stood in a segment that is gone. Recovery must find it
/// carried, purged, cut or removed further on.
const MISSING: Slot = Slot { term: 0, node: 0, at: Location { sequence: 0, offset: 0, len: 0 } };

impl Slot {
    pub(super) fn new(mark: Mark, at: Location) -> Self {
        Self { term: mark.term, node: mark.node, at }
    }

    pub(super) fn mark(&self, index: u64) -> Mark {
        Mark { term: self.term, node: self.node, index }
    }

    /// Where it stands; none if that is not known (yet).
    pub(super) fn location(&self) -> Option<Location> {
        (self.at.sequence != 0).then_some(self.at)
    }
}

/// The entries `first..next` of a group.
#[derive(Debug, Default)]
pub(super) struct Index {
    first: u64,
    slots: VecDeque<Slot>,
}

impl Index {
    /// An index of entries that are known to exist, but not where.
    pub(super) fn of_missing(first: u64, count: usize) -> Self {
        Self { first, slots: VecDeque::from(vec![MISSING; count]) }
    }

    pub(super) fn next(&self) -> u64 {
        self.first.saturating_add(self.slots.len() as u64)
    }

    pub(super) fn get(&self, index: u64) -> Option<&Slot> {
        self.slots.get(self.place(index)?)
    }

    pub(super) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    /// Puts an entry elsewhere and returns where it stood. The entry must be in the index.
    pub(super) fn replace(&mut self, index: u64, slot: Slot) -> Option<Slot> {
        let place = self.place(index)?;
        self.slots.get_mut(place).map(|old| std::mem::replace(old, slot))
    }

    /// Takes out the entries from `next` on.
    pub(super) fn cut(&mut self, next: u64) -> impl Iterator<Item = Slot> {
        let keep = usize::try_from(next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.slots.drain(keep.min(self.slots.len())..)
    }

    /// Takes out the entries before `first`, which may lie beyond the last one.
    pub(super) fn drop_before(&mut self, first: u64) -> impl Iterator<Item = Slot> {
        let gone = usize::try_from(first.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.first = self.first.max(first);
        self.slots.drain(..gone.min(self.slots.len()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Slot)> {
        // A log may end at the last number there is, and a range that counts beyond it panics.
        (0..).zip(&self.slots).map(|(place, slot): (u64, _)| (self.first.saturating_add(place), slot))
    }

    fn place(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(n: u64) -> Slot {
        let at = Location { sequence: n + 1, offset: 0, len: 1 };
        Slot::new(Mark { term: n, node: 1, index: n }, at)
    }

    fn filled(entries: std::ops::Range<u64>) -> Index {
        Index { first: entries.start, slots: entries.map(slot).collect() }
    }

    #[test]
    fn entries_are_found_by_their_index() {
        let index = filled(3..9);
        assert_eq!(index.get(3), Some(&slot(3)));
        assert_eq!(index.get(8), Some(&slot(8)));
        assert_eq!(index.get(2), None);
        assert_eq!(index.get(9), None);
        assert_eq!(index.next(), 9);
    }

    #[test]
    fn a_cut_keeps_what_is_before_it() {
        let mut index = filled(3..9);
        assert_eq!(index.cut(7).collect::<Vec<_>>(), [slot(7), slot(8)]);
        assert_eq!(index.next(), 7);
        assert_eq!(index.cut(0).count(), 4);
        assert_eq!(index.next(), 3);
    }

    #[test]
    fn a_purge_may_go_beyond_the_last_entry() {
        let mut index = filled(3..9);
        assert_eq!(index.drop_before(5).count(), 2);
        assert_eq!(index.get(5), Some(&slot(5)));
        assert_eq!(index.drop_before(4).count(), 0);
        assert_eq!(index.drop_before(20).count(), 4);
        assert_eq!((index.next(), index.get(20)), (20, None));
        index.push(slot(20));
        assert_eq!(index.get(20), Some(&slot(20)));
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 32);
    }
}
