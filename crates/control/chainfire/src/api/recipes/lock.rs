//! Lock and Unlock.

use tonic::{Request, Response, Status, async_trait};

use super::super::{Api, OnLearner};
use super::ticket::Wish;
use super::unclassified;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::DeleteRangeRequest;
use crate::proto::v3lockpb::lock_server::Lock;
use crate::proto::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};

/// etcd's words to one whose key is gone when its turn has come.
const EXPIRED: &str = "mutex: session is expired";

#[async_trait]
impl Lock for Api {
    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        let serve = async |message| self.serve_lock(message).await.map_err(unclassified);
        self.attend("Lock", OnLearner::Refuse, request, serve).await
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        let serve = async |message| self.serve_unlock(message).await.map_err(unclassified);
        self.unary("Unlock", OnLearner::Refuse, request, serve).await
    }
}

impl Api {
    async fn serve_lock(&self, request: LockRequest) -> Result<LockResponse, Rejection> {
        let LockRequest { name, lease } = request;
        let turn = self.take_turn(Wish { name, lease, value: None, lost: EXPIRED }).await?;
        Ok(LockResponse { header: turn.header, key: turn.ticket.key })
    }

    async fn serve_unlock(&self, request: UnlockRequest) -> Result<UnlockResponse, Rejection> {
        let delete = DeleteRangeRequest { key: request.key, ..Default::default() };
        Ok(UnlockResponse { header: self.serve_delete(delete).await?.header })
    }
}
