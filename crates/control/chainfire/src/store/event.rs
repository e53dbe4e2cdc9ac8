//! One change of one key: what history is made of.

use bytes::Bytes;

use super::codec::{Reader, Writer};
use super::error::StoreError;
use super::revision::Revision;
use crate::proto::mvccpb;

/// A put or a deletion. Shared, never changed, and the only place where a value is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub revision: Revision,
    /// A deletion has neither value nor lease.
    pub deleted: bool,
    /// Which key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// The `main` that created the key in this life; 0 for a deletion.
    pub create: i64,
    /// Changes since creation, from 1; 0 for a deletion.
    pub version: i64,
    /// The lease it goes with; 0 for none.
    pub lease: i64,
    /// The change before it, unless it is the first of its life.
    pub previous: Option<Revision>,
}

/// Everything about a key's state but key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// Where the value is.
    pub(crate) revision: Revision,
    pub(crate) create: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
}

impl Event {
    pub(crate) fn pointer(&self) -> Pointer {
        Pointer { revision: self.revision, create: self.create, version: self.version, lease: self.lease }
    }

    /// The key's state as clients see it.
    pub fn key_value(&self) -> mvccpb::KeyValue {
        self.pointer().key_value(self.key.clone(), self.value.clone())
    }

    /// What it weighs in memory, about.
    pub fn weight(&self) -> usize {
        self.key.len() + self.value.len() + size_of::<Self>()
    }

    /// As stored under its revision.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let previous = self.previous.unwrap_or_default();
        let mut w = Writer::new(out);
        w.byte(u8::from(self.deleted));
        w.number(self.create);
        w.number(self.version);
        w.number(self.lease);
        w.number(previous.main);
        w.number(previous.sub.into());
        w.bytes(&self.key);
        w.rest(&self.value);
    }

    pub(crate) fn decode(revision: Revision, stored: &[u8]) -> Result<Self, StoreError> {
        let row = Row::decode(stored)?;
        Ok(Self {
            revision,
            deleted: row.deleted,
            key: Bytes::copy_from_slice(row.key),
            value: Bytes::copy_from_slice(row.value),
            create: row.create,
            version: row.version,
            lease: row.lease,
            previous: row.previous,
        })
    }
}

/// A stored event, its bytes not yet copied.
pub(crate) struct Row<'a> {
    pub(crate) deleted: bool,
    pub(crate) previous: Option<Revision>,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    create: i64,
    version: i64,
    pub(crate) lease: i64,
}

impl<'a> Row<'a> {
    pub(crate) fn decode(stored: &'a [u8]) -> Result<Self, StoreError> {
        let mut r = Reader::new("events", stored);
        let deleted = r.byte()? != 0;
        let (create, version, lease) = (r.number()?, r.number()?, r.number()?);
        let (main, sub) = (r.number()?, r.small()?);
        let previous = (main != 0).then_some(Revision { main, sub });
        let key = r.bytes()?;
        Ok(Self { deleted, previous, key, value: r.rest(), create, version, lease })
    }
}

impl Pointer {
    pub(crate) fn key_value(self, key: Bytes, value: Bytes) -> mvccpb::KeyValue {
        mvccpb::KeyValue {
            key,
            create_revision: self.create,
            mod_revision: self.revision.main,
            version: self.version,
            value,
            lease: self.lease,
        }
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.number(self.revision.main);
        w.number(self.revision.sub.into());
        w.number(self.create);
        w.number(self.version);
        w.number(self.lease);
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        let mut r = Reader::new("current", stored);
        let revision = Revision { main: r.number()?, sub: r.small()? };
        Ok(Self { revision, create: r.number()?, version: r.number()?, lease: r.number()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn event()(
            main in 0..i64::MAX, sub: u32, deleted: bool,
            key in prop::collection::vec(any::<u8>(), 1..40), value in prop::collection::vec(any::<u8>(), 0..40),
            create in 0..i64::MAX, version in 0..i64::MAX, lease: i64,
            previous in prop::option::of((1..i64::MAX, any::<u32>())),
        ) -> Event {
            let previous = previous.map(|(main, sub)| Revision { main, sub });
            let revision = Revision { main, sub };
            Event { revision, deleted, key: key.into(), value: value.into(), create, version, lease, previous }
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(event in event()) {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            prop_assert_eq!(&Event::decode(event.revision, &bytes).expect("own encoding"), &event);
            bytes.clear();
            event.pointer().encode(&mut bytes);
            prop_assert_eq!(Pointer::decode(&bytes).expect("own encoding"), event.pointer());
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(bytes: Vec<u8>) {
            let _ = Event::decode(Revision::default(), &bytes);
            let _ = Pointer::decode(&bytes);
        }
    }
}
