//! Every error a client can see. Clients compare code and text, so both are etcd's, to the letter.

use quorum::{CallError, MembershipError, ProposeError, ReadError};
use tonic::{Code, Status};

use crate::auth::AuthRefusal;
use crate::machine::{BadReply, Failure, Refusal};
use crate::store::StoreError;

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    EmptyKey,
    KeyNotFound,
    ValueProvided,
    LeaseProvided,
    TooManyOperations,
    DuplicateKey,
    InvalidSortOption,
    StreamSorted,
    StreamFiltered,
    Compacted,
    FutureRevision,
    LeaseNotFound,
    LeaseExists,
    LeaseTtlTooLarge,
    MemberExists,
    PeerUrlExists,
    NotEnoughStarted,
    BadUrls,
    MemberNotFound,
    MemberNotLearner,
    LearnerNotReady,
    TooManyLearners,
    ChangeInProgress,
    RequestTooLarge,
    TooManyRequests,
    NoLeader,
    NotLeader,
    Stopped,
    TimedOut,
    TransferTimedOut,
    AppliedTooLate,
    Unhealthy,
    NotForLearners,
    BadTransferee,
    NoSpace,
    Corrupt,
    /// About users and their permissions.
    Auth(AuthRefusal),
    BadVersion,
    BadDowngradeTarget,
    NoDowngrade,
    NotCapable,
    UnknownMethod,
    /// What gRPC has no code for; the text is etcd's.
    Unclassified(String),
    /// The client's own deadline.
    DeadlineExceeded,
    /// The replica's fault; the text is for its operator.
    Internal(String),
}

impl Rejection {
    /// Code and text as in etcd 3.5 (`api/v3rpc/rpctypes`).
    fn row(&self) -> (Code, &str) {
        use Code::{
            DataLoss, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound, OutOfRange,
            ResourceExhausted, Unavailable, Unimplemented, Unknown,
        };
        match self {
            Self::EmptyKey => (InvalidArgument, "etcdserver: key is not provided"),
            Self::KeyNotFound => (InvalidArgument, "etcdserver: key not found"),
            Self::ValueProvided => (InvalidArgument, "etcdserver: value is provided"),
            Self::LeaseProvided => (InvalidArgument, "etcdserver: lease is provided"),
            Self::TooManyOperations => (InvalidArgument, "etcdserver: too many operations in txn request"),
            Self::DuplicateKey => (InvalidArgument, "etcdserver: duplicate key given in txn request"),
            Self::InvalidSortOption => (InvalidArgument, "etcdserver: invalid sort option"),
            Self::StreamSorted => (Unimplemented, "RangeStream does not support custom sort orders"),
            Self::StreamFiltered => (Unimplemented, "RangeStream does not support revision filters"),
            Self::Compacted => (OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            Self::FutureRevision => (OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            Self::LeaseNotFound => (NotFound, "etcdserver: requested lease not found"),
            Self::LeaseExists => (FailedPrecondition, "etcdserver: lease already exists"),
            Self::LeaseTtlTooLarge => (OutOfRange, "etcdserver: too large lease TTL"),
            Self::MemberExists => (FailedPrecondition, "etcdserver: member ID already exist"),
            Self::PeerUrlExists => (FailedPrecondition, "etcdserver: Peer URLs already exists"),
            Self::NotEnoughStarted => {
                (FailedPrecondition, "etcdserver: re-configuration failed due to not enough started members")
            }
            Self::BadUrls => (InvalidArgument, "etcdserver: given member URLs are invalid"),
            Self::MemberNotFound => (NotFound, "etcdserver: member not found"),
            Self::MemberNotLearner => (FailedPrecondition, "etcdserver: can only promote a learner member"),
            Self::LearnerNotReady => (
                FailedPrecondition,
                "etcdserver: can only promote a learner member which is in sync with leader",
            ),
            Self::TooManyLearners => (FailedPrecondition, "etcdserver: too many learner members in cluster"),
            // etcd queues changes; here one at a time is made, and the next must wait.
            Self::ChangeInProgress => (
                FailedPrecondition,
                "etcdserver: re-configuration failed: another change of the members is under way, try again",
            ),
            Self::RequestTooLarge => (InvalidArgument, "etcdserver: request is too large"),
            Self::TooManyRequests => (ResourceExhausted, "etcdserver: too many requests"),
            Self::NoLeader => (Unavailable, "etcdserver: no leader"),
            Self::NotLeader => (FailedPrecondition, "etcdserver: not leader"),
            Self::Stopped => (Unavailable, "etcdserver: server stopped"),
            Self::TimedOut => (Unavailable, "etcdserver: request timed out"),
            // Not in etcd's table of codes, so that clients get it as unknown and do not try again.
            Self::TransferTimedOut => {
                (Unknown, "etcdserver: request timed out, leader transfer took too long")
            }
            Self::AppliedTooLate => {
                (Unavailable, "etcdserver: request timed out, waiting for the applied index took too long")
            }
            Self::Unhealthy => (Unavailable, "etcdserver: unhealthy cluster"),
            Self::NotForLearners => (Unavailable, "etcdserver: rpc not supported for learner"),
            Self::BadTransferee => (FailedPrecondition, "etcdserver: bad leader transferee"),
            Self::NoSpace => (ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            Self::Corrupt => (DataLoss, "etcdserver: corrupt cluster"),
            Self::Auth(refusal) => refusal.row(),
            Self::BadVersion => (InvalidArgument, "etcdserver: wrong downgrade target version format"),
            Self::BadDowngradeTarget => (InvalidArgument, "etcdserver: invalid downgrade target version"),
            Self::NoDowngrade => (FailedPrecondition, "etcdserver: no inflight downgrade job"),
            Self::NotCapable => (Unavailable, "etcdserver: not capable"),
            Self::UnknownMethod => (Unknown, "etcdserver: unknown method"),
            Self::Unclassified(text) => (Unknown, text),
            Self::DeadlineExceeded => (DeadlineExceeded, "context deadline exceeded"),
            Self::Internal(why) => (Internal, why),
        }
    }

    /// What a client is told.
    pub(crate) fn text(&self) -> &str {
        self.row().1
    }
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let (code, text) = rejection.row();
        Self::new(code, text)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Compacted => Self::Compacted,
            Refusal::FutureRevision => Self::FutureRevision,
            Refusal::KeyNotFound => Self::KeyNotFound,
            Refusal::LeaseNotFound => Self::LeaseNotFound,
            Refusal::LeaseExists => Self::LeaseExists,
            Refusal::StaleLessor => Self::NotLeader,
            Refusal::NoSpace => Self::NoSpace,
            Refusal::Corrupt => Self::Corrupt,
            Refusal::Auth(refusal) => Self::Auth(refusal),
        }
    }
}

impl From<AuthRefusal> for Rejection {
    fn from(refusal: AuthRefusal) -> Self {
        Self::Auth(refusal)
    }
}

impl From<StoreError> for Rejection {
    fn from(e: StoreError) -> Self {
        Self::Internal(e.to_string())
    }
}

impl From<BadReply> for Rejection {
    fn from(e: BadReply) -> Self {
        Self::Internal(e.to_string())
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Store(e) => e.into(),
        }
    }
}

impl From<ProposeError> for Rejection {
    fn from(e: ProposeError) -> Self {
        match e {
            ProposeError::NoLeader => Self::NoLeader,
            // It may have taken effect: exactly what a timeout says.
            ProposeError::Unknown(_) => Self::TimedOut,
            ProposeError::TooLarge { .. } => Self::RequestTooLarge,
            ProposeError::Overloaded => Self::TooManyRequests,
            ProposeError::Stopped(_) => Self::Stopped,
        }
    }
}

impl From<ReadError> for Rejection {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::NoLeader => Self::NoLeader,
            ReadError::Lagging => Self::AppliedTooLate,
            ReadError::Stopped(_) => Self::Stopped,
        }
    }
}

impl From<CallError> for Rejection {
    fn from(e: CallError) -> Self {
        match e {
            CallError::NoLeader => Self::NoLeader,
            CallError::Failed(_) => Self::TimedOut,
        }
    }
}

impl From<MembershipError> for Rejection {
    fn from(e: MembershipError) -> Self {
        match e {
            MembershipError::NotFound(_) => Self::MemberNotFound,
            MembershipError::Exists(_) => Self::MemberExists,
            MembershipError::AddressInUse(_) => Self::PeerUrlExists,
            MembershipError::NotLearner(_) => Self::MemberNotLearner,
            MembershipError::Learner(_) => Self::BadTransferee,
            MembershipError::NotInSync { .. } => Self::LearnerNotReady,
            MembershipError::TooManyLearners => Self::TooManyLearners,
            MembershipError::NotEnoughStarted { .. } | MembershipError::LastVoter => Self::NotEnoughStarted,
            MembershipError::WouldLoseQuorum { .. } => Self::Unhealthy,
            MembershipError::InProgress => Self::ChangeInProgress,
            MembershipError::TransferTimedOut => Self::TransferTimedOut,
            MembershipError::NoLeader => Self::NoLeader,
            MembershipError::Unknown(_) => Self::TimedOut,
        }
    }
}
