//! Where the time of a proposal went.
//!
//! Entries pass through the log and the state machine in order, so it is enough to note now and then how far each
//! of them had come: a word per batch, not per entry. Whoever took long looks up the notes of its entry. Notes are
//! as fine as [`RESOLUTION`] and a bounded number of them is kept: those of a proposal that took longer than all of
//! them reach back are gone, which says nothing rather than something wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Two notes are this far apart at least; what came between counts for the earlier one.
const RESOLUTION: Duration = Duration::from_millis(2);
/// Notes kept of each step: eight seconds of a busy replica, which is longer than a request may take.
const KEPT: usize = 4096;

/// How long the parts of a proposal took, as its leader saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Before the leader's log took it: on its way there, behind others, or because the leadership changed hands.
    pub queue: Duration,
    /// From then until the leader's disk had it.
    pub fsync: Duration,
    /// From when the log took it until a quorum had it; beside the fsync, not after it.
    pub replicate: Duration,
    /// From then until the state machine had done it.
    pub apply: Duration,
}

impl Stages {
    /// The same proposal as who forwarded it saw it: what is not the leader's is the way.
    pub(crate) fn within(self, whole: Duration) -> Self {
        Self { queue: whole.saturating_sub(self.replicate + self.apply), ..self }
    }
}

/// A step that entries pass.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// The log has taken it.
    Appended,
    /// The disk has it.
    Durable,
    /// A quorum has it: the engine hands it to the state machine.
    Committed,
    /// The state machine has done it.
    Applied,
}

/// The notes of one replica. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Trail(Arc<[Mutex<Notes>; 4]>);

impl Trail {
    /// All entries up to this one, if any, have passed the step by now.
    pub(crate) fn note(&self, step: Step, upto: Option<u64>) {
        if let Some(upto) = upto {
            self.notes(step, |notes| notes.add(upto, Instant::now()));
        }
    }

    /// The stages of a proposal that began at a time and became the entry at `index`. None: some of them are
    /// not known.
    pub(crate) fn stages(&self, index: u64, begun: Instant) -> Option<Stages> {
        let at = |step| self.notes(step, |notes| notes.at(index));
        let (appended, durable) = (at(Step::Appended)?, at(Step::Durable));
        let (committed, applied) = (at(Step::Committed)?, at(Step::Applied)?);
        Some(Stages {
            queue: appended.saturating_duration_since(begun),
            // A quorum may be without the leader's own disk, and faster.
            fsync: durable.unwrap_or_else(Instant::now).saturating_duration_since(appended),
            replicate: committed.saturating_duration_since(appended),
            apply: applied.saturating_duration_since(committed),
        })
    }

    fn notes<T>(&self, step: Step, use_them: impl FnOnce(&mut Notes) -> T) -> T {
        use_them(&mut self.0[step as usize].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When entries passed one step: their indexes rise with time.
#[derive(Default)]
struct Notes(VecDeque<(u64, Instant)>);

impl Notes {
    fn add(&mut self, upto: u64, now: Instant) {
        // A log that was cut begins again at an earlier index.
        while self.0.back().is_some_and(|(last, _)| *last >= upto) {
            self.0.pop_back();
        }
        match self.0.back_mut() {
            Some((last, at)) if now.saturating_duration_since(*at) < RESOLUTION => *last = upto,
            _ => self.0.push_back((upto, now)),
        }
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// When the entry passed. None: it has not, or that is forgotten.
    fn at(&self, index: u64) -> Option<Instant> {
        let place = self.0.partition_point(|(upto, _)| *upto < index);
        let (_, at) = self.0.get(place)?;
        // Of the oldest note it is not known which entries before it are its.
        (place > 0 || self.0.len() < KEPT).then_some(*at)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn each_part_has_its_time() {
        let trail = Trail::default();
        let begun = Instant::now();
        for (step, takes) in [
            (Step::Appended, 5 * MS),
            (Step::Durable, 20 * MS),
            (Step::Committed, 10 * MS),
            (Step::Applied, 7 * MS),
        ] {
            advance(takes).await;
            trail.note(step, Some(10));
        }
        let stages = trail.stages(9, begun).unwrap();
        let expected = Stages { queue: 5 * MS, fsync: 20 * MS, replicate: 30 * MS, apply: 7 * MS };
        assert_eq!(stages, expected);
        assert_eq!(stages.within(100 * MS), Stages { queue: 63 * MS, ..expected });
        assert_eq!(trail.stages(11, begun), None, "it has not come so far");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_was_cut_is_noted_anew() {
        let mut notes = Notes::default();
        let first = Instant::now();
        notes.add(10, first);
        advance(10 * MS).await;
        notes.add(20, Instant::now());
        advance(10 * MS).await;
        let again = Instant::now();
        notes.add(12, again);
        assert_eq!((notes.at(10), notes.at(12), notes.at(13)), (Some(first), Some(again), None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_is_not_made_up() {
        let mut notes = Notes::default();
        for index in 1..=2 * KEPT as u64 {
            advance(RESOLUTION).await;
            notes.add(index, Instant::now());
        }
        assert_eq!(notes.0.len(), KEPT);
        assert_eq!(notes.at(1), None);
        assert_eq!(notes.at(2 * KEPT as u64), Some(Instant::now()));
        // A burst is one note.
        notes.add(2 * KEPT as u64 + 1, Instant::now());
        assert_eq!(notes.0.len(), KEPT);
    }
}
