//! A hash over every key at every revision that may be read: equal on all replicas that show the same
//! revisions after the same compaction, whatever each has flushed, scrubbed or received as an image.
//!
//! What a compaction at `C` has superseded is left out even where the scrubber has not come by: the rule is
//! [`super::scrub`]'s. The hashes of single changes are added up, so that their order does not matter; the
//! sum is not etcd's, whose is over bbolt's bytes. Taken a slice at a time from one view, beside everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::digest::{self, Deed, of_event};
use super::error::StoreError;
use super::event::Event;
use super::revision::Revision;
use super::slice::Budget;
use super::view::View;
use super::{Chain, Store};

/// A revision that cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfReach {
    /// Older than the latest compaction.
    Compacted,
    /// Not there yet.
    Future,
}

/// A hash that is being taken.
pub struct Hashing {
    view: Arc<View>,
    /// The latest compaction that counts; -1 for none.
    compacted: i64,
    /// The last revision that counts.
    revision: i64,
    stage: Stage,
    superseded: BTreeSet<Revision>,
    sum: u64,
}

enum Stage {
    /// Finds out what is superseded but may still be there, from this revision on.
    Survey(i64),
    /// Adds up, from this revision on.
    Sum(i64),
    Done,
}

impl Store {
    /// Begins a hash up to a revision, or up to the latest one for 0.
    pub fn hash_at(&self, revision: i64) -> Result<Hashing, OutOfReach> {
        let (view, compacted) = self.view_and_compacted();
        let head = view.head();
        match revision {
            _ if revision > head => return Err(OutOfReach::Future),
            _ if revision > 0 && revision < compacted => return Err(OutOfReach::Compacted),
            _ => {}
        }
        let revision = if revision > 0 { revision } else { head };
        // What lies below was scrubbed before the view was taken.
        let stage = Stage::Survey(view.base.scrubbed - 1);
        Ok(Hashing { view, compacted, revision, stage, superseded: BTreeSet::new(), sum: 0 })
    }

    /// A view that reaches the latest compaction, and that compaction.
    fn view_and_compacted(&self) -> (Arc<View>, i64) {
        loop {
            let view = self.view();
            let compacted = self.compacted();
            if compacted <= view.head() {
                return (view, compacted);
            }
        }
    }
}

impl Hashing {
    /// The compaction that it takes into account; -1 for none.
    pub fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The revision that it ends at.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Goes on by about a budget. Gives the hash at the end.
    pub fn step(&mut self, budget: Budget) -> Result<Option<u64>, StoreError> {
        match self.stage {
            Stage::Survey(from) if from > self.compacted => self.stage = Stage::Sum(0),
            Stage::Survey(from) => {
                let events = self.view.events_from(from.max(0), budget)?;
                let known = events.iter().take_while(|event| event.revision.main <= self.compacted);
                let gone = known.filter_map(|event| event.previous);
                self.superseded.extend(gone.filter(|previous| previous.main < self.compacted));
                self.stage = match events.last() {
                    Some(last) => Stage::Survey(last.revision.main + 1),
                    None => Stage::Sum(0),
                };
            }
            Stage::Sum(from) => {
                let events = self.view.events_from(from, budget)?;
                let upto = self.revision;
                for event in events.iter().take_while(|event| event.revision.main <= upto) {
                    self.add(event);
                }
                self.stage = match events.last() {
                    Some(last) if last.revision.main < self.revision => Stage::Sum(last.revision.main + 1),
                    _ => Stage::Done,
                };
            }
            Stage::Done => return Ok(Some(self.sum)),
        }
        Ok(None)
    }

    fn add(&mut self, event: &Event) {
        let buried = event.deleted && event.revision.main < self.compacted;
        if !buried && !self.superseded.remove(&event.revision) {
            self.sum = self.sum.wrapping_add(of_event(event, 0));
        }
    }

    /// Of what there is besides keys, in the same view: records.
    pub fn records(&self) -> Result<u64, StoreError> {
        let mut chain = Chain::begin(0);
        for (name, record) in self.view.records([])? {
            digest::deed(&mut chain, &Deed::Record { name: &name, record: Some(&record) });
        }
        Ok(chain.hash)
    }
}
