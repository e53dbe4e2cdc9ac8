//! Records against a map: written and removed in any order, flushed, handed over as an image, read
//! back after a restart.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use redb::{Database, ReadableDatabase};

use super::base::{META, RECORDS};
use super::{IMAGE_FORMAT, Store, StoreOptions};

const NAMES: [&str; 5] = ["a", "auth/user/a", "auth/user/b", "auth/users", "b"];

#[derive(Clone, Debug)]
enum Step {
    Set(&'static str, Option<u8>),
    Seal,
    Flush,
    Restart,
    Image,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::sample::select(&NAMES[..]), any::<Option<u8>>()).prop_map(|(n, v)| Step::Set(n, v)),
        1 => Just(Step::Seal),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::Image),
    ]
}

fn check(store: &Store, model: &BTreeMap<Bytes, Bytes>) {
    let view = store.view();
    for name in NAMES {
        assert_eq!(view.record(name).unwrap().as_ref(), model.get(name.as_bytes()), "{name}");
    }
    for prefix in ["", "a", "auth/user/", "auth/user", "z"] {
        let expected = model.iter().filter(|(name, _)| name.starts_with(prefix.as_bytes()));
        let expected: BTreeMap<_, _> = expected.map(|(n, r)| (n.clone(), r.clone())).collect();
        assert_eq!(view.records(prefix).unwrap(), expected, "{prefix}");
    }
}

fn image_of(store: &Store) -> Vec<u8> {
    let mut image = Vec::new();
    store.export().read_to_end(&mut image).unwrap();
    image
}

fn run(steps: Vec<Step>) {
    let mut dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let mut model = BTreeMap::new();
    for step in steps {
        match step {
            Step::Set(name, value) => {
                let record = value.map(|byte| Bytes::from(vec![byte; 3]));
                let mut batch = store.begin();
                batch.set_record(name, record.clone());
                batch.finish(&Bytes::new()).unwrap();
                match record {
                    Some(record) => model.insert(Bytes::from_static(name.as_bytes()), record),
                    None => model.remove(name.as_bytes()),
                };
            }
            Step::Seal => store.seal_now(),
            Step::Flush => store.flush().unwrap(),
            Step::Restart => {
                store.flush().unwrap();
                drop(store);
                store = Store::open(dir.path(), StoreOptions::default()).unwrap();
            }
            Step::Image => {
                let image = image_of(&store);
                dir = tempfile::tempdir().unwrap();
                store = Store::open(dir.path(), StoreOptions::default()).unwrap();
                store.import(&mut image.as_slice(), &Bytes::new()).unwrap();
            }
        }
        check(&store, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn records_are_kept_through_flushes_images_and_restarts(steps in prop::collection::vec(step(), 1..30)) {
        run(steps);
    }
}

fn with_record(store: &Arc<Store>) {
    let mut batch = store.begin();
    batch.set_record("r", Some("x".into()));
    batch.finish(&Bytes::new()).unwrap();
}

#[test]
fn who_watches_records_hears_of_writes_and_of_images() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let mut changes = store.record_changes();
    changes.mark_unchanged();
    store.begin().finish(&Bytes::new()).unwrap();
    assert!(!changes.has_changed().unwrap());
    with_record(&store);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    let image = image_of(&store);
    store.import(&mut image.as_slice(), &Bytes::new()).unwrap();
    assert!(changes.has_changed().unwrap());
}

#[test]
fn an_image_without_records_is_of_the_format_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    // Magic, length, checksum, then `header { format: .. }`: its third byte from the tag on.
    let format = |image: &[u8]| u32::from(image[16 + 8 + 3]);
    assert_eq!(format(&image_of(&store)), IMAGE_FORMAT - 1);
    with_record(&store);
    assert_eq!(format(&image_of(&store)), IMAGE_FORMAT);
}

#[test]
fn a_store_of_the_format_before_gets_its_table() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), StoreOptions::default()).unwrap());
    let database = Database::open(dir.path().join("store.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    txn.delete_table(RECORDS).unwrap();
    txn.open_table(META).unwrap().insert("format", 1u32.to_be_bytes().as_slice()).unwrap();
    txn.commit().unwrap();
    drop(database);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    with_record(&store);
    store.flush().unwrap();
    drop(store);
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.view().record("r").unwrap(), Some("x".into()));
    drop(store);
    let database = Database::open(dir.path().join("store.redb")).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    assert_eq!(meta.get("format").unwrap().unwrap().value(), super::base::FORMAT.to_be_bytes());
}
