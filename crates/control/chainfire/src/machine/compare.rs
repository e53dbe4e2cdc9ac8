//! The comparisons that decide a transaction.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::proto::etcdserverpb::Compare;
use crate::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::store::{Found, Span, StoreError, View};

/// Whether every comparison holds for every key it names, at revision `at`.
pub(crate) fn all_hold(compares: &[Compare], view: &View, at: i64) -> Result<bool, StoreError> {
    for compare in compares {
        if !holds(compare, view, at)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(compare: &Compare, view: &View, at: i64) -> Result<bool, StoreError> {
    let span = Span::new(compare.key.clone(), compare.range_end.clone());
    let (mut any, mut all) = (false, true);
    if let Some(key) = span.single() {
        if let Some(found) = view.get(key, at)? {
            return compares(compare, Some(&found), view);
        }
    } else {
        view.walk(&span, at, |seen| {
            any = true;
            all = compares(compare, Some(&view.found(&seen)?), view)?;
            Ok(all)
        })?;
    }
    if any { Ok(all) } else { compares(compare, None, view) }
}

/// A key that is not there counts as one with every counter 0, and has no value to compare with.
fn compares(compare: &Compare, found: Option<&Found>, view: &View) -> Result<bool, StoreError> {
    let counters = found.map(|f| f.pointer);
    let order = match compare.target() {
        CompareTarget::Value => {
            let Some(found) = found else { return Ok(false) };
            view.value(found)?.cmp(&given_value(compare))
        }
        CompareTarget::Version => counters.map_or(0, |p| p.version).cmp(&given(compare)),
        CompareTarget::Create => counters.map_or(0, |p| p.create).cmp(&given(compare)),
        CompareTarget::Mod => counters.map_or(0, |p| p.revision.main).cmp(&given(compare)),
        CompareTarget::Lease => counters.map_or(0, |p| p.lease).cmp(&given(compare)),
    };
    Ok(match compare.result() {
        CompareResult::Equal => order == Ordering::Equal,
        CompareResult::NotEqual => order != Ordering::Equal,
        CompareResult::Greater => order == Ordering::Greater,
        CompareResult::Less => order == Ordering::Less,
    })
}

/// The number to compare with: 0 unless one of the target's own kind was given.
fn given(compare: &Compare) -> i64 {
    match (compare.target(), &compare.target_union) {
        (CompareTarget::Version, Some(TargetUnion::Version(n)))
        | (CompareTarget::Create, Some(TargetUnion::CreateRevision(n)))
        | (CompareTarget::Mod, Some(TargetUnion::ModRevision(n)))
        | (CompareTarget::Lease, Some(TargetUnion::Lease(n))) => *n,
        _ => 0,
    }
}

fn given_value(compare: &Compare) -> Bytes {
    match &compare.target_union {
        Some(TargetUnion::Value(value)) => value.clone(),
        _ => Bytes::new(),
    }
}
