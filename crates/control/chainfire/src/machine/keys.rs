//! What Put and DeleteRange mean.

use crate::proto::etcdserverpb::{DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse};
use crate::store::{Batch, Span, StoreError, Transaction};

use super::range::{Reader, header};
use super::refusal::{Failure, Refusal};

/// Whether a put may be made: its lease is there, and so is what it wants to keep.
pub(crate) fn check_put(
    request: &PutRequest,
    reader: &Reader<'_>,
    is_lease: impl Fn(i64) -> bool,
) -> Result<(), Failure> {
    if request.lease != 0 && !is_lease(request.lease) {
        return Err(Refusal::LeaseNotFound.into());
    }
    if (request.ignore_value || request.ignore_lease) && reader.get(&request.key)?.is_none() {
        return Err(Refusal::KeyNotFound.into());
    }
    Ok(())
}

/// Carries out a put that was checked.
pub(crate) fn put(transaction: &mut Transaction<'_>, request: PutRequest) -> Result<PutResponse, StoreError> {
    let before = transaction.get(&request.key)?;
    let (mut value, mut lease) = (request.value, request.lease);
    let mut prev_kv = None;
    if let Some(before) = &before {
        if request.ignore_value {
            value = transaction.view().value(before)?;
        }
        if request.ignore_lease {
            lease = before.pointer.lease;
        }
        if request.prev_kv {
            prev_kv = Some(transaction.view().key_value(before.clone())?);
        }
    }
    transaction.put(request.key, value, lease, before.as_ref());
    Ok(PutResponse { header: header(transaction.at()), prev_kv })
}

/// Carries out a deletion.
pub(crate) fn delete_range(
    transaction: &mut Transaction<'_>,
    request: DeleteRangeRequest,
) -> Result<DeleteRangeResponse, StoreError> {
    let gone = transaction.delete(&Span::new(request.key, request.range_end))?;
    let deleted = gone.len() as i64;
    let mut prev_kvs = Vec::new();
    if request.prev_kv {
        prev_kvs.reserve(gone.len());
        for found in gone {
            prev_kvs.push(transaction.view().key_value(found)?);
        }
    }
    Ok(DeleteRangeResponse { header: header(transaction.at()), deleted, prev_kvs })
}

/// A put that is a transaction of its own.
pub(crate) fn apply_put(batch: &mut Batch<'_>, request: PutRequest) -> Result<PutResponse, Failure> {
    let reader = Reader::new(batch.view(), batch.state().revision, batch.state().compacted);
    check_put(&request, &reader, |lease| batch.lease(lease).is_some())?;
    let mut transaction = batch.transaction();
    let response = put(&mut transaction, request)?;
    transaction.commit();
    Ok(response)
}

/// A deletion that is a transaction of its own.
pub(crate) fn apply_delete(
    batch: &mut Batch<'_>,
    request: DeleteRangeRequest,
) -> Result<DeleteRangeResponse, Failure> {
    let mut transaction = batch.transaction();
    let response = delete_range(&mut transaction, request)?;
    transaction.commit();
    Ok(response)
}
