//! A store so naive that it is plainly right: every revision is a map of its own.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::machine::Refusal;
use crate::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::response_op::Response;
use crate::proto::etcdserverpb::*;
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{LeaseGrant, LeaseRevoke, LessorClaimed};
use crate::proto::mvccpb::KeyValue;

type Map = BTreeMap<Bytes, KeyValue>;

/// A change: which transaction, whether a deletion, and the key's state (of a deletion: key and revision).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) main: i64,
    pub(crate) deleted: bool,
    pub(crate) kv: KeyValue,
}

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) revision: i64,
    pub(crate) compacted: i64,
    epoch: u64,
    /// The store at every revision.
    past: BTreeMap<i64, Map>,
    pub(crate) changes: Vec<Change>,
    pub(crate) leases: BTreeMap<i64, i64>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let past = BTreeMap::from([(1, Map::new())]);
        Self { revision: 1, compacted: -1, epoch: 0, past, changes: Vec::new(), leases: BTreeMap::new() }
    }

    pub(crate) fn now(&self) -> &Map {
        &self.past[&self.revision]
    }

    pub(crate) fn attached(&self, lease: i64) -> Vec<Bytes> {
        self.now().values().filter(|kv| kv.lease == lease).map(|kv| kv.key.clone()).collect()
    }

    pub(crate) fn apply(&mut self, operation: Operation) -> Result<Outcome, Refusal> {
        let header = |revision| Some(ResponseHeader { revision, ..Default::default() });
        Ok(match operation {
            Operation::Put(put) => {
                self.check_put(&put)?;
                Outcome::Put(self.transact(|work| work.put(put)))
            }
            Operation::DeleteRange(delete) => Outcome::DeleteRange(self.transact(|work| work.delete(delete))),
            Operation::Txn(txn) => {
                let path = self.decide(&txn);
                self.check(&txn, &mut path.iter().copied())?;
                let mut response = self.transact(|work| work.txn(txn, &mut path.iter().copied()));
                response.header = header(self.revision);
                Outcome::Txn(response)
            }
            Operation::Compact(request) => {
                if request.revision <= self.compacted {
                    return Err(Refusal::Compacted);
                }
                if request.revision > self.revision {
                    return Err(Refusal::FutureRevision);
                }
                self.compacted = request.revision;
                Outcome::Compact(CompactionResponse { header: header(self.revision) })
            }
            Operation::LeaseGrant(LeaseGrant { id, ttl }) => {
                if self.leases.contains_key(&id) {
                    return Err(Refusal::LeaseExists);
                }
                self.leases.insert(id, ttl);
                Outcome::LeaseGrant(LeaseGrantResponse {
                    header: header(self.revision),
                    id,
                    ttl,
                    error: "".into(),
                })
            }
            Operation::LeaseRevoke(LeaseRevoke { id, epoch }) => {
                if epoch != 0 && epoch != self.epoch {
                    return Err(Refusal::StaleLessor);
                }
                self.leases.remove(&id).ok_or(Refusal::LeaseNotFound)?;
                let keys = self.attached(id);
                self.transact(|work| keys.iter().for_each(|key| work.remove(key)));
                Outcome::LeaseRevoke(LeaseRevokeResponse { header: header(self.revision) })
            }
            Operation::Auth(_) | Operation::Alarm(_) => unreachable!("the generator makes none"),
            Operation::LessorClaim(claim) => {
                self.epoch = claim.epoch;
                Outcome::LessorClaimed(LessorClaimed {})
            }
        })
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Refusal> {
        self.check_revision(request.revision)?;
        let at = if request.revision <= 0 { self.revision } else { request.revision };
        Ok(range(&self.past[&at], request, self.revision))
    }

    fn check_revision(&self, revision: i64) -> Result<(), Refusal> {
        if revision > self.revision {
            return Err(Refusal::FutureRevision);
        }
        if revision > 0 && revision < self.compacted { Err(Refusal::Compacted) } else { Ok(()) }
    }

    fn check_put(&self, put: &PutRequest) -> Result<(), Refusal> {
        if put.lease != 0 && !self.leases.contains_key(&put.lease) {
            return Err(Refusal::LeaseNotFound);
        }
        let keeps = put.ignore_value || put.ignore_lease;
        if keeps && !self.now().contains_key(&put.key) { Err(Refusal::KeyNotFound) } else { Ok(()) }
    }

    /// Outcomes of this transaction and of those nested in the branch taken, in the order they are met.
    fn decide(&self, txn: &TxnRequest) -> Vec<bool> {
        let succeeded = txn.compare.iter().all(|c| holds(self.now(), c));
        let mut path = vec![succeeded];
        for op in branch(txn, succeeded) {
            if let Some(Request::RequestTxn(inner)) = &op.request {
                path.extend(self.decide(inner));
            }
        }
        path
    }

    fn check(&self, txn: &TxnRequest, path: &mut impl Iterator<Item = bool>) -> Result<(), Refusal> {
        let succeeded = path.next().unwrap();
        for op in branch(txn, succeeded) {
            match op.request.as_ref().unwrap() {
                Request::RequestRange(r) => self.check_revision(r.revision)?,
                Request::RequestPut(p) => self.check_put(p)?,
                Request::RequestDeleteRange(_) => {}
                Request::RequestTxn(inner) => self.check(inner, path)?,
            }
        }
        Ok(())
    }

    fn transact<T>(&mut self, run: impl FnOnce(&mut Work<'_>) -> T) -> T {
        let main = self.revision + 1;
        let map = self.now().clone();
        let mut work = Work { past: &self.past, map, main, changes: Vec::new() };
        let result = run(&mut work);
        let Work { map, changes, .. } = work;
        if !changes.is_empty() {
            self.revision = main;
            self.past.insert(main, map);
            self.changes.extend(changes);
        }
        result
    }
}

struct Work<'a> {
    past: &'a BTreeMap<i64, Map>,
    map: Map,
    main: i64,
    changes: Vec<Change>,
}

impl Work<'_> {
    fn revision(&self) -> i64 {
        if self.changes.is_empty() { self.main - 1 } else { self.main }
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.revision(), ..Default::default() })
    }

    fn put(&mut self, put: PutRequest) -> PutResponse {
        let before = self.map.get(&put.key).cloned();
        let value = before.as_ref().filter(|_| put.ignore_value).map_or(put.value, |b| b.value.clone());
        let lease = before.as_ref().filter(|_| put.ignore_lease).map_or(put.lease, |b| b.lease);
        let kv = KeyValue {
            key: put.key.clone(),
            value,
            lease,
            create_revision: before.as_ref().map_or(self.main, |b| b.create_revision),
            mod_revision: self.main,
            version: before.as_ref().map_or(1, |b| b.version + 1),
        };
        self.map.insert(put.key, kv.clone());
        self.changes.push(Change { main: self.main, deleted: false, kv });
        PutResponse { header: self.header(), prev_kv: before.filter(|_| put.prev_kv) }
    }

    fn remove(&mut self, key: &Bytes) {
        self.map.remove(key);
        let kv = KeyValue { key: key.clone(), mod_revision: self.main, ..Default::default() };
        self.changes.push(Change { main: self.main, deleted: true, kv });
    }

    fn delete(&mut self, delete: DeleteRangeRequest) -> DeleteRangeResponse {
        let gone: Vec<KeyValue> =
            self.map.values().filter(|kv| within(&kv.key, &delete.key, &delete.range_end)).cloned().collect();
        gone.iter().for_each(|kv| self.remove(&kv.key));
        let deleted = gone.len() as i64;
        let prev_kvs = if delete.prev_kv { gone } else { vec![] };
        DeleteRangeResponse { header: self.header(), deleted, prev_kvs }
    }

    fn txn(&mut self, txn: TxnRequest, path: &mut impl Iterator<Item = bool>) -> TxnResponse {
        let succeeded = path.next().unwrap();
        let mut responses = Vec::new();
        for op in branch(&txn, succeeded).to_vec() {
            let response = match op.request.unwrap() {
                Request::RequestRange(r) => {
                    let now = self.revision();
                    let map = if r.revision <= 0 { &self.map } else { &self.past[&r.revision] };
                    Response::ResponseRange(range(map, &r, now))
                }
                Request::RequestPut(p) => Response::ResponsePut(self.put(p)),
                Request::RequestDeleteRange(d) => Response::ResponseDeleteRange(self.delete(d)),
                Request::RequestTxn(inner) => Response::ResponseTxn(self.txn(inner, path)),
            };
            responses.push(ResponseOp { response: Some(response) });
        }
        TxnResponse { header: Some(ResponseHeader::default()), succeeded, responses }
    }
}

fn branch(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

fn within(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        _ => key >= start && key < end,
    }
}

fn holds(map: &Map, compare: &Compare) -> bool {
    let keys: Vec<&KeyValue> =
        map.values().filter(|kv| within(&kv.key, &compare.key, &compare.range_end)).collect();
    let absent = KeyValue::default();
    if keys.is_empty() {
        return compare.target() != CompareTarget::Value && matches(&absent, compare);
    }
    keys.into_iter().all(|kv| matches(kv, compare))
}

fn matches(kv: &KeyValue, compare: &Compare) -> bool {
    let order = match (compare.target(), compare.target_union.clone().unwrap()) {
        (CompareTarget::Version, TargetUnion::Version(n)) => kv.version.cmp(&n),
        (CompareTarget::Create, TargetUnion::CreateRevision(n)) => kv.create_revision.cmp(&n),
        (CompareTarget::Mod, TargetUnion::ModRevision(n)) => kv.mod_revision.cmp(&n),
        (CompareTarget::Lease, TargetUnion::Lease(n)) => kv.lease.cmp(&n),
        (CompareTarget::Value, TargetUnion::Value(v)) => kv.value.cmp(&v),
        other => panic!("the generator makes no {other:?}"),
    };
    match compare.result() {
        CompareResult::Equal => order.is_eq(),
        CompareResult::NotEqual => order.is_ne(),
        CompareResult::Greater => order.is_gt(),
        CompareResult::Less => order.is_lt(),
    }
}

fn range(map: &Map, r: &RangeRequest, now: i64) -> RangeResponse {
    let mut kvs: Vec<KeyValue> =
        map.values().filter(|kv| within(&kv.key, &r.key, &r.range_end)).cloned().collect();
    let count = kvs.len() as i64;
    let header = Some(ResponseHeader { revision: now, ..Default::default() });
    if r.count_only {
        return RangeResponse { header, kvs: vec![], more: false, count };
    }
    let limit = if r.limit > 0 { r.limit as usize } else { usize::MAX };
    let bounds = [r.min_mod_revision, r.max_mod_revision, r.min_create_revision, r.max_create_revision];
    // etcd looks at no more keys than it may answer, unless it was told to sort or filter.
    if r.sort_order() == SortOrder::None && bounds == [0; 4] {
        kvs.truncate(limit.saturating_add(1));
    }
    kvs.retain(|kv| r.min_mod_revision == 0 || kv.mod_revision >= r.min_mod_revision);
    kvs.retain(|kv| r.max_mod_revision == 0 || kv.mod_revision <= r.max_mod_revision);
    kvs.retain(|kv| r.min_create_revision == 0 || kv.create_revision >= r.min_create_revision);
    kvs.retain(|kv| r.max_create_revision == 0 || kv.create_revision <= r.max_create_revision);
    let by = |a: &KeyValue, b: &KeyValue| match r.sort_target() {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    };
    match r.sort_order() {
        SortOrder::Descend => kvs.sort_by(|a, b| by(b, a)),
        _ => kvs.sort_by(by),
    }
    let more = kvs.len() > limit;
    kvs.truncate(limit);
    if r.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value.clear());
    }
    RangeResponse { header, kvs, more, count }
}
