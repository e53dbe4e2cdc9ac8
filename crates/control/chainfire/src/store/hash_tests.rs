//! The hash of a store does not depend on what was flushed, scrubbed, restarted or received as an image,
//! and does depend on everything that can be read.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Batch, Budget, Chain, OutOfReach, Span, Store, StoreOptions};

const SLICE: Budget = Budget { events: 3, bytes: 1 << 20 };

pub(super) fn hash(store: &Store, revision: i64) -> Result<u64, OutOfReach> {
    let mut hashing = store.hash_at(revision)?;
    loop {
        if let Some(hash) = hashing.step(SLICE).unwrap() {
            return Ok(hash);
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    /// Key, value, lease.
    Put(u8, u8, i64),
    /// Several keys in one transaction.
    Twice(u8, u8),
    Delete(u8),
    Compact(u8),
    Grant(u8),
    Record(u8),
}

/// What one replica does and the other does not.
#[derive(Clone, Debug)]
pub(super) enum Chore {
    Nothing,
    Seal,
    Flush,
    Scrub(usize),
    Restart,
    Image,
}

pub(super) fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        8 => (0..4u8, any::<u8>(), 0..3i64).prop_map(|(k, v, l)| Write::Put(k, v, l)),
        2 => (0..4u8, any::<u8>()).prop_map(|(k, v)| Write::Twice(k, v)),
        3 => (0..4u8).prop_map(Write::Delete),
        2 => (0..8u8).prop_map(Write::Compact),
        1 => any::<u8>().prop_map(Write::Grant),
        1 => any::<u8>().prop_map(Write::Record),
    ]
}

pub(super) fn chore() -> impl Strategy<Value = Chore> {
    prop_oneof![
        4 => Just(Chore::Nothing),
        2 => Just(Chore::Seal),
        3 => Just(Chore::Flush),
        4 => (1..6usize).prop_map(Chore::Scrub),
        1 => Just(Chore::Restart),
        1 => Just(Chore::Image),
    ]
}

fn put(batch: &mut Batch<'_>, keys: &[u8], value: u8, lease: i64) {
    let mut transaction = batch.transaction();
    for key in keys {
        let key = bytes::Bytes::from(vec![*key]);
        let before = transaction.get(&key).unwrap();
        transaction.put(key, vec![value].into(), lease, before.as_ref());
    }
    transaction.commit();
}

pub(super) fn apply(store: &Store, write: &Write, position: usize) {
    let mut batch = store.begin();
    match *write {
        Write::Put(key, value, lease) => put(&mut batch, &[key], value, lease),
        Write::Twice(key, value) => put(&mut batch, &[key, key + 1], value, 0),
        Write::Delete(key) => {
            let mut transaction = batch.transaction();
            transaction.delete(&Span::new(vec![key].into(), vec![key + 2].into())).unwrap();
            transaction.commit();
        }
        Write::Compact(back) => {
            let revision = batch.state().revision - i64::from(back);
            if revision > batch.state().compacted {
                batch.compact(revision);
            }
        }
        Write::Grant(id) => batch.grant(i64::from(id), 60),
        Write::Record(name) => batch.set_record([name], Some(vec![name].into())),
    }
    batch.finish(&position.to_be_bytes().to_vec().into()).unwrap();
    store.set_dispatched(store.view().head());
}

pub(super) struct Replica(pub(super) TempDir, pub(super) Arc<Store>);

impl Replica {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        Self(dir, store)
    }

    pub(super) fn chore(self, chore: &Chore) -> Self {
        let Self(dir, store) = self;
        match chore {
            Chore::Nothing => {}
            Chore::Seal => store.seal_now(),
            Chore::Flush => store.flush().unwrap(),
            Chore::Scrub(events) => {
                store.flush().unwrap();
                store.scrub(*events).unwrap();
            }
            Chore::Restart => {
                store.flush().unwrap();
                drop(store);
                let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
                return Self(dir, store);
            }
            Chore::Image => {
                let mut image = Vec::new();
                store.export().read_to_end(&mut image).unwrap();
                let next = Self::new();
                let position = store.begin().state().position.clone().unwrap_or_default();
                next.1.import(&mut image.as_slice(), &position).unwrap();
                next.1.set_dispatched(next.1.view().head());
                return next;
            }
        }
        Self(dir, store)
    }

    pub(super) fn chain(&self) -> Option<Chain> {
        self.1.begin().state().chain
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn replicas_agree_whatever_each_has_flushed_and_scrubbed(
        steps in prop::collection::vec((write(), chore()), 1..40), one in 0..40usize,
    ) {
        let (mut quiet, mut busy) = (Replica::new(), Replica::new());
        for (at, (write, chore)) in steps.iter().enumerate() {
            apply(&quiet.1, write, at);
            apply(&busy.1, write, at);
            busy = busy.chore(chore);
            if at == one {
                quiet = quiet.chore(&Chore::Flush);
            }
            prop_assert_eq!(quiet.chain(), busy.chain());
            for revision in [0, 1, 3, quiet.1.view().head() - 1, quiet.1.view().head() + 1] {
                prop_assert_eq!(hash(&quiet.1, revision), hash(&busy.1, revision), "at {}", revision);
            }
        }
    }

    #[test]
    fn a_write_more_or_less_is_another_hash(
        writes in prop::collection::vec(write(), 1..20), at in 0..20usize, other in any::<u8>(),
    ) {
        let (one, two) = (Replica::new(), Replica::new());
        let at = at.min(writes.len() - 1);
        for (n, write) in writes.iter().enumerate() {
            apply(&one.1, write, n);
            // One value is another one. Compactions after it may hide that.
            let write = match write {
                Write::Put(key, value, lease) if n == at && *value != other => Write::Put(*key, other, *lease),
                write => write.clone(),
            };
            apply(&two.1, &write, n);
        }
        let differ = matches!(&writes[at], Write::Put(_, value, _) if *value != other);
        prop_assert_eq!(one.chain() != two.chain(), differ);
        let same_events = one.1.view().events_from(0, Budget { events: 1000, bytes: 1 << 20 }).unwrap()
            == two.1.view().events_from(0, Budget { events: 1000, bytes: 1 << 20 }).unwrap();
        let compacts = writes.iter().any(|write| matches!(write, Write::Compact(_)));
        if !compacts {
            prop_assert_eq!(hash(&one.1, 0) == hash(&two.1, 0), same_events);
        }
    }
}

#[test]
fn what_cannot_be_hashed_is_refused() {
    let Replica(_dir, store) = Replica::new();
    for value in 0..5 {
        apply(&store, &Write::Put(1, value, 0), usize::from(value));
    }
    apply(&store, &Write::Compact(2), 5);
    assert_eq!(hash(&store, 3), Err(OutOfReach::Compacted));
    assert_eq!(hash(&store, 7), Err(OutOfReach::Future));
    assert!(hash(&store, 4).is_ok() && hash(&store, 6).is_ok());
    assert_eq!(hash(&store, 0), hash(&store, 6));
    assert_ne!(hash(&store, 5), hash(&store, 6));
}

#[test]
fn a_chain_that_is_not_of_this_state_is_forgotten() {
    let Replica(dir, store) = Replica::new();
    apply(&store, &Write::Put(1, 1, 0), 1);
    store.flush().unwrap();
    assert!(Store::open(dir.path(), StoreOptions::default()).is_err(), "it is open here");
    drop(store);
    // A version that does not know of chains writes a state of its own.
    let database = redb::Database::open(dir.path().join("store.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut meta = txn.open_table(super::base::META).unwrap();
        let later = super::State { position: Some("later".into()), ..super::State::empty() };
        meta.insert("state", later.encode().as_slice()).unwrap();
    }
    txn.commit().unwrap();
    drop(database);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.begin().state().chain, None);
    let mut batch = store.begin();
    batch.begin_chain(7);
    batch.finish(&"latest".into()).unwrap();
    store.flush().unwrap();
    drop(store);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.begin().state().chain, Some(Chain { origin: 7, hash: 0 }));
}
