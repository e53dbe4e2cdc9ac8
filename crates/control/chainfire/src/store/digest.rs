//! Fingerprints of what the store holds, by XXH3: quick, the same everywhere, and not meant to withstand
//! somebody who looks for collisions; against that there are permissions.

use super::event::Event;

/// A running hash over everything that commands did to the store, in order: two replicas that have applied
/// the same entries to the same state have the same one. It says nothing about how the state is laid out,
/// flushed or scrubbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Who has begun it: only chains of one beginning can be compared. 0: an empty store.
    pub origin: u64,
    /// The hash so far.
    pub hash: u64,
}

/// A thing that a command did, besides changes of keys.
pub(super) enum Deed<'a> {
    Grant { id: i64, ttl: i64 },
    Revoke { id: i64 },
    Record { name: &'a [u8], record: Option<&'a [u8]> },
    Compact { revision: i64 },
    Claim { epoch: u64 },
}

impl Chain {
    /// A chain that begins here.
    pub(crate) fn begin(origin: u64) -> Self {
        Self { origin, hash: 0 }
    }

    pub(super) fn change(&mut self, event: &Event) {
        self.hash = of_event(event, self.hash);
    }

    pub(super) fn deed(&mut self, deed: &Deed<'_>) {
        self.hash = match deed {
            Deed::Grant { id, ttl } => numbers(self.hash, [1, id.cast_unsigned(), ttl.cast_unsigned()]),
            Deed::Revoke { id } => numbers(self.hash, [2, id.cast_unsigned(), 0]),
            Deed::Record { name, record } => {
                let length = record.map_or(u64::MAX, |record| record.len() as u64);
                let seed = bytes(numbers(self.hash, [3, name.len() as u64, length]), name);
                bytes(seed, record.unwrap_or_default())
            }
            Deed::Compact { revision } => numbers(self.hash, [4, revision.cast_unsigned(), 0]),
            Deed::Claim { epoch } => numbers(self.hash, [5, *epoch, 0]),
        };
    }
}

fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed)
}

fn numbers<const N: usize>(seed: u64, numbers: [u64; N]) -> u64 {
    bytes(seed, numbers.map(u64::to_be_bytes).as_flattened())
}

/// A fingerprint of one change, with its time, key and value.
pub(super) fn of_event(event: &Event, seed: u64) -> u64 {
    let previous = event.previous.unwrap_or_default();
    let head = [
        event.revision.main.cast_unsigned(),
        u64::from(event.revision.sub) << 32 | u64::from(previous.sub),
        previous.main.cast_unsigned(),
        event.create.cast_unsigned(),
        event.version.cast_unsigned(),
        event.lease.cast_unsigned(),
        (event.key.len() as u64) << 1 | u64::from(event.deleted),
    ];
    bytes(bytes(numbers(seed, head), &event.key), &event.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Revision;

    fn event() -> Event {
        Event {
            revision: Revision { main: 5, sub: 1 },
            deleted: false,
            key: "key".into(),
            value: "value".into(),
            create: 3,
            version: 2,
            lease: 0,
            previous: Some(Revision { main: 4, sub: 0 }),
        }
    }

    /// Files and images hold these: a version that computes them otherwise would fence its cluster.
    #[test]
    fn hashes_are_the_same_in_every_version() {
        let mut chain = Chain::begin(9);
        chain.change(&event());
        assert_eq!(chain.hash, 0x4212_0301_2e14_3951);
        chain.deed(&Deed::Grant { id: 1, ttl: 60 });
        chain.deed(&Deed::Record { name: b"a", record: Some(b"b") });
        chain.deed(&Deed::Record { name: b"a", record: None });
        chain.deed(&Deed::Revoke { id: 1 });
        chain.deed(&Deed::Compact { revision: 4 });
        chain.deed(&Deed::Claim { epoch: 8 });
        assert_eq!(chain, Chain { origin: 9, hash: 0x4189_0909_7f61_0c8c });
    }

    #[test]
    fn every_part_of_a_change_counts() {
        let change = |change: fn(&mut Event)| {
            let mut event = event();
            change(&mut event);
            of_event(&event, 0)
        };
        let hashes = [
            change(|_| {}),
            change(|e| e.revision.main = 6),
            change(|e| e.revision.sub = 2),
            change(|e| e.deleted = true),
            change(|e| e.key = "kez".into()),
            change(|e| e.value = "valuf".into()),
            // The same bytes, cut elsewhere.
            change(|e| (e.key, e.value) = ("keyv".into(), "alue".into())),
            change(|e| e.create = 4),
            change(|e| e.version = 3),
            change(|e| e.lease = 1),
            change(|e| e.previous = None),
            of_event(&event(), 1),
        ];
        assert_eq!(hashes.iter().collect::<std::collections::BTreeSet<_>>().len(), hashes.len());
    }
}
