//! Streams with slow clients against the plain history: etcd's guarantees, checked at every response.
//!
//! Ordered, unique, reliable, atomic, resumable, bookmarkable: <https://etcd.io/docs/v3.5/learning/api_guarantees/>.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use quorum::{Command, StateMachine};
use tempfile::TempDir;

use super::*;
use crate::machine::{Machine, encode};
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::{CompactionRequest, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use crate::proto::internal::command::Operation;
use crate::store::{Budget, Span, Store, StoreOptions};

const STREAMS: usize = 2;
const KEYS: [&str; 4] = ["a", "b", "ba", "c"];

#[derive(Clone, Debug)]
enum Step {
    Put(usize),
    Delete(usize),
    /// One transaction that puts several keys.
    PutSeveral(Vec<usize>),
    /// Compacts at the head less so much.
    Compact(i64),
    Flush,
    Scrub,
    /// The store is replaced by an image, as on a replica that was far behind.
    Image,
    Dispatch,
    Create {
        stream: usize,
        key: usize,
        end: Option<usize>,
        start: i64,
        filters: (bool, bool),
    },
    Cancel {
        stream: usize,
        nth: usize,
    },
    RequestProgress(usize),
    LookAround(usize),
    /// The client takes so many responses.
    Take(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    let stream = 0..STREAMS;
    let create =
        (stream.clone(), key.clone(), prop::option::of(key.clone()), 0..30i64, any::<(bool, bool)>());
    prop_oneof![
        10 => key.clone().prop_map(Step::Put),
        3 => key.clone().prop_map(Step::Delete),
        3 => prop::collection::btree_set(key, 2..4).prop_map(|keys| Step::PutSeveral(keys.into_iter().collect())),
        1 => (0..6i64).prop_map(Step::Compact),
        1 => Just(Step::Flush),
        1 => Just(Step::Scrub),
        1 => Just(Step::Image),
        6 => Just(Step::Dispatch),
        4 => create.prop_map(|(stream, key, end, start, filters)| Step::Create { stream, key, end, start, filters }),
        1 => (stream.clone(), 0..4usize).prop_map(|(stream, nth)| Step::Cancel { stream, nth }),
        3 => stream.clone().prop_map(Step::RequestProgress),
        2 => stream.clone().prop_map(Step::LookAround),
        8 => (stream, 1..5usize).prop_map(|(stream, n)| Step::Take(stream, n)),
    ]
}

/// A change, as far as watchers see it.
type Change = (i64, u32, Bytes, bool);

struct Client {
    span: Span,
    filters: (bool, bool),
    start: i64,
    got: Vec<Change>,
    ended: bool,
}

impl Client {
    fn expects<'a>(&'a self, history: &'a [Change]) -> impl Iterator<Item = &'a Change> {
        let (puts, deletions) = self.filters;
        history.iter().filter(move |(main, _, key, deleted)| {
            *main >= self.start && self.span.contains(key) && if *deleted { deletions } else { puts }
        })
    }

    /// Everything up to a transaction has come, and nothing else before it.
    fn check_up_to(&self, history: &[Change], main: i64) {
        let expected: Vec<&Change> = self.expects(history).filter(|change| change.0 <= main).collect();
        let got: Vec<&Change> = self.got.iter().filter(|change| change.0 <= main).collect();
        assert_eq!(got, expected, "up to {main}");
    }

    /// What came is the beginning of what was due, in whole transactions.
    fn check_prefix(&self, history: &[Change]) {
        let expected: Vec<&Change> = self.expects(history).collect();
        assert!(self.got.iter().eq(expected[..self.got.len()].iter().copied()), "{:?}", self.got);
        let (last, next) = (self.got.last().map(|c| c.0), expected.get(self.got.len()).map(|c| c.0));
        assert!(last.is_none() || last != next, "transaction {last:?} came in parts");
    }
}

struct World {
    _dir: TempDir,
    store: Arc<Store>,
    machine: Machine,
    hub: Arc<Hub>,
    sessions: Vec<Session>,
    clients: Vec<BTreeMap<i64, Client>>,
    /// In the order in which they were asked for.
    unborn: Vec<Vec<Client>>,
    history: Vec<Change>,
    index: u64,
    compacted: i64,
}

impl World {
    fn new(buffered_bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store =
            Store::open(dir.path(), StoreOptions { flush_bytes: 8 << 10, ..Default::default() }).unwrap();
        let machine = Machine::fresh(&store);
        let hub = Hub::new(&store);
        let limits = SessionLimits { watchers: 100, buffered_bytes };
        let session = || Session::new(hub.clone(), store.clone(), limits);
        let sessions = (0..STREAMS).map(|_| session()).collect();
        let clients = (0..STREAMS).map(|_| BTreeMap::new()).collect();
        let unborn = (0..STREAMS).map(|_| Vec::new()).collect();
        let (history, index, compacted) = (Vec::new(), 0, 0);
        Self { _dir: dir, store, machine, hub, sessions, clients, unborn, history, index, compacted }
    }

    fn head(&self) -> i64 {
        self.store.view().head()
    }

    fn apply(&mut self, operation: Operation) {
        self.index += 1;
        let command = Command { index: self.index, term: 1, payload: encode(1, operation) };
        let before = self.head();
        self.machine.apply(&[command], &Bytes::from_static(b"p")).unwrap();
        let all = Budget { events: usize::MAX, bytes: usize::MAX };
        for event in self.store.view().events_from(before + 1, all).unwrap() {
            let at = event.revision;
            self.history.push((at.main, at.sub, event.key.clone(), event.deleted));
        }
    }

    fn put(key: usize) -> PutRequest {
        PutRequest { key: KEYS[key].into(), value: "some value".into(), ..Default::default() }
    }

    fn create(&mut self, stream: usize, key: usize, end: Option<usize>, start: i64, filters: (bool, bool)) {
        let span = Span::new(KEYS[key].into(), end.map_or(Bytes::new(), |end| KEYS[end].into()));
        let (puts, deletions) = filters;
        let options = Options { progress: true, ..Options::default() };
        let new = NewWatcher { span: span.clone(), start, id: 0, puts, deletions, options };
        let due = if start == 0 { self.head() + 1 } else { start };
        if !span.is_empty() {
            self.unborn[stream].push(Client { span, filters, start: due, got: vec![], ended: false });
        }
        self.sessions[stream].create(new);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(key) => self.apply(Operation::Put(Self::put(key))),
            Step::Delete(key) => {
                let key = KEYS[key].into();
                self.apply(Operation::DeleteRange(DeleteRangeRequest { key, ..Default::default() }));
            }
            Step::PutSeveral(keys) => {
                let put = |key| RequestOp { request: Some(Request::RequestPut(Self::put(key))) };
                let success = keys.into_iter().map(put).collect();
                self.apply(Operation::Txn(TxnRequest { success, ..Default::default() }));
            }
            Step::Compact(back) => {
                let revision = self.head() - back;
                self.apply(Operation::Compact(CompactionRequest { revision, physical: false }));
                self.compacted = self.store.compacted();
            }
            Step::Flush => self.store.flush().unwrap(),
            Step::Scrub => {
                self.store.flush().unwrap();
                while self.store.scrub(2).unwrap() {}
            }
            Step::Image => {
                let mut image = self.store.export();
                self.store.import(&mut image, &Bytes::from_static(b"p")).unwrap();
            }
            Step::Dispatch => drop(self.hub.dispatch(&self.store).unwrap()),
            Step::Create { stream, key, end, start, filters } => {
                self.create(stream, key, end, start, filters);
            }
            Step::Cancel { stream, nth } => {
                let ids: Vec<i64> = self.clients[stream].keys().copied().collect();
                if let Some(id) = ids.get(nth) {
                    self.sessions[stream].cancel(*id);
                }
            }
            Step::RequestProgress(stream) => self.sessions[stream].request_progress(),
            Step::LookAround(stream) => self.sessions[stream].look_around(),
            Step::Take(stream, n) => (0..n).for_each(|_| _ = self.take(stream)),
        }
    }

    /// The client takes one response, after a slice of history if there is none.
    fn take(&mut self, stream: usize) -> bool {
        let session = &mut self.sessions[stream];
        let mut notice = session.next();
        if notice.is_none() && session.is_behind() {
            session.catch_up().unwrap();
            notice = session.next();
        }
        let Some(notice) = notice else { return self.sessions[stream].is_behind() };
        self.check(stream, notice);
        true
    }

    fn check(&mut self, stream: usize, notice: Notice) {
        let (history, clients) = (&self.history, &mut self.clients[stream]);
        match notice.content {
            Content::Created => {
                let client = self.unborn[stream].remove(0);
                assert!(clients.insert(notice.id, client).is_none(), "id {} is in use", notice.id);
            }
            Content::Refused(_) => assert_eq!(notice.id, -1),
            Content::Canceled => clients.get_mut(&notice.id).unwrap().ended = true,
            Content::Compacted(revision) => {
                let client = clients.get_mut(&notice.id).unwrap();
                client.ended = true;
                let next = client.expects(history).nth(client.got.len()).map(|change| change.0);
                assert!(
                    next.is_none_or(|next| next < revision) || client.start < revision,
                    "{next:?} {revision}"
                );
                assert!(revision <= self.compacted);
            }
            Content::Events(events, _) => {
                let client = clients.get_mut(&notice.id).unwrap();
                assert!(!client.ended && !events.is_empty());
                client.got.extend(events.iter().map(|event| {
                    let at = event.revision;
                    (at.main, at.sub, event.key.clone(), event.deleted)
                }));
                assert!(client.got.last().unwrap().0 <= notice.revision);
                client.check_prefix(history);
                client.check_up_to(history, notice.revision);
            }
            Content::Progress => {
                let told: Vec<&Client> = match notice.id {
                    -1 => clients.values().filter(|client| !client.ended).collect(),
                    id => vec![&clients[&id]],
                };
                for client in told {
                    assert!(!client.ended);
                    assert!(notice.revision >= client.start - 1, "progress before the watcher's time");
                    client.check_up_to(history, notice.revision);
                }
            }
        }
    }

    /// Every client reads until nothing is left: each that was not cancelled has everything.
    fn settle(&mut self) {
        while self.hub.dispatch(&self.store).unwrap() {}
        for stream in 0..STREAMS {
            while self.take(stream) {}
            assert!(self.unborn[stream].is_empty());
            for client in self.clients[stream].values() {
                client.check_prefix(&self.history);
                if !client.ended {
                    client.check_up_to(&self.history, i64::MAX);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn watchers_hear_everything_once_in_order_and_whole(
        steps in prop::collection::vec(step(), 1..80), buffered in prop::sample::select(vec![1, 600, 1 << 20]),
    ) {
        let mut world = World::new(buffered);
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}

fn drain(world: &mut World) {
    while world.take(0) {}
}

fn watch_all(world: &mut World, start: i64) {
    world.create(0, 0, Some(3), start, (true, true));
}

#[test]
fn a_bookmark_never_overtakes_what_waits_in_the_queue_etcd_15220() {
    let mut world = World::new(1 << 20);
    watch_all(&mut world, 0);
    world.step(Step::Put(0));
    world.sessions[0].request_progress();
    assert!(matches!(world.sessions[0].next().unwrap().content, Content::Created));
    // The put was applied but not dispatched: there is nothing to say yet.
    assert!(world.sessions[0].next().is_none() && world.sessions[0].awaits_hub());
    world.step(Step::Dispatch);
    assert!(matches!(world.sessions[0].next().unwrap().content, Content::Events(..)));
    let bookmark = world.sessions[0].next().unwrap();
    assert!(matches!(bookmark.content, Content::Progress));
    assert_eq!((bookmark.id, bookmark.revision), (-1, 2));
}

#[test]
fn a_slow_watcher_loses_nothing_etcd_17529() {
    let mut world = World::new(1);
    watch_all(&mut world, 0);
    drain(&mut world);
    for _ in 0..50 {
        world.step(Step::PutSeveral(vec![0, 1]));
        world.step(Step::Dispatch);
    }
    world.step(Step::Scrub);
    drain(&mut world);
    assert_eq!(world.clients[0][&0].got.len(), 100);
    // It is served by the hub again.
    world.step(Step::Put(0));
    world.step(Step::Dispatch);
    assert!(!world.sessions[0].is_behind());
    drain(&mut world);
    assert_eq!(world.clients[0][&0].got.len(), 101);
}

#[test]
fn a_deletion_at_the_compacted_revision_reaches_a_watch_that_begins_there_etcd_19179() {
    let mut world = World::new(1 << 20);
    for step in [Step::Put(0), Step::Delete(0), Step::Put(1), Step::Compact(1), Step::Dispatch, Step::Scrub] {
        world.step(step);
    }
    watch_all(&mut world, 3);
    drain(&mut world);
    let got: Vec<(i64, bool)> = world.clients[0][&0].got.iter().map(|c| (c.0, c.3)).collect();
    assert_eq!(got, [(3, true), (4, false)]);
}

#[test]
fn a_watch_of_the_future_hears_nothing_of_the_present_etcd_20221() {
    let mut world = World::new(1 << 20);
    watch_all(&mut world, 5);
    for _ in 2..5 {
        world.step(Step::Put(0));
        world.step(Step::Dispatch);
        world.sessions[0].request_progress();
        world.sessions[0].look_around();
        drain(&mut world);
    }
    assert!(world.clients[0][&0].got.is_empty());
    world.step(Step::Put(0));
    world.step(Step::Dispatch);
    drain(&mut world);
    assert_eq!(world.clients[0][&0].got.len(), 1);
}

#[test]
fn a_watch_of_the_compacted_past_ends_with_the_oldest_revision_left() {
    let mut world = World::new(1 << 20);
    for step in [Step::Put(0), Step::Put(0), Step::Put(0), Step::Compact(0), Step::Dispatch] {
        world.step(step);
    }
    watch_all(&mut world, 3);
    assert!(matches!(world.sessions[0].next().unwrap().content, Content::Created));
    assert!(world.sessions[0].next().is_none());
    world.sessions[0].catch_up().unwrap();
    assert!(matches!(world.sessions[0].next().unwrap().content, Content::Compacted(4)));
    assert!(!world.sessions[0].is_behind());
}

#[test]
fn a_stream_that_is_not_read_costs_its_buffer_and_no_more() {
    let mut world = World::new(4096);
    watch_all(&mut world, 0);
    for _ in 0..1000 {
        world.step(Step::Put(0));
        world.step(Step::Dispatch);
    }
    assert!(world.sessions[0].inbox().bytes() <= 4096);
    drain(&mut world);
    assert_eq!(world.clients[0][&0].got.len(), 1000);
}

#[test]
fn watchers_that_lag_are_counted_and_the_worst_are_named() {
    let mut world = World::new(4096);
    watch_all(&mut world, 0);
    let quiet = Span::new("nothing".into(), Bytes::new());
    let (options, start) = (Options::default(), 0);
    let new = NewWatcher { span: quiet, start, id: 9, puts: true, deletions: true, options };
    world.sessions[1].create(new);
    for _ in 0..200 {
        world.step(Step::Put(0));
        world.step(Step::Dispatch);
    }
    let head = world.store.view().head();
    let survey = |world: &World| world.hub.survey(head, 1);
    let seen = survey(&world);
    assert_eq!((seen.streams, seen.watchers), (STREAMS as u64, 2));
    assert!(seen.pending > 0, "what fits into the buffer waits there");
    assert_eq!(seen.lagging[..4], [1, 1, 1, 0], "more than 0, 10 and 100 revisions; not more than 1000");
    assert_eq!((seen.worst.len(), seen.worst[0].lag, seen.worst[0].id), (1, 200, 0));
    // While the stream reads on, it lags less; at the end not at all.
    let mut last = 200;
    while survey(&world).lagging[0] > 0 {
        world.step(Step::Take(0, 1));
        let lag = survey(&world).worst.first().map_or(0, |worst| worst.lag);
        assert!(lag <= last, "{lag} after {last}");
        last = lag;
    }
    let seen = survey(&world);
    assert_eq!((seen.watchers, seen.behind, seen.pending, seen.worst.len()), (2, 0, 0, 0));
    world.sessions.clear();
    assert_eq!(survey(&world).watchers, 0, "who is gone is not counted");
}

#[test]
fn refusals_are_etcds() {
    let mut world = World::new(1 << 20);
    let refused = |world: &mut World, span: Span, start: i64, id: i64| {
        let options = Options::default();
        world.sessions[0].create(NewWatcher { span, start, id, puts: true, deletions: true, options });
        match world.sessions[0].next().unwrap() {
            Notice { id: -1, content: Content::Refused(why), .. } => why,
            other => panic!("{other:?}"),
        }
    };
    let one = Span::new("k".into(), Bytes::new());
    assert_eq!(refused(&mut world, Span::new("b".into(), "a".into()), 0, 0), "mvcc: watcher range is empty");
    assert_eq!(
        refused(&mut world, one.clone(), -1, 0),
        "etcdserver: mvcc: required revision has been compacted"
    );
    let options = Options::default();
    let new = NewWatcher { span: one.clone(), start: 0, id: 7, puts: true, deletions: true, options };
    world.sessions[0].create(new);
    assert_eq!(world.sessions[0].next().unwrap().id, 7);
    assert_eq!(refused(&mut world, one, 0, 7), "mvcc: duplicate watch ID provided on the WatchStream");
}
