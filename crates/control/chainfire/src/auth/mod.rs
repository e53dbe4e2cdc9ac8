//! Users, roles and permissions: etcd's RBAC (`server/auth`, 3.5).
//!
//! Who exists and who may do what is replicated ([`model`], kept as records of the store); every command is
//! checked against it once more when it is applied ([`permit`]), so that a permission that was taken away
//! before a write in the log's order stops that write on every replica alike. Who a request comes from is
//! each member's to find out: by a token ([`token`]: simple ones, which live in every member's memory, or
//! [`jwt`]) or by the common name of the client's certificate.
//!
//! Refused: passwords in the log (it carries bcrypt hashes, and of tokens only digests), simple tokens that
//! outlive a restart, unsigned JWTs and ones without an end.

mod authority;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod jwt;
mod model;
mod password;
mod permit;
mod records;
mod span;
mod token;

pub use authority::Authority;
pub use error::AuthRefusal;
pub(crate) use jwt::Jwt;
pub use jwt::JwtError;
pub(crate) use model::{Accounts, ROOT};
pub(crate) use password::{PasswordError, Passwords};
pub(crate) use permit::{Credentials, Guard, Need, need};
pub use token::SchemeError;
pub(crate) use token::{Scheme, index_of, mint};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: String,
    /// Under which revision of the permissions it was let in, if that is fixed; else the one of the moment.
    pub(crate) revision: Option<u64>,
}

impl Caller {
    /// As a command carries it.
    pub(crate) fn credentials(caller: Option<&Self>, accounts: &Accounts) -> Credentials {
        caller.map_or_else(Credentials::default, |caller| Credentials {
            user: caller.user.clone(),
            revision: caller.revision.unwrap_or(accounts.revision),
        })
    }
}
