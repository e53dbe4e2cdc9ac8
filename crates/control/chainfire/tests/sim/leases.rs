//! What is promised of leases: never over early, and when they end, their keys go at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::Explained;
use crate::history::{Answer, Call, Moment, Record};

/// Until when a lease must live: each renewal's call, and what it was given.
struct Life {
    granted: bool,
    renewals: Vec<(Moment, Duration)>,
    /// The first request to end it.
    revoked: Option<Moment>,
}

pub(crate) fn check(
    records: &[Record],
    explained: &Explained,
    seen: &BTreeMap<i64, Moment>,
) -> Result<(), String> {
    let mut lives: BTreeMap<i64, Life> = BTreeMap::new();
    for record in records {
        let (id, ttl) = match (&record.call, record.answer()) {
            (Call::Grant(call), Some(Answer::Grant(told))) => (call.id, told.ttl),
            (Call::KeepAlive(id), Some(Answer::KeepAlive(told))) => (*id, told.ttl),
            (Call::Revoke(id), _) => {
                let life = lives.entry(*id).or_insert_with(Life::new);
                life.revoked.get_or_insert(record.called);
                continue;
            }
            _ => continue,
        };
        let life = lives.entry(id).or_insert_with(Life::new);
        life.granted |= matches!(record.call, Call::Grant(_));
        if ttl > 0 {
            life.renewals.push((record.called, Duration::from_secs(ttl.unsigned_abs())));
        }
    }
    for (revision, lease) in &explained.lease_ends {
        if let (Some(life), Some(at)) = (lives.get(lease), seen.get(revision)) {
            life.must_be_over(*lease, *at, "its keys went")?;
        }
    }
    for record in records {
        let Some((at, answer)) = &record.returned else { continue };
        let gone = match (&record.call, answer) {
            (Call::KeepAlive(id), Answer::KeepAlive(told)) if told.ttl <= 0 => Some(*id),
            (Call::Put(put), Answer::Refused(why)) if why.contains("lease not found") => Some(put.lease),
            (Call::Revoke(id), Answer::Refused(why)) if why.contains("lease not found") => Some(*id),
            _ => None,
        };
        if let Some((id, life)) = gone.and_then(|id| Some((id, lives.get(&id)?))).filter(|(_, l)| l.granted) {
            life.must_be_over(id, *at, &format!("{record:?}"))?;
        }
    }
    Ok(())
}

impl Life {
    fn new() -> Self {
        Self { granted: false, renewals: Vec::new(), revoked: None }
    }

    fn must_be_over(&self, id: i64, at: Moment, what: &str) -> Result<(), String> {
        if self.revoked.is_some_and(|revoked| revoked < at) {
            return Ok(());
        }
        match self.renewals.iter().find(|(called, ttl)| at.at < called.at + *ttl && *called < at) {
            Some((called, ttl)) => Err(format!(
                "lease {id:x} was over at {:?} although {ttl:?} were given at {:?}: {what}",
                at.at, called.at
            )),
            None => Ok(()),
        }
    }
}
