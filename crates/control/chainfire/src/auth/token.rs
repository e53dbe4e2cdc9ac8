//! Simple tokens: a random prefix and the log's index of the login. Each member keeps those whose login it
//! has applied, in memory, until they were not used for their time to live. Only digests are kept and
//! replicated, so that neither log nor memory lets its reader in, and looking one up takes no time that
//! depends on how much of it was guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use kit::Context;
use kit::context::Mode;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::model::Logout;

/// Tokens kept; more logins end the ones that were unused for longest.
const MOST: usize = 1 << 16;
/// How exactly the time of the last use is known: etcd's second.
const RESOLUTION: Duration = Duration::from_secs(1);
const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const PREFIX: usize = 24;

type Key = [u8; 32];

/// How members tell who asks, as etcd's `--auth-token` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Simple,
    Jwt { sign_method: String, public_key: Option<PathBuf>, private_key: Option<PathBuf>, ttl: Duration },
}

/// A text that names no scheme.
#[derive(Debug, thiserror::Error)]
pub enum SchemeError {
    #[error("the token scheme {0:?} is unknown: write \"simple\" or \"jwt,sign-method=…,priv-key=…\"")]
    Unknown(String),
    #[error("the token option {0:?} is not of the form name=value, or stands there twice: correct it")]
    Malformed(String),
    #[error("the token option {0:?} is unknown: there are sign-method, pub-key, priv-key and ttl")]
    Option(String),
    #[error("the token option sign-method is missing: add one, such as sign-method=ES256")]
    NoMethod,
    #[error("the token's ttl {0:?} is no time: write one such as 5m")]
    Ttl(String),
}

impl Scheme {
    /// Reads `simple` or `jwt,sign-method=…,pub-key=…,priv-key=…,ttl=…`.
    pub(crate) fn parse(text: &str, default_ttl: Duration) -> Result<Self, SchemeError> {
        let mut parts = text.split(',');
        let kind = parts.next().unwrap_or_default();
        let mut options = BTreeMap::new();
        for part in parts {
            let malformed = || SchemeError::Malformed(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            if value.contains('=') || options.insert(name, value).is_some() {
                return Err(malformed());
            }
        }
        match kind {
            "simple" => Ok(Self::Simple),
            "jwt" => Self::jwt(options, default_ttl),
            other => Err(SchemeError::Unknown(other.to_owned())),
        }
    }

    fn jwt(mut options: BTreeMap<&str, &str>, default_ttl: Duration) -> Result<Self, SchemeError> {
        let mut take = |name| options.remove(name).filter(|value| !value.is_empty());
        let sign_method = take("sign-method").ok_or(SchemeError::NoMethod)?.to_owned();
        let (public_key, private_key) = (take("pub-key").map(Into::into), take("priv-key").map(Into::into));
        let ttl = match take("ttl") {
            None => default_ttl,
            Some(text) => humantime::parse_duration(text).map_err(|_| SchemeError::Ttl(text.to_owned()))?,
        };
        match options.keys().next() {
            Some(unknown) => Err(SchemeError::Option((*unknown).to_owned())),
            None => Ok(Self::Jwt { sign_method, public_key, private_key, ttl }),
        }
    }
}

/// Fills a buffer with what nobody can guess. A seed alone would be too short for that.
pub(super) fn random(context: &Context, buffer: &mut [u8]) {
    context.entropy().fill(buffer);
    if context.mode() == Mode::Real {
        let mut more = vec![0; buffer.len()];
        if SystemRandom::new().fill(&mut more).is_err() {
            tracing::warn!("the system gives no randomness; going on with this process's own");
        }
        for (byte, other) in buffer.iter_mut().zip(more) {
            *byte ^= other;
        }
    }
}

/// A fresh prefix of a token, and what the log carries of it.
pub(crate) fn mint(context: &Context) -> (String, Vec<u8>) {
    let mut bytes = [0; PREFIX];
    random(context, &mut bytes);
    let prefix: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect();
    let digest = digest(&prefix).to_vec();
    (prefix, digest)
}

fn digest(prefix: &str) -> Key {
    Sha256::digest(prefix.as_bytes()).into()
}

/// The index at the end of a simple token; none if it is not one.
pub(crate) fn index_of(token: &str) -> Option<u64> {
    let (_, index) = token.split_once('.')?;
    index.parse().ok()
}

#[derive(Debug)]
struct Entry {
    user: String,
    index: u64,
    ends: Instant,
}

/// The simple tokens that are good on this member.
#[derive(Debug)]
pub(super) struct Tokens {
    ttl: Duration,
    entries: BTreeMap<Key, Entry>,
    by_end: BTreeSet<(Instant, Key)>,
}

impl Tokens {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, entries: BTreeMap::new(), by_end: BTreeSet::new() }
    }

    /// A token as a login gives it out.
    #[cfg(any(test, fuzzing))]
    pub(super) fn give(&mut self, prefix: &str, index: u64, user: &str, now: Instant) -> String {
        self.assign(&digest(prefix), index, user, now);
        format!("{prefix}.{index}")
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// A login was applied. Without a token's digest, members sign tokens and keep none.
    pub(super) fn assign(&mut self, digest: &[u8], index: u64, user: &str, now: Instant) {
        let Ok(key) = Key::try_from(digest) else { return };
        self.sweep(now);
        while self.entries.len() >= MOST
            && let Some((_, oldest)) = self.by_end.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.remove(&key);
        let ends = now + self.ttl;
        self.entries.insert(key, Entry { user: user.to_owned(), index, ends });
        self.by_end.insert((ends, key));
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_end.remove(&(entry.ends, *key));
        }
    }

    fn sweep(&mut self, now: Instant) {
        while let Some((ends, key)) = self.by_end.first().copied()
            && ends <= now
        {
            self.remove(&key);
        }
    }

    /// Whose it is, if it is good. Using it prolongs it.
    pub(super) fn user_of(&mut self, token: &str, now: Instant) -> Option<String> {
        self.sweep(now);
        let (prefix, _) = token.split_once('.')?;
        let (index, key) = (index_of(token)?, digest(prefix));
        let ends = now + self.ttl;
        let entry = self.entries.get_mut(&key).filter(|entry| entry.index == index)?;
        if entry.ends + RESOLUTION <= ends {
            self.by_end.remove(&(entry.ends, key));
            entry.ends = ends;
            self.by_end.insert((ends, key));
        }
        Some(entry.user.clone())
    }

    pub(super) fn forget(&mut self, whose: &Logout) {
        match whose {
            Logout::Nobody => {}
            Logout::Everybody => {
                self.entries.clear();
                self.by_end.clear();
            }
            Logout::User(name) => {
                let theirs = self.entries.iter().filter(|(_, entry)| entry.user == *name);
                for key in theirs.map(|(key, _)| *key).collect::<Vec<_>>() {
                    self.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn a_token_lives_while_it_is_used_and_not_a_moment_longer() {
        let (mut tokens, now) = (Tokens::new(TTL), Instant::now());
        let token = tokens.give("abc", 7, "alice", now);
        assert_eq!(tokens.user_of(&token, now + TTL / 2), Some("alice".into()));
        assert_eq!(tokens.user_of(&token, now + TTL), Some("alice".into()), "it was used meanwhile");
        assert_eq!(tokens.user_of(&token, now + TTL * 2), None);
        assert_eq!(tokens.user_of(&token, now), None, "what is over stays over");
        assert_eq!(tokens.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_given_out_is_refused() {
        let (mut tokens, now) = (Tokens::new(TTL), Instant::now());
        tokens.give("abc", 7, "alice", now);
        for wrong in ["abc.8", "abc", "abd.7", "abc.7.7", ".7", "", "abc.-7", "abc.07x"] {
            assert_eq!(tokens.user_of(wrong, now), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn logging_out_ends_the_users_tokens_and_no_others() {
        let (mut tokens, now) = (Tokens::new(TTL), Instant::now());
        let (a, b) = (tokens.give("a", 1, "alice", now), tokens.give("b", 2, "bob", now));
        tokens.forget(&Logout::User("alice".into()));
        assert_eq!((tokens.user_of(&a, now), tokens.user_of(&b, now)), (None, Some("bob".into())));
        tokens.forget(&Logout::Everybody);
        assert_eq!(tokens.user_of(&b, now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded() {
        let (mut tokens, now) = (Tokens::new(TTL), Instant::now());
        let first = tokens.give("first", 1, "alice", now);
        for n in 0..MOST as u64 {
            tokens.give(&format!("t{n}"), n, "alice", now + Duration::from_millis(1));
        }
        assert_eq!(tokens.len(), MOST);
        assert_eq!(tokens.user_of(&first, now), None, "the one unused for longest made room");
    }

    #[test]
    fn schemes_are_read_as_etcd_writes_them() {
        let parse = |text| Scheme::parse(text, TTL).map_err(|e| e.to_string());
        assert_eq!(parse("simple"), Ok(Scheme::Simple));
        let jwt = parse("jwt,pub-key=/p,priv-key=/q,sign-method=RS256,ttl=10m");
        let (public_key, private_key) = (Some("/p".into()), Some("/q".into()));
        let ttl = Duration::from_secs(600);
        assert_eq!(jwt, Ok(Scheme::Jwt { sign_method: "RS256".into(), public_key, private_key, ttl }));
        for (wrong, part) in [
            ("", "unknown"),
            ("sample", "unknown"),
            ("jwt", "sign-method is missing"),
            ("jwt,sign-method=ES256,ttl=soon", "no time"),
            ("jwt,sign-method", "name=value"),
            ("jwt,ttl=1s,ttl=2s", "twice"),
            ("jwt,sign-method=ES256,key=/k", "\"key\" is unknown"),
        ] {
            assert!(parse(wrong).unwrap_err().contains(part), "{wrong}");
        }
    }
}
