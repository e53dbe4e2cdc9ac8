//! A key, or a range of keys, in etcd's notation.

use std::ops::Bound;

use bytes::Bytes;

/// Keys from `start` on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    start: Bytes,
    end: End,
}

/// Where a span ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// It is one key.
    Single,
    /// Before this key.
    Before(Bytes),
    /// Nowhere.
    Never,
}

impl Span {
    /// As requests name it: an empty end means the key alone, a single zero byte means no end.
    pub fn new(key: Bytes, range_end: Bytes) -> Self {
        let end = match range_end.as_ref() {
            [] => End::Single,
            [0] => End::Never,
            _ => End::Before(range_end),
        };
        Self { start: key, end }
    }

    /// Every key.
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: End::Never }
    }

    /// The key, if the span is one.
    pub fn single(&self) -> Option<&Bytes> {
        matches!(self.end, End::Single).then_some(&self.start)
    }

    /// Its first key.
    pub(crate) fn start(&self) -> &Bytes {
        &self.start
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        matches!(&self.end, End::Before(end) if *end <= self.start)
    }

    /// Whether a key is in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key == self.start,
            End::Before(end) => key >= self.start.as_ref() && key < end.as_ref(),
            End::Never => key >= self.start.as_ref(),
        }
    }

    /// Whether it ends after `key`.
    pub(crate) fn reaches(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key <= self.start.as_ref(),
            End::Before(end) => key < end.as_ref(),
            End::Never => true,
        }
    }

    pub(crate) fn lower(&self) -> Bound<&[u8]> {
        Bound::Included(self.start.as_ref())
    }

    pub(crate) fn upper(&self) -> Bound<&[u8]> {
        match &self.end {
            End::Single => Bound::Included(self.start.as_ref()),
            End::Before(end) => Bound::Excluded(end.as_ref()),
            End::Never => Bound::Unbounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(key: &str, end: &str) -> Span {
        Span::new(Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(end.as_bytes()))
    }

    #[test]
    fn ends_mean_what_etcd_says() {
        assert!(span("a", "").contains(b"a") && !span("a", "").contains(b"aa"));
        assert!(span("a", "c").contains(b"b") && !span("a", "c").contains(b"c"));
        assert!(span("b", "\0").contains(b"z") && !span("b", "\0").contains(b"a"));
        assert!(span("\0", "\0").contains(b"\0") && span("b", "a").is_empty() && span("b", "b").is_empty());
    }
}
