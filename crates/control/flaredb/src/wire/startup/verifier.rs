//! What is kept of a password: PostgreSQL's `SCRAM-SHA-256$rounds:salt$StoredKey:ServerKey` (RFC 5803).

use std::fmt;

use crate::base::{SqlError, SqlState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{ScramSecret, gen_salted_password};
use ring::hmac;

/// PostgreSQL's default.
pub(crate) const ITERATIONS: u32 = 4096;
/// Rounds beyond this are not a password's but an attack on the time of who computes them.
const MOST_ITERATIONS: u32 = 10_000_000;
/// Of SHA-256.
const KEY: usize = 32;
/// Of salts that are made here, as in PostgreSQL.
const SALT: usize = 16;
const LONGEST_SALT: usize = 1024;
const MECHANISM: &str = "SCRAM-SHA-256";

/// Checks a password without knowing it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl fmt::Display for Verifier {
    /// As it is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt, &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl Verifier {
    /// Of a password. The salt comes from the caller's randomness: 16 bytes, never used before.
    pub(crate) fn of_password(password: &str, salt: &[u8], iterations: u32) -> Result<Self, SqlError> {
        if !(1..=MOST_ITERATIONS).contains(&iterations) || salt.is_empty() || salt.len() > LONGEST_SALT {
            let message = "a SCRAM verifier needs a salt and a number of rounds in bounds";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let rounds = usize::try_from(iterations).unwrap_or(usize::MAX);
        let salted = gen_salted_password(password, salt, rounds);
        match ScramSecret::verifier_from_salted_password(salt.to_vec(), salted, rounds) {
            ScramSecret::Verifier { salt, stored_key, server_key, .. } => {
                Ok(Self { iterations, salt, stored_key, server_key })
            }
            ScramSecret::SaltedPassword { .. } => {
                Err(SqlError::new(SqlState::INTERNAL_ERROR, "no verifier was made"))
            }
        }
    }

    /// As it is kept. None: it is none, whatever it is.
    pub(crate) fn parse(kept: &str) -> Option<Self> {
        let rest = kept.strip_prefix(MECHANISM)?.strip_prefix('$')?;
        let (rounds, keys) = rest.split_once('$')?;
        let (iterations, salt) = rounds.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|rounds| (1..=MOST_ITERATIONS).contains(rounds))?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=LONGEST_SALT).contains(&salt.len()))?;
        let key = |text: &str| STANDARD.decode(text).ok().filter(|key| key.len() == KEY);
        Some(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// Of a user that there is not: the same whenever he asks, and no password fits.
    pub(super) fn mock(key: &[u8; 32], user: &str, iterations: u32) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derive = |what: &str| {
            let mut context = hmac::Context::with_key(&key);
            context.update(what.as_bytes());
            context.update(user.as_bytes());
            context.sign().as_ref().to_vec()
        };
        let mut salt = derive("salt of ");
        salt.truncate(SALT);
        Self { iterations, salt, stored_key: derive("stored key of "), server_key: derive("server key of ") }
    }

    pub(super) fn into_secret(self) -> ScramSecret {
        let Self { iterations, salt, stored_key, server_key } = self;
        let iterations = usize::try_from(iterations).unwrap_or(usize::MAX);
        ScramSecret::Verifier { salt, iterations, stored_key, server_key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_it_was_kept_as() {
        let made = Verifier::of_password("pencil", b"0123456789abcdef", 4096).unwrap();
        assert_eq!(Verifier::parse(&made.to_string()), Some(made.clone()));
        assert_ne!(Verifier::of_password("Pencil", b"0123456789abcdef", 4096).unwrap(), made);
    }

    #[test]
    fn what_is_no_verifier_is_none() {
        let good = Verifier::of_password("pencil", b"0123456789abcdef", 1).unwrap().to_string();
        for bad in [
            "",
            "md5abc",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$1:AAAA$AAAA:AAAA",
            &good.replace("$1:", "$0:"),
            &good.replace("$1:", "$99999999999:"),
            &good.replace("$1:", "$-1:"),
            &good.replace("$1:MDEy", "$1:!DEy"),
            &good[..good.len() - 1],
        ] {
            assert_eq!(Verifier::parse(bad), None, "{bad}");
        }
        assert!(Verifier::of_password("x", b"", 1).is_err() && Verifier::of_password("x", b"s", 0).is_err());
    }

    #[test]
    fn the_salt_of_an_unknown_user_is_his_own_and_stays() {
        let mock = |user| Verifier::mock(&[7; 32], user, 4096);
        assert_eq!(mock("nobody"), mock("nobody"));
        assert_ne!(mock("nobody").salt, mock("somebody").salt);
        assert_eq!(mock("nobody").salt.len(), SALT);
    }

    #[test]
    fn keys_are_not_shown() {
        let made = Verifier::of_password("pencil", b"0123456789abcdef", 1).unwrap();
        assert_eq!(format!("{made:?}"), "Verifier { iterations: 1, .. }");
    }
}
