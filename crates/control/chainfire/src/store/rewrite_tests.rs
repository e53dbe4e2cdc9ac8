//! A rewritten file holds what the old one held, whatever happened meanwhile, and a crash at any moment
//! leaves one of the two.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use redb::ReadableTable;
use sim::SimNode;

use super::hash_tests::{Chore, Replica, Write, apply, chore, hash, write};
use super::rewrite::{Progress, Rewrite, StepError, twin};
use super::{Store, StoreOptions, View};

/// Every row of every table, and what is counted of them.
fn rows(view: &View) -> Vec<(Vec<u8>, Vec<u8>)> {
    let base = &view.base;
    let mut rows = vec![(base.state.encode(), base.state.encode_chain())];
    rows.push((base.used.to_be_bytes().to_vec(), base.scrubbed.to_be_bytes().to_vec()));
    let mut add = |key: &[u8], value: &[u8]| rows.push((key.to_vec(), value.to_vec()));
    for row in base.events.iter().unwrap().map(Result::unwrap) {
        add(row.0.value(), row.1.value());
    }
    for row in base.history.iter().unwrap().map(Result::unwrap) {
        add(row.0.value(), &[row.1.value()]);
    }
    for row in base.current.iter().unwrap().map(Result::unwrap) {
        add(row.0.value(), row.1.value());
    }
    for row in base.records.iter().unwrap().map(Result::unwrap) {
        add(row.0.value(), row.1.value());
    }
    for row in base.leases.iter().unwrap().map(Result::unwrap) {
        add(&row.0.value().to_be_bytes(), &row.1.value().to_be_bytes());
    }
    for row in base.attached.iter().unwrap().map(Result::unwrap) {
        let (lease, key) = row.0.value();
        add(&[&lease.to_be_bytes(), key].concat(), &[]);
    }
    rows
}

/// Everything on disk and nothing superseded left.
fn settle(store: &Store) {
    store.flush().unwrap();
    while store.scrub(100).unwrap() {}
}

fn finish(store: &Store, rewrite: &mut Rewrite) {
    while rewrite.step(store).unwrap() != Progress::Done {}
    store.end_rewrite(None);
}

fn rewrite(store: &Store, rows: usize) {
    finish(store, &mut store.begin_rewrite(rows).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_rewritten_store_is_the_same_store(
        before in prop::collection::vec(write(), 0..30),
        during in prop::collection::vec((write(), chore(), 0..3usize), 0..30),
        slice in 1..6usize,
    ) {
        let (quiet, busy) = (Replica::new(), Replica::new());
        for (at, write) in before.iter().enumerate() {
            apply(&quiet.1, write, at);
            apply(&busy.1, write, at);
        }
        busy.1.flush().unwrap();
        let mut rewrite = busy.1.begin_rewrite(slice).unwrap();
        let mut done = false;
        let mut busy = busy;
        for (at, (write, chore, steps)) in during.iter().enumerate() {
            apply(&quiet.1, write, before.len() + at);
            apply(&busy.1, write, before.len() + at);
            if !matches!(chore, Chore::Restart | Chore::Image) {
                busy = busy.chore(chore);
            }
            for _ in 0..*steps {
                done = done || rewrite.step(&busy.1).unwrap() == Progress::Done;
            }
            prop_assert_eq!(hash(&busy.1, 0), hash(&quiet.1, 0));
        }
        if !done {
            while rewrite.step(&busy.1).unwrap() != Progress::Done {}
        }
        busy.1.end_rewrite(None);
        prop_assert!(!twin(&busy.0.path().join("store.redb")).exists());
        settle(&quiet.1);
        settle(&busy.1);
        prop_assert_eq!(rows(&busy.1.view()), rows(&quiet.1.view()));
        drop(rewrite);
        let busy = busy.chore(&Chore::Restart);
        prop_assert_eq!(rows(&busy.1.view()), rows(&quiet.1.view()));
    }
}

fn fill(store: &Store, changes: usize) {
    for n in 0..changes {
        let mut batch = store.begin();
        let mut transaction = batch.transaction();
        let key = Bytes::from(vec![(n % 7) as u8]);
        let before = transaction.get(&key).unwrap();
        transaction.put(key, vec![n as u8; 1000].into(), 0, before.as_ref());
        transaction.commit();
        batch.finish(&Bytes::from(n.to_be_bytes().to_vec())).unwrap();
    }
    store.set_dispatched(store.view().head());
    store.flush().unwrap();
}

#[test]
fn a_file_shrinks_to_what_a_compaction_has_left() {
    let Replica(dir, store) = Replica::new();
    fill(&store, 5000);
    let old_view = store.view();
    let mut batch = store.begin();
    let head = batch.state().revision;
    batch.compact(head);
    batch.finish(&Bytes::from_static(b"end")).unwrap();
    settle(&store);
    let before = store.size();
    assert!(before.file > 5 << 20 && before.used < 64 << 10, "{before:?}");
    rewrite(&store, 1000);
    let after = store.size();
    assert!(after.file < before.file / 4 && after.used == before.used, "{after:?} of {before:?}");
    assert_eq!(
        after.file,
        std::fs::metadata(dir.path().join("store.redb"))
            .map(|m| {
                use std::os::unix::fs::MetadataExt;
                m.blocks() * 512
            })
            .unwrap()
    );
    // Whoever has looked before sees what it saw.
    let key = Bytes::from_static(&[0]);
    assert!(old_view.get(&key, 3).unwrap().is_some());
    fill(&store, 100);
    rewrite(&store, 1000);
    assert_eq!(store.rewrites().borrow().ended, 2);
}

#[test]
fn an_image_that_comes_in_ends_a_rewrite() {
    let (one, two) = (Replica::new(), Replica::new());
    fill(&one.1, 50);
    fill(&two.1, 20);
    let mut image = Vec::new();
    one.1.export().read_to_end(&mut image).unwrap();
    for steps in 0..8 {
        let mut rewrite = two.1.begin_rewrite(5).unwrap();
        for _ in 0..steps {
            rewrite.step(&two.1).unwrap();
        }
        two.1.import(&mut image.as_slice(), &Bytes::from_static(b"image")).unwrap();
        finish(&two.1, &mut rewrite);
        assert_eq!(hash(&two.1, 0), hash(&one.1, 0));
        assert!(!twin(&two.0.path().join("store.redb")).exists());
    }
}

const DIR: &str = "/data";
const SMALL: StoreOptions = StoreOptions { cache_bytes: 1 << 20, flush_bytes: 1 << 10 };
/// Writes before the rewrite begins, and in all.
const BEFORE: usize = 60;
const ALL: usize = 100;

fn open(node: &SimNode) -> Arc<Store> {
    Store::open_in(&node.context(), Path::new(DIR), SMALL).unwrap()
}

/// Deterministic, a little of everything.
fn nth(n: usize) -> Write {
    let byte = (n * 37 % 251) as u8;
    match n % 9 {
        3 => Write::Delete(byte % 4),
        5 => Write::Grant(byte % 5),
        6 => Write::Record(byte % 5),
        7 if n.is_multiple_of(2) => Write::Compact(20),
        _ => Write::Put(byte % 6, byte, i64::from(byte % 3)),
    }
}

fn replay(store: &Store, to: usize) {
    let position = store.position().map_or(0, |p| usize::from_be_bytes(p.as_ref().try_into().unwrap()));
    for n in position + 1..=to {
        apply(store, &nth(n), n);
    }
}

/// Writes go on while the file is rewritten. An error is the end of the power.
fn rewrite_under_load(store: &Store) -> Result<(), StepError> {
    let mut rewrite = store.begin_rewrite(7)?;
    for n in BEFORE + 1..=ALL {
        apply(store, &nth(n), n);
        if n % 5 == 0 {
            store.flush()?;
        }
        rewrite.step(store)?;
    }
    while rewrite.step(store)? != Progress::Done {}
    store.end_rewrite(None);
    store.flush()?;
    Ok(())
}

/// A store on the eve of its rewrite.
fn prepared(seed: u64) -> (SimNode, Arc<Store>) {
    let node = SimNode::new(seed, "one");
    let store = open(&node);
    replay(&store, BEFORE);
    store.flush().unwrap();
    (node, store)
}

/// The power goes at one of the changes of the disk, and comes back.
fn cut_power(reference: &Replica, cut: u64, total: u64) {
    let (node, store) = prepared(cut);
    node.disk().cut_power_at(cut);
    let finished = rewrite_under_load(&store).is_ok();
    assert_eq!(finished, cut > total, "at {cut} of {total}");
    node.disk().crash(cut);
    drop(store);
    let store = open(&node);
    let durable = store.position().map(|p| usize::from_be_bytes(p.as_ref().try_into().unwrap()));
    assert!(durable >= Some(if finished { ALL } else { BEFORE }), "{durable:?} at {cut}");
    let files = node.disk().files();
    assert_eq!(files.keys().collect::<Vec<_>>(), [&Path::new(DIR).join("store.redb")], "at {cut}");
    replay(&store, ALL);
    assert_eq!(hash(&store, 0), hash(&reference.1, 0), "at {cut}");
    assert_eq!(store.chain(), reference.chain(), "at {cut}");
    assert_eq!(*store.leases(), *reference.1.leases(), "at {cut}");
}

#[test]
fn a_power_cut_at_any_moment_of_a_rewrite_loses_nothing() {
    let reference = Replica::new();
    replay(&reference.1, ALL);
    let (node, store) = prepared(1);
    let before = node.disk().changes();
    rewrite_under_load(&store).unwrap();
    let total = node.disk().changes() - before;
    assert!(total > 100, "only {total} moments to cut the power at");
    // A sample of all moments, and every one around the end, where the twin gets its name.
    let sample = (1..total - 60).step_by(1 + total as usize / 60);
    for cut in sample.chain(total - 60..=total + 1) {
        cut_power(&reference, cut, total);
    }
}

#[test]
fn a_full_disk_costs_the_rewrite_and_nothing_else() {
    let node = SimNode::new(1, "one");
    let store = open(&node);
    fill(&store, 3000);
    let used: usize = node.disk().files().values().map(Vec::len).sum();
    node.disk().set_capacity(Some(used as u64 + used as u64 / 4));
    let given_up = store.begin_rewrite(1000).map_err(StepError::from).and_then(|mut rewrite| {
        while rewrite.step(&store)? != Progress::Done {}
        Ok(())
    });
    let Err(StepError::GivenUp(why)) = given_up else { panic!("{given_up:?}") };
    store.end_rewrite(Some(why.to_string()));
    assert!(store.rewrites().borrow().failure.is_some());
    let expected = hash(&store, 0);
    store.flush().unwrap();
    drop(store);
    let store = open(&node);
    assert_eq!(hash(&store, 0), expected);
    node.disk().set_capacity(None);
    rewrite(&store, 1000);
    assert_eq!(hash(&store, 0), expected);
}
