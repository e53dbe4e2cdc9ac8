//! The machine against a naive model: any commands, in any batches, with flushes, compaction slices,
//! crashes and images in between.

mod r#gen;
mod model;
mod notes;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use quorum::{Command, StateMachine};
use tempfile::TempDir;

use self::model::{Change, Model};
use super::{Machine, Reader, Refusal, decode_reply, encode};
use crate::proto::etcdserverpb::RangeRequest;
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::store::{Budget, Event, Span, Store, StoreOptions};

#[derive(Clone, Debug)]
enum Step {
    /// Commands applied as one batch.
    Apply(Vec<Operation>),
    Range(RangeRequest),
    /// History from a revision on, a few changes at a time.
    History(i64, usize),
    Seal,
    Flush,
    Scrub(usize),
    /// What was not flushed is lost and applied again from the log.
    Crash,
    /// Another replica takes over from an image.
    Image,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => prop::collection::vec(r#gen::operation(), 1..4).prop_map(Step::Apply),
        10 => r#gen::range().prop_map(Step::Range),
        3 => (0..40i64, 1..5usize).prop_map(|(from, limit)| Step::History(from, limit)),
        2 => Just(Step::Seal),
        2 => Just(Step::Flush),
        2 => (1..6usize).prop_map(Step::Scrub),
        1 => Just(Step::Crash),
        1 => Just(Step::Image),
    ]
}

/// A store with its log.
struct Replica {
    dir: TempDir,
    store: Arc<Store>,
    machine: Machine,
    log: Vec<Bytes>,
    replies: Vec<Bytes>,
}

impl Replica {
    fn new(options: StoreOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), options).unwrap();
        let machine = Machine::fresh(&store);
        Self { dir, store, machine, log: vec![], replies: vec![] }
    }

    fn position(index: usize) -> Bytes {
        Bytes::copy_from_slice(&index.to_be_bytes())
    }

    fn apply(&mut self, operations: Vec<Operation>) -> Vec<Result<Outcome, Refusal>> {
        let from = self.log.len();
        self.log.extend(operations.into_iter().map(|operation| encode(1, operation)));
        let replies = self.replay(from);
        self.replies.extend(replies.clone());
        replies.into_iter().map(|reply| decode_reply(reply).unwrap()).collect()
    }

    fn replay(&mut self, from: usize) -> Vec<Bytes> {
        let commands: Vec<Command> = (from..self.log.len())
            .map(|index| Command { index: index as u64, term: 1, payload: self.log[index].clone() })
            .collect();
        let replies = self.machine.apply(&commands, &Self::position(self.log.len())).unwrap();
        // The hub of this store is never behind.
        self.store.set_dispatched(self.store.view().head());
        replies
    }

    /// The replies given again must be those given before.
    fn crash(self) -> Self {
        let Self { dir, store, machine, log, replies } = self;
        drop((store, machine));
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let machine = Machine::fresh(&store);
        let position = store.position().map_or(0, |p| usize::from_be_bytes(p.as_ref().try_into().unwrap()));
        let mut again = Self { dir, store, machine, log, replies };
        assert_eq!(again.replay(position), again.replies[position..]);
        again
    }

    /// An image of it in a new store, which the old one's log continues.
    fn hand_over(self) -> Self {
        let mut image = Vec::new();
        self.store.export().read_to_end_checked(&mut image);
        let mut next = Self::new(StoreOptions::default());
        // Something to be replaced.
        next.apply(
            self.log
                .iter()
                .take(1)
                .map(|c| super::command::decode(0, c.clone()).unwrap().operation)
                .collect(),
        );
        next.machine.import(&mut image.as_slice(), &Self::position(self.log.len())).unwrap();
        assert_eq!(next.store.position(), Some(Self::position(self.log.len())));
        // As the hub does when it has caught up with the new era.
        next.store.set_dispatched(next.store.view().head());
        Self { log: self.log, replies: self.replies, ..next }
    }
}

trait ReadAll {
    fn read_to_end_checked(&mut self, into: &mut Vec<u8>);
}

impl<R: std::io::Read> ReadAll for R {
    fn read_to_end_checked(&mut self, into: &mut Vec<u8>) {
        self.read_to_end(into).unwrap();
        assert_eq!(into.len() % 512, 32, "content in blocks of 512, and a hash");
    }
}

fn change(event: &Event) -> Change {
    Change { main: event.revision.main, deleted: event.deleted, kv: event.key_value() }
}

fn check_range(replica: &Replica, model: &Model, request: &RangeRequest) {
    let view = replica.store.view();
    let reader = Reader::new(&view, view.head(), replica.store.compacted());
    let ours = reader.range(request).map_err(|failure| match failure {
        super::Failure::Refused(refusal) => refusal,
        super::Failure::Store(e) => panic!("{e}"),
    });
    assert_eq!(ours, model.range(request), "{request:?}");
}

fn check_history(replica: &Replica, model: &Model, from: i64, limit: usize) {
    let view = replica.store.view();
    let mut next = from.max(replica.store.compacted());
    let expected: Vec<Change> = model.changes.iter().filter(|c| c.main >= next).cloned().collect();
    let mut seen = Vec::new();
    loop {
        let part = view.events_from(next, Budget { events: limit, bytes: usize::MAX }).unwrap();
        let Some(last) = part.last() else { break };
        next = last.revision.main + 1;
        seen.extend(part.iter().map(|event| change(event)));
    }
    assert_eq!(seen, expected);
}

/// Everything that may be read, at every revision that may be read.
fn check_all(replica: &Replica, model: &Model) {
    let everything = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() };
    for revision in model.compacted.max(1)..=model.revision {
        check_range(replica, model, &RangeRequest { revision, ..everything.clone() });
    }
    check_history(replica, model, 0, 3);
    assert_eq!(*replica.store.leases(), model.leases);
    for lease in 1..4 {
        assert_eq!(replica.store.attached(lease).unwrap(), model.attached(lease), "keys of lease {lease}");
    }
}

fn run(steps: Vec<Step>, options: StoreOptions) {
    let (mut replica, mut model) = (Replica::new(options), Model::new());
    for step in steps {
        match step {
            Step::Apply(operations) => {
                let expected: Vec<_> = operations.iter().map(|o| model.apply(o.clone())).collect();
                assert_eq!(replica.apply(operations), expected);
                assert_eq!(replica.store.view().head(), model.revision);
            }
            Step::Range(request) => check_range(&replica, &model, &request),
            Step::History(from, limit) => check_history(&replica, &model, from, limit),
            Step::Seal => replica.store.seal_now(),
            Step::Flush => replica.store.flush().unwrap(),
            Step::Scrub(slice) => drop(replica.store.scrub(slice).unwrap()),
            Step::Crash => replica = replica.crash(),
            Step::Image => replica = replica.hand_over(),
        }
    }
    check_all(&replica, &model);
    replica.store.flush().unwrap();
    while replica.store.scrub(3).unwrap() {}
    check_all(&replica, &model);
    let replica = replica.crash();
    assert_eq!(replica.store.view().head(), model.revision);
    check_all(&replica, &model);
    check_nothing_superseded_is_left(&replica, &model);
}

/// After a complete scrub, history below the compaction holds one change of each key that exists there.
fn check_nothing_superseded_is_left(replica: &Replica, model: &Model) {
    let all = Budget { events: usize::MAX, bytes: usize::MAX };
    let events = replica.store.view().events_from(0, all).unwrap();
    let old = events.iter().filter(|event| event.revision.main < model.compacted);
    let left: BTreeSet<(i64, Bytes)> = old.map(|e| (e.revision.main, e.key.clone())).collect();
    let revision = model.compacted;
    let live = RangeRequest { key: "\0".into(), range_end: "\0".into(), revision, ..Default::default() };
    let live = if revision > 0 { model.range(&live).unwrap().kvs } else { vec![] };
    let needed = live.into_iter().filter(|kv| kv.mod_revision < revision);
    assert_eq!(left, needed.map(|kv| (kv.mod_revision, kv.key)).collect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_reads_as_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        run(steps, StoreOptions::default());
    }

    #[test]
    fn so_it_does_when_every_batch_is_flushed(steps in prop::collection::vec(step(), 1..25)) {
        run(steps, StoreOptions { flush_bytes: 1, ..StoreOptions::default() });
    }
}

fn put(key: &str, value: &str) -> Operation {
    let (key, value) = (key.to_owned().into(), value.to_owned().into());
    Operation::Put(crate::proto::etcdserverpb::PutRequest { key, value, ..Default::default() })
}

fn delete(key: &str) -> Operation {
    let key = key.to_owned().into();
    Operation::DeleteRange(crate::proto::etcdserverpb::DeleteRangeRequest { key, ..Default::default() })
}

fn compact(revision: i64) -> Operation {
    Operation::Compact(crate::proto::etcdserverpb::CompactionRequest { revision, physical: false })
}

fn history(replica: &Replica) -> Vec<(i64, bool)> {
    let all = Budget { events: usize::MAX, bytes: usize::MAX };
    let events = replica.store.view().events_from(0, all).unwrap();
    events.iter().map(|event| (event.revision.main, event.deleted)).collect()
}

fn scrub(replica: &Replica) {
    replica.store.flush().unwrap();
    while replica.store.scrub(1).unwrap() {}
}

#[test]
fn a_deletion_at_the_compacted_revision_is_kept_until_the_next_compaction_etcd_18089_19179() {
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply(vec![put("k", "1"), delete("k"), put("other", "1"), compact(3)]);
    scrub(&replica);
    assert_eq!(history(&replica), [(3, true), (4, false)]);
    replica.apply(vec![compact(4)]);
    scrub(&replica);
    assert_eq!(history(&replica), [(4, false)]);
}

#[test]
fn the_revision_survives_a_compaction_of_everything_and_a_crash_etcd_17780() {
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply(vec![put("k", "1"), delete("k"), compact(3)]);
    scrub(&replica);
    let replica = replica.crash();
    assert_eq!(replica.store.view().head(), 3);
    assert_eq!(replica.store.compacted(), 3);
}

#[test]
fn a_read_of_compacted_revisions_in_a_transaction_leaves_no_trace_etcd_18667() {
    use crate::proto::etcdserverpb::request_op::Request;
    use crate::proto::etcdserverpb::{RequestOp, TxnRequest};
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply(vec![put("k", "1"), put("k", "2"), put("k", "3"), compact(4)]);
    let Operation::Put(request) = put("k", "4") else { unreachable!() };
    let old = RangeRequest { key: "k".into(), revision: 2, ..Default::default() };
    let op = |request| RequestOp { request: Some(request) };
    let success = vec![op(Request::RequestPut(request)), op(Request::RequestRange(old))];
    let txn = TxnRequest { success, ..Default::default() };
    assert_eq!(replica.apply(vec![Operation::Txn(txn)]), [Err(Refusal::Compacted)]);
    assert_eq!(replica.store.view().head(), 4);
    assert_eq!(history(&replica).len(), 3);
}

#[test]
fn a_compaction_that_is_not_on_disk_yet_takes_nothing_away() {
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply(vec![put("k", "1"), put("k", "2")]);
    replica.store.flush().unwrap();
    replica.apply(vec![compact(3)]);
    assert!(!replica.store.scrub(100).unwrap());
    assert_eq!(history(&replica).len(), 2);
    scrub(&replica);
    assert_eq!(history(&replica).len(), 1);
}

#[test]
fn nothing_is_scrubbed_before_the_watchers_had_it() {
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply(vec![put("k", "1"), put("k", "2"), put("k", "3"), compact(4)]);
    replica.store.set_dispatched(2);
    scrub(&replica);
    assert_eq!(history(&replica).len(), 3);
    replica.store.set_dispatched(4);
    scrub(&replica);
    assert_eq!(history(&replica), [(4, false)]);
}

#[test]
fn a_damaged_image_is_refused_and_changes_nothing() {
    let mut replica = Replica::new(StoreOptions::default());
    replica.apply((0..200).map(|n| put(&format!("key{n}"), "value")).collect());
    let mut image = Vec::new();
    replica.store.export().read_to_end_checked(&mut image);
    let mut target = Replica::new(StoreOptions::default());
    target.apply(vec![put("own", "value")]);
    let check = |target: &mut Replica, bytes: &[u8], what: &str| {
        let refused = target.machine.import(&mut &bytes[..], &Replica::position(1));
        assert!(refused.is_err(), "{what} was taken");
        assert_eq!(history(target), [(2, false)]);
    };
    for at in (0..image.len()).step_by(97).chain([image.len() - 1]) {
        let mut damaged = image.clone();
        damaged[at] ^= 1;
        check(&mut target, &damaged, &format!("an image with a flipped bit at {at}"));
    }
    for length in [0, 15, 16, 100, image.len() - 33, image.len() - 1] {
        check(&mut target, &image[..length], &format!("an image of {length} bytes"));
    }
    let mut longer = image.clone();
    longer.push(0);
    check(&mut target, &longer, "an image with something after it");
    target.machine.import(&mut image.as_slice(), &Replica::position(1)).unwrap();
    assert_eq!(target.store.view().head(), 201);
    let names: Vec<_> =
        std::fs::read_dir(target.dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(names, ["store.redb"]);
}

#[test]
fn an_image_is_of_its_moment_whatever_is_applied_while_it_is_read() {
    let mut replica = Replica::new(StoreOptions { flush_bytes: 4096, ..StoreOptions::default() });
    replica.apply((0..500).map(|n| put(&format!("key{n}"), "before")).collect());
    let mut image = replica.store.export();
    let mut bytes = vec![0; 1000];
    std::io::Read::read_exact(&mut image, &mut bytes).unwrap();
    replica.apply((0..500).map(|n| put(&format!("key{n}"), "after")).collect());
    replica.apply(vec![compact(900)]);
    scrub(&replica);
    std::io::Read::read_to_end(&mut image, &mut bytes).unwrap();
    let mut target = Replica::new(StoreOptions::default());
    target.machine.import(&mut bytes.as_slice(), &Replica::position(0)).unwrap();
    assert_eq!(target.store.view().head(), 501);
    let view = target.store.view();
    let mut values = BTreeSet::new();
    view.walk(&Span::all(), 501, |seen| {
        values.insert(view.value(&view.found(&seen)?)?);
        Ok(true)
    })
    .unwrap();
    assert_eq!(values.into_iter().collect::<Vec<_>>(), ["before"]);
}

#[test]
fn a_command_of_a_later_version_stops_the_replica() {
    let mut replica = Replica::new(StoreOptions::default());
    for payload in [&b"\x08\x02"[..], b"\x08\x01", b"\xff\xff"] {
        let command = Command { index: 1, term: 1, payload: Bytes::copy_from_slice(payload) };
        let refused = replica.machine.apply(&[command], &Replica::position(1));
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
