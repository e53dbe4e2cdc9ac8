//! What the commands about leases mean. Time has no part in it: a lease ends when a revocation is
//! replicated, and the lessor of the current epoch alone may ask for one because of time.

use crate::proto::etcdserverpb::{LeaseGrantResponse, LeaseRevokeResponse};
use crate::proto::internal::{LeaseGrant, LeaseRevoke};
use crate::store::{Batch, Span};

use super::range::header;
use super::refusal::{Failure, Refusal};

/// Adds a lease. Bounds on its time to live were checked by whoever proposed it.
pub(crate) fn grant(batch: &mut Batch<'_>, request: LeaseGrant) -> Result<LeaseGrantResponse, Failure> {
    let LeaseGrant { id, ttl } = request;
    if batch.lease(id).is_some() {
        return Err(Refusal::LeaseExists.into());
    }
    batch.grant(id, ttl);
    Ok(LeaseGrantResponse { header: header(batch.state().revision), id, ttl, error: String::new() })
}

/// Removes a lease and, in one transaction, its keys in order.
pub(crate) fn revoke(batch: &mut Batch<'_>, request: LeaseRevoke) -> Result<LeaseRevokeResponse, Failure> {
    let LeaseRevoke { id, epoch } = request;
    if epoch != 0 && epoch != batch.state().epoch {
        return Err(Refusal::StaleLessor.into());
    }
    if batch.lease(id).is_none() {
        return Err(Refusal::LeaseNotFound.into());
    }
    let keys = batch.view().attached(id)?;
    let mut transaction = batch.transaction();
    for key in keys {
        transaction.delete(&Span::new(key, bytes::Bytes::new()))?;
    }
    let revision = transaction.commit();
    batch.revoke(id);
    Ok(LeaseRevokeResponse { header: header(revision) })
}
