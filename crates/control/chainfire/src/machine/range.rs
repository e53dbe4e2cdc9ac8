//! What a Range request means.
//!
//! Sorting and the revision filters work on keys and counters; values are read only for what is
//! answered. A limit ends the reading, not the counting.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::proto::etcdserverpb::{RangeRequest, RangeResponse, ResponseHeader};
use crate::store::{Found, Span, StoreError, View};

use super::refusal::{Failure, Refusal};

/// A view, and which of its revisions may be read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    view: &'a View,
    now: i64,
    compacted: i64,
}

impl<'a> Reader<'a> {
    /// `now` is the revision of a read that names none. `compacted` must be known later than `view`.
    pub(crate) fn new(view: &'a View, now: i64, compacted: i64) -> Self {
        Self { view, now, compacted }
    }

    pub(super) fn view(&self) -> &'a View {
        self.view
    }

    /// A key's latest state.
    pub(crate) fn get(&self, key: &Bytes) -> Result<Option<Found>, StoreError> {
        self.view.get(key, self.now)
    }

    /// The revision that a request for `revision` reads.
    pub(crate) fn resolve(&self, revision: i64) -> Result<i64, Refusal> {
        match revision {
            ..=0 => Ok(self.now),
            _ if revision > self.now => Err(Refusal::FutureRevision),
            _ if revision < self.compacted => Err(Refusal::Compacted),
            _ => Ok(revision),
        }
    }

    /// Answers a request. The header says at which revision the store is, not which was read.
    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Failure> {
        let at = self.resolve(request.revision)?;
        let (mut found, count) = self.collect(request, at)?;
        let mut more = false;
        if !request.count_only {
            if is_filtered(request) {
                found.retain(|f| passes(request, f));
            }
            self.sort(request, &mut found)?;
            more = limit(request).is_some_and(|limit| found.len() > limit);
            found.truncate(limit(request).unwrap_or(usize::MAX));
        }
        let mut kvs = Vec::with_capacity(found.len());
        for key in found {
            kvs.push(if request.keys_only {
                key.pointer.key_value(key.key, Bytes::new())
            } else {
                self.view.key_value(key)?
            });
        }
        Ok(RangeResponse { header: header(self.now), kvs, more, count })
    }

    /// The keys that may be answered, in order, and how many there are in all.
    fn collect(&self, request: &RangeRequest, at: i64) -> Result<(Vec<Found>, i64), StoreError> {
        let span = Span::new(request.key.clone(), request.range_end.clone());
        if let Some(key) = span.single() {
            let found: Vec<Found> = self.view.get(key, at)?.into_iter().collect();
            let count = found.len() as i64;
            return Ok((if request.count_only { Vec::new() } else { found }, count));
        }
        let wanted = wanted(request);
        let (mut found, mut count) = (Vec::new(), 0);
        self.view.walk(&span, at, |seen| {
            count += 1;
            if found.len() < wanted {
                found.push(self.view.found(&seen)?);
            }
            Ok(true)
        })?;
        Ok((found, count))
    }

    fn sort(&self, request: &RangeRequest, found: &mut Vec<Found>) -> Result<(), StoreError> {
        let target = request.sort_target();
        let descending = match request.sort_order() {
            // As in etcd, a target other than the key means ascending if no order is given.
            SortOrder::None | SortOrder::Ascend if target == SortTarget::Key => return Ok(()),
            SortOrder::None | SortOrder::Ascend => false,
            SortOrder::Descend => true,
        };
        let directed = |order: Ordering| if descending { order.reverse() } else { order };
        if target == SortTarget::Value {
            let mut keyed = Vec::with_capacity(found.len());
            for f in found.drain(..) {
                keyed.push((self.view.value(&f)?, f));
            }
            keyed.sort_by(|(a, _), (b, _)| directed(a.cmp(b)));
            found.extend(keyed.into_iter().map(|(_, f)| f));
            return Ok(());
        }
        found.sort_by(|a, b| {
            let (p, q) = (&a.pointer, &b.pointer);
            directed(match target {
                SortTarget::Version => p.version.cmp(&q.version),
                SortTarget::Create => p.create.cmp(&q.create),
                SortTarget::Mod => p.revision.main.cmp(&q.revision.main),
                SortTarget::Key | SortTarget::Value => a.key.cmp(&b.key),
            })
        });
        Ok(())
    }
}

pub(crate) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

fn limit(request: &RangeRequest) -> Option<usize> {
    usize::try_from(request.limit).ok().filter(|limit| *limit > 0)
}

/// How many keys must be kept to answer: one more than the limit, unless later ones may overtake.
fn wanted(request: &RangeRequest) -> usize {
    if request.count_only {
        return 0;
    }
    let by_key = request.sort_order() == SortOrder::None
        || (request.sort_order() == SortOrder::Ascend && request.sort_target() == SortTarget::Key);
    match limit(request) {
        Some(limit) if by_key && !is_filtered(request) => limit.saturating_add(1),
        _ => usize::MAX,
    }
}

fn is_filtered(r: &RangeRequest) -> bool {
    [r.min_mod_revision, r.max_mod_revision, r.min_create_revision, r.max_create_revision]
        .iter()
        .any(|b| *b != 0)
}

fn passes(request: &RangeRequest, found: &Found) -> bool {
    let within = |value: i64, min: i64, max: i64| (min == 0 || value >= min) && (max == 0 || value <= max);
    within(found.pointer.revision.main, request.min_mod_revision, request.max_mod_revision)
        && within(found.pointer.create, request.min_create_revision, request.max_create_revision)
}
