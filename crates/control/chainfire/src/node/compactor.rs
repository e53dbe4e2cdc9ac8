//! Compaction by the clock or by count: etcd's `auto-compaction-mode`. Only the leader compacts; all members
//! remember what it takes, so that a new leader goes on where the old one was.

use std::collections::VecDeque;
use std::time::Duration;

use kit::Context;
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::config::AutoCompaction;

/// Between two looks when revisions are counted: etcd's.
const COUNTED: Duration = Duration::from_secs(300);
/// Longer periods are compacted this often: etcd's.
const HOUR: Duration = Duration::from_secs(3600);
/// Looks in one interval, which is how exactly a period is kept: etcd's.
const LOOKS: u32 = 10;

/// When to compact, and at which revision.
struct Schedule {
    policy: AutoCompaction,
    /// What the revision was, at each look within the period.
    seen: VecDeque<(Instant, i64)>,
    last: Instant,
}

impl Schedule {
    fn new(policy: AutoCompaction, now: Instant, head: i64) -> Self {
        Self { policy, seen: VecDeque::from([(now, head)]), last: now }
    }

    fn pause(&self) -> Duration {
        match self.policy {
            AutoCompaction::Revisions(_) => COUNTED,
            AutoCompaction::Period(period) => period.min(HOUR) / LOOKS,
        }
    }

    /// The revision to compact at, if it is time and this member leads. Who does not lead remembers all the same.
    fn turn(&mut self, now: Instant, head: i64, leads: bool) -> Option<i64> {
        self.look(now, head).filter(|_| leads)
    }

    /// The revision to compact at, if it is time.
    fn look(&mut self, now: Instant, head: i64) -> Option<i64> {
        match self.policy {
            AutoCompaction::Revisions(kept) => {
                let kept = i64::try_from(kept).unwrap_or(i64::MAX);
                head.checked_sub(kept).filter(|revision| *revision > 0)
            }
            AutoCompaction::Period(period) => {
                self.seen.push_back((now, head));
                // The youngest that is old enough stays in front.
                while self.seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= period) {
                    self.seen.pop_front();
                }
                let due = now.duration_since(self.last) >= period.min(HOUR);
                let (at, revision) = *self.seen.front()?;
                if !due || now.duration_since(at) < period {
                    return None;
                }
                self.last = now;
                Some(revision)
            }
        }
    }
}

/// Compacts for as long as the process lives.
pub(super) async fn run(context: Context, policy: AutoCompaction, api: Api) {
    let mut schedule = Schedule::new(policy, Instant::now(), api.store.view().head());
    let leadership = api.group.leadership();
    loop {
        sleep(schedule.pause()).await;
        let leads = leadership.borrow().is_leader;
        let wanted = schedule.turn(Instant::now(), api.store.view().head(), leads);
        let Some(revision) = wanted.filter(|revision| *revision > api.store.compacted()) else { continue };
        match api.compact_by_itself(context.entropy().id(), revision).await {
            Ok(()) => tracing::info!(revision, "compacted, as store.auto_compaction says"),
            Err(why) => tracing::warn!(revision, why, "could not compact; the next turn tries again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn played(policy: AutoCompaction, looks: u32, head: impl Fn(u32) -> i64) -> Vec<(u32, i64)> {
        let begun = Instant::now();
        let mut schedule = Schedule::new(policy, begun, head(0));
        let pause = schedule.pause();
        let look = |n: u32| schedule.look(begun + pause * n, head(n)).map(|revision| (n, revision));
        (1..=looks).filter_map(look).collect()
    }

    #[test]
    fn a_period_keeps_what_is_younger() {
        // Ten looks a period, ten revisions a look.
        let heads = |n: u32| i64::from(n) * 10;
        let compacted = played(AutoCompaction::Period(30 * MINUTE), 35, heads);
        assert_eq!(compacted, [(10, 0), (20, 100), (30, 200)]);
    }

    #[test]
    fn a_long_period_is_compacted_every_hour() {
        let compacted = played(AutoCompaction::Period(3 * HOUR), 52, i64::from);
        assert_eq!(compacted, [(30, 0), (40, 10), (50, 20)]);
    }

    #[test]
    fn the_leader_alone_compacts_and_a_new_one_goes_on_where_the_old_one_was() {
        let begun = Instant::now();
        let mut schedule = Schedule::new(AutoCompaction::Period(30 * MINUTE), begun, 0);
        let pause = schedule.pause();
        let mut turn = |n: u32| schedule.turn(begun + pause * n, i64::from(n) * 10, n > 15);
        let compacted: Vec<_> = (1..=25).filter_map(|n| turn(n).map(|revision| (n, revision))).collect();
        assert_eq!(compacted, [(20, 100)], "the turn at 10 was another's");
    }

    #[test]
    fn a_count_is_kept_whatever_the_time() {
        let compacted = played(AutoCompaction::Revisions(100), 3, |n| i64::from(n) * 60);
        assert_eq!(compacted, [(2, 20), (3, 80)]);
    }
}
