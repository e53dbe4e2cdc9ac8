//! Lock and Election: etcd's recipes (`client/v3/concurrency`, `api/v3lock`, `api/v3election`), made of the
//! same requests that a client could make, in its name and with its permissions.
//!
//! Whoever made the oldest key under `<name>/` holds the lock, or leads. A request that waits costs one
//! watcher of the key ahead of its own, and no place among the requests under way. It is over when its
//! client goes away, and its key with it: that is a task's to see to, for a request that nobody awaits any
//! more is not run to its end.

mod election;
mod follow;
mod lock;
mod observe;
mod queue;
mod ticket;

use bytes::{BufMut, Bytes, BytesMut};

use crate::convert::Rejection;
use crate::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::proto::etcdserverpb::request_op::Request as Op;
use crate::proto::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp};

/// Seconds that a lease lives that a request did not bring itself: etcd's.
const SESSION_TTL: i64 = 60;

/// What etcd's own client gives its callers has no code that gRPC knows: only the words arrive.
fn unclassified(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::DeadlineExceeded | Rejection::Unclassified(_) => rejection,
        other => Rejection::Unclassified(other.text().to_owned()),
    }
}

fn recipe_error(text: &'static str) -> Rejection {
    Rejection::Unclassified(text.into())
}

/// What the keys of a lock or an election begin with.
fn prefix(name: &[u8]) -> Bytes {
    [name, b"/"].concat().into()
}

/// Where the keys that begin with a prefix end: `0` is what comes after `/`.
fn prefix_end(prefix: &Bytes) -> Bytes {
    let mut end = BytesMut::from(prefix.as_ref());
    end.truncate(prefix.len().saturating_sub(1));
    end.put_u8(b'/' + 1);
    end.freeze()
}

/// A contender's key. A client may have chosen a negative lease, whose hexadecimal Go writes with a sign.
fn key_of(prefix: &Bytes, lease: i64) -> Bytes {
    let sign = if lease < 0 { "-" } else { "" };
    let id = format!("{sign}{:x}", lease.unsigned_abs());
    [prefix.as_ref(), id.as_bytes()].concat().into()
}

/// The key under a prefix that was created first, or last, of those created up to a revision (0: of all).
fn by_creation(prefix: &Bytes, order: SortOrder, up_to: i64) -> RangeRequest {
    RangeRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        limit: 1,
        sort_order: order.into(),
        sort_target: SortTarget::Create.into(),
        max_create_revision: up_to,
        ..Default::default()
    }
}

fn created_at(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: key.clone(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        range_end: Bytes::new(),
    }
}

fn put(key: &Bytes, value: Bytes, lease: i64) -> RequestOp {
    let put = PutRequest { key: key.clone(), value, lease, ..Default::default() };
    RequestOp { request: Some(Op::RequestPut(put)) }
}

fn delete(key: &Bytes) -> RequestOp {
    let delete = DeleteRangeRequest { key: key.clone(), ..Default::default() };
    RequestOp { request: Some(Op::RequestDeleteRange(delete)) }
}

fn get(range: RangeRequest) -> RequestOp {
    RequestOp { request: Some(Op::RequestRange(range)) }
}

fn get_key(key: &Bytes) -> RequestOp {
    get(RangeRequest { key: key.clone(), ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_go_names_them() {
        let prefix = prefix(b"\xffname");
        assert_eq!(key_of(&prefix, 0x1f2e), b"\xffname/1f2e".as_slice());
        assert_eq!(key_of(&prefix, -26), b"\xffname/-1a".as_slice());
        assert_eq!(key_of(&prefix, i64::MIN), b"\xffname/-8000000000000000".as_slice());
        assert_eq!(prefix_end(&prefix), b"\xffname0".as_slice());
    }
}
