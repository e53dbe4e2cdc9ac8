//! Range, Put, DeleteRange, Txn, Compact.

use std::sync::Arc;

use bytes::Bytes;
use tonic::{Request, Response, Status, async_trait};

use super::range_stream::Parts;
use super::slow::note_key;
use super::{Api, OnLearner, unexpected};
use crate::convert::{Checks, Rejection};
use crate::machine::{Reader, cost, decode_reply, encode_as, is_read_only, read_txn};
use crate::proto::etcdserverpb::kv_server::Kv;
use crate::proto::etcdserverpb::request_op::Request as Op;
use crate::proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;

#[async_trait]
impl Kv for Api {
    type RangeStreamStream = Parts;

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let on_learner = if request.get_ref().serializable { OnLearner::Serve } else { OnLearner::Refuse };
        let answer = self.unary("Range", on_learner, request, |message| self.serve_range(message)).await?;
        self.answers().hold(answer)
    }

    async fn range_stream(&self, request: Request<RangeRequest>) -> Result<Response<Parts>, Status> {
        self.attend("RangeStream", OnLearner::Refuse, request, |message| self.serve_range_stream(message))
            .await
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        self.unary("Put", OnLearner::Refuse, request, |message| self.serve_put(message)).await
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        let serve = |message| self.serve_delete(message);
        self.answers().hold(self.unary("DeleteRange", OnLearner::Refuse, request, serve).await?)
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let answer = self.unary("Txn", OnLearner::Refuse, request, |message| self.serve_txn(message)).await?;
        self.answers().hold(answer)
    }

    async fn compact(
        &self,
        request: Request<CompactionRequest>,
    ) -> Result<Response<CompactionResponse>, Status> {
        self.unary("Compact", OnLearner::Refuse, request, |message| self.serve_compact(message)).await
    }
}

impl Api {
    pub(super) async fn serve_range(&self, request: RangeRequest) -> Result<RangeResponse, Rejection> {
        note_key(request.key.clone());
        Checks::range(&request)?;
        let stale = self.context.sabotage().is("serve a stale read as linearizable");
        if !request.serializable && !stale {
            self.barrier().await?;
        }
        self.store.tally().ranged();
        let quick = request.range_end.is_empty();
        let (key, end) = (request.key.clone(), request.range_end.clone());
        let answer = self.read(quick, move |view, compacted| {
            Ok(Reader::new(view, view.head(), compacted).range(&request)?)
        });
        let mut response = self.read_as_permitted(|guard| Ok(guard.read(&key, &end)?), answer).await?;
        self.stamp(&mut response.header);
        Ok(response)
    }

    async fn serve_put(&self, request: PutRequest) -> Result<PutResponse, Rejection> {
        note_key(request.key.clone());
        Checks::put(&request)?;
        self.quota.admit(cost::put(&request)).await?;
        let Outcome::Put(mut response) = self.propose(Operation::Put(request)).await? else {
            return Err(unexpected());
        };
        self.stamp(&mut response.header);
        Ok(response)
    }

    pub(super) async fn serve_delete(
        &self,
        request: DeleteRangeRequest,
    ) -> Result<DeleteRangeResponse, Rejection> {
        note_key(request.key.clone());
        Checks::delete_range(&request)?;
        let Outcome::DeleteRange(mut response) = self.propose(Operation::DeleteRange(request)).await? else {
            return Err(unexpected());
        };
        self.stamp(&mut response.header);
        Ok(response)
    }

    /// A transaction that changes nothing does not pass through the log.
    pub(super) async fn serve_txn(&self, request: TxnRequest) -> Result<TxnResponse, Rejection> {
        note_key(first_key(&request));
        self.checks().txn(&request)?;
        let mut response = if is_read_only(&request) {
            self.read_in_txn(request).await?
        } else {
            self.quota.admit(cost::txn(&request)).await?;
            match self.propose(Operation::Txn(request)).await? {
                Outcome::Txn(response) => response,
                _ => return Err(unexpected()),
            }
        };
        self.stamp(&mut response.header);
        Ok(response)
    }

    pub(super) async fn read_in_txn(&self, request: TxnRequest) -> Result<TxnResponse, Rejection> {
        if !is_serializable(&request) {
            self.barrier().await?;
        }
        let (quick, request) = (touches_single_keys(&request), Arc::new(request));
        let asked = request.clone();
        let answer = self.read(quick, move |view, compacted| Ok(read_txn(view, compacted, &request)?));
        self.read_as_permitted(|guard| Ok(guard.txn(&asked, &|_| Ok(Vec::new()))?), answer).await
    }

    /// Compacts as the member itself, not for a client. The error says why not.
    pub(crate) async fn compact_by_itself(&self, id: u64, revision: i64) -> Result<(), String> {
        let operation = Operation::Compact(CompactionRequest { revision, physical: false });
        let command = encode_as(self.authority.as_root(), id, operation);
        let reply = self.group.propose(command).await.map_err(|e| e.to_string())?;
        let outcome = decode_reply(reply).map_err(|e| e.to_string())?;
        outcome.map(drop).map_err(|refusal| Status::from(Rejection::from(refusal)).message().to_owned())
    }

    async fn serve_compact(&self, request: CompactionRequest) -> Result<CompactionResponse, Rejection> {
        let Outcome::Compact(mut response) = self.propose(Operation::Compact(request)).await? else {
            return Err(unexpected());
        };
        if request.physical {
            // Another member may have applied it first, and a flush before it would be one too early.
            self.barrier().await?;
            self.store.flush_soon();
            let mut scrubbed = self.store.scrubbed();
            scrubbed.wait_for(|next| *next > request.revision).await.map_err(|_| Rejection::Stopped)?;
        }
        self.stamp(&mut response.header);
        Ok(response)
    }
}

/// By which a transaction is known in the log.
fn first_key(txn: &TxnRequest) -> Bytes {
    let of_operation = |operation: &RequestOp| match operation.request.as_ref()? {
        Op::RequestPut(put) => Some(put.key.clone()),
        Op::RequestRange(range) => Some(range.key.clone()),
        Op::RequestDeleteRange(delete) => Some(delete.key.clone()),
        Op::RequestTxn(_) => None,
    };
    let compared = txn.compare.first().map(|compare| compare.key.clone());
    compared.or_else(|| txn.success.iter().find_map(of_operation)).unwrap_or_default()
}

/// etcd's rule: only if every read of both branches says so.
fn is_serializable(txn: &TxnRequest) -> bool {
    let mut operations = txn.success.iter().chain(&txn.failure).map(|operation| &operation.request);
    operations.all(|operation| match operation {
        Some(Op::RequestRange(range)) => range.serializable,
        Some(Op::RequestTxn(inner)) => is_serializable(inner),
        _ => false,
    })
}

fn touches_single_keys(txn: &TxnRequest) -> bool {
    let mut operations = txn.success.iter().chain(&txn.failure).map(|operation| &operation.request);
    txn.compare.iter().all(|compare| compare.range_end.is_empty())
        && operations.all(|operation| match operation {
            Some(Op::RequestRange(range)) => range.range_end.is_empty(),
            Some(Op::RequestTxn(inner)) => touches_single_keys(inner),
            _ => true,
        })
}
