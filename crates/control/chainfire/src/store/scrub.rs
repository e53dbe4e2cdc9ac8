//! Forgetting what a compaction has made unreadable, a little at a time.
//!
//! A change is superseded by the next change of its key. Every change knows the one before it, so
//! the scrubber walks once over the changes between two compactions and removes what each of them
//! superseded, whatever the size of the store. Kept for the compaction at `C`: each key's last
//! change up to `C`, and what happened at `C` itself, because a watch may begin there. A deletion
//! below `C` goes too.
//!
//! How far it has come is local: replicas scrub when they like and answer alike.

use std::sync::atomic::Ordering;

use redb::Durability;

use super::Store;
use super::base::{Base, EVENTS, HISTORY, KeyAt, META};
use super::error::StoreError;
use super::event::Row;
use super::flush::{count, weigh};
use super::revision::{ENCODED, Revision};
use super::view::View;

/// Slices that share a sync.
const SLICES_A_SYNC: u64 = 8;

/// What one slice takes away.
#[derive(Default)]
struct Plan {
    gone: Vec<(Vec<u8>, Revision)>,
    /// The first transaction that has not been looked at.
    next: i64,
    complete: bool,
}

impl Plan {
    /// The known bug of etcd #19179: deletions at the compaction's own revision go, too.
    fn forget_deletions_at(&mut self, base: &Base) -> Result<(), StoreError> {
        let (first, last) =
            (Revision::first_of(base.state.compacted), Revision::last_of(base.state.compacted));
        for row in base.events.range::<&[u8; ENCODED]>(&first.to_bytes()..=&last.to_bytes())? {
            let (revision, row) = row?;
            let event = Row::decode(row.value())?;
            if event.deleted {
                self.gone.push((event.key.to_vec(), Revision::from_bytes(revision.value())));
            }
        }
        Ok(())
    }
}

impl Store {
    /// Tells how far the watchers have been served: nothing later is scrubbed.
    pub fn set_dispatched(&self, main: i64) {
        self.dispatched.store(main, Ordering::Release);
        if self.is_compactable(&self.view.load()) {
            self.wake.notify_one();
        }
    }

    /// Whether a scrub would find something to do now.
    pub(super) fn is_compactable(&self, view: &View) -> bool {
        view.base.scrubbed <= self.scrub_target(&view.base)
    }

    /// Only what is on disk, and whose compaction is on disk, may go: a crash must not find
    /// changes missing that a replayed command still reads.
    fn scrub_target(&self, base: &Base) -> i64 {
        base.state.compacted.min(self.dispatched.load(Ordering::Acquire))
    }

    /// The first transaction whose leavings may still be on disk. Follows [`Store::scrub`].
    pub fn scrubbed(&self) -> tokio::sync::watch::Receiver<i64> {
        self.scrubbed.subscribe()
    }

    /// Looks at up to `events` changes and removes what they superseded. Says whether more is left to be
    /// done now: nothing is while the file is being rewritten.
    pub fn scrub(&self, events: usize) -> Result<bool, StoreError> {
        let _writing = self.writing();
        if self.rewriting.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let base = self.view.load().base.clone();
        let target = self.scrub_target(&base);
        if base.scrubbed > target {
            return Ok(false);
        }
        let mut plan = plan(&base, target, events)?;
        if self.files.sabotage.is("lose an event at compaction") {
            plan.forget_deletions_at(&base)?;
        }
        self.remove(&base, &plan)?;
        self.scrubbed.send_replace(plan.next);
        Ok(!plan.complete)
    }

    fn remove(&self, base: &Base, plan: &Plan) -> Result<(), StoreError> {
        let mut txn = base.database().begin_write()?;
        // A slice that is lost is done again. Some wait for the disk all the same: a sync of everything at the
        // end would hold up those of the log.
        let nth = self.scrubs.fetch_add(1, Ordering::Relaxed);
        let durable = plan.complete || nth.is_multiple_of(SLICES_A_SYNC);
        txn.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        {
            let mut events = txn.open_table(EVENTS)?;
            let mut history = txn.open_table(HISTORY)?;
            let mut freed = 0;
            for (key, revision) in &plan.gone {
                if let Some(row) = events.remove(&revision.to_bytes())? {
                    freed += weigh(key.len(), row.value().len());
                }
                history.remove(KeyAt::encode(key, *revision).as_slice())?;
            }
            count(&txn, -freed)?;
            txn.open_table(META)?.insert("scrubbed", plan.next.to_be_bytes().as_slice())?;
        }
        txn.commit()?;
        self.show(Base::latest(base.database())?, 0);
        self.measure();
        Ok(())
    }
}

fn plan(base: &Base, target: i64, limit: usize) -> Result<Plan, StoreError> {
    let compacted = base.state.compacted;
    let mut plan = Plan { next: target + 1, complete: true, ..Plan::default() };
    // The last one is looked at again: what the former compaction kept because it was there may go now.
    let mut last = base.scrubbed - 1;
    let from = Revision::first_of(last.max(0)).to_bytes();
    for (seen, row) in base.events.range::<&[u8; ENCODED]>(&from..)?.enumerate() {
        let (revision, row) = row?;
        let revision = Revision::from_bytes(revision.value());
        if revision.main > target {
            break;
        }
        // Cut between transactions, and never without having moved on.
        if seen >= limit && revision.main != last && revision.main > base.scrubbed {
            plan.next = revision.main;
            plan.complete = false;
            break;
        }
        last = revision.main;
        let event = Row::decode(row.value())?;
        if let Some(previous) = event.previous.filter(|previous| previous.main < compacted) {
            plan.gone.push((event.key.to_vec(), previous));
        }
        if event.deleted && revision.main < compacted {
            plan.gone.push((event.key.to_vec(), revision));
        }
    }
    Ok(plan)
}
