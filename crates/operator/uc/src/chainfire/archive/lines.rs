//! The form of an export: a head, a line a key, an end with a hash of everything before it.

use std::io::{self, BufRead, Write};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hex;

const FORMAT: &str = "chainfire-export/1";
/// A line that is longer holds no key that a server would take.
const LONGEST_LINE: u64 = 64 << 20;

/// What an export begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    format: String,
    /// Whose keys, in hexadecimal.
    pub(super) cluster: String,
    /// As of when.
    pub(super) revision: i64,
    /// Keys that begin with it, in base64; empty: all.
    prefix: String,
}

/// A key. Bytes are base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    value: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    lease: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    keys: u64,
    sha256: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(lease: &i64) -> bool {
    *lease == 0
}

/// A key as it goes in and comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// The lease that it goes with; 0: none.
    pub(super) lease: i64,
}

impl Head {
    pub(super) fn new(cluster: u64, revision: i64, prefix: &[u8]) -> Self {
        let (cluster, prefix) = (format!("{cluster:x}"), BASE64.encode(prefix));
        Self { format: FORMAT.into(), cluster, revision, prefix }
    }
}

/// Writes an export.
pub(super) struct Writer<W> {
    out: W,
    hash: Sha256,
    keys: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self { out, hash: Sha256::new(), keys: 0 };
        writer.line(head)?;
        Ok(writer)
    }

    pub(super) fn key(&mut self, key: &[u8], value: &[u8], lease: i64) -> io::Result<()> {
        self.keys += 1;
        self.line(&Line { key: BASE64.encode(key), value: BASE64.encode(value), lease })
    }

    /// Gives the number of keys and the hash.
    pub(super) fn end(mut self) -> io::Result<(W, u64, String)> {
        let (keys, sha256) = (self.keys, hex(&self.hash.finalize_reset()));
        self.line(&End { keys, sha256: sha256.clone() })?;
        Ok((self.out, keys, sha256))
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text)
    }
}

/// Reads an export to its end; each key on the way. An error says which line it is about.
pub(super) fn read(
    mut source: impl BufRead,
    mut take: impl FnMut(Key) -> anyhow::Result<()>,
) -> anyhow::Result<Head> {
    let (mut hash, mut keys, mut number) = (Sha256::new(), 0, 0);
    let mut head: Option<Head> = None;
    loop {
        number += 1;
        let text = next(&mut source)?.with_context(|| {
            format!("it ends after {} lines, without the line that ends an export", number - 1)
        })?;
        let about = || format!("line {number}");
        if head.is_none() {
            let found: Head = serde_json::from_slice(&text).with_context(about)?;
            ensure!(found.format == FORMAT, "this is {:?}, not {FORMAT:?}", found.format);
            head = Some(found);
        } else if let Ok(End { keys: announced, sha256 }) = serde_json::from_slice(&text) {
            ensure!(announced == keys, "it announces {announced} keys and has {keys}");
            ensure!(sha256 == hex(&hash.finalize_reset()), "its hash does not match its content");
            ensure!(next(&mut source)?.is_none(), "something follows its end");
            return head.context("it is empty");
        } else {
            let Line { key, value, lease } = serde_json::from_slice(&text).with_context(about)?;
            let bytes = |text: &str| BASE64.decode(text).with_context(about);
            take(Key { key: bytes(&key)?, value: bytes(&value)?, lease })?;
            keys += 1;
        }
        hash.update(&text);
    }
}

fn next(source: &mut impl BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    io::Read::take(&mut *source, LONGEST_LINE).read_until(b'\n', &mut text)?;
    match text.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(text)),
        Some(_) => bail!("it breaks off in the midst of a line"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(keys: &[Key]) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &Head::new(7, 42, b"p/")).expect("memory");
        for Key { key, value, lease } in keys {
            writer.key(key, value, *lease).expect("memory");
        }
        writer.end().expect("memory").0
    }

    fn all(text: &[u8]) -> anyhow::Result<(Head, Vec<Key>)> {
        let mut keys = Vec::new();
        let head = read(text, |key| {
            keys.push(key);
            Ok(())
        })?;
        Ok((head, keys))
    }

    prop_compose! {
        fn key()(
            key in prop::collection::vec(any::<u8>(), 1..20),
            value in prop::collection::vec(any::<u8>(), 0..20),
            lease in prop_oneof![Just(0), any::<i64>()],
        ) -> Key {
            Key { key, value, lease }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(keys in prop::collection::vec(key(), 0..20)) {
            let (head, read) = all(&written(&keys)).expect("whole");
            prop_assert_eq!((head.revision, read), (42, keys));
        }

        #[test]
        fn whatever_is_changed_or_missing_is_noticed(
            keys in prop::collection::vec(key(), 1..5), place in any::<prop::sample::Index>(), by in 1u8..,
        ) {
            let whole = written(&keys);
            let at = place.index(whole.len());
            let mut bent = whole.clone();
            bent[at] ^= by;
            prop_assert!(all(&bent).is_err());
            prop_assert!(all(&whole[..at]).is_err());
            prop_assert!(all(&[&whole[..], b"\n"].concat()).is_err());
        }
    }
}
