//! Published bugs as scenarios: the load and the faults under which each showed.

use std::time::Duration;

use sim::schedule::Event;
use sim::seeds::{alone, number};

use crate::profile::Profile;
use crate::run::simulate;

/// Seeds for each scenario.
const SEEDS: u64 = 2;

fn holds(name: &str, profile: Profile) {
    let _one = alone();
    for seed in 1..=number("SIM_SEEDS", SEEDS) {
        if let Some(why) = simulate(seed, &profile).failure {
            panic!("{why}\n\n{name}, seed {seed}; replay: cargo test -p chainfire --test sim {name}");
        }
    }
}

fn crashes(event: &Event) -> bool {
    matches!(event, Event::Crash(_) | Event::Restart(_))
}

fn broken_disks(event: &Event) -> bool {
    crashes(event) || matches!(event, Event::FailSync(_))
}

fn broken_network(event: &Event) -> bool {
    !broken_disks(event)
}

fn still() -> Profile {
    Profile { changes: None, joiners: 0, trouble: Duration::from_secs(6), ..Profile::default() }
}

fn hasty() -> Profile {
    Profile { pause: Duration::from_millis(30), ..still() }
}

/// Members are added, promoted and removed, the leader among them, and leadership moves, all under load and
/// without a fault: no request fails, if its client may ask a second member.
#[test]
fn planned_changes_fail_no_request() {
    let _one = alone();
    for seed in 1..=number("SIM_SEEDS", 6) {
        let profile = Profile {
            flawless: true,
            faults: |_| false,
            changes: Some(Duration::from_millis(250)),
            trouble: Duration::from_secs(10),
            pause: Duration::from_millis(20),
            ..Profile::default()
        };
        let outcome = simulate(seed, &profile);
        println!("seed {seed}: {} operations, {} second tries", outcome.operations, outcome.second_tries);
        assert_eq!(outcome.failure, None, "seed {seed}");
        assert!(outcome.second_tries * 20 < outcome.operations, "seed {seed}: a planned change is no outage");
    }
}

/// etcd #13766: after a crash under high load a member's data differed from the others'.
#[test]
fn etcd_13766_crash_under_load() {
    holds("etcd_13766_crash_under_load", Profile { faults: crashes, ..hasty() });
}

/// etcd #14370: a cluster of one lost an acknowledged write when it crashed.
#[test]
fn etcd_14370_single_member_loses_no_write() {
    let profile = Profile { founders: 1, faults: broken_disks, ..hasty() };
    holds("etcd_14370_single_member_loses_no_write", profile);
}

/// etcd #14685: a crash while the store's file was rewritten left a member inconsistent. Here the power goes
/// in the midst of flushes, of the scrubbing after compactions, and of rewriting the whole file.
#[test]
fn etcd_14685_crash_while_the_file_is_rewritten() {
    let rewrites = Some(Duration::from_millis(400));
    let profile = Profile { faults: broken_disks, power_cuts: 100, compactions: 15, rewrites, ..hasty() };
    holds("etcd_14685_crash_while_the_file_is_rewritten", profile);
}

/// etcd #15220: a progress notification overtook the events before it.
#[test]
fn etcd_15220_progress_after_events() {
    holds("etcd_15220_progress_after_events", Profile { slow: 50, ..hasty() });
}

/// etcd #15271: after a partition a watch was told an older revision than before.
#[test]
fn etcd_15271_watch_never_goes_back() {
    holds("etcd_15271_watch_never_goes_back", Profile { faults: broken_network, slow: 0, ..hasty() });
}

/// etcd #17247: a watcher that fell behind and caught up was told an event twice.
#[test]
fn etcd_17247_no_event_twice() {
    holds("etcd_17247_no_event_twice", Profile { slow: 80, ..hasty() });
}

/// etcd #17529: a slow watcher lost events when its buffer was full while it caught up.
#[test]
fn etcd_17529_slow_watchers_lose_nothing() {
    let profile = Profile { slow: 100, faults: |_| false, compactions: 1, ..hasty() };
    holds("etcd_17529_slow_watchers_lose_nothing", profile);
}

/// etcd #17780: a crash during compaction took the store's latest revision back.
#[test]
fn etcd_17780_crash_in_compaction() {
    let profile = Profile { faults: broken_disks, compactions: 25, power_cuts: 70, ..hasty() };
    holds("etcd_17780_crash_in_compaction", profile);
}

/// etcd #18089: an event was not delivered when the compaction was at a deletion.
#[test]
fn etcd_18089_compaction_at_a_deletion() {
    let profile = Profile { deletes: 35, compactions: 20, faults: |_| false, ..hasty() };
    holds("etcd_18089_compaction_at_a_deletion", profile);
}

/// etcd #18667: a transaction that read a compacted revision brought a member down or differed between them.
#[test]
fn etcd_18667_compacted_read_in_a_transaction() {
    let profile = Profile { txns: 50, compactions: 20, reads: 5, ..hasty() };
    holds("etcd_18667_compacted_read_in_a_transaction", profile);
}

/// etcd #19179: after a restart the deletion at the compaction's revision was missing.
#[test]
fn etcd_19179_deletion_survives_compaction_and_restart() {
    let profile = Profile { deletes: 35, compactions: 20, faults: crashes, ..hasty() };
    holds("etcd_19179_deletion_survives_compaction_and_restart", profile);
}

/// etcd #20221: a watcher of a future revision was told of earlier ones.
#[test]
fn etcd_20221_watch_of_the_future() {
    holds("etcd_20221_watch_of_the_future", Profile { future: 70, ..hasty() });
}

/// etcd #20418: a leader that was paused answered a linearizable read from before the pause.
#[test]
fn etcd_20418_no_stale_read_after_a_pause() {
    let faults = |event: &Event| {
        matches!(event, Event::Hold(..) | Event::Release(..) | Event::Partition(..) | Event::Heal(..))
    };
    holds("etcd_20418_no_stale_read_after_a_pause", Profile { faults, reads: 60, ..hasty() });
}

/// openraft #1802: with five voters or more an entry was committed without a quorum.
#[test]
fn openraft_1802_five_voters_commit_by_quorum() {
    let profile = Profile { founders: 5, faults: |event| !matches!(event, Event::Skew(..)), ..hasty() };
    holds("openraft_1802_five_voters_commit_by_quorum", profile);
}

/// openraft #1808: installing a snapshot kept a stale membership, and quorums no longer overlapped.
#[test]
fn openraft_1808_snapshot_brings_its_membership() {
    let profile = Profile {
        joiners: 2,
        entries_kept: 1,
        changes: Some(Duration::from_millis(400)),
        faults: broken_network,
        ..hasty()
    };
    holds("openraft_1808_snapshot_brings_its_membership", profile);
}

/// openraft #1795: after the leader failed to read its log, a follower's log was corrupt. Here disks fail.
#[test]
fn openraft_1795_failing_disks_corrupt_no_follower() {
    let profile = Profile { faults: broken_disks, power_cuts: 20, entries_kept: 5, ..hasty() };
    holds("openraft_1795_failing_disks_corrupt_no_follower", profile);
}

/// openraft #1805: the transfer of leadership to a learner that was just promoted brought it down.
#[test]
fn openraft_1805_transfer_to_the_just_promoted() {
    let profile =
        Profile { joiners: 1, changes: Some(Duration::from_millis(150)), faults: |_| false, ..still() };
    holds("openraft_1805_transfer_to_the_just_promoted", profile);
}

/// openraft #1747: transfers together with linearizable reads stopped all writes.
#[test]
fn openraft_1747_transfers_beside_reads() {
    let profile =
        Profile { changes: Some(Duration::from_millis(120)), faults: |_| false, reads: 60, ..hasty() };
    holds("openraft_1747_transfers_beside_reads", profile);
}

/// A learner that joined after the log was purged never caught up.
#[test]
fn openraft_learner_after_purge() {
    let profile = Profile {
        joiners: 1,
        entries_kept: 0,
        changes: Some(Duration::from_millis(1500)),
        faults: |event| matches!(event, Event::Partition(..) | Event::Heal(..)),
        ..hasty()
    };
    holds("openraft_learner_after_purge", profile);
}
