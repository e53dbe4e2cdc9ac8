//! The outcomes of the last writes, so that whoever lost an answer can ask what came of it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Entries that are remembered.
const KEPT: usize = 16_384;
/// Larger replies are not: who asks is told that they were carried out, and nothing more.
const MOST: usize = 1 << 10;

/// What became of the last entries.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The first entry that is certainly known about.
    since: u64,
    order: VecDeque<(u64, Vec<[u8; 16]>)>,
    known: BTreeMap<[u8; 16], (usize, Option<Bytes>)>,
}

/// What is known of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its entry was applied, as the n-th of the entry's writes; its reply, if that was small.
    Applied(usize, Option<Bytes>),
    /// It is in no entry from this index on.
    NotSince(u64),
}

impl Recent {
    /// Nothing before this entry is known.
    pub(super) fn begin(&mut self, index: u64) {
        *self = Self { since: index + 1, ..Self::default() };
    }

    pub(super) fn add(&mut self, index: u64, ids: Vec<[u8; 16]>, reply: &Bytes) {
        if ids.is_empty() {
            return;
        }
        let reply = (reply.len() <= MOST).then(|| reply.clone());
        for (place, id) in ids.iter().enumerate() {
            self.known.insert(*id, (place, reply.clone()));
        }
        self.order.push_back((index, ids));
        while self.order.len() > KEPT {
            let Some((index, ids)) = self.order.pop_front() else { break };
            ids.iter().for_each(|id| drop(self.known.remove(id)));
            self.since = index + 1;
        }
    }

    pub(super) fn fate(&self, id: &[u8; 16]) -> Fate {
        match self.known.get(id) {
            Some((place, reply)) => Fate::Applied(*place, reply.clone()),
            None => Fate::NotSince(self.since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> [u8; 16] {
        (n as u128).to_be_bytes()
    }

    #[test]
    fn what_was_applied_is_known_until_it_is_long_ago() {
        let mut recent = Recent::default();
        recent.begin(9);
        assert_eq!(recent.fate(&id(1)), Fate::NotSince(10));
        for n in 0..=KEPT {
            recent.add(10 + n as u64, vec![id(2 * n), id(2 * n + 1)], &Bytes::from_static(b"reply"));
        }
        assert_eq!(recent.fate(&id(0)), Fate::NotSince(11));
        assert_eq!(recent.fate(&id(3)), Fate::Applied(1, Some(Bytes::from_static(b"reply"))));
        recent.add(1 << 20, vec![id(9_999_999)], &vec![0; MOST + 1].into());
        assert_eq!(recent.fate(&id(9_999_999)), Fate::Applied(0, None));
    }
}
