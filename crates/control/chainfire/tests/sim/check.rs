//! Whether one history by revisions explains every answer, and in real time.

use std::collections::BTreeMap;

use bytes::Bytes;
use chainfire::proto::etcdserverpb::request_op::Request as Op;
use chainfire::proto::etcdserverpb::{ResponseHeader, TxnRequest};

use crate::history::{Answer, Call, Moment, Record};
use crate::model::{Change, Replay, Run, bare};

/// Which revisions are whose.
pub(crate) struct Explained {
    /// The lease whose end a revision is.
    pub(crate) lease_ends: BTreeMap<i64, i64>,
}

pub(crate) fn explain(
    replay: &Replay,
    records: &[Record],
    seen: &BTreeMap<i64, Moment>,
) -> Result<Explained, String> {
    let mut claims: BTreeMap<i64, usize> = BTreeMap::new();
    for (i, record) in records.iter().enumerate() {
        if let Some(revision) = answered(replay, record).map_err(|why| format!("{why}\n{record:?}"))?
            && let Some(other) = claims.insert(revision, i)
        {
            return Err(format!(
                "two were told that {revision} is theirs:\n{:?}\n{record:?}",
                records[other]
            ));
        }
    }
    claim_by_values(replay, records, &mut claims)?;
    let lease_ends = explain_rest(replay, records, seen, &mut claims)?;
    real_time(records, &claims)?;
    compactions(records)?;
    Ok(Explained { lease_ends })
}

fn revision(header: Option<&ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}

/// Carries a request out on the state before its revision. Gives the revision if the request made it.
fn answered(replay: &Replay, record: &Record) -> Result<Option<i64>, String> {
    let Some(at) = record.answer().and_then(revision_of) else { return Ok(None) };
    if replay.state(at).is_none() {
        return Err(format!("nobody has seen revision {at}"));
    }
    for before in [at - 1, at] {
        let mut run = Run::new(replay, before);
        let Some(same) = answers_alike(&mut run, record) else { return Ok(None) };
        let wrote = before < at;
        if same && wrote && !run.changes.is_empty() && run.changes == replay.changes(at) {
            return Ok(Some(at));
        }
        if same && !wrote && run.changes.is_empty() {
            return Ok(None);
        }
    }
    let mut run = Run::new(replay, at - 1);
    let _ = answers_alike(&mut run, record);
    Err(format!(
        "the answer is not what revision {at} would give; before it {:?}, its changes {:?}",
        replay.state(at - 1),
        replay.changes(at)
    ))
}

pub(crate) fn revision_of(answer: &Answer) -> Option<i64> {
    let header = match answer {
        Answer::Put(r) => &r.header,
        Answer::Delete(r) => &r.header,
        Answer::Txn(r) => &r.header,
        Answer::Range(r) => &r.header,
        Answer::Compact(r) => &r.header,
        Answer::Grant(r) => &r.header,
        Answer::Revoke(r) => &r.header,
        Answer::KeepAlive(_) | Answer::Refused(_) | Answer::Unknown(_) => return None,
    };
    Some(revision(header.as_ref()))
}

/// Whether the run gives what the client was told. None: the answer has nothing to compare.
fn answers_alike(run: &mut Run<'_>, record: &Record) -> Option<bool> {
    Some(match (&record.call, record.answer()?) {
        (Call::Put(call), Answer::Put(told)) => run.put(call).prev_kv == told.prev_kv,
        (Call::Delete(call), Answer::Delete(told)) => {
            let done = run.delete(call);
            (done.deleted, done.prev_kvs) == (told.deleted, told.prev_kvs.clone())
        }
        (Call::Range(call), Answer::Range(told)) => {
            let done = run.range(call);
            (done.kvs, done.more, done.count) == (told.kvs.clone(), told.more, told.count)
        }
        (Call::Txn(call), Answer::Txn(told)) => run.txn(call) == bare(told.clone()),
        (Call::Revoke(lease), Answer::Revoke(_)) => {
            run.end_lease(*lease);
            true
        }
        _ => return None,
    })
}

impl Run<'_> {
    fn end_lease(&mut self, lease: i64) {
        let keys: Vec<Bytes> =
            self.state.iter().filter(|(_, kv)| kv.lease == lease).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.state.remove(&key);
            self.changes.push(Change { key, kv: None });
        }
    }
}

fn put_values(call: &Call) -> Vec<Bytes> {
    fn of(txn: &TxnRequest) -> Vec<Bytes> {
        let operations = txn.success.iter().chain(&txn.failure).filter_map(|op| op.request.as_ref());
        operations
            .flat_map(|op| match op {
                Op::RequestPut(put) => vec![put.value.clone()],
                Op::RequestTxn(inner) => of(inner),
                _ => vec![],
            })
            .collect()
    }
    match call {
        Call::Put(put) => vec![put.value.clone()],
        Call::Txn(txn) => of(txn),
        _ => vec![],
    }
}

/// Values are unique: whoever's value is in the history has taken effect, once, and whole.
fn claim_by_values(
    replay: &Replay,
    records: &[Record],
    claims: &mut BTreeMap<i64, usize>,
) -> Result<(), String> {
    let mut writers: BTreeMap<Bytes, usize> = BTreeMap::new();
    for (i, record) in records.iter().enumerate() {
        writers.extend(put_values(&record.call).into_iter().map(|value| (value, i)));
    }
    let mut found: BTreeMap<usize, i64> = BTreeMap::new();
    for at in 2..=replay.head() {
        for kv in replay.changes(at).iter().filter_map(|change| change.kv.as_ref()) {
            let writer = *writers.get(&kv.value).ok_or_else(|| format!("nobody wrote {kv:?}"))?;
            let record = &records[writer];
            if found.insert(writer, at).is_some_and(|other| other != at) {
                return Err(format!("it took effect twice, the second time at {at}:\n{record:?}"));
            }
            if let Some(Answer::Refused(why)) = record.answer() {
                return Err(format!("it was refused ({why}) and took effect at {at}:\n{record:?}"));
            }
            if claims.get(&at).is_some_and(|claim| *claim != writer) {
                return Err(format!("another request took effect at {at}:\n{record:?}"));
            }
        }
    }
    for (writer, at) in found {
        if claims.get(&at).is_none() && !makes(replay, &records[writer].call, at) {
            let changes = replay.changes(at);
            return Err(format!("it took effect in part at {at}: {changes:?}\n{:?}", records[writer]));
        }
        claims.insert(at, writer);
    }
    Ok(())
}

/// Whether a request carried out before a revision gives exactly its changes.
fn makes(replay: &Replay, call: &Call, at: i64) -> bool {
    let mut run = Run::new(replay, at - 1);
    match call {
        Call::Put(put) => drop(run.put(put)),
        Call::Delete(delete) => drop(run.delete(delete)),
        Call::Txn(txn) => drop(run.txn(txn)),
        Call::Revoke(lease) => run.end_lease(*lease),
        _ => {}
    }
    run.changes == replay.changes(at)
}

/// What nobody claims are deletions of unknown outcome, or ends of leases.
fn explain_rest(
    replay: &Replay,
    records: &[Record],
    seen: &BTreeMap<i64, Moment>,
    claims: &mut BTreeMap<i64, usize>,
) -> Result<BTreeMap<i64, i64>, String> {
    let mut lease_ends = BTreeMap::new();
    for at in 2..=replay.head() {
        let open = |record: &Record| {
            matches!(record.answer(), None | Some(Answer::Unknown(_)))
                && seen.get(&at).is_some_and(|seen| record.called < *seen)
        };
        let unknown = records.iter().any(|record| open(record) && makes(replay, &record.call, at));
        let lease = replay.state(at - 1).into_iter().flatten().map(|(_, kv)| kv.lease);
        let ended = lease.filter(|lease| *lease != 0).find(|lease| makes(replay, &Call::Revoke(*lease), at));
        if let Some(lease) = ended
            && claims.get(&at).is_none_or(|claim| matches!(records[*claim].call, Call::Revoke(_)))
        {
            // A deletion of unknown outcome may have taken all that the lease had: then the lease may live on.
            let may_live = unknown && !claims.contains_key(&at);
            if !may_live {
                lease_ends.insert(at, lease);
            }
            continue;
        }
        if !unknown && !claims.contains_key(&at) {
            return Err(format!("nobody asked for revision {at}: {:?}", replay.changes(at)));
        }
    }
    Ok(lease_ends)
}

/// Whatever has returned is seen by whatever is called after it.
fn real_time(records: &[Record], claims: &BTreeMap<i64, usize>) -> Result<(), String> {
    let mut told: Vec<(Moment, i64)> = Vec::new();
    for record in records {
        if let Some((at, answer)) = &record.returned {
            told.extend(revision_of(answer).map(|revision| (*at, revision)));
        }
    }
    told.sort_unstable();
    for i in 1..told.len() {
        told[i].1 = told[i].1.max(told[i - 1].1);
    }
    let known_at = |moment: Moment| {
        let earlier = told.partition_point(|(at, _)| *at < moment);
        earlier.checked_sub(1).map_or(0, |i| told[i].1)
    };
    for (at, claim) in claims {
        let known = known_at(records[*claim].called);
        if *at <= known {
            return Err(format!("{known} was known before this made {at}:\n{:?}", records[*claim]));
        }
    }
    for record in records.iter().filter(|record| is_linearizable(&record.call)) {
        let known = known_at(record.called);
        if let Some(at) = record.answer().and_then(revision_of).filter(|at| *at < known) {
            return Err(format!("stale: {known} was known before this was answered as of {at}:\n{record:?}"));
        }
    }
    Ok(())
}

fn is_linearizable(call: &Call) -> bool {
    match call {
        Call::Range(range) => !range.serializable,
        Call::Txn(txn) => {
            let mut operations = txn.success.iter().chain(&txn.failure);
            !operations.all(|op| matches!(&op.request, Some(Op::RequestRange(range)) if range.serializable))
        }
        _ => true,
    }
}

/// What is compacted stays so, and nothing is that nobody asked to compact.
fn compactions(records: &[Record]) -> Result<(), String> {
    let asked: Vec<(&Record, i64)> = records
        .iter()
        .filter_map(|record| match &record.call {
            Call::Compact(call) => Some((record, call.revision)),
            _ => None,
        })
        .filter(|(record, _)| !matches!(record.answer(), Some(Answer::Refused(_))))
        .collect();
    for record in records {
        let Some((returned, answer)) = &record.returned else { continue };
        let wanted = match &record.call {
            Call::Range(call) => call.revision,
            Call::Compact(call) => call.revision,
            _ => continue,
        };
        let is_range = matches!(record.call, Call::Range(_));
        match answer {
            Answer::Refused(why) if why.contains("has been compacted") => {
                let cause = |(other, at): &(&Record, i64)| {
                    other.called < *returned && if is_range { *at > wanted } else { *at >= wanted }
                };
                if !asked.iter().any(cause) {
                    return Err(format!("nobody has compacted that:\n{record:?}"));
                }
            }
            Answer::Refused(why)
                if why.contains("future revision")
                    && is_linearizable(&record.call)
                    && known_before(records, record.called) >= wanted =>
            {
                return Err(format!("that revision was known:\n{record:?}"));
            }
            Answer::Range(_) | Answer::Compact(_) if wanted > 0 && is_linearizable(&record.call) => {
                let done = |(other, at): &(&Record, i64)| {
                    matches!(other.answer(), Some(Answer::Compact(_)))
                        && other.returned.as_ref().is_some_and(|(at, _)| *at < record.called)
                        && *at > wanted
                };
                if let Some((other, _)) = asked.iter().find(|one| done(one)) {
                    return Err(format!("a compaction was undone: {other:?}\n{record:?}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn known_before(records: &[Record], moment: Moment) -> i64 {
    let earlier = records.iter().filter_map(|record| record.returned.as_ref()).filter(|(at, _)| *at < moment);
    earlier.filter_map(|(_, answer)| revision_of(answer)).max().unwrap_or(0)
}
