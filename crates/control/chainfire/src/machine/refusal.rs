//! Why a request that reached the store changed or gave nothing.

use crate::auth::AuthRefusal;
use crate::store::StoreError;

/// A refusal that every replica gives alike. The codes stand in the log's replies: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The revision is older than the latest compaction.
    #[error("required revision has been compacted")]
    Compacted,
    /// The revision is not there yet.
    #[error("required revision is a future revision")]
    FutureRevision,
    /// A put that keeps the value or the lease of a key that is not there.
    #[error("key not found")]
    KeyNotFound,
    /// No such lease.
    #[error("requested lease not found")]
    LeaseNotFound,
    /// A lease of this id is there already.
    #[error("lease already exists")]
    LeaseExists,
    /// Another lessor decides about expiry by now.
    #[error("another lessor has taken over")]
    StaleLessor,
    /// An alarm says that a member has no room left.
    #[error("database space exceeded")]
    NoSpace,
    /// This replica's state has diverged from the others'. The only refusal that not all give alike: the
    /// command may have been carried out by the others.
    #[error("corrupt cluster")]
    Corrupt,
    /// About users and their permissions.
    #[error(transparent)]
    Auth(#[from] AuthRefusal),
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::Compacted,
        Self::FutureRevision,
        Self::KeyNotFound,
        Self::LeaseNotFound,
        Self::LeaseExists,
        Self::StaleLessor,
        Self::NoSpace,
        Self::Corrupt,
    ];

    /// As it stands in a reply.
    pub fn code(self) -> u32 {
        match self {
            Self::Compacted => 1,
            Self::FutureRevision => 2,
            Self::KeyNotFound => 3,
            Self::LeaseNotFound => 4,
            Self::LeaseExists => 5,
            Self::StaleLessor => 6,
            Self::NoSpace => 7,
            Self::Corrupt => 8,
            Self::Auth(refusal) => refusal.number(),
        }
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

impl From<AuthRefusal> for Failure {
    fn from(refusal: AuthRefusal) -> Self {
        Self::Refused(refusal.into())
    }
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
