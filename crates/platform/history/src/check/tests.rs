//! Histories that a correct store can show, and histories that none can.

use super::*;

fn call(asked: i64, answered: i64, action: Action, outcome: Outcome) -> Call {
    Call { client: 1, node: "node01".into(), key: 0, asked, answered, action, outcome, revision: None }
}

fn write(asked: i64, answered: i64, value: Value) -> Call {
    call(asked, answered, Action::Write(value), Outcome::Written)
}

fn lost(asked: i64, answered: i64, value: Value) -> Call {
    call(asked, answered, Action::Write(value), Outcome::Unknown)
}

fn read(asked: i64, answered: i64, held: Option<Value>) -> Call {
    call(asked, answered, Action::Read, Outcome::Held(held))
}

fn at(revision: i64, call: Call) -> Call {
    Call { revision: Some(revision), ..call }
}

#[test]
fn good_histories_pass() {
    calls(&[]).unwrap();
    calls(&[read(0, 1, None), write(2, 3, 1), read(4, 5, Some(1))]).unwrap();
    // While a write is under way, either value may be seen.
    calls(&[write(0, 1, 1), write(2, 10, 2), read(3, 4, Some(1)), read(5, 6, Some(2))]).unwrap();
    let swap = |expected, new, outcome| call(4, 5, Action::Swap { expected, new }, outcome);
    calls(&[write(0, 1, 1), swap(Some(1), 2, Outcome::Written), read(6, 7, Some(2))]).unwrap();
    calls(&[write(0, 1, 1), swap(None, 2, Outcome::Held(Some(1))), read(6, 7, Some(1))]).unwrap();
}

#[test]
fn a_lost_acknowledged_write_is_found() {
    let history = [write(0, 1, 1), write(2, 3, 2), read(4, 5, Some(1))];
    assert!(matches!(calls(&history), Err(Violation::NotLinearizable { key: 0, calls: 3, .. })));
    assert!(calls(&[write(0, 1, 1), read(2, 3, None)]).is_err());
}

#[test]
fn a_stale_read_is_found() {
    let history = [write(0, 1, 1), write(2, 10, 2), read(3, 4, Some(2)), read(5, 6, Some(1))];
    assert!(matches!(calls(&history), Err(Violation::NotLinearizable { .. })));
}

#[test]
fn a_write_of_unknown_outcome_may_have_happened_or_not() {
    calls(&[write(0, 1, 1), lost(2, 3, 2), read(4, 5, Some(1)), read(6, 7, Some(1))]).unwrap();
    calls(&[write(0, 1, 1), lost(2, 3, 2), read(4, 5, Some(2)), read(6, 7, Some(2))]).unwrap();
    // Also long after its client gave up, but then it stays.
    calls(&[write(0, 1, 1), lost(2, 3, 2), read(4, 5, Some(1)), read(6, 7, Some(2))]).unwrap();
    let undone = [write(0, 1, 1), lost(2, 3, 2), read(4, 5, Some(2)), read(6, 7, Some(1))];
    assert!(calls(&undone).is_err());
    let before_asked = [read(0, 1, Some(2)), lost(2, 3, 2)];
    assert!(calls(&before_asked).is_err());
}

#[test]
fn two_swaps_of_one_value_are_found() {
    let swap = |asked, new| call(asked, asked + 1, Action::Swap { expected: Some(1), new }, Outcome::Written);
    assert!(calls(&[write(0, 1, 1), swap(2, 2), swap(4, 3)]).is_err());
    let claims = call(2, 3, Action::Swap { expected: Some(1), new: 2 }, Outcome::Held(Some(1)));
    assert!(calls(&[write(0, 1, 1), claims]).is_err(), "it held what was expected and was not swapped");
}

#[test]
fn a_refused_write_must_not_be_seen() {
    let refused = call(2, 3, Action::Write(2), Outcome::Refused);
    calls(&[write(0, 1, 1), refused.clone(), read(4, 5, Some(1))]).unwrap();
    let shown = calls(&[write(0, 1, 1), refused, read(4, 5, Some(2))]);
    assert!(matches!(shown, Err(Violation::FromNowhere { value: 2, .. })));
}

#[test]
fn revisions_follow_real_time() {
    calls(&[at(5, write(0, 1, 1)), at(5, read(2, 3, Some(1))), at(6, write(4, 5, 2))]).unwrap();
    // Overlapping calls may have any order.
    calls(&[at(6, write(0, 10, 1)), at(5, write(1, 2, 2))]).unwrap();
    let same = calls(&[at(5, write(0, 1, 1)), at(5, write(2, 3, 2))]);
    assert!(matches!(same, Err(Violation::RevisionsBackwards { .. })));
    assert!(calls(&[at(5, write(0, 1, 1)), at(4, read(2, 3, Some(1)))]).is_err());
}

#[test]
fn a_watch_shows_every_acknowledged_write_once_and_in_order() {
    let history = [at(5, write(0, 1, 1)), lost(0, 1, 2), at(7, write(2, 3, 3))];
    let event = |revision, value| Event { revision, key: 0, value: Some(value) };
    events(&history, &[event(5, 1), event(7, 3)]).unwrap();
    events(&history, &[event(5, 1), event(6, 2), event(7, 3)]).unwrap();
    assert!(matches!(events(&history, &[event(5, 1)]), Err(Violation::WatchGap(_))));
    let twice = [event(5, 1), event(5, 1), event(7, 3)];
    assert!(matches!(events(&history, &twice), Err(Violation::WatchOrder { first: 5, second: 5 })));
    assert!(matches!(
        events(&history, &[event(5, 1), event(6, 9), event(7, 3)]),
        Err(Violation::WatchInvented(_))
    ));
    assert!(matches!(events(&history, &[event(5, 1), event(8, 3)]), Err(Violation::WatchInvented(_))));
}

#[test]
fn a_summary_counts() {
    let history = [write(0, 1_000_000, 1), lost(2, 3, 2), read(4, 5, None), write(6, 31_000_000, 3)];
    let summary = summary(&history, 1);
    assert_eq!((summary.acknowledged_writes, summary.unknown_writes, summary.reads), (2, 1, 1));
    assert_eq!(summary.longest_write_pause_ms, 30);
}

fn swap(asked: i64, expected: Option<Value>, new: Value, outcome: Outcome) -> Call {
    call(asked, asked + 1, Action::Swap { expected, new }, outcome)
}

fn delete(asked: i64, answered: i64, held: Option<Value>) -> Call {
    call(asked, answered, Action::Delete, Outcome::Removed(held))
}

fn lost_delete(asked: i64) -> Call {
    call(asked, asked + 1, Action::Delete, Outcome::Unknown)
}

#[track_caller]
fn is_not_linearizable(history: &[Call]) {
    let judged = calls(history);
    assert!(matches!(judged, Err(Violation::NotLinearizable { .. })), "{judged:?}");
}

#[test]
fn deletions_are_writes_of_nothing() {
    calls(&[write(0, 1, 1), delete(2, 3, Some(1)), read(4, 5, None), delete(6, 7, None)]).unwrap();
    calls(&[write(0, 1, 1), delete(2, 9, Some(1)), read(3, 4, Some(1)), read(5, 6, None)]).unwrap();
    is_not_linearizable(&[write(0, 1, 1), delete(2, 3, Some(1)), read(4, 5, Some(1))]);
    is_not_linearizable(&[write(0, 1, 1), delete(2, 3, None)]);
    is_not_linearizable(&[write(0, 1, 1), write(2, 3, 2), delete(4, 5, Some(1))]);
}

#[test]
fn a_deletion_of_unknown_outcome_may_have_happened_or_not() {
    calls(&[write(0, 1, 1), lost_delete(2), read(4, 5, Some(1)), read(6, 7, Some(1))]).unwrap();
    calls(&[write(0, 1, 1), lost_delete(2), read(4, 5, None), read(6, 7, None)]).unwrap();
    calls(&[write(0, 1, 1), lost_delete(2), read(4, 5, Some(1)), read(6, 7, None)]).unwrap();
    // Once.
    let history = [write(0, 1, 1), lost_delete(2), read(4, 5, None), write(6, 7, 2), read(8, 9, None)];
    is_not_linearizable(&history);
    // Not before it was asked for.
    is_not_linearizable(&[write(0, 1, 1), read(2, 3, None), lost_delete(4), read(6, 7, None)]);
}

#[test]
fn a_dirty_read_is_found() {
    // Seen, then gone, without a write in between.
    is_not_linearizable(&[write(0, 1, 1), lost(2, 9, 2), read(3, 4, Some(2)), read(5, 6, Some(1))]);
    // Seen before it was asked for.
    is_not_linearizable(&[read(0, 1, Some(1)), write(2, 3, 1)]);
}

#[test]
fn reordered_writes_are_found() {
    // Two clients saw two sequential writes in opposite orders.
    is_not_linearizable(&[write(0, 1, 1), write(2, 3, 2), read(4, 5, Some(2)), read(6, 7, Some(1))]);
    // The second write was asked for after the first had its answer, and was overwritten by it.
    is_not_linearizable(&[write(0, 1, 1), write(2, 3, 2), delete(4, 5, Some(1))]);
}

#[test]
fn a_write_applied_twice_is_found() {
    is_not_linearizable(&[write(0, 1, 1), write(2, 3, 2), read(4, 5, Some(1))]);
    let again =
        [lost(0, 1, 1), read(2, 3, Some(1)), write(4, 5, 2), read(6, 7, Some(2)), read(8, 9, Some(1))];
    is_not_linearizable(&again);
    let events =
        [Event { revision: 5, key: 0, value: Some(1) }, Event { revision: 9, key: 0, value: Some(1) }];
    assert!(matches!(super::events(&[lost(0, 1, 1)], &events), Err(Violation::WatchInvented(_))));
    let history = [at(5, write(0, 1, 1))];
    assert!(matches!(super::events(&history, &events), Err(Violation::WatchInvented(_))));
}

#[test]
fn an_unfounded_swap_is_found() {
    calls(&[swap(0, None, 1, Outcome::Written), swap(2, Some(1), 2, Outcome::Written)]).unwrap();
    is_not_linearizable(&[swap(0, None, 1, Outcome::Written), swap(2, None, 2, Outcome::Written)]);
    is_not_linearizable(&[write(0, 1, 1), delete(2, 3, Some(1)), swap(4, Some(1), 2, Outcome::Written)]);
}

#[test]
fn half_a_pair_is_found() {
    let torn = call(2, 3, Action::Read, Outcome::Garbled);
    assert!(matches!(calls(&[write(0, 1, 1), torn]), Err(Violation::Garbled(_))));
}

#[test]
fn two_writes_never_share_a_revision() {
    let shared = [at(5, write(0, 10, 1)), at(5, write(1, 9, 2))];
    assert!(matches!(calls(&shared), Err(Violation::SharedRevision { .. })));
}

#[test]
fn a_watch_shows_deletions() {
    let gone = |revision| Event { revision, key: 0, value: None };
    let put = Event { revision: 5, key: 0, value: Some(1) };
    let history = [at(5, write(0, 1, 1)), at(6, delete(2, 3, Some(1))), lost_delete(4)];
    super::events(&history, &[put.clone(), gone(6)]).unwrap();
    super::events(&history, &[put.clone(), gone(6), gone(8)]).unwrap();
    let twice = super::events(&history, &[put.clone(), gone(6), gone(8), gone(9)]);
    assert!(matches!(twice, Err(Violation::WatchInvented(_))), "one deletion explains one event");
    assert!(matches!(super::events(&history, &[put]), Err(Violation::WatchGap(_))));
    // A deletion of nothing is no event.
    super::events(&[at(5, delete(0, 1, None))], &[]).unwrap();
}

#[test]
fn a_watch_that_fails_is_named() {
    let calls = vec![at(5, write(0, 1, 1))];
    let shown = vec![Event { revision: 5, key: 0, value: Some(1) }];
    let watches = [("node01".to_owned(), shown), ("node02".to_owned(), Vec::new())];
    let judged = round(&Round { number: 1, calls, watches: watches.into() });
    assert!(judged.unwrap_err().to_string().starts_with("node02: the watch missed"));
}

mod random {
    //! Histories of a store that is correct by construction are never blamed; a single wrong answer is.

    use proptest::prelude::*;

    use super::*;

    /// Runs `steps` against one register that takes each call at its middle, so that calls overlap.
    fn correct(steps: &[(u8, u8)]) -> Vec<Call> {
        let (mut state, mut history) = (None, Vec::new());
        for (number, (kind, width)) in (1i64..).zip(steps) {
            let (middle, width) = (number * 10, i64::from(*width));
            let value = number.unsigned_abs();
            let (action, outcome) = match kind % 6 {
                0 => (Action::Write(value), Outcome::Written),
                1 => (Action::Delete, Outcome::Removed(state)),
                2 => (Action::Swap { expected: state, new: value }, Outcome::Written),
                3 => (Action::Write(value), Outcome::Unknown),
                4 => (Action::Delete, Outcome::Unknown),
                _ => (Action::Read, Outcome::Held(state)),
            };
            // Of the unknown ones every second happens.
            let happens = outcome != Outcome::Unknown || number % 2 == 0;
            state = match action {
                Action::Write(value) | Action::Swap { new: value, .. } if happens => Some(value),
                Action::Delete if happens => None,
                _ => state,
            };
            history.push(call(middle - width, middle + width, action, outcome));
        }
        history
    }

    proptest! {
        #[test]
        fn correct_histories_are_never_blamed(steps in prop::collection::vec((0u8..6, 1u8..40), 0..40)) {
            prop_assert!(calls(&correct(&steps)).is_ok());
        }

        /// Sequential calls have one explanation: any other answer to a read is wrong.
        #[test]
        fn a_wrong_read_is_found(steps in prop::collection::vec((0u8..3, 1u8..4), 2..30), stale in 0usize..28) {
            let mut history = correct(&steps);
            let (last, end) = (history.len() - 1, 10 * i64::try_from(history.len() + 1).expect("short"));
            let right = match history[last].action {
                Action::Write(value) | Action::Swap { new: value, .. } => Some(value),
                _ => None,
            };
            let older = match history[stale % last.max(1)].action {
                Action::Write(value) | Action::Swap { new: value, .. } => Some(value),
                _ => None,
            };
            prop_assume!(older != right);
            history.push(read(end, end + 1, older));
            prop_assert!(calls(&history).is_err());
        }
    }
}
