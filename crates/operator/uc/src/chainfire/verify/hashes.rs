//! Whether every replica has the same store, by the hash that each makes of its own.

use std::time::Duration;

use etcd_client::{Client, Error};
use history::Endpoints;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::CALL;

/// Replicas apply what is committed when they get to it, and a compaction may come between.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// gRPC: the server has no such method.
const UNIMPLEMENTED: i32 = 12;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub(super) enum Hashes {
    /// Every endpoint has this one.
    Agree {
        /// Of everything up to here.
        revision: i64,
        /// CRC-32C, as etcd's HashKV answers it.
        hash: u32,
        /// How many endpoints were asked.
        endpoints: usize,
    },
    /// The replicas are not alike.
    Differ {
        /// Up to here.
        revision: i64,
        /// What each says.
        hashes: Vec<Hash>,
    },
    /// The server does not make any.
    NotOffered,
    /// They could not be compared in time.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// One replica's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hash {
    endpoint: String,
    hash: u32,
    /// Two hashes can be compared only if both replicas have compacted to the same revision.
    compact_revision: i64,
}

/// Compares every endpoint's hash of the store at `revision`.
pub(super) async fn compare(endpoints: &Endpoints, revision: i64) -> Hashes {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let why = match ask_all(endpoints, revision).await {
            Ok(hashes) => match judge(revision, hashes) {
                Ok(found) => return found,
                Err(why) => why,
            },
            Err(Error::GRpcStatus(status)) if i32::from(status.code()) == UNIMPLEMENTED => {
                return Hashes::NotOffered;
            }
            Err(e) => e.to_string(),
        };
        if Instant::now() >= deadline {
            return Hashes::Unknown { why };
        }
        sleep(PAUSE).await;
    }
}

async fn ask_all(endpoints: &Endpoints, revision: i64) -> Result<Vec<Hash>, Error> {
    let mut hashes = Vec::new();
    for endpoint in endpoints.names() {
        let mut client: Client = endpoints.client(endpoint, CALL).await?;
        let answer = client.hash_kv(revision).await?;
        let (hash, compact_revision) = (answer.hash(), answer.compact_version());
        hashes.push(Hash { endpoint: endpoint.to_owned(), hash, compact_revision });
    }
    Ok(hashes)
}

/// `Err` means that another look is needed.
fn judge(revision: i64, hashes: Vec<Hash>) -> Result<Hashes, String> {
    let Some(first) = hashes.first() else { return Err("no endpoint was asked".to_owned()) };
    if let Some(other) = hashes.iter().find(|h| h.compact_revision != first.compact_revision) {
        return Err(format!(
            "{} has compacted to {}, {} to {}",
            first.endpoint, first.compact_revision, other.endpoint, other.compact_revision
        ));
    }
    if hashes.iter().all(|h| h.hash == first.hash) {
        return Ok(Hashes::Agree { revision, hash: first.hash, endpoints: hashes.len() });
    }
    Ok(Hashes::Differ { revision, hashes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(endpoint: &str, hash: u32, compact_revision: i64) -> Hash {
        Hash { endpoint: endpoint.to_owned(), hash, compact_revision }
    }

    #[test]
    fn hashes_are_compared_only_where_they_can_be() {
        let alike = vec![hash("a", 1, 5), hash("b", 1, 5)];
        assert_eq!(judge(9, alike), Ok(Hashes::Agree { revision: 9, hash: 1, endpoints: 2 }));
        let diverged = vec![hash("a", 1, 5), hash("b", 2, 5)];
        assert_eq!(judge(9, diverged.clone()), Ok(Hashes::Differ { revision: 9, hashes: diverged }));
        assert!(judge(9, vec![hash("a", 1, 5), hash("b", 2, 7)]).is_err(), "one has compacted meanwhile");
        assert!(judge(9, Vec::new()).is_err());
    }
}
