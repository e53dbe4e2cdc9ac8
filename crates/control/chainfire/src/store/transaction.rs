//! Writing: a batch of commands, each at most one transaction, becomes visible command by command.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Chain;
use super::base::State;
use super::digest::{self, Deed};
use super::error::StoreError;
use super::event::Event;
use super::revision::Revision;
use super::span::Span;
use super::tally::{Done, Tally};
use super::view::{Found, View};
use super::{Store, recent::Recent};

/// A known bug, for one replica.
const DIVERGE: &str = "diverge one replica's state";

/// The only writer, for the length of one batch.
pub struct Batch<'a> {
    store: &'a Store,
    state: MutexGuard<'a, State>,
    view: Arc<View>,
    touched_records: bool,
}

impl Store {
    /// Begins a batch. Another one waits until it is finished.
    pub fn begin(&self) -> Batch<'_> {
        let state = self.applying();
        Batch { store: self, state, view: self.view(), touched_records: false }
    }
}

impl Batch<'_> {
    /// The state that the batch has reached.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The store, with everything of this batch.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn recent(&self) -> &Recent {
        &self.view.active
    }

    /// A lease's time to live in seconds.
    pub fn lease(&self, id: i64) -> Option<i64> {
        self.store.leases().get(&id).copied()
    }

    /// Begins the hash that replicas compare anew.
    pub fn begin_chain(&mut self, origin: u64) {
        self.state.chain = Some(Chain::begin(origin));
    }

    fn note(&mut self, deed: &Deed<'_>) {
        if let Some(chain) = &mut self.state.chain {
            digest::deed(chain, deed);
        }
    }

    /// Begins a transaction. It takes a revision only if it changes something.
    pub fn transaction(&mut self) -> Transaction<'_> {
        let main = self.state.revision + 1;
        let bent = self.store.files.sabotage.is(DIVERGE) && main % 20 == 0;
        Transaction {
            view: &self.view,
            state: &mut self.state,
            next: Revision::first_of(main),
            tally: &self.store.tally,
            done: Done::default(),
            bent,
        }
    }

    /// Forbids reads below a revision and lets the housekeeping forget what nobody can read.
    pub fn compact(&mut self, revision: i64) {
        self.note(&Deed::Compact { revision });
        self.state.compacted = revision;
        self.store.compacted.store(revision, Ordering::Release);
    }

    /// Adds a lease.
    pub fn grant(&mut self, id: i64, ttl: i64) {
        self.note(&Deed::Grant { id, ttl });
        self.store.leases.write().unwrap_or_else(PoisonError::into_inner).insert(id, ttl);
        self.recent().set_lease(id, Some(ttl));
    }

    /// Forgets a lease, but not its keys.
    pub fn revoke(&mut self, id: i64) {
        self.note(&Deed::Revoke { id });
        self.store.leases.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.recent().set_lease(id, None);
    }

    /// Writes or removes a record: what the replicas agree on besides keys. It has no history, takes no
    /// revision, and is seen at once.
    pub fn set_record(&mut self, name: impl AsRef<[u8]>, record: Option<Bytes>) {
        self.note(&Deed::Record { name: name.as_ref(), record: record.as_deref() });
        self.recent().set_record(Bytes::copy_from_slice(name.as_ref()), record);
        self.touched_records = true;
    }

    /// Names the lessor that decides about leases from here on.
    pub fn claim(&mut self, epoch: u64) {
        self.note(&Deed::Claim { epoch });
        self.state.epoch = epoch;
    }

    /// Ends the batch at a replication position. Flushes only if the disk has fallen far behind.
    pub fn finish(mut self, position: &Bytes) -> Result<(), StoreError> {
        self.state.position = Some(position.clone());
        let head = self.state.revision;
        if self.recent().weight() >= self.store.options.flush_bytes {
            self.store.seal(&self.state);
            self.store.wake.notify_one();
        } else if self.store.is_compactable(&self.view) {
            self.store.wake.notify_one();
        }
        let (store, touched_records) = (self.store, self.touched_records);
        drop(self);
        if touched_records {
            store.record_changes.send_modify(|n| *n += 1);
        }
        store.heads.send_if_modified(|known| std::mem::replace(known, head) != head);
        store.keep_up()
    }
}

/// Changes that readers see all at once, when it ends.
pub struct Transaction<'a> {
    view: &'a View,
    state: &'a mut State,
    next: Revision,
    tally: &'a Tally,
    done: Done,
    /// A known bug: what is put here is not what was asked for.
    bent: bool,
}

impl Transaction<'_> {
    /// The store, with the changes made so far.
    pub fn view(&self) -> &View {
        self.view
    }

    /// The revision at which this transaction reads: its own, if it has changed something.
    pub fn at(&self) -> i64 {
        if self.next.sub == 0 { self.next.main - 1 } else { self.next.main }
    }

    /// A key's state, with the changes made so far.
    pub(crate) fn get(&self, key: &Bytes) -> Result<Option<Found>, StoreError> {
        self.view.get(key, self.next.main)
    }

    fn take_revision(&mut self) -> Revision {
        let taken = self.next;
        self.next.sub += 1;
        taken
    }

    /// Puts a value. `before` is the key's state, as [`Self::get`] gave it.
    pub(crate) fn put(&mut self, key: Bytes, value: Bytes, lease: i64, before: Option<&Found>) {
        let value = if self.bent { Bytes::from_static(b"not what was asked for") } else { value };
        let revision = self.take_revision();
        self.done.puts += 1;
        self.done.put_bytes += (key.len() + value.len()) as u64;
        let before = before.map(|found| found.pointer);
        let was = before.map_or(0, |pointer| pointer.lease);
        if was != lease {
            self.detach(was, &key);
            if lease != 0 {
                self.view.active.set_attached(lease, &key, true);
            }
        }
        self.push(Event {
            revision,
            deleted: false,
            key,
            value,
            create: before.map_or(revision.main, |pointer| pointer.create),
            version: before.map_or(1, |pointer| pointer.version + 1),
            lease,
            previous: before.map(|pointer| pointer.revision),
        });
    }

    /// Deletes every key of a span. Gives what was there, in order.
    pub(crate) fn delete(&mut self, span: &Span) -> Result<Vec<Found>, StoreError> {
        let mut gone = Vec::new();
        self.done.deletions += 1;
        if let Some(key) = span.single() {
            gone.extend(self.get(key)?);
        } else {
            self.view.walk(span, self.next.main, |seen| {
                gone.push(self.view.found(&seen)?);
                Ok(true)
            })?;
        }
        for found in &gone {
            self.bury(found);
        }
        Ok(gone)
    }

    fn bury(&mut self, found: &Found) {
        let revision = self.take_revision();
        self.detach(found.pointer.lease, &found.key);
        self.push(Event {
            revision,
            deleted: true,
            key: found.key.clone(),
            value: Bytes::new(),
            create: 0,
            version: 0,
            lease: 0,
            previous: Some(found.pointer.revision),
        });
    }

    fn push(&mut self, event: Event) {
        if let Some(chain) = &mut self.state.chain {
            digest::change(chain, &event);
        }
        self.view.active.push(event);
    }

    fn detach(&self, lease: i64, key: &Bytes) {
        if lease != 0 {
            self.view.active.set_attached(lease, key, false);
        }
    }

    /// Ends it: readers may see it. Gives the store's revision.
    pub fn commit(self) -> i64 {
        self.tally.add(self.done);
        if self.next.sub > 0 {
            self.state.revision = self.next.main;
            self.view.active.publish(self.next.main);
        }
        self.state.revision
    }
}
