//! Tokens that nobody gave out.

use std::time::Duration;

use tokio::time::Instant;

use super::jwt::Jwt;
use super::token::{Scheme, Tokens};

const TTL: Duration = Duration::from_secs(300);
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// What a client sends as its token, by the first byte: a simple token, a signed one, header and claims of a
/// signed one whose signature is right, and the configuration's token scheme. Only what was given out, or
/// signed, says who somebody is.
pub fn token(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match kind % 4 {
        0 => simple(&text),
        1 => assert_eq!(Jwt::of_secret(b"secret").verify(&text, NOW), None, "nobody signed {text}"),
        2 => signed(rest),
        _ => scheme(&text),
    }
}

fn simple(text: &str) {
    let (mut tokens, now) = (Tokens::new(TTL), Instant::now());
    let given = tokens.give("prefix", 7, "alice", now);
    let known = tokens.user_of(text, now);
    // A number can be written in more ways than one.
    let same = text.strip_prefix("prefix.").is_some_and(|index| index.parse() == Ok(7u64));
    assert_eq!(known.is_some(), same, "{text} is taken for {given}");
}

fn signed(input: &[u8]) {
    let (header, claims) = input.split_at(input.iter().position(|b| *b == 0).unwrap_or(input.len()));
    let jwt = Jwt::of_secret(b"secret");
    let token = jwt.seal(header, claims.get(1..).unwrap_or_default());
    if let Some(caller) = jwt.verify(&token, NOW) {
        let mine = jwt.sign(&caller.user, caller.revision.unwrap_or(0), NOW).expect("a secret signs");
        // Longer than a token may be, if its user's name is.
        assert!(mine.len() > 8 << 10 || jwt.verify(&mine, NOW) == Some(caller));
        assert_eq!(Jwt::of_secret(b"another").verify(&token, NOW), None);
    }
}

fn scheme(text: &str) {
    if let Ok(Scheme::Jwt { sign_method, .. }) = Scheme::parse(text, TTL) {
        assert!(text.contains(&sign_method));
    }
}
