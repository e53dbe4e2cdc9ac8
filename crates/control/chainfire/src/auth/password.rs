//! Passwords: bcrypt, on threads that may block, a few at a time. Who comes when too many wait is sent
//! away: hashing is what makes guessing dear, and must not make a flood of guesses anybody else's burden.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kit::Context;
use tokio::sync::Semaphore;

use super::token::random;

/// Hashes computed at once, and requests that may wait for their turn.
const ABREAST: usize = 2;
const WAITING: usize = 64;
/// bcrypt looks at no more; Go's, and so etcd, refuses longer ones.
const LONGEST: usize = 72;

/// Why there is no answer about a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many logins wait already")]
    Busy,
    #[error("a password is longer than {LONGEST} bytes")]
    TooLong,
    #[error("bcrypt failed: {0}")]
    Failed(String),
}

/// Hashes and compares passwords.
pub(crate) struct Passwords {
    context: Context,
    cost: u32,
    room: Semaphore,
    turns: Semaphore,
    /// For users that do not exist: they shall not be told apart by the time it takes.
    decoy: OnceLock<Arc<str>>,
}

impl Passwords {
    /// `cost` as in etcd's `--bcrypt-cost`.
    pub(crate) fn new(context: &Context, cost: u32) -> Self {
        let (room, turns) = (Semaphore::new(WAITING), Semaphore::new(ABREAST));
        Self { context: context.clone(), cost, room, turns, decoy: OnceLock::new() }
    }

    /// What a command carries of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        if password.len() > LONGEST {
            return Err(PasswordError::TooLong);
        }
        let (cost, mut salt) = (self.cost, [0; 16]);
        random(&self.context, &mut salt);
        let hashed = self.work(move || bcrypt::hash_with_salt(password, cost, salt)).await?;
        let hashed = hashed.map_err(|e| PasswordError::Failed(e.to_string()))?;
        Ok(STANDARD.encode(hashed.to_string()))
    }

    /// Whether the password is the one that was hashed. None: there is no such user, so it is not.
    pub(crate) async fn is_right(
        &self,
        password: String,
        hash: Option<Vec<u8>>,
    ) -> Result<bool, PasswordError> {
        let (cost, known) = (self.cost, hash.is_some());
        let decoy = self.decoy.get().cloned();
        let compared = self.work(move || {
            let hash = hash.map(String::from_utf8);
            match (hash, decoy) {
                (Some(Ok(hash)), _) => (bcrypt::verify(password, &hash).unwrap_or(false), None),
                (Some(Err(_)), _) => (false, None),
                (None, Some(decoy)) => (bcrypt::verify(password, &decoy).unwrap_or(false), None),
                (None, None) => (false, bcrypt::hash_with_salt(password, cost, [0; 16]).ok()),
            }
        });
        let (right, decoy) = compared.await?;
        if let Some(decoy) = decoy {
            let _ = self.decoy.set(decoy.to_string().into());
        }
        Ok(right && known)
    }

    async fn work<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _room = self.room.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|e| PasswordError::Failed(e.to_string()))?;
        let done = self.context.blocking(call).await;
        done.ok_or_else(|| PasswordError::Failed("its thread panicked".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let passwords = Passwords::new(&Context::real(), 4);
        let hashed = passwords.hash("s3cret".into()).await.unwrap();
        let hash = STANDARD.decode(&hashed).unwrap();
        assert!(!hashed.contains("s3cret") && hash.starts_with(b"$2b$04$"));
        assert!(passwords.is_right("s3cret".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.is_right("s3cres".into(), Some(hash)).await.unwrap());
        assert!(!passwords.is_right("".into(), Some(vec![])).await.unwrap(), "a user without one");
        for _ in 0..2 {
            assert!(!passwords.is_right("s3cret".into(), None).await.unwrap(), "nobody has no password");
        }
        assert_ne!(passwords.hash("s3cret".into()).await.unwrap(), hashed, "salted");
    }

    #[tokio::test]
    async fn too_long_ones_are_refused_and_not_cut() {
        let passwords = Passwords::new(&Context::real(), 4);
        assert!(matches!(passwords.hash("x".repeat(73)).await, Err(PasswordError::TooLong)));
        let hash = STANDARD.decode(passwords.hash("x".repeat(72)).await.unwrap()).unwrap();
        assert!(!passwords.is_right("x".repeat(71), Some(hash)).await.unwrap());
    }

    /// Go writes another version of the same algorithm.
    #[test]
    fn hashes_of_gos_prefix_are_understood() {
        let ours = bcrypt::hash_with_salt("pw", 4, [7; 16]).unwrap().to_string();
        assert!(bcrypt::verify("pw", &ours.replacen("$2b$", "$2a$", 1)).unwrap());
    }
}
