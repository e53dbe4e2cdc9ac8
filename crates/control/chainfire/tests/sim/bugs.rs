//! Known bugs, put back in: the simulation must catch each.

use sim::seeds::alone;

use crate::profile::Profile;
use crate::run::simulate;

/// Seeds that may pass before a bug is caught.
const SEEDS: u64 = 20;

/// Runs until the bug is caught, by a check whose words say so.
fn caught(bug: &'static str, by: &[&str], profile: Profile) {
    let _one = alone();
    let profile = Profile { bug: Some(bug), ..profile };
    for seed in 1..=SEEDS {
        let Some(why) = simulate(seed, &profile).failure else { continue };
        let line = why.lines().next().unwrap_or_default();
        println!("{bug}: seed {seed}: {}", line.chars().take(200).collect::<String>());
        assert!(
            by.is_empty() || by.iter().any(|words| why.contains(words)),
            "caught by another check: {why}"
        );
        return;
    }
    panic!("{bug}: {SEEDS} seeds did not catch it");
}

fn quiet() -> Profile {
    Profile { changes: None, joiners: 0, ..Profile::default() }
}

#[test]
fn an_event_lost_at_compaction_is_caught() {
    let profile = Profile { compactions: 20, deletes: 30, ..quiet() };
    caught("lose an event at compaction", &[], profile);
}

#[test]
fn an_event_delivered_twice_is_caught() {
    // Where history was compacted in between, the resume never succeeds.
    let by = &["resumable", "truthful", "unique", "did not agree"];
    caught("deliver an event twice after a resume", by, quiet());
}

#[test]
fn progress_ahead_of_events_is_caught() {
    caught("tell progress ahead of events", &["bookmarkable"], quiet());
}

#[test]
fn a_slow_watcher_that_misses_something_is_caught() {
    caught("forget what a slow watcher had no room for", &["reliable", "did not agree"], quiet());
}

#[test]
fn a_stale_read_is_caught() {
    caught("serve a stale read as linearizable", &["stale", "a compaction was undone"], quiet());
}

#[test]
fn a_deposed_leader_that_ends_leases_is_caught() {
    caught("let a deposed leader end leases", &["lease"], Profile::default());
}

#[test]
fn a_transaction_torn_by_a_crash_is_caught() {
    caught("apply not atomically", &[], Profile { power_cuts: 100, ..quiet() });
}

#[test]
fn a_revision_used_twice_is_caught() {
    caught("reuse a revision after a restart", &[], quiet());
}

#[test]
fn a_wrong_previous_value_is_caught() {
    caught("give the new value as the previous one", &["previous"], quiet());
}

#[test]
fn an_applied_index_that_is_not_flushed_is_caught() {
    caught("skip a flush's applied index", &[], Profile { power_cuts: 100, ..quiet() });
}
