//! What a request must be to be looked at at all: etcd's rules (`server/etcdserver/api/v3rpc/key.go`).

use std::collections::BTreeSet;

use bytes::Bytes;

use super::error::Rejection;
use crate::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use crate::store::Span;

/// Transactions inside transactions; protobuf decoders stop at a hundred levels of messages, those of clients too.
/// Each transaction takes two of them, and the log has one around all.
const DEEPEST: usize = 40;

/// The rules, with their bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checks {
    /// Operations in a transaction, those of the transactions inside it included.
    pub(crate) txn_operations: usize,
}

impl Checks {
    pub(crate) fn range(request: &RangeRequest) -> Result<(), Rejection> {
        if request.key.is_empty() {
            return Err(Rejection::EmptyKey);
        }
        let known = SortOrder::try_from(request.sort_order).is_ok()
            && SortTarget::try_from(request.sort_target).is_ok();
        if known { Ok(()) } else { Err(Rejection::InvalidSortOption) }
    }

    /// A range in parts comes in the order of keys, and whole (`checkRangeStreamRequest` of etcd 3.7).
    pub(crate) fn range_stream(request: &RangeRequest) -> Result<(), Rejection> {
        Self::range(request)?;
        let by_key = request.sort_target() == SortTarget::Key && request.sort_order() != SortOrder::Descend;
        if !by_key {
            return Err(Rejection::StreamSorted);
        }
        let bounds = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        if bounds == [0; 4] { Ok(()) } else { Err(Rejection::StreamFiltered) }
    }

    pub(crate) fn put(request: &PutRequest) -> Result<(), Rejection> {
        if request.key.is_empty() {
            return Err(Rejection::EmptyKey);
        }
        if request.ignore_value && !request.value.is_empty() {
            return Err(Rejection::ValueProvided);
        }
        if request.ignore_lease && request.lease != 0 {
            return Err(Rejection::LeaseProvided);
        }
        Ok(())
    }

    pub(crate) fn delete_range(request: &DeleteRangeRequest) -> Result<(), Rejection> {
        if request.key.is_empty() { Err(Rejection::EmptyKey) } else { Ok(()) }
    }

    pub(crate) fn txn(self, request: &TxnRequest) -> Result<(), Rejection> {
        check_txn(request, self.txn_operations, DEEPEST)?;
        touched(&request.success)?;
        touched(&request.failure)?;
        Ok(())
    }
}

fn check_txn(txn: &TxnRequest, room: usize, depth: usize) -> Result<(), Rejection> {
    let operations = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    let left = room.checked_sub(operations).ok_or(Rejection::TooManyOperations)?;
    if txn.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Rejection::EmptyKey);
    }
    for operation in txn.success.iter().chain(&txn.failure) {
        match &operation.request {
            Some(Request::RequestRange(range)) => Checks::range(range)?,
            Some(Request::RequestPut(put)) => Checks::put(put)?,
            Some(Request::RequestDeleteRange(delete)) => Checks::delete_range(delete)?,
            Some(Request::RequestTxn(inner)) => {
                check_txn(inner, left, depth.checked_sub(1).ok_or(Rejection::TooManyOperations)?)?;
            }
            // What etcd says of an operation without a request.
            None => return Err(Rejection::KeyNotFound),
        }
    }
    Ok(())
}

/// What a branch may put and delete.
#[derive(Default)]
struct Touched {
    puts: BTreeSet<Bytes>,
    deletions: Vec<Span>,
}

impl Touched {
    fn put(&mut self, key: &Bytes) -> Result<(), Rejection> {
        let deleted = self.deletions.iter().any(|span| span.contains(key));
        if deleted || !self.puts.insert(key.clone()) { Err(Rejection::DuplicateKey) } else { Ok(()) }
    }
}

/// No key may be put twice, or put and deleted. The two branches of an inner transaction exclude each
/// other and may put the same key.
fn touched(branch: &[RequestOp]) -> Result<Touched, Rejection> {
    let mut all = Touched::default();
    for operation in branch {
        if let Some(Request::RequestDeleteRange(delete)) = &operation.request {
            all.deletions.push(Span::new(delete.key.clone(), delete.range_end.clone()));
        }
    }
    for operation in branch {
        let Some(Request::RequestTxn(inner)) = &operation.request else { continue };
        let (then, otherwise) = (touched(&inner.success)?, touched(&inner.failure)?);
        for key in then.puts.union(&otherwise.puts) {
            all.put(key)?;
        }
        all.deletions.extend(then.deletions);
        all.deletions.extend(otherwise.deletions);
    }
    for operation in branch {
        if let Some(Request::RequestPut(put)) = &operation.request {
            all.put(&put.key)?;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> RequestOp {
        let request = PutRequest { key: key.to_owned().into(), ..Default::default() };
        RequestOp { request: Some(Request::RequestPut(request)) }
    }

    fn delete(key: &str, end: &str) -> RequestOp {
        let (key, range_end) = (key.to_owned().into(), end.to_owned().into());
        let request = DeleteRangeRequest { key, range_end, prev_kv: false };
        RequestOp { request: Some(Request::RequestDeleteRange(request)) }
    }

    fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
        let request = TxnRequest { compare: vec![], success, failure };
        RequestOp { request: Some(Request::RequestTxn(request)) }
    }

    fn check(success: Vec<RequestOp>) -> Result<(), Rejection> {
        Checks { txn_operations: 4 }.txn(&TxnRequest { success, ..Default::default() })
    }

    #[test]
    fn a_key_is_touched_once() {
        let twice = Err(Rejection::DuplicateKey);
        assert_eq!(check(vec![put("a"), put("b")]), Ok(()));
        assert_eq!(check(vec![put("a"), put("a")]), twice);
        assert_eq!(check(vec![put("b"), delete("a", "c")]), twice);
        assert_eq!(check(vec![put("c"), delete("a", "c")]), Ok(()));
        assert_eq!(check(vec![delete("a", "c"), delete("b", "")]), Ok(()));
        assert_eq!(check(vec![nested(vec![put("a")], vec![put("a")])]), Ok(()));
        assert_eq!(check(vec![put("a"), nested(vec![], vec![put("a")])]), twice);
        assert_eq!(check(vec![nested(vec![put("a")], vec![]), nested(vec![], vec![put("a")])]), twice);
        assert_eq!(check(vec![delete("a", "c"), nested(vec![put("b")], vec![])]), twice);
        assert_eq!(check(vec![nested(vec![delete("a", "c")], vec![]), put("b")]), twice);
    }

    #[test]
    fn operations_are_counted_through_all_levels() {
        let four = |n| (0..n).map(|i| put(&format!("k{i}"))).collect::<Vec<_>>();
        assert_eq!(check(four(4)), Ok(()));
        assert_eq!(check(four(5)), Err(Rejection::TooManyOperations));
        assert_eq!(check(vec![nested(four(3), vec![])]), Ok(()));
        assert_eq!(check(vec![nested(four(4), vec![])]), Err(Rejection::TooManyOperations));
    }

    #[test]
    fn deep_nesting_is_refused_without_recursing_far() {
        let deep = (0..DEEPEST + 1).fold(put("a"), |inner, _| nested(vec![inner], vec![]));
        let txn = TxnRequest { success: vec![deep], ..Default::default() };
        assert_eq!(Checks { txn_operations: 128 }.txn(&txn), Err(Rejection::TooManyOperations));
    }

    #[test]
    fn malformed_requests_get_etcds_words() {
        let text = |rejection: Result<(), Rejection>| rejection.unwrap_err().text().to_owned();
        let key = Bytes::from_static(b"k");
        assert_eq!(text(Checks::range(&RangeRequest::default())), "etcdserver: key is not provided");
        let odd = RangeRequest { key: key.clone(), sort_order: 9, ..Default::default() };
        assert_eq!(text(Checks::range(&odd)), "etcdserver: invalid sort option");
        let put = PutRequest { key, value: "v".into(), lease: 1, ..Default::default() };
        let keep = PutRequest { ignore_value: true, ..put.clone() };
        assert_eq!(text(Checks::put(&keep)), "etcdserver: value is provided");
        let keep = PutRequest { ignore_lease: true, ..put };
        assert_eq!(text(Checks::put(&keep)), "etcdserver: lease is provided");
        assert_eq!(text(check(vec![RequestOp { request: None }])), "etcdserver: key not found");
    }
}
