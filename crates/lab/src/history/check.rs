//! Judges a history.
//!
//! Linearizability is decided by `porcupine-rs` for each register by itself (it is a local property,
//! Herlihy and Wing 1990). Before that, writes of unknown outcome are settled where that loses
//! nothing: one whose value was seen took effect before the first call that saw it had its answer; one
//! whose value nobody ever saw can stand at the very end, where it disturbs nothing, and is left out.
//! Beyond what clients can see, an etcd store promises that revisions follow real time; that is
//! checked too, and so are the events of a watch against the acknowledged writes.

use std::collections::BTreeMap;
use std::time::Duration;

use porcupine_rs::{CheckResult, Model, Operation, check_operations_timeout};
use serde::Serialize;

use super::watch::Event;
use super::{Action, Call, Outcome, Value};

/// Of the search in one register's history.
const SEARCH: Duration = Duration::from_secs(60);

/// What was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Calls in the history.
    pub calls: usize,
    /// Acknowledged writes among them.
    pub acknowledged_writes: usize,
    /// Writes of unknown outcome among them.
    pub unknown_writes: usize,
    /// Reads that were answered.
    pub reads: usize,
    /// Registers.
    pub registers: usize,
    /// The longest time without an acknowledged write, in milliseconds.
    pub longest_write_pause_ms: i64,
}

/// What a correct store could not have shown.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Violation {
    /// No order of the calls explains what they saw.
    #[error("the history of register {key} is not linearizable: {calls} calls, the last of them {last:?}")]
    NotLinearizable {
        /// The register.
        key: u32,
        /// How many calls it has.
        calls: usize,
        /// The last one.
        last: Box<Call>,
    },
    /// The search was given up.
    #[error(
        "whether register {key} with its {calls} calls is linearizable could not be decided within {SEARCH:?}"
    )]
    Undecided {
        /// The register.
        key: u32,
        /// How many calls it has.
        calls: usize,
    },
    /// A value came from nowhere.
    #[error("register {key} held {value}, which nobody wrote there: {call:?}")]
    FromNowhere {
        /// The register.
        key: u32,
        /// The value.
        value: Value,
        /// Who saw it.
        call: Box<Call>,
    },
    /// Revisions run against time.
    #[error("revisions run backwards: {earlier:?} was answered before {later:?} was asked")]
    RevisionsBackwards {
        /// Has the greater revision.
        earlier: Box<Call>,
        /// Has the smaller one.
        later: Box<Call>,
    },
    /// A watch shows its events out of order or twice.
    #[error("the watch showed revision {second} after {first}")]
    WatchOrder {
        /// Shown first.
        first: i64,
        /// Shown next.
        second: i64,
    },
    /// A watch missed an acknowledged write.
    #[error("the watch missed an acknowledged write: {0:?}")]
    WatchGap(Box<Call>),
    /// A watch showed something that nobody wrote.
    #[error("the watch showed what nobody wrote: {0:?}")]
    WatchInvented(Event),
}

/// A register's sequential behaviour.
#[derive(Clone, Debug)]
struct Register;

impl Model for Register {
    type State = Option<Value>;
    type Op = (Action, Outcome);
    type Metadata = ();

    fn init() -> Self::State {
        None
    }

    fn step(state: &Self::State, (action, outcome): &Self::Op) -> (bool, Self::State) {
        match (action, outcome) {
            (Action::Write(value), Outcome::Written) => (true, Some(*value)),
            (Action::Swap { expected, new }, Outcome::Written) => (state == expected, Some(*new)),
            (Action::Read, Outcome::Held(held)) => (state == held, *state),
            (Action::Swap { expected, .. }, Outcome::Held(held)) => {
                (state == held && held != expected, *state)
            }
            // Settled before the search; nothing else remains.
            _ => (false, *state),
        }
    }
}

/// Judges calls alone.
pub fn calls(history: &[Call]) -> Result<Summary, Violation> {
    let mut registers: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in history {
        registers.entry(call.key).or_default().push(call);
    }
    for (key, calls) in &registers {
        linearizable(*key, calls)?;
    }
    revisions(history)?;
    Ok(summary(history, registers.len()))
}

fn linearizable(key: u32, calls: &[&Call]) -> Result<(), Violation> {
    let operations = settle(key, calls)?;
    match check_operations_timeout::<Register>(&operations, SEARCH) {
        CheckResult::Ok => Ok(()),
        CheckResult::Unknown => Err(Violation::Undecided { key, calls: calls.len() }),
        CheckResult::Illegal => {
            let last = calls.iter().max_by_key(|c| c.answered).map(|c| Box::new((*c).clone()));
            let last = last.expect("an empty history is linearizable");
            Err(Violation::NotLinearizable { key, calls: calls.len(), last })
        }
    }
}

/// Settles unknown outcomes, and drops calls that changed and showed nothing.
fn settle(key: u32, calls: &[&Call]) -> Result<Vec<Operation<Register>>, Violation> {
    let writers: BTreeMap<Value, &Call> = calls.iter().filter_map(|c| Some((c.writes()?, *c))).collect();
    // When each value was first known to be there: the answer of the first call that saw it.
    let mut first_seen: BTreeMap<Value, i64> = BTreeMap::new();
    for call in calls {
        if let Some(value) = seen(call) {
            if !writers.contains_key(&value) {
                return Err(Violation::FromNowhere { key, value, call: Box::new((*call).clone()) });
            }
            let first = first_seen.entry(value).or_insert(call.answered);
            *first = call.answered.min(*first);
        }
    }
    let settled = calls.iter().filter_map(|call| {
        let (outcome, answered) = match call.outcome {
            Outcome::Refused => return None,
            Outcome::Unknown => (Outcome::Written, *first_seen.get(&call.writes()?)?),
            known => (known, call.answered),
        };
        Some(Operation {
            client_id: Some(call.client),
            call_time: call.asked,
            return_time: answered,
            op: (call.action, outcome),
            metadata: None,
        })
    });
    Ok(settled.collect())
}

/// The value that a call is evidence of.
fn seen(call: &Call) -> Option<Value> {
    match (call.action, call.outcome) {
        (_, Outcome::Held(held)) => held,
        (Action::Swap { expected, .. }, Outcome::Written) => expected,
        _ => None,
    }
}

/// A write that was asked for after another call was answered has a greater revision than that
/// answer; a read has no smaller one.
fn revisions(history: &[Call]) -> Result<(), Violation> {
    let mut by_answer: Vec<&Call> = history.iter().filter(|c| c.revision.is_some()).collect();
    let mut by_question = by_answer.clone();
    by_answer.sort_by_key(|c| c.answered);
    by_question.sort_by_key(|c| c.asked);
    let (mut answers, mut highest): (_, Option<&Call>) = (by_answer.into_iter().peekable(), None);
    for call in by_question {
        while let Some(earlier) = answers.next_if(|earlier| earlier.answered < call.asked) {
            if highest.is_none_or(|h| earlier.revision > h.revision) {
                highest = Some(earlier);
            }
        }
        let Some(earlier) = highest else { continue };
        let backwards = match call.is_acknowledged_write() {
            true => call.revision <= earlier.revision,
            false => call.revision < earlier.revision,
        };
        if backwards {
            return Err(Violation::RevisionsBackwards {
                earlier: Box::new(earlier.clone()),
                later: Box::new(call.clone()),
            });
        }
    }
    Ok(())
}

fn summary(history: &[Call], registers: usize) -> Summary {
    let mut acknowledgements: Vec<i64> =
        history.iter().filter(|c| c.is_acknowledged_write()).map(|c| c.answered).collect();
    acknowledgements.sort_unstable();
    let longest = acknowledgements.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
    Summary {
        calls: history.len(),
        acknowledged_writes: acknowledgements.len(),
        unknown_writes: history
            .iter()
            .filter(|c| c.outcome == Outcome::Unknown && c.writes().is_some())
            .count(),
        reads: history.iter().filter(|c| matches!(c.outcome, Outcome::Held(_))).count(),
        registers,
        longest_write_pause_ms: longest / 1_000_000,
    }
}

/// Judges the events of a watch, from the load's beginning to its end, against the calls.
pub fn events(history: &[Call], events: &[Event]) -> Result<(), Violation> {
    for pair in events.windows(2) {
        // Every write of the load is a transaction of its own: no two share a revision.
        if pair[1].revision <= pair[0].revision {
            return Err(Violation::WatchOrder { first: pair[0].revision, second: pair[1].revision });
        }
    }
    let by_value: BTreeMap<Value, &Call> = history.iter().filter_map(|c| Some((c.writes()?, c))).collect();
    for event in events {
        let write = by_value.get(&event.value).filter(|c| c.key == event.key);
        let agrees = write.is_some_and(|c| c.revision.is_none_or(|r| r == event.revision));
        if !agrees {
            return Err(Violation::WatchInvented(event.clone()));
        }
    }
    let shown: std::collections::BTreeSet<Value> = events.iter().map(|e| e.value).collect();
    match history
        .iter()
        .find(|c| c.is_acknowledged_write() && c.writes().is_some_and(|v| !shown.contains(&v)))
    {
        Some(missed) => Err(Violation::WatchGap(Box::new(missed.clone()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
        let swap =
            |asked, new| call(asked, asked + 1, Action::Swap { expected: Some(1), new }, Outcome::Written);
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
        let event = |revision, value| Event { revision, key: 0, value };
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
}
