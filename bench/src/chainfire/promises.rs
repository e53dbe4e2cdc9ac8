//! What is promised of each row, and what is aimed at: floors decide the exit status, aims are shown.

use crate::table::Band;

/// The floor and the aim of a row.
pub(super) fn promise(row: &str) -> (Option<Band>, Option<Band>) {
    let at_least = |least| Some(Band::ratio(least, None));
    let at_most = |most| Some(Band::ratio(0.0, Some(most)));
    let ours_at_most = |most| Some(Band::ours(0.0, Some(most)));
    match row {
        "put, 64 outstanding" | "put, 256 outstanding" => (at_least(1.2), at_least(2.0)),
        "put, 64 outstanding, p99" | "put, 256 outstanding, p99" => (None, at_most(0.7)),
        "put, 1 outstanding, p50" => (None, at_most(0.8)),
        name if name.starts_with("linearizable get") || name.starts_with("serializable get") => {
            (at_least(1.0), at_least(1.2))
        }
        // Flat: within 15 %, however long the history is.
        name if name.starts_with("get at ") && name.ends_with(" by get at 1k") => {
            (Some(Band::ours(0.85, None)), None)
        }
        name if name.starts_with("put p99 during ") => (None, ours_at_most(2.0)),
        "memory of the leader" => (at_most(0.7), at_most(0.5)),
        "disk after the puts, three members" => (None, at_most(0.5)),
        "longest pause, leadership moved" => (None, ours_at_most(50.0)),
        "longest pause, leader killed" => (None, ours_at_most(1_300.0)),
        "start on 1 GB" => (None, ours_at_most(5_000.0)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_hold_and_what_should_are_two_things() {
        let (floor, aim) = promise("put, 64 outstanding");
        assert_eq!((floor, aim), (Some(Band::ratio(1.2, None)), Some(Band::ratio(2.0, None))));
        assert_eq!(promise("lease keep-alive, 64 outstanding"), (None, None));
    }

    #[test]
    fn reads_must_be_flat_in_history_and_puts_should_not_pause() {
        assert_eq!(promise("get at 500k revisions by get at 1k").0, Some(Band::ours(0.85, None)));
        assert_eq!(promise("put p99 during a backup by idle").1, Some(Band::ours(0.0, Some(2.0))));
    }
}
