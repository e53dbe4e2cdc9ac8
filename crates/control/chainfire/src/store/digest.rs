//! Fingerprints of what the store holds, by XXH3: quick, the same everywhere, and not meant to withstand
//! somebody who looks for collisions; against that there are permissions.

use quorum::jury::Chain;

use super::event::Event;

/// A thing that a command did, besides changes of keys.
pub(super) enum Deed<'a> {
    Grant { id: i64, ttl: i64 },
    Revoke { id: i64 },
    Record { name: &'a [u8], record: Option<&'a [u8]> },
    Compact { revision: i64 },
    Claim { epoch: u64 },
}

/// Takes a change of a key into a chain.
pub(super) fn change(chain: &mut Chain, event: &Event) {
    chain.hash = of_event(event, chain.hash);
}

/// Takes anything else into a chain.
pub(super) fn deed(chain: &mut Chain, deed: &Deed<'_>) {
    let seed = chain.hash;
    chain.hash = match deed {
        Deed::Grant { id, ttl } => numbers(seed, [1, id.cast_unsigned(), ttl.cast_unsigned()]),
        Deed::Revoke { id } => numbers(seed, [2, id.cast_unsigned(), 0]),
        Deed::Record { name, record } => {
            let length = record.map_or(u64::MAX, |record| record.len() as u64);
            let seed = bytes(numbers(seed, [3, name.len() as u64, length]), name);
            bytes(seed, record.unwrap_or_default())
        }
        Deed::Compact { revision } => numbers(seed, [4, revision.cast_unsigned(), 0]),
        Deed::Claim { epoch } => numbers(seed, [5, *epoch, 0]),
    };
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
        change(&mut chain, &event());
        assert_eq!(chain.hash, 0x4212_0301_2e14_3951);
        deed(&mut chain, &Deed::Grant { id: 1, ttl: 60 });
        deed(&mut chain, &Deed::Record { name: b"a", record: Some(b"b") });
        deed(&mut chain, &Deed::Record { name: b"a", record: None });
        deed(&mut chain, &Deed::Revoke { id: 1 });
        deed(&mut chain, &Deed::Compact { revision: 4 });
        deed(&mut chain, &Deed::Claim { epoch: 8 });
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
