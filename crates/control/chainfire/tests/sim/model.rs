//! What every revision must look like: the events replayed, and requests carried out on the outcome.

use std::collections::BTreeMap;

use bytes::Bytes;
use chainfire::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use chainfire::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use chainfire::proto::etcdserverpb::request_op::Request as Op;
use chainfire::proto::etcdserverpb::response_op::Response as Done;
use chainfire::proto::etcdserverpb::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    ResponseOp, TxnRequest, TxnResponse,
};
use chainfire::proto::mvccpb::KeyValue;
use chainfire::store::Event;

use crate::history::in_span;

pub(crate) type State = BTreeMap<Bytes, KeyValue>;

/// A key's new state, or its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) key: Bytes,
    pub(crate) kv: Option<KeyValue>,
}

/// Every revision's state and changes.
pub(crate) struct Replay {
    states: Vec<State>,
    changes: Vec<Vec<Change>>,
}

impl Replay {
    /// Replays the events by revision, or says what is wrong with them.
    pub(crate) fn new(events: &BTreeMap<i64, Vec<Event>>) -> Result<Self, String> {
        let mut replay = Self { states: vec![State::new(), State::new()], changes: vec![vec![], vec![]] };
        for (revision, events) in events {
            if *revision != replay.head() + 1 {
                return Err(format!("no replica showed revision {}", replay.head() + 1));
            }
            replay.take(*revision, events)?;
        }
        Ok(replay)
    }

    fn take(&mut self, revision: i64, events: &[Event]) -> Result<(), String> {
        let mut run = Run::new(self, revision - 1);
        for (sub, event) in events.iter().enumerate() {
            let wrong = |why: &str| Err(format!("{why} at {revision}: {event:?}"));
            if event.revision.sub as usize != sub {
                return wrong("a change is missing");
            }
            if run.changes.iter().any(|change| change.key == event.key) {
                return wrong("a key changes twice");
            }
            if event.deleted {
                if !run.state.contains_key(&event.key) {
                    return wrong("what does not exist is deleted");
                }
                run.bury(&event.key);
            } else {
                run.write(&event.key, &event.value, event.lease);
                if run.state.get(&event.key) != Some(&event.key_value()) {
                    return wrong("a key's counters are wrong");
                }
            }
        }
        let Run { state, changes, .. } = run;
        self.states.push(state);
        self.changes.push(changes);
        Ok(())
    }

    pub(crate) fn head(&self) -> i64 {
        self.states.len() as i64 - 1
    }

    pub(crate) fn state(&self, revision: i64) -> Option<&State> {
        self.states.get(usize::try_from(revision).ok()?)
    }

    pub(crate) fn changes(&self, revision: i64) -> &[Change] {
        usize::try_from(revision).ok().and_then(|at| self.changes.get(at)).map_or(&[], Vec::as_slice)
    }
}

/// A request being carried out after a revision.
pub(crate) struct Run<'a> {
    replay: &'a Replay,
    before: i64,
    pub(crate) state: State,
    pub(crate) changes: Vec<Change>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(replay: &'a Replay, before: i64) -> Self {
        let state = replay.state(before).cloned().unwrap_or_default();
        Self { replay, before, state, changes: Vec::new() }
    }

    fn write(&mut self, key: &Bytes, value: &Bytes, lease: i64) {
        let (old, revision) = (self.state.get(key), self.before + 1);
        let kv = KeyValue {
            key: key.clone(),
            value: value.clone(),
            create_revision: old.map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
            version: old.map_or(1, |kv| kv.version + 1),
            lease,
        };
        self.state.insert(key.clone(), kv.clone());
        self.changes.push(Change { key: key.clone(), kv: Some(kv) });
    }

    fn bury(&mut self, key: &Bytes) {
        self.state.remove(key);
        self.changes.push(Change { key: key.clone(), kv: None });
    }

    pub(crate) fn put(&mut self, put: &PutRequest) -> PutResponse {
        let prev_kv = self.state.get(&put.key).filter(|_| put.prev_kv).cloned();
        self.write(&put.key, &put.value, put.lease);
        PutResponse { header: None, prev_kv }
    }

    pub(crate) fn delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let gone: Vec<KeyValue> = self.span(&delete.key, &delete.range_end).cloned().collect();
        gone.iter().for_each(|kv| self.bury(&kv.key));
        let deleted = gone.len() as i64;
        DeleteRangeResponse { header: None, deleted, prev_kvs: if delete.prev_kv { gone } else { vec![] } }
    }

    fn span<'b>(&'b self, start: &'b [u8], end: &'b [u8]) -> impl Iterator<Item = &'b KeyValue> {
        self.state.values().filter(move |kv| in_span(start, end, &kv.key))
    }

    pub(crate) fn range(&self, range: &RangeRequest) -> RangeResponse {
        let past = (range.revision > 0).then(|| self.replay.state(range.revision)).flatten();
        let state = past.unwrap_or(&self.state);
        let within = |kv: &&KeyValue| in_span(&range.key, &range.range_end, &kv.key);
        let mut kvs: Vec<KeyValue> = state.values().filter(within).cloned().collect();
        let count = kvs.len() as i64;
        if range.sort_target() == SortTarget::Mod && range.sort_order() == SortOrder::Descend {
            kvs.sort_by_key(|kv| std::cmp::Reverse(kv.mod_revision));
        }
        let more = range.limit > 0 && count > range.limit && !range.count_only;
        if range.limit > 0 {
            kvs.truncate(range.limit as usize);
        }
        if range.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        if range.count_only {
            kvs.clear();
        }
        RangeResponse { header: None, kvs, more, count }
    }

    pub(crate) fn txn(&mut self, txn: &TxnRequest) -> TxnResponse {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let operations = if succeeded { &txn.success } else { &txn.failure };
        let responses = operations.iter().filter_map(|op| op.request.as_ref()).map(|op| self.operate(op));
        let responses = responses.map(|done| ResponseOp { response: Some(done) }).collect();
        TxnResponse { header: None, succeeded, responses }
    }

    fn operate(&mut self, op: &Op) -> Done {
        match op {
            Op::RequestRange(range) => Done::ResponseRange(self.range(range)),
            Op::RequestPut(put) => Done::ResponsePut(self.put(put)),
            Op::RequestDeleteRange(delete) => Done::ResponseDeleteRange(self.delete(delete)),
            Op::RequestTxn(txn) => Done::ResponseTxn(self.txn(txn)),
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let kv = self.state.get(&compare.key);
        let number = |target: i64, of: fn(&KeyValue) -> i64| Some(kv.map_or(0, of).cmp(&target));
        let order = match (compare.target(), &compare.target_union) {
            (CompareTarget::Version, Some(TargetUnion::Version(n))) => number(*n, |kv| kv.version),
            (CompareTarget::Create, Some(TargetUnion::CreateRevision(n))) => {
                number(*n, |kv| kv.create_revision)
            }
            (CompareTarget::Mod, Some(TargetUnion::ModRevision(n))) => number(*n, |kv| kv.mod_revision),
            (CompareTarget::Lease, Some(TargetUnion::Lease(n))) => number(*n, |kv| kv.lease),
            (CompareTarget::Value, Some(TargetUnion::Value(v))) => kv.map(|kv| kv.value.cmp(v)),
            _ => None,
        };
        order.is_some_and(|order| match compare.result() {
            CompareResult::Equal => order.is_eq(),
            CompareResult::NotEqual => order.is_ne(),
            CompareResult::Greater => order.is_gt(),
            CompareResult::Less => order.is_lt(),
        })
    }
}

/// Without the headers, which the model does not give.
pub(crate) fn bare(mut response: TxnResponse) -> TxnResponse {
    response.header = None;
    for op in &mut response.responses {
        match &mut op.response {
            Some(Done::ResponseRange(r)) => r.header = None,
            Some(Done::ResponsePut(r)) => r.header = None,
            Some(Done::ResponseDeleteRange(r)) => r.header = None,
            Some(Done::ResponseTxn(r)) => *r = bare(std::mem::take(r)),
            None => {}
        }
    }
    response
}
