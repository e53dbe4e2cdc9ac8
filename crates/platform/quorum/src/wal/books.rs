//! What the durable log says, group by group, and which segments it still needs. Pure.
//!
//! The same function takes in a record when the log is recovered and after each batch that became
//! durable, so what a restart will find is what a running process holds.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Mark;
use super::index::{Index, Location, Slot};
use super::record::{ENTRY_HEAD, Record, RecordFault, Summary};

/// No honest segment is larger; bounds what a checkpoint may claim.
pub(super) const MAX_SEGMENT_BYTES: u64 = 1 << 30;

/// A record that contradicts those before it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Inconsistent {
    #[error(transparent)]
    Record(#[from] RecordFault),
    #[error("a record comes before the segment's checkpoint")]
    NoCheckpoint,
    #[error("the checkpoint counts {claimed} groups, the log before it has {known}")]
    GroupCount { claimed: u64, known: usize },
    #[error("the checkpoint and the log before it differ about group {0}")]
    Differs(u64),
    #[error("the checkpoint claims an impossible log for group {0}")]
    Claim(u64),
    #[error("entry {got} of group {group} follows entry {next} - 1")]
    Gap { group: u64, next: u64, got: u64 },
    #[error("entry {index} of group {group} was carried, but the log has no such entry")]
    Carried { group: u64, index: u64 },
    #[error("a cut at the end of group {0} does not fit its log")]
    Cut(u64),
}

/// What one segment holds of one group that is still wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// One group.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) vote: Option<Bytes>,
    pub(super) purged: Option<Mark>,
    pub(super) last: Option<Mark>,
    pub(super) committed: Option<Mark>,
    pub(super) index: Index,
}

/// The groups, and for each segment which of them have entries there.
#[derive(Debug, Default)]
pub(super) struct Books {
    groups: BTreeMap<u64, Book>,
    live: BTreeMap<(u64, u64), Live>,
    stage: Stage,
}

/// How far the first checkpoint has been read.
#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Blank,
    Loading(u64),
    Ready,
}

impl Books {
    pub(super) fn get(&self, group: u64) -> Option<&Book> {
        self.groups.get(&group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (u64, &Book)> {
        self.groups.iter().map(|(id, book)| (*id, book))
    }

    /// Whether a whole checkpoint was read; nothing is known before.
    pub(super) fn has_checkpoint(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Takes in one record.
    pub(super) fn apply(&mut self, record: &Record<'_>, at: Location) -> Result<(), Inconsistent> {
        match *record {
            Record::Checkpoint { groups } => return self.begin_checkpoint(groups),
            Record::Summary(summary) => return self.summary(&summary, at),
            _ if self.stage != Stage::Ready => return Err(Inconsistent::NoCheckpoint),
            Record::Entry { group, mark, .. } => return self.append(group, mark, at),
            Record::Carried { group, mark, .. } => return self.carry(group, mark, at),
            Record::Truncate { group, last } => return self.truncate(group, last),
            Record::Vote { group, vote } => self.book(group).vote = Some(Bytes::copy_from_slice(vote)),
            Record::Committed { group, mark } => self.book(group).committed = mark,
            Record::Purge { group, mark } => self.purge(group, mark),
            Record::Remove { group } => self.remove(group),
        }
        Ok(())
    }

    fn book(&mut self, group: u64) -> &mut Book {
        self.groups.entry(group).or_default()
    }

    fn begin_checkpoint(&mut self, claimed: u64) -> Result<(), Inconsistent> {
        match self.stage {
            Stage::Blank => self.stage = if claimed == 0 { Stage::Ready } else { Stage::Loading(claimed) },
            Stage::Ready if claimed == self.groups.len() as u64 => {}
            _ => return Err(Inconsistent::GroupCount { claimed, known: self.groups.len() }),
        }
        Ok(())
    }

    /// The first checkpoint is believed; later ones must agree with the log before them.
    fn summary(&mut self, summary: &Summary<'_>, at: Location) -> Result<(), Inconsistent> {
        match self.stage {
            Stage::Blank => Err(Inconsistent::NoCheckpoint),
            Stage::Ready => match self.groups.get(&summary.group) {
                Some(book) if book.summary(summary.group) == *summary => Ok(()),
                _ => Err(Inconsistent::Differs(summary.group)),
            },
            Stage::Loading(left) => {
                self.groups.insert(summary.group, Book::claimed(summary, at.sequence)?);
                self.stage = if left == 1 { Stage::Ready } else { Stage::Loading(left - 1) };
                Ok(())
            }
        }
    }

    fn append(&mut self, group: u64, mark: Mark, at: Location) -> Result<(), Inconsistent> {
        let book = self.groups.entry(group).or_default();
        let next = book.index.next();
        if mark.index != next {
            return Err(Inconsistent::Gap { group, next, got: mark.index });
        }
        book.index.push(Slot::new(mark, at));
        book.last = Some(mark);
        gain(&mut self.live, group, at);
        Ok(())
    }

    fn carry(&mut self, group: u64, mark: Mark, at: Location) -> Result<(), Inconsistent> {
        let unknown = Inconsistent::Carried { group, index: mark.index };
        let Some(book) = self.groups.get_mut(&group) else { return Err(unknown) };
        match book.index.replace(mark.index, Slot::new(mark, at)) {
            Some(old) if old.location().is_none() || old.mark(mark.index) == mark => {
                lose(&mut self.live, group, old);
                gain(&mut self.live, group, at);
                Ok(())
            }
            _ => Err(unknown),
        }
    }

    fn truncate(&mut self, group: u64, last: Option<Mark>) -> Result<(), Inconsistent> {
        let book = self.groups.entry(group).or_default();
        let next = next_index(last.as_ref());
        if next > book.index.next() || next < next_index(book.purged.as_ref()) {
            return Err(Inconsistent::Cut(group));
        }
        book.last = last;
        for slot in book.index.cut(next) {
            lose(&mut self.live, group, slot);
        }
        Ok(())
    }

    fn purge(&mut self, group: u64, upto: Mark) {
        let book = self.groups.entry(group).or_default();
        let first = next_index(Some(&upto));
        if first <= next_index(book.purged.as_ref()) {
            return;
        }
        book.purged = Some(upto);
        if first >= book.index.next() {
            book.last = Some(upto);
        }
        for slot in book.index.drop_before(first) {
            lose(&mut self.live, group, slot);
        }
    }

    fn remove(&mut self, group: u64) {
        let Some(mut book) = self.groups.remove(&group) else { return };
        for slot in book.index.cut(0) {
            lose(&mut self.live, group, slot);
        }
    }

    /// The records that stand at the head of a segment.
    pub(super) fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let summaries = self.groups.iter().map(|(id, book)| Record::Summary(book.summary(*id)));
        std::iter::once(Record::Checkpoint { groups: self.groups.len() as u64 }).chain(summaries)
    }

    /// The oldest segment that holds a wanted entry.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.live.first_key_value().map(|((sequence, _), _)| *sequence)
    }

    /// The groups that have wanted entries in a segment.
    pub(super) fn living_in(&self, sequence: u64) -> impl Iterator<Item = (u64, Live)> {
        self.live.range((sequence, 0)..=(sequence, u64::MAX)).map(|((_, group), live)| (*group, *live))
    }

    /// The wanted entries of a segment: group and index.
    pub(super) fn entries_in(&self, sequence: u64) -> Vec<(u64, u64)> {
        let inside = |slot: &Slot| slot.location().is_some_and(|at| at.sequence == sequence);
        let of_group = |group| self.groups.get(&group).into_iter().flat_map(|book| book.index.iter());
        self.living_in(sequence)
            .flat_map(|(group, _)| {
                of_group(group).filter(|(_, s)| inside(s)).map(move |(index, _)| (group, index))
            })
            .collect()
    }

    /// A group's last entry before the first one that stands behind a segment; 0 for none.
    pub(super) fn last_within(&self, group: u64, sequence: u64) -> u64 {
        let within = |slot: &Slot| slot.location().is_none_or(|at| at.sequence <= sequence);
        let entries = self.groups.get(&group).into_iter().flat_map(|book| book.index.iter());
        entries.take_while(|(_, slot)| within(slot)).last().map_or(0, |(index, _)| index)
    }

    /// An entry that the log should hold and no segment does: group and index.
    pub(super) fn missing(&self) -> Option<(u64, u64)> {
        self.groups.iter().find_map(|(group, book)| {
            book.index.iter().find(|(_, s)| s.location().is_none()).map(|(index, _)| (*group, index))
        })
    }
}

impl Book {
    fn summary(&self, group: u64) -> Summary<'_> {
        Summary {
            group,
            purged: self.purged,
            last: self.last,
            committed: self.committed,
            vote: self.vote.as_deref(),
        }
    }

    /// A group as the checkpoint of segment `sequence` has it; its entries are still to be found.
    fn claimed(summary: &Summary<'_>, sequence: u64) -> Result<Self, Inconsistent> {
        let first = next_index(summary.purged.as_ref());
        let next = next_index(summary.last.as_ref());
        // Every entry took its bytes in a segment before this one.
        let most = sequence.saturating_sub(1).saturating_mul(MAX_SEGMENT_BYTES / ENTRY_HEAD as u64);
        let count = next.checked_sub(first).filter(|count| *count <= most);
        let count = count.and_then(|c| usize::try_from(c).ok()).ok_or(Inconsistent::Claim(summary.group))?;
        Ok(Self {
            vote: summary.vote.map(Bytes::copy_from_slice),
            purged: summary.purged,
            last: summary.last,
            committed: summary.committed,
            index: Index::of_missing(first, count),
        })
    }
}

/// The index after a mark; the first one is 0.
pub(super) fn next_index(mark: Option<&Mark>) -> u64 {
    mark.map_or(0, |m| m.index.saturating_add(1))
}

fn gain(live: &mut BTreeMap<(u64, u64), Live>, group: u64, at: Location) {
    let there = live.entry((at.sequence, group)).or_default();
    there.entries += 1;
    there.bytes += u64::from(at.len);
}

fn lose(live: &mut BTreeMap<(u64, u64), Live>, group: u64, slot: Slot) {
    let Some(at) = slot.location() else { return };
    let key = (at.sequence, group);
    let Some(there) = live.get_mut(&key) else { return };
    there.entries -= 1;
    there.bytes -= u64::from(at.len);
    if there.entries == 0 {
        live.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(index: u64) -> Mark {
        Mark { term: 1, node: 1, index }
    }

    fn at(sequence: u64) -> Location {
        Location { sequence, offset: 4096, len: 10 }
    }

    fn books(entries: u64) -> Books {
        let mut books = Books::default();
        books.apply(&Record::Checkpoint { groups: 0 }, at(1)).expect("first");
        for i in 0..entries {
            let entry = Record::Entry { group: 7, mark: mark(i), payload: b"" };
            books.apply(&entry, at(1 + i / 4)).expect("in order");
        }
        books
    }

    #[test]
    fn segments_are_needed_for_as_long_as_an_entry_lives_there() {
        let mut books = books(12);
        assert_eq!(books.oldest(), Some(1));
        books.apply(&Record::Purge { group: 7, mark: mark(2) }, at(3)).expect("purge");
        assert_eq!(books.living_in(1).collect::<Vec<_>>(), [(7, Live { entries: 1, bytes: 10 })]);
        assert_eq!(books.entries_in(1), [(7, 3)]);
        books.apply(&Record::Carried { group: 7, mark: mark(3), payload: b"" }, at(3)).expect("carry");
        assert_eq!(books.oldest(), Some(2));
        books.apply(&Record::Truncate { group: 7, last: Some(mark(3)) }, at(3)).expect("cut");
        assert_eq!(books.oldest(), Some(3));
        books.apply(&Record::Remove { group: 7 }, at(3)).expect("remove");
        assert_eq!(books.oldest(), None);
    }

    #[test]
    fn a_checkpoint_that_differs_from_the_log_is_refused() {
        let mut one = books(3);
        let (mut same, mut other) = (books(3), books(2));
        for record in one.checkpoint() {
            same.apply(&record, at(4)).expect("the same history");
        }
        let differs = one.checkpoint().try_for_each(|record| other.apply(&record, at(4)));
        assert!(matches!(differs, Err(Inconsistent::Differs(7))));
        assert!(one.apply(&Record::Checkpoint { groups: 5 }, at(4)).is_err());
    }

    #[test]
    fn what_only_a_checkpoint_knows_is_missing_until_it_is_found_or_dropped() {
        let old = books(3);
        let mut new = Books::default();
        for record in old.checkpoint() {
            new.apply(&record, at(4)).expect("the first checkpoint");
        }
        assert_eq!(new.missing(), Some((7, 0)));
        new.apply(&Record::Purge { group: 7, mark: mark(0) }, at(4)).expect("purge");
        new.apply(&Record::Carried { group: 7, mark: mark(1), payload: b"" }, at(4)).expect("carry");
        assert_eq!(new.missing(), Some((7, 2)));
        new.apply(&Record::Truncate { group: 7, last: Some(mark(1)) }, at(4)).expect("cut");
        assert_eq!(new.missing(), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let mut books = books(3);
        let entry = |index| Record::Entry { group: 7, mark: mark(index), payload: b"" };
        assert!(matches!(books.apply(&entry(4), at(1)), Err(Inconsistent::Gap { next: 3, got: 4, .. })));
        let carried = Record::Carried { group: 7, mark: mark(3), payload: b"" };
        assert!(books.apply(&carried, at(1)).is_err());
        let beyond = Record::Truncate { group: 7, last: Some(mark(9)) };
        assert!(books.apply(&beyond, at(1)).is_err());
        assert!(Books::default().apply(&entry(0), at(1)).is_err());
    }

    #[test]
    fn a_checkpoint_cannot_claim_more_than_segments_could_hold() {
        let mut books = Books::default();
        books.apply(&Record::Checkpoint { groups: 1 }, at(1)).expect("head");
        let last = Some(mark(u64::MAX));
        let claim = Summary { group: 1, purged: None, last, committed: None, vote: None };
        assert!(matches!(books.apply(&Record::Summary(claim), at(1)), Err(Inconsistent::Claim(1))));
    }
}
