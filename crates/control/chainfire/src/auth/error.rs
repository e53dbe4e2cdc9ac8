//! Why a request about users, or of a user, was refused.

use tonic::Code;

/// Refusals in etcd's codes and words. The numbers stand in the log's replies: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum AuthRefusal {
    RootUserNotExist = 101,
    RootRoleNotExist = 102,
    UserExists = 103,
    UserEmpty = 104,
    UserNotFound = 105,
    RoleExists = 106,
    RoleNotFound = 107,
    RoleEmpty = 108,
    AuthFailed = 109,
    NoPasswordUser = 110,
    PermissionNotGiven = 111,
    PermissionDenied = 112,
    RoleNotGranted = 113,
    PermissionNotGranted = 114,
    NotEnabled = 115,
    OldRevision = 116,
    InvalidToken = 117,
    InvalidManagement = 118,
    VerifyOnly = 119,
    PasswordTooLong = 120,
}

impl AuthRefusal {
    const ALL: [Self; 20] = [
        Self::RootUserNotExist,
        Self::RootRoleNotExist,
        Self::UserExists,
        Self::UserEmpty,
        Self::UserNotFound,
        Self::RoleExists,
        Self::RoleNotFound,
        Self::RoleEmpty,
        Self::AuthFailed,
        Self::NoPasswordUser,
        Self::PermissionNotGiven,
        Self::PermissionDenied,
        Self::RoleNotGranted,
        Self::PermissionNotGranted,
        Self::NotEnabled,
        Self::OldRevision,
        Self::InvalidToken,
        Self::InvalidManagement,
        Self::VerifyOnly,
        Self::PasswordTooLong,
    ];

    /// As it stands in a reply.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// From a reply.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.number() == number)
    }

    /// Code and text as in etcd 3.5 (`api/v3rpc/rpctypes`). What is missing in its table of codes is unknown
    /// to clients, and then keeps the prefix of etcd's inner errors.
    pub(crate) fn row(self) -> (Code, &'static str) {
        use Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated, Unknown};
        match self {
            Self::RootUserNotExist => (FailedPrecondition, "etcdserver: root user does not exist"),
            Self::RootRoleNotExist => (FailedPrecondition, "etcdserver: root user does not have root role"),
            Self::UserExists => (FailedPrecondition, "etcdserver: user name already exists"),
            Self::UserEmpty => (InvalidArgument, "etcdserver: user name is empty"),
            Self::UserNotFound => (FailedPrecondition, "etcdserver: user name not found"),
            Self::RoleExists => (FailedPrecondition, "etcdserver: role name already exists"),
            Self::RoleNotFound => (FailedPrecondition, "etcdserver: role name not found"),
            Self::RoleEmpty => (InvalidArgument, "etcdserver: role name is empty"),
            Self::AuthFailed => {
                (InvalidArgument, "etcdserver: authentication failed, invalid user ID or password")
            }
            Self::NoPasswordUser => {
                (Unknown, "auth: authentication failed, password was given for no password user")
            }
            Self::PermissionNotGiven => (InvalidArgument, "etcdserver: permission not given"),
            Self::PermissionDenied => (PermissionDenied, "etcdserver: permission denied"),
            Self::RoleNotGranted => (FailedPrecondition, "etcdserver: role is not granted to the user"),
            Self::PermissionNotGranted => {
                (FailedPrecondition, "etcdserver: permission is not granted to the role")
            }
            Self::NotEnabled => (FailedPrecondition, "etcdserver: authentication is not enabled"),
            Self::OldRevision => (InvalidArgument, "etcdserver: revision of auth store is old"),
            Self::InvalidToken => (Unauthenticated, "etcdserver: invalid auth token"),
            Self::InvalidManagement => (InvalidArgument, "etcdserver: invalid auth management"),
            Self::VerifyOnly => (Unknown, "auth: token signing attempted with verify-only key"),
            Self::PasswordTooLong => (Unknown, "bcrypt: password length exceeds 72 bytes"),
        }
    }
}

impl std::fmt::Display for AuthRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row().1)
    }
}

impl std::error::Error for AuthRefusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_and_read_back() {
        for refusal in AuthRefusal::ALL {
            assert_eq!(AuthRefusal::from_number(refusal.number()), Some(refusal));
        }
        assert_eq!(AuthRefusal::from_number(0), None);
    }
}
