//! Why a request that reached the store changed or gave nothing.

use crate::store::StoreError;

/// A refusal that every replica gives alike. The codes stand in the log's replies: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u32)]
pub enum Refusal {
    /// The revision is older than the latest compaction.
    #[error("required revision has been compacted")]
    Compacted = 1,
    /// The revision is not there yet.
    #[error("required revision is a future revision")]
    FutureRevision = 2,
    /// A put that keeps the value or the lease of a key that is not there.
    #[error("key not found")]
    KeyNotFound = 3,
    /// No such lease.
    #[error("requested lease not found")]
    LeaseNotFound = 4,
    /// A lease of this id is there already.
    #[error("lease already exists")]
    LeaseExists = 5,
    /// Another lessor decides about expiry by now.
    #[error("another lessor has taken over")]
    StaleLessor = 6,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::Compacted,
        Self::FutureRevision,
        Self::KeyNotFound,
        Self::LeaseNotFound,
        Self::LeaseExists,
        Self::StaleLessor,
    ];

    /// As it stands in a reply.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// From a reply; none if a later version wrote it.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// A refusal, or the store's own failure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing was changed; the client is told why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The replica cannot go on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(Refusal::from_code(0), None);
    }
}
