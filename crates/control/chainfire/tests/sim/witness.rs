//! Looks at every replica after every step: all must show the same event at the same revision, always.

use std::collections::BTreeMap;

use chainfire::store::{Budget, Event, Store};

use crate::history::Moment;

const ALL: Budget = Budget { events: usize::MAX, bytes: usize::MAX };

/// The one history, as the first replica to show a revision showed it.
#[derive(Default)]
pub(crate) struct Witness {
    pub(crate) events: BTreeMap<i64, Vec<Event>>,
    /// When a revision was first seen.
    pub(crate) seen: BTreeMap<i64, Moment>,
    /// Where to go on, for each machine.
    next: BTreeMap<String, i64>,
}

impl Witness {
    /// The machine's process is a new one: everything that it has is looked at again.
    pub(crate) fn restarted(&mut self, name: &str) {
        self.next.remove(name);
    }

    pub(crate) fn look(&mut self, name: &str, store: &Store, now: Moment) -> Result<(), String> {
        let view = store.view();
        let compacted = store.compacted();
        let next = self.next.get(name).copied().unwrap_or_else(|| compacted.max(2));
        let head = view.head();
        if head < next {
            return if head + 1 < next {
                Err(format!("{name} went back from {next} to {head}"))
            } else {
                Ok(())
            };
        }
        let events = view.events_from(next, ALL).map_err(|e| e.to_string())?;
        for transaction in events.chunk_by(|a, b| a.revision.main == b.revision.main) {
            let transaction: Vec<Event> = transaction.iter().map(|event| (**event).clone()).collect();
            self.compare(name, transaction, compacted, now)?;
        }
        self.next.insert(name.to_owned(), head + 1);
        Ok(())
    }

    fn compare(
        &mut self,
        name: &str,
        transaction: Vec<Event>,
        compacted: i64,
        now: Moment,
    ) -> Result<(), String> {
        let revision = transaction[0].revision.main;
        let Some(known) = self.events.get(&revision) else {
            self.seen.insert(revision, now);
            self.events.insert(revision, transaction);
            return Ok(());
        };
        let same = if revision >= compacted {
            *known == transaction
        } else {
            transaction.iter().all(|event| known.contains(event))
        };
        if same {
            Ok(())
        } else {
            Err(format!("{name} differs at {revision}: {transaction:?}, not {known:?}"))
        }
    }
}
