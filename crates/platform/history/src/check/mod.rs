//! Judges a history.
//!
//! Linearizability is decided by `porcupine-rs` for each register by itself (it is a local property,
//! Herlihy and Wing 1990). Before that, writes of unknown outcome are settled where that loses
//! nothing: one whose value was seen took effect before the first call that saw it had its answer; one
//! whose value nobody ever saw can stand at the very end, where it disturbs nothing, and is left out.
//! So is a deletion of unknown outcome that nobody can have seen; any other may come at any time.
//! Beyond what clients can see, an etcd store promises that revisions follow real time and that no two
//! writes share one; that is checked too, and so are the events of a watch against the writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use porcupine_rs::{CheckResult, Model, Operation, check_operations_timeout};
use serde::{Deserialize, Serialize};

use super::kept::Round;
use super::watch::Event;
use super::{Action, Call, Outcome, Value};

/// Of the search in one register's history.
const SEARCH: Duration = Duration::from_secs(60);

/// What was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Calls in the history.
    pub calls: usize,
    /// Acknowledged writes and deletions among them.
    pub acknowledged_writes: usize,
    /// Writes and deletions of unknown outcome among them.
    pub unknown_writes: usize,
    /// Reads that were answered.
    pub reads: usize,
    /// Registers.
    pub registers: usize,
    /// Events that watches showed, all watches together.
    pub events: usize,
    /// The longest time without an acknowledged write, in milliseconds.
    pub longest_write_pause_ms: i64,
}

impl Summary {
    /// Both, one after the other.
    #[must_use]
    pub fn and(self, later: &Self) -> Self {
        Self {
            calls: self.calls + later.calls,
            acknowledged_writes: self.acknowledged_writes + later.acknowledged_writes,
            unknown_writes: self.unknown_writes + later.unknown_writes,
            reads: self.reads + later.reads,
            registers: self.registers + later.registers,
            events: self.events + later.events,
            longest_write_pause_ms: self.longest_write_pause_ms.max(later.longest_write_pause_ms),
        }
    }
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
    /// Half a pair, or bytes that are no value.
    #[error("what no write can have left was read: {0:?}")]
    Garbled(Box<Call>),
    /// Two writes have one revision.
    #[error("two writes have one revision: {first:?} and {second:?}")]
    SharedRevision {
        /// One of them.
        first: Box<Call>,
        /// The other.
        second: Box<Call>,
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
    /// One of several watches.
    #[error("{watch}: {violation}")]
    Watch {
        /// Which.
        watch: String,
        /// What it showed.
        violation: Box<Violation>,
    },
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
            (Action::Delete, Outcome::Removed(held)) => (state == held, None),
            (Action::Delete, Outcome::Unknown) => (true, None),
            // Settled before the search; nothing else remains.
            _ => (false, *state),
        }
    }
}

/// Judges a round: its calls, and each of its watches.
pub fn round(round: &Round) -> Result<Summary, Violation> {
    let summary = calls(&round.calls)?;
    for (watch, shown) in &round.watches {
        events(&round.calls, shown)
            .map_err(|v| Violation::Watch { watch: watch.clone(), violation: Box::new(v) })?;
    }
    Ok(Summary { events: round.watches.values().map(Vec::len).sum(), ..summary })
}

/// Judges calls alone.
pub fn calls(history: &[Call]) -> Result<Summary, Violation> {
    if let Some(call) = history.iter().find(|c| c.outcome == Outcome::Garbled) {
        return Err(Violation::Garbled(Box::new(call.clone())));
    }
    let mut registers: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in history {
        registers.entry(call.key).or_default().push(call);
    }
    for (key, calls) in &registers {
        linearizable(*key, calls)?;
    }
    revisions(history)?;
    shared_revisions(history)?;
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
    let nothing_seen = calls.iter().filter(|c| sees_nothing(c)).map(|c| c.answered).max();
    let settled = calls.iter().filter_map(|call| {
        let (outcome, answered) = match call.outcome {
            Outcome::Refused => return None,
            Outcome::Unknown if call.action == Action::Delete => {
                nothing_seen.filter(|seen| *seen > call.asked)?;
                (Outcome::Unknown, i64::MAX)
            }
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
        (_, Outcome::Held(held) | Outcome::Removed(held)) => held,
        (Action::Swap { expected, .. }, Outcome::Written) => expected,
        _ => None,
    }
}

/// Whether a call is evidence that there was nothing.
fn sees_nothing(call: &Call) -> bool {
    matches!(
        (call.action, call.outcome),
        (_, Outcome::Held(None) | Outcome::Removed(None))
            | (Action::Swap { expected: None, .. }, Outcome::Written)
    )
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

fn shared_revisions(history: &[Call]) -> Result<(), Violation> {
    let mut known: BTreeMap<i64, &Call> = BTreeMap::new();
    for call in history.iter().filter(|c| c.is_acknowledged_write()) {
        let Some(revision) = call.revision else { continue };
        if let Some(first) = known.insert(revision, call) {
            let (first, second) = (Box::new(first.clone()), Box::new(call.clone()));
            return Err(Violation::SharedRevision { first, second });
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
        unknown_writes: history.iter().filter(|c| c.is_unknown_write()).count(),
        reads: history.iter().filter(|c| matches!(c.outcome, Outcome::Held(_))).count(),
        registers,
        events: 0,
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
    let mut unsettled = Unsettled::of(history);
    let acknowledged: BTreeMap<i64, &Call> =
        history.iter().filter(|c| c.is_acknowledged_write()).filter_map(|c| Some((c.revision?, c))).collect();
    for event in events {
        let explained = match acknowledged.get(&event.revision) {
            Some(call) => call.key == event.key && call.writes() == event.value,
            None => unsettled.explains(event),
        };
        if !explained {
            return Err(Violation::WatchInvented(event.clone()));
        }
    }
    let shown: BTreeSet<i64> = events.iter().map(|e| e.revision).collect();
    match acknowledged.iter().find(|(revision, _)| !shown.contains(revision)) {
        Some((_, missed)) => Err(Violation::WatchGap(Box::new((*missed).clone()))),
        None => Ok(()),
    }
}

/// Writes of unknown outcome. Each explains one event at most.
struct Unsettled {
    writes: BTreeSet<(u32, Value)>,
    deletions: BTreeMap<u32, usize>,
}

impl Unsettled {
    fn of(history: &[Call]) -> Self {
        let mut unsettled = Self { writes: BTreeSet::new(), deletions: BTreeMap::new() };
        for call in history.iter().filter(|c| c.is_unknown_write()) {
            match call.writes() {
                Some(value) => drop(unsettled.writes.insert((call.key, value))),
                None => *unsettled.deletions.entry(call.key).or_default() += 1,
            }
        }
        unsettled
    }

    fn explains(&mut self, event: &Event) -> bool {
        match event.value {
            Some(value) => self.writes.remove(&(event.key, value)),
            None => match self.deletions.get_mut(&event.key) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests;
