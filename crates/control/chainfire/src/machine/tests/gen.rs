//! Requests at random, over few keys, so that they meet.

use bytes::Bytes;
use proptest::prelude::*;

use crate::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::*;
use crate::proto::internal::command::Operation;
use crate::proto::internal::{LeaseGrant, LeaseRevoke, LessorClaim};

/// Keys that are prefixes of each other, hold zero bytes and sort oddly.
const KEYS: [&[u8]; 7] = [b"a", b"a\0", b"aa", b"b", b"b\xff", b"c", b"\xff"];

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(&KEYS[..]).prop_map(Bytes::from_static)
}

fn end() -> impl Strategy<Value = Bytes> {
    prop_oneof![3 => Just(Bytes::new()), 1 => Just(Bytes::from_static(b"\0")), 3 => key()]
}

fn value() -> impl Strategy<Value = Bytes> {
    prop::sample::select(&["", "x", "y", "longer than the others"][..]).prop_map(Bytes::from)
}

fn lease() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 4 => 1..4i64]
}

/// Revisions around those that a run of this length reaches, and nonsense.
fn revision() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(0), 12 => 1..40i64, 1 => Just(-3), 1 => Just(i64::MAX)]
}

prop_compose! {
    fn put()(
        key in key(), value in value(), lease in lease(), prev_kv: bool,
        keep in prop_oneof![8 => Just((false, false)), 1 => Just((true, false)), 1 => Just((false, true))],
    ) -> PutRequest {
        let (ignore_value, ignore_lease) = keep;
        PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
    }
}

prop_compose! {
    fn delete()(key in key(), range_end in end(), prev_kv: bool) -> DeleteRangeRequest {
        DeleteRangeRequest { key, range_end, prev_kv }
    }
}

prop_compose! {
    pub(super) fn range()(
        key in key(), range_end in end(), limit in prop_oneof![2 => Just(0), 2 => 1..5i64, 1 => Just(-1)],
        revision in revision(), sort_order in 0..3i32, sort_target in 0..5i32,
        keys_only: bool, count_only in prop::bool::weighted(0.2), filtered in prop::bool::weighted(0.3),
        bounds in prop::array::uniform4(prop_oneof![Just(0), 1..30i64]),
    ) -> RangeRequest {
        let [min_mod, max_mod, min_create, max_create] = if filtered { bounds } else { [0; 4] };
        RangeRequest {
            key, range_end, limit, revision, sort_order, sort_target, keys_only, count_only,
            serializable: false, min_mod_revision: min_mod, max_mod_revision: max_mod,
            min_create_revision: min_create, max_create_revision: max_create,
        }
    }
}

prop_compose! {
    fn compare()(
        key in key(), range_end in end(), result in 0..4i32, target in 0..5i32, number in 0..6i64, value in value(),
    ) -> Compare {
        let union = match CompareTarget::try_from(target).unwrap() {
            CompareTarget::Version => TargetUnion::Version(number),
            CompareTarget::Create => TargetUnion::CreateRevision(number * 4),
            CompareTarget::Mod => TargetUnion::ModRevision(number * 4),
            CompareTarget::Lease => TargetUnion::Lease(number),
            CompareTarget::Value => TargetUnion::Value(value),
        };
        let result = CompareResult::try_from(result).unwrap().into();
        Compare { result, target, key, range_end, target_union: Some(union) }
    }
}

fn txn(depth: u32) -> BoxedStrategy<TxnRequest> {
    let simple = prop_oneof![
        3 => put().prop_map(Request::RequestPut),
        2 => delete().prop_map(Request::RequestDeleteRange),
        2 => range().prop_map(Request::RequestRange),
    ];
    let request = if depth == 0 {
        simple.boxed()
    } else {
        prop_oneof![4 => simple, 1 => txn(depth - 1).prop_map(Request::RequestTxn)].boxed()
    };
    let branch = || prop::collection::vec(request.clone().prop_map(|r| RequestOp { request: Some(r) }), 0..4);
    (prop::collection::vec(compare(), 0..3), branch(), branch())
        .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure })
        .boxed()
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => put().prop_map(Operation::Put),
        4 => delete().prop_map(Operation::DeleteRange),
        8 => txn(2).prop_map(Operation::Txn),
        2 => (1..40i64).prop_map(|revision| Operation::Compact(CompactionRequest { revision, physical: false })),
        3 => (1..4i64, 1..100i64).prop_map(|(id, ttl)| Operation::LeaseGrant(LeaseGrant { id, ttl })),
        2 => (1..4i64, 0..3u64).prop_map(|(id, epoch)| Operation::LeaseRevoke(LeaseRevoke { id, epoch })),
        1 => (1..3u64).prop_map(|epoch| Operation::LessorClaim(LessorClaim { epoch })),
    ]
}
