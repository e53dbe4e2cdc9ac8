//! When something changed.

use std::fmt;

/// A place in the store's history: the transaction, and the change within it.
///
/// Clients see only `main`. An empty store is at revision 1; its first transaction makes 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision {
    /// The transaction. Never negative.
    pub main: i64,
    /// The change within the transaction, from 0.
    pub sub: u32,
}

/// Bytes of an encoded revision.
pub(crate) const ENCODED: usize = 12;

impl Revision {
    /// The first change of a transaction.
    pub fn first_of(main: i64) -> Self {
        Self { main, sub: 0 }
    }

    /// After every change of a transaction.
    pub fn last_of(main: i64) -> Self {
        Self { main, sub: u32::MAX }
    }

    /// Bytes that sort as revisions do.
    pub(crate) fn to_bytes(self) -> [u8; ENCODED] {
        let mut bytes = [0; ENCODED];
        bytes[..8].copy_from_slice(&self.main.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sub.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; ENCODED]) -> Self {
        let (main, sub) = bytes.split_at(8);
        Self {
            main: i64::from_be_bytes(main.try_into().expect("eight of twelve bytes")),
            sub: u32::from_be_bytes(sub.try_into().expect("four of twelve bytes")),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.sub)
    }
}
