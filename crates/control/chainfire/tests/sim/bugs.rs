//! Known bugs, put back in: the simulation must catch each.

use std::time::Duration;

use crate::profile::Profile;
use crate::run::simulate;

/// Seeds that may pass before a bug is caught.
const SEEDS: u64 = 20;

/// How likely a bug is to show is a matter of the load and the faults.
fn profile(bug: &str) -> Profile {
    let quiet = Profile { changes: None, joiners: 0, ..Profile::default() };
    match bug {
        "lose an event at compaction" => Profile { compactions: 20, deletes: 30, ..quiet },
        "apply not atomically" | "skip a flush's applied index" => Profile { power_cuts: 100, ..quiet },
        "forget what a slow watcher had no room for" => {
            Profile { slow: 100, compactions: 1, pause: Duration::from_millis(20), ..quiet }
        }
        "let a deposed leader end leases" => Profile::default(),
        _ => quiet,
    }
}

fn caught(bug: &str, by: &[&str]) {
    let (seed, said) = sim::bugs::caught(bug, by, SEEDS).unwrap();
    println!("{bug}: seed {seed}: {said}");
}

#[test]
#[ignore = "the tests below run it, in processes of its own"]
fn one_seed_with_a_bug() {
    let (bug, seed) = sim::bugs::asked();
    if let Some(why) = simulate(seed, &Profile { bug: Some(bug), ..profile(bug) }).failure {
        panic!("{why}");
    }
}

#[test]
fn an_event_lost_at_compaction_is_caught() {
    caught("lose an event at compaction", &["resumable", "reliable", "did not agree"]);
}

#[test]
fn an_event_delivered_twice_is_caught() {
    // Where history was compacted in between, the resume never succeeds.
    let by = &["resumable", "truthful", "unique", "did not agree"];
    caught("deliver an event twice after a resume", by);
}

#[test]
fn progress_ahead_of_events_is_caught() {
    caught("tell progress ahead of events", &["bookmarkable"]);
}

#[test]
fn a_slow_watcher_that_misses_something_is_caught() {
    caught("forget what a slow watcher had no room for", &["reliable", "did not agree"]);
}

#[test]
fn a_stale_read_is_caught() {
    caught("serve a stale read as linearizable", &["stale", "a compaction was undone"]);
}

#[test]
fn a_deposed_leader_that_ends_leases_is_caught() {
    caught("let a deposed leader end leases", &["lease"]);
}

#[test]
fn a_transaction_torn_by_a_crash_is_caught() {
    caught("apply not atomically", &["differs at"]);
}

#[test]
fn a_revision_used_twice_is_caught() {
    caught("reuse a revision after a restart", &["differs at"]);
}

#[test]
fn a_wrong_previous_value_is_caught() {
    caught("give the new value as the previous one", &["previous"]);
}

#[test]
fn an_applied_index_that_is_not_flushed_is_caught() {
    caught("skip a flush's applied index", &["did not agree", "differs at"]);
}
