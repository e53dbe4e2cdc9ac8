//! A range in parts, each of bounded size.

use bytes::Bytes;
use prost::Message;

use super::range::Reader;
use super::refusal::Failure;
use crate::proto::mvccpb::KeyValue;
use crate::store::Span;

/// How much a part may hold. One key always fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartSize {
    pub(crate) keys: usize,
    /// As encoded. The last key may exceed it.
    pub(crate) bytes: usize,
}

/// The first keys of a span, and where it goes on.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) kvs: Vec<KeyValue>,
    /// The first key that did not fit.
    pub(crate) next: Option<Bytes>,
}

impl Reader<'_> {
    /// The first keys of a span at a revision.
    pub(crate) fn part(
        &self,
        span: &Span,
        at: i64,
        keys_only: bool,
        size: PartSize,
    ) -> Result<Part, Failure> {
        let at = self.resolve(at)?;
        let mut part = Part::default();
        let mut bytes = 0;
        self.view().walk(span, at, |seen| {
            let found = self.view().found(&seen)?;
            if part.kvs.len() >= size.keys || bytes >= size.bytes {
                part.next = Some(found.key);
                return Ok(false);
            }
            let kv = match keys_only {
                true => found.pointer.key_value(found.key, Bytes::new()),
                false => self.view().key_value(found)?,
            };
            bytes += kv.encoded_len();
            part.kvs.push(kv);
            Ok(true)
        })?;
        Ok(part)
    }

    /// How many keys a span has at a revision.
    pub(crate) fn count(&self, span: &Span, at: i64) -> Result<i64, Failure> {
        let at = self.resolve(at)?;
        let mut count = 0;
        self.view().walk(span, at, |_| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }
}
