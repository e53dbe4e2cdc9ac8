//! Transactions: decide, check, then carry out.
//!
//! Which branch every nested transaction takes is decided on the state before the outermost one,
//! and everything that could be refused is checked along those branches, before anything is
//! changed: a refused transaction leaves no trace (etcd #18667).

use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::response_op::Response;
use crate::proto::etcdserverpb::{RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse};
use crate::store::{Batch, StoreError, Transaction, View};

use super::compare::all_hold;
use super::keys::{check_put, delete_range, put};
use super::range::{Reader, header};
use super::refusal::{Failure, Refusal};

/// The decisions of a transaction and, in order, of those nested in the branch it takes.
struct Path {
    succeeded: bool,
    nested: Vec<Path>,
}

fn decide(txn: &TxnRequest, view: &View, at: i64) -> Result<Path, StoreError> {
    let succeeded = all_hold(&txn.compare, view, at)?;
    let mut nested = Vec::new();
    for operation in branch(txn, succeeded) {
        if let Some(Request::RequestTxn(inner)) = &operation.request {
            nested.push(decide(inner, view, at)?);
        }
    }
    Ok(Path { succeeded, nested })
}

fn branch(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// Applies a transaction.
pub(crate) fn apply(batch: &mut Batch<'_>, request: TxnRequest) -> Result<TxnResponse, Failure> {
    let (now, compacted) = (batch.state().revision, batch.state().compacted);
    let path = decide(&request, batch.view(), now)?;
    let reader = Reader::new(batch.view(), now, compacted);
    check(&request, &path, &reader, |lease| batch.lease(lease).is_some())?;
    let mut transaction = batch.transaction();
    let mut response = execute(&mut transaction, request, &path, compacted)?;
    response.header = header(transaction.commit());
    Ok(response)
}

/// Answers a transaction that changes nothing. Whether it does is [`is_read_only`]'s to say.
pub(crate) fn read(view: &View, compacted: i64, request: &TxnRequest) -> Result<TxnResponse, Failure> {
    let now = view.head();
    let path = decide(request, view, now)?;
    let reader = Reader::new(view, now, compacted);
    check(request, &path, &reader, |_| false)?;
    let mut response = read_branch(&reader, request, &path)?;
    response.header = header(now);
    Ok(response)
}

/// Whether neither branch can change anything.
pub(crate) fn is_read_only(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|operation| match &operation.request {
        Some(Request::RequestRange(_)) => true,
        Some(Request::RequestTxn(nested)) => is_read_only(nested),
        _ => false,
    })
}

fn check(
    txn: &TxnRequest,
    path: &Path,
    reader: &Reader<'_>,
    is_lease: impl Fn(i64) -> bool + Copy,
) -> Result<(), Failure> {
    let mut nested = path.nested.iter();
    for operation in branch(txn, path.succeeded) {
        match &operation.request {
            Some(Request::RequestRange(range)) => {
                reader.resolve(range.revision)?;
            }
            Some(Request::RequestPut(put)) => check_put(put, reader, is_lease)?,
            Some(Request::RequestTxn(inner)) => {
                let inner_path = nested.next().ok_or(Refusal::KeyNotFound)?;
                check(inner, inner_path, reader, is_lease)?;
            }
            Some(Request::RequestDeleteRange(_)) | None => {}
        }
    }
    Ok(())
}

fn execute(
    transaction: &mut Transaction<'_>,
    txn: TxnRequest,
    path: &Path,
    compacted: i64,
) -> Result<TxnResponse, Failure> {
    let operations = if path.succeeded { txn.success } else { txn.failure };
    let mut nested = path.nested.iter();
    let mut responses = Vec::with_capacity(operations.len());
    for operation in operations {
        let response = match operation.request {
            Some(Request::RequestRange(range)) => {
                let reader = Reader::new(transaction.view(), transaction.at(), compacted);
                Some(Response::ResponseRange(reader.range(&range)?))
            }
            Some(Request::RequestPut(request)) => Some(Response::ResponsePut(put(transaction, request)?)),
            Some(Request::RequestDeleteRange(request)) => {
                Some(Response::ResponseDeleteRange(delete_range(transaction, request)?))
            }
            Some(Request::RequestTxn(inner)) => {
                let inner_path = nested.next().ok_or(Refusal::KeyNotFound)?;
                Some(Response::ResponseTxn(execute(transaction, inner, inner_path, compacted)?))
            }
            None => None,
        };
        responses.push(ResponseOp { response });
    }
    Ok(answer(path, responses))
}

fn read_branch(reader: &Reader<'_>, txn: &TxnRequest, path: &Path) -> Result<TxnResponse, Failure> {
    let mut nested = path.nested.iter();
    let mut responses = Vec::new();
    for operation in branch(txn, path.succeeded) {
        let response = match &operation.request {
            Some(Request::RequestRange(range)) => Some(Response::ResponseRange(reader.range(range)?)),
            Some(Request::RequestTxn(inner)) => {
                let inner_path = nested.next().ok_or(Refusal::KeyNotFound)?;
                Some(Response::ResponseTxn(read_branch(reader, inner, inner_path)?))
            }
            _ => None,
        };
        responses.push(ResponseOp { response });
    }
    Ok(answer(path, responses))
}

fn answer(path: &Path, responses: Vec<ResponseOp>) -> TxnResponse {
    let header = Some(ResponseHeader::default());
    TxnResponse { header, succeeded: path.succeeded, responses }
}
