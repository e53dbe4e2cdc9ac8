//! Sets of keys as sorted intervals that neither touch nor overlap, so that a range which two permissions
//! cover together is covered, as in etcd.

use bytes::{BufMut, Bytes, BytesMut};

/// From a key up to another, which is not in it; none: no end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    from: Bytes,
    to: Option<Bytes>,
}

/// etcd's meaning of a key and its range's end. None if no key can be in it.
fn interval(key: &Bytes, range_end: &Bytes) -> Option<Interval> {
    let to = match range_end.as_ref() {
        b"" => Some(after(key)),
        b"\0" => None,
        _ => Some(range_end.clone()),
    };
    let holds = to.as_ref().is_none_or(|to| key < to);
    holds.then(|| Interval { from: key.clone(), to })
}

/// The smallest key above this one.
fn after(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

/// Whether a permission on it can ever allow anything; etcd grants no others.
pub(super) fn is_grantable(key: &Bytes, range_end: &Bytes) -> bool {
    !key.is_empty() && interval(key, range_end).is_some()
}

/// A set of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<Interval>);

impl Spans {
    /// All keys of these ranges.
    pub(super) fn of<'a>(ranges: impl Iterator<Item = (&'a Bytes, &'a Bytes)>) -> Self {
        let mut parts: Vec<Interval> = ranges.filter_map(|(key, end)| interval(key, end)).collect();
        parts.sort_by(|a, b| a.from.cmp(&b.from));
        let mut merged: Vec<Interval> = Vec::with_capacity(parts.len());
        for part in parts {
            match merged.last_mut() {
                Some(last) if last.to.as_ref().is_none_or(|to| part.from <= *to) => last.extend_to(part.to),
                _ => merged.push(part),
            }
        }
        Self(merged)
    }

    /// Whether every key of the range is in the set.
    pub(super) fn cover(&self, key: &Bytes, range_end: &Bytes) -> bool {
        let Some(asked) = interval(key, range_end) else { return false };
        let above = self.0.partition_point(|known| known.from <= asked.from);
        let known = above.checked_sub(1).and_then(|at| self.0.get(at));
        known.is_some_and(|known| match (&known.to, &asked.to) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(known), Some(asked)) => asked <= known,
        })
    }
}

impl Interval {
    fn extend_to(&mut self, to: Option<Bytes>) {
        self.to = match (self.to.take(), to) {
            (Some(own), Some(other)) => Some(own.max(other)),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn spans(ranges: &[(&'static str, &'static str)]) -> Spans {
        let ranges: Vec<_> = ranges.iter().map(|(a, b)| (bytes(a), bytes(b))).collect();
        Spans::of(ranges.iter().map(|(a, b)| (a, b)))
    }

    fn covers(spans: &Spans, key: &'static str, end: &'static str) -> bool {
        spans.cover(&bytes(key), &bytes(end))
    }

    #[test]
    fn two_neighbours_cover_what_neither_does_alone() {
        let both = spans(&[("a", "c"), ("c", "e")]);
        assert!(covers(&both, "b", "d") && covers(&both, "a", "e") && covers(&both, "d", ""));
        assert!(!covers(&both, "a", "f") && !covers(&both, "e", "") && !covers(&both, "a", "\0"));
        // A key alone ends where the next possible one begins.
        assert!(covers(&spans(&[("a", ""), ("a\0", "b")]), "a", "b"));
        assert!(!covers(&spans(&[("a", ""), ("a\u{1}", "b")]), "a", "b"));
    }

    #[test]
    fn a_zero_byte_is_no_end() {
        let open = spans(&[("b", "\0")]);
        assert!(covers(&open, "b", "\0") && covers(&open, "zzz", "") && !covers(&open, "a", "\0"));
        assert!(covers(&spans(&[("\0", "\0")]), "\0", "\0"));
    }

    #[test]
    fn what_holds_no_key_is_neither_granted_nor_covered() {
        assert!(!is_grantable(&bytes("b"), &bytes("a")) && !is_grantable(&bytes("b"), &bytes("b")));
        assert!(!is_grantable(&bytes(""), &bytes("\0")));
        assert!(is_grantable(&bytes("b"), &bytes("")) && is_grantable(&bytes("b"), &bytes("\0")));
        assert!(!covers(&spans(&[("\0", "\0")]), "b", "a"));
    }

    /// Keys of up to two of three letters, and the ends of ranges over them.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 2]), 1..=2)
    }

    fn end() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![Just(vec![]), Just(vec![0]), key()]
    }

    /// Every key of up to four of the letters: finer than any border above.
    fn all_keys() -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = vec![vec![]];
        let mut level = keys.clone();
        for _ in 0..4 {
            level = level.iter().flat_map(|k| (0..4).map(|c| [k.as_slice(), &[c]].concat())).collect();
            keys.extend(level.iter().cloned());
        }
        keys
    }

    fn naive(key: &[u8], end: &[u8], candidate: &[u8]) -> bool {
        match end {
            [] => candidate == key,
            [0] => candidate >= key,
            _ => key <= candidate && candidate < end,
        }
    }

    proptest! {
        #[test]
        fn covering_is_that_every_key_is_in_some_range(
            granted in prop::collection::vec((key(), end()), 0..5), key in key(), end in end(),
        ) {
            let owned: Vec<(Bytes, Bytes)> =
                granted.iter().map(|(a, b)| (a.clone().into(), b.clone().into())).collect();
            let spans = Spans::of(owned.iter().map(|(a, b)| (a, b)));
            let asked: Vec<_> = all_keys().into_iter().filter(|k| naive(&key, &end, k)).collect();
            let covered = asked.iter().all(|k| granted.iter().any(|(a, b)| naive(a, b, k)));
            let expected = !asked.is_empty() && covered;
            prop_assert_eq!(spans.cover(&key.into(), &end.into()), expected);
        }
    }
}
