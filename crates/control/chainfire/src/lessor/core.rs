//! Which leases are held until when. Pure: time comes in as an argument.
//!
//! Only the primary, the replica that leads, knows times. They are not replicated: whoever becomes
//! primary gives every lease its full time again (etcd's rule), so a change of leaders can only
//! lengthen a lease.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// How long a revocation that was asked for may take before it is asked for again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Leases and their ends, while primary; nothing otherwise.
#[derive(Debug, Default)]
pub(crate) struct Core {
    epoch: Option<u64>,
    held: BTreeMap<i64, Held>,
    /// When each lease must be looked at next.
    due: BTreeSet<(Instant, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    ttl: Duration,
    ends: Instant,
    /// Its entry in `due`: the end, or the next time to ask for its revocation.
    due: Instant,
}

/// What the primary knows of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Until its end.
    pub left: Duration,
    /// Its whole time to live.
    pub granted: Duration,
}

/// Why a lease was not renewed or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LessorError {
    /// This replica does not decide about leases, or not yet.
    #[error("this replica is not the primary lessor")]
    NotPrimary,
    /// There is no such lease, or its time is over and its revocation on the way.
    #[error("requested lease not found")]
    NotFound,
}

impl Core {
    /// The epoch, while primary.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Becomes primary: every lease begins anew.
    pub(crate) fn promote(&mut self, epoch: u64, leases: &BTreeMap<i64, i64>, now: Instant) {
        self.demote();
        self.epoch = Some(epoch);
        for (id, ttl) in leases {
            self.granted(*id, *ttl, now);
        }
    }

    /// Stops being primary and forgets all times.
    pub(crate) fn demote(&mut self) {
        *self = Self::default();
    }

    /// A lease was added. `ttl` is in seconds.
    pub(crate) fn granted(&mut self, id: i64, ttl: i64, now: Instant) {
        if self.epoch.is_none() {
            return;
        }
        let ttl = Duration::from_secs(ttl.unsigned_abs());
        self.revoked(id);
        // A time to live beyond what the clock can count never ends.
        let Some(ends) = now.checked_add(ttl) else { return };
        self.held.insert(id, Held { ttl, ends, due: ends });
        self.due.insert((ends, id));
    }

    /// A lease is gone.
    pub(crate) fn revoked(&mut self, id: i64) {
        if let Some(held) = self.held.remove(&id) {
            self.due.remove(&(held.due, id));
        }
    }

    /// Begins a lease's time anew; gives its time to live.
    pub(crate) fn renew(&mut self, id: i64, now: Instant) -> Result<Duration, LessorError> {
        let held = self.find(id, now)?;
        self.granted(id, i64::try_from(held.ttl.as_secs()).unwrap_or(i64::MAX), now);
        Ok(held.ttl)
    }

    /// How long a lease still has.
    pub(crate) fn remaining(&self, id: i64, now: Instant) -> Result<Remaining, LessorError> {
        let held = self.find(id, now)?;
        Ok(Remaining { left: held.ends - now, granted: held.ttl })
    }

    fn find(&self, id: i64, now: Instant) -> Result<Held, LessorError> {
        if self.epoch.is_none() {
            return Err(LessorError::NotPrimary);
        }
        self.held.get(&id).filter(|held| held.ends > now).copied().ok_or(LessorError::NotFound)
    }

    /// Up to `limit` leases whose time is over, the longest over first. Each is given again only if it is
    /// still there after a while.
    pub(crate) fn expired(&mut self, limit: usize, now: Instant) -> Vec<i64> {
        let ids: Vec<i64> =
            self.due.iter().take(limit).take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in &ids {
            if let Some(held) = self.held.get_mut(id) {
                self.due.remove(&(held.due, *id));
                held.due = now + PATIENCE;
                self.due.insert((held.due, *id));
            }
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOTHING: [i64; 0] = [];

    #[derive(Clone, Debug)]
    enum Step {
        Grant(i64, i64),
        Revoke(i64),
        Renew(i64),
        Promote,
        Demote,
        Wait(u64),
        Expire(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let id = 1..6i64;
        prop_oneof![
            4 => (id.clone(), 1..10i64).prop_map(|(id, ttl)| Step::Grant(id, ttl)),
            1 => id.clone().prop_map(Step::Revoke),
            4 => id.prop_map(Step::Renew),
            1 => Just(Step::Promote),
            1 => Just(Step::Demote),
            4 => (1..6u64).prop_map(Step::Wait),
            4 => (1..4usize).prop_map(Step::Expire),
        ]
    }

    /// The replicated leases, and when each ends if this replica is primary.
    #[derive(Default)]
    struct Model {
        primary: bool,
        leases: BTreeMap<i64, i64>,
        ends: BTreeMap<i64, Instant>,
    }

    proptest! {
        #[test]
        fn a_lease_never_ends_early_and_always_ends(steps in prop::collection::vec(step(), 1..80)) {
            let (mut core, mut model) = (Core::default(), Model::default());
            let mut now = Instant::now();
            for step in steps {
                match step {
                    Step::Grant(id, ttl) => {
                        model.leases.insert(id, ttl);
                        core.granted(id, ttl, now);
                        if model.primary {
                            model.ends.insert(id, now + SECOND * ttl as u32);
                        }
                    }
                    Step::Revoke(id) => {
                        model.leases.remove(&id);
                        model.ends.remove(&id);
                        core.revoked(id);
                    }
                    Step::Renew(id) => {
                        let expected = match model.ends.get(&id) {
                            _ if !model.primary => Err(LessorError::NotPrimary),
                            Some(ends) if *ends > now => Ok(SECOND * model.leases[&id] as u32),
                            _ => Err(LessorError::NotFound),
                        };
                        prop_assert_eq!(core.renew(id, now), expected);
                        if let Ok(ttl) = expected {
                            model.ends.insert(id, now + ttl);
                        }
                    }
                    Step::Promote => {
                        core.promote(1, &model.leases, now);
                        model.primary = true;
                        model.ends =
                            model.leases.iter().map(|(id, ttl)| (*id, now + SECOND * *ttl as u32)).collect();
                    }
                    Step::Demote => {
                        core.demote();
                        model.primary = false;
                        model.ends.clear();
                    }
                    Step::Wait(seconds) => now += SECOND * seconds as u32,
                    Step::Expire(limit) => {
                        for id in core.expired(limit, now) {
                            prop_assert!(model.ends[&id] <= now, "lease {} ended early", id);
                        }
                    }
                }
                for id in 1..6 {
                    let expected = match model.ends.get(&id) {
                        _ if !model.primary => Err(LessorError::NotPrimary),
                        Some(ends) if *ends > now => Ok(*ends - now),
                        _ => Err(LessorError::NotFound),
                    };
                    prop_assert_eq!(core.remaining(id, now).map(|r| r.left), expected);
                }
            }
            // Whatever was missed above is asked for in the end.
            now += SECOND * 3600;
            let asked: BTreeSet<i64> = core.expired(usize::MAX, now).into_iter().collect();
            prop_assert_eq!(asked, model.ends.keys().copied().collect());
        }
    }

    #[test]
    fn a_revocation_is_not_asked_for_at_every_look() {
        let (mut core, start) = (Core::default(), Instant::now());
        core.promote(1, &BTreeMap::from([(7, 2)]), start);
        assert_eq!(core.expired(10, start + SECOND), NOTHING);
        assert_eq!(core.expired(10, start + SECOND * 2), [7]);
        assert_eq!(core.expired(10, start + SECOND * 3), NOTHING);
        assert_eq!(core.expired(10, start + SECOND * 5), [7]);
        core.revoked(7);
        assert_eq!(core.expired(10, start + SECOND * 60), NOTHING);
    }

    #[test]
    fn the_largest_time_to_live_does_not_overflow() {
        let (mut core, now) = (Core::default(), Instant::now());
        core.promote(1, &BTreeMap::from([(1, i64::MAX)]), now);
        assert_eq!(core.expired(10, now + SECOND * 1000), NOTHING);
    }
}
