//! Alarm, Status, Defragment, Hash, HashKV, MoveLeader, Snapshot.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use kit::Context;
use kit::disk::{File, read_exact_at};
use kit::server::Peer;
use quorum::Change;
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, async_trait};

use super::{Api, OnLearner, unexpected};
use crate::convert::Rejection;
use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::maintenance_server::Maintenance;
use crate::proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, DefragmentRequest, DefragmentResponse, DowngradeRequest, DowngradeResponse,
    HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderRequest, MoveLeaderResponse,
    SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::store::{HASH, Image};
use crate::version::ETCD_VERSION;

/// Bytes of one part of a snapshot.
const PART: usize = 64 << 10;

type Snapshots = Pin<Box<dyn Stream<Item = Result<SnapshotResponse, Status>> + Send>>;

#[async_trait]
impl Maintenance for Api {
    type SnapshotStream = Snapshots;

    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        self.unary("Alarm", OnLearner::Refuse, request, |message| self.serve_alarm(message)).await
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.unary("Status", OnLearner::Serve, request, |_| self.serve_status()).await
    }

    async fn hash(&self, request: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        self.unary("Hash", OnLearner::Refuse, request, |_| self.serve_hash()).await
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        self.unary("HashKV", OnLearner::Refuse, request, |message| self.serve_hash_kv(message)).await
    }

    async fn defragment(
        &self,
        request: Request<DefragmentRequest>,
    ) -> Result<Response<DefragmentResponse>, Status> {
        self.unary("Defragment", OnLearner::Refuse, request, |_| self.serve_defragment()).await
    }

    async fn snapshot(&self, request: Request<SnapshotRequest>) -> Result<Response<Snapshots>, Status> {
        self.sound()?;
        self.admit(OnLearner::Serve, request.metadata())?;
        let (metadata, extensions, _) = request.into_parts();
        let permitted = async { Ok(()) };
        self.on_behalf("Snapshot", &metadata, extensions.get::<Peer>(), permitted).await?;
        let permit = self.snapshots().try_acquire_owned().map_err(|_| Rejection::TooManyRequests)?;
        Ok(Response::new(self.serve_snapshot(permit).await?))
    }

    async fn downgrade(
        &self,
        request: Request<DowngradeRequest>,
    ) -> Result<Response<DowngradeResponse>, Status> {
        self.unary("Downgrade", OnLearner::Refuse, request, |message| self.serve_downgrade(message)).await
    }

    async fn move_leader(
        &self,
        request: Request<MoveLeaderRequest>,
    ) -> Result<Response<MoveLeaderResponse>, Status> {
        self.unary("MoveLeader", OnLearner::Refuse, request, |message| self.serve_move(message.target_id))
            .await
    }
}

impl Api {
    async fn serve_alarm(&self, request: AlarmRequest) -> Result<AlarmResponse, Rejection> {
        let alarms = if request.action() == AlarmAction::Get {
            self.barrier().await?;
            self.alarms.asked(&request)
        } else {
            match self.propose(Operation::Alarm(request)).await? {
                Outcome::Alarm(response) => response.alarms,
                _ => return Err(unexpected()),
            }
        };
        Ok(AlarmResponse { header: self.header(), alarms })
    }

    async fn serve_status(&self) -> Result<StatusResponse, Rejection> {
        let status = self.group.status();
        let size = self.store.size();
        let leader = status.leadership.leader.unwrap_or(0);
        let leaderless = (leader == 0).then(|| Rejection::NoLeader.text().to_owned());
        let alarms = self.alarms.all();
        Ok(StatusResponse {
            header: self.header(),
            version: ETCD_VERSION.into(),
            db_size: size.total().cast_signed(),
            db_size_in_use: size.used.cast_signed(),
            leader,
            raft_index: status.committed,
            raft_term: status.leadership.term,
            raft_applied_index: status.applied,
            errors: leaderless.into_iter().chain(alarms.iter().map(ToString::to_string)).collect(),
            is_learner: status.is_learner(status.id),
        })
    }

    /// Waits for it; whoever stops waiting does not stop it.
    async fn serve_defragment(&self) -> Result<DefragmentResponse, Rejection> {
        let mut rewrites = self.store.rewrites();
        let ended = rewrites.borrow().ended;
        self.store.rewrite_soon();
        let rewrites = rewrites.wait_for(|rewrites| rewrites.ended > ended).await;
        match rewrites.map_err(|_| Rejection::Stopped)?.failure.clone() {
            None => Ok(DefragmentResponse { header: None }),
            Some(why) => Err(Rejection::Internal(why)),
        }
    }

    async fn serve_move(&self, target: u64) -> Result<MoveLeaderResponse, Rejection> {
        let status = self.group.status();
        if !status.leadership.is_leader {
            return Err(Rejection::NotLeader);
        }
        if status.member(target).is_none() || status.is_learner(target) {
            return Err(Rejection::BadTransferee);
        }
        self.make(Change::Transfer(target)).await?;
        Ok(MoveLeaderResponse { header: self.header() })
    }

    /// Writes an image to a file and streams that: a client that reads slowly must not hold on to the
    /// store's past, and the stream begins by telling how long it is.
    async fn serve_snapshot(&self, permit: OwnedSemaphorePermit) -> Result<Snapshots, Rejection> {
        let (store, context, dir) = (self.store.clone(), self.context.clone(), self.spool.clone());
        let spooled = self.blocking(move || {
            let image = store.export();
            let revision = image.revision();
            spool(&context, &dir, image).map(|(file, size)| (file, size, revision))
        });
        let (file, size, revision) = spooled.await?.map_err(|e| Rejection::Internal(e.to_string()))?;
        let reading = Reading { api: self.clone(), file, size, revision, at: 0, _permit: permit };
        Ok(Box::pin(stream::try_unfold(reading, Reading::next)))
    }
}

/// A snapshot on its way to a client.
struct Reading {
    api: Api,
    file: Arc<dyn File>,
    size: u64,
    revision: i64,
    at: u64,
    _permit: OwnedSemaphorePermit,
}

impl Reading {
    /// The next part; the hash at the end is a part of its own and not counted in what remains, as in etcd.
    async fn next(mut self) -> Result<Option<(SnapshotResponse, Self)>, Status> {
        let content = self.size - HASH as u64;
        let end = if self.at < content { content.min(self.at + PART as u64) } else { self.size };
        if self.at == end {
            return Ok(None);
        }
        let (file, at) = (self.file.clone(), self.at);
        let length = usize::try_from(end - at).map_err(|e| Status::internal(e.to_string()))?;
        let read = self.api.blocking(move || {
            let mut part = vec![0; length];
            read_exact_at(file.as_ref(), &mut part, at).map(|()| part)
        });
        let blob = read.await?.map_err(|e| Status::internal(format!("the snapshot's file: {e}")))?;
        self.at = end;
        let header = self.api.header_at(self.revision);
        let remaining_bytes = content.saturating_sub(end);
        Ok(Some((SnapshotResponse { header, remaining_bytes, blob: Bytes::from(blob) }, self)))
    }
}

/// Writes an image to a file that goes with its last handle. Blocks.
fn spool(context: &Context, dir: &std::path::Path, mut image: Image) -> io::Result<(Arc<dyn File>, u64)> {
    let disk = context.disk();
    disk.create_dir_all(dir)?;
    let path = dir.join(format!("{:016x}.snapshot", context.entropy().id()));
    let file: Arc<dyn File> = disk.open(&path, true)?.into();
    disk.remove(&path)?;
    let (mut buffer, mut size) = (vec![0; 256 << 10], 0);
    loop {
        let n = image.read(&mut buffer)?;
        if n == 0 {
            return Ok((file, size));
        }
        file.write_all_at(&buffer[..n], size)?;
        size += n as u64;
    }
}
