//! Hash and HashKV: is what one member holds what the others hold?
//!
//! One hash is taken at a time, a slice at a time, and whoever waits longer than it wishes just goes: the
//! store serves and applies meanwhile.

use tokio::time::{Instant, sleep};

use super::Api;
use crate::convert::Rejection;
use crate::proto::etcdserverpb::{HashKvRequest, HashKvResponse, HashResponse};
use crate::store::{Budget, Hashing, OutOfReach};

/// A few milliseconds of work.
const SLICE: Budget = Budget { events: 4096, bytes: 1 << 20 };

impl Api {
    pub(super) async fn serve_hash_kv(&self, request: HashKvRequest) -> Result<HashKvResponse, Rejection> {
        let (hashing, sum) = self.hash(request.revision).await?;
        Ok(HashKvResponse {
            header: self.header(),
            hash: fold(sum),
            compact_revision: hashing.compacted(),
            hash_revision: hashing.revision(),
        })
    }

    /// Of everything, users and alarms and leases too, as of now.
    pub(super) async fn serve_hash(&self) -> Result<HashResponse, Rejection> {
        let (hashing, sum) = self.hash(0).await?;
        let header = self.header_at(hashing.revision());
        let records = self.blocking(move || hashing.records()).await??;
        let leases = self.store.leases_hash();
        Ok(HashResponse { header, hash: fold(sum.wrapping_add(records).wrapping_add(leases)) })
    }

    async fn hash(&self, revision: i64) -> Result<(Hashing, u64), Rejection> {
        let _one = self.0.hashing.lock().await;
        let mut hashing = self.store.hash_at(revision)?;
        loop {
            let begun = Instant::now();
            let (next, step) = self
                .blocking(move || {
                    let step = hashing.step(SLICE);
                    (hashing, step)
                })
                .await?;
            hashing = next;
            if let Some(sum) = step? {
                return Ok((hashing, sum));
            }
            // Half of the time belongs to others.
            sleep(begun.elapsed()).await;
        }
    }
}

/// The 32 bits that the protocol has.
fn fold(sum: u64) -> u32 {
    (sum >> 32) as u32 ^ sum as u32
}

impl From<OutOfReach> for Rejection {
    fn from(why: OutOfReach) -> Self {
        match why {
            OutOfReach::Compacted => Self::Compacted,
            OutOfReach::Future => Self::FutureRevision,
        }
    }
}
