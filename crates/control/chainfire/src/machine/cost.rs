//! What a request adds to the store, about, as etcd's `quota.go` counts it. Whoever adds nothing is let in
//! when there is no room: deletions are how room is made.

use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::{PutRequest, RequestOp, TxnRequest};

/// A key's counters and what the tables take for it.
const KEY_OVERHEAD: u64 = 256;
/// A lease.
pub(crate) const LEASE: u64 = 64;

/// Bytes of a put.
pub(crate) fn put(request: &PutRequest) -> u64 {
    KEY_OVERHEAD + request.key.len() as u64 + request.value.len() as u64
}

/// Bytes of the dearer branch. Transactions inside count, too; etcd lets them in for nothing.
pub(crate) fn txn(request: &TxnRequest) -> u64 {
    let branch = |operations: &[RequestOp]| operations.iter().map(operation).sum::<u64>();
    branch(&request.success).max(branch(&request.failure))
}

fn operation(operation: &RequestOp) -> u64 {
    match &operation.request {
        Some(Request::RequestPut(request)) => put(request),
        Some(Request::RequestTxn(inner)) => txn(inner),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::etcdserverpb::{DeleteRangeRequest, RangeRequest};

    fn op(request: Request) -> RequestOp {
        RequestOp { request: Some(request) }
    }

    #[test]
    fn the_dearer_branch_counts_and_so_does_what_is_nested() {
        let a_put = PutRequest { key: "key".into(), value: "value".into(), ..Default::default() };
        assert_eq!(put(&a_put), 264);
        let read = op(Request::RequestRange(RangeRequest::default()));
        let delete = op(Request::RequestDeleteRange(DeleteRangeRequest::default()));
        let free = TxnRequest { success: vec![read.clone(), delete], ..Default::default() };
        assert_eq!(txn(&free), 0);
        let one = TxnRequest { success: vec![op(Request::RequestPut(a_put.clone()))], ..Default::default() };
        let nested = TxnRequest {
            success: vec![op(Request::RequestPut(a_put.clone()))],
            failure: vec![read, op(Request::RequestTxn(one)), op(Request::RequestPut(a_put))],
            ..Default::default()
        };
        assert_eq!(txn(&nested), 2 * 264);
    }
}
